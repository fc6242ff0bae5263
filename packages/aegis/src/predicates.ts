/**
 * Wakeup predicates: what an environment sleeps for, as terms over words that it may read. [XOK]
 *
 * Downloaded as words in a frame (`PREDICATE` in abi), checked, and compiled through vcode to kernel text; the scheduler runs
 * it when a slice of the sleeping environment comes up (text/schedule.ts), and wakes it with the tag of the product that
 * holds. Every variable names a physical word and carries the capability to read it, or the words that its frame's guard is open
 * to, checked once, here; its frame is pinned, so that the word stays what it was. When that right ends, so does the predicate.
 */
import { ENV, ERRORS, PAGE_BYTES, PREDICATE, PREDICATE_OPERATORS } from '@exokernel/abi';
import {
  activationRegion,
  and,
  compileMips,
  defineProgram,
  eq,
  leu,
  ltu,
  maxCost,
  ne,
  type Expression,
  type Operand,
  type Program,
  type RegionHandle,
} from '@exokernel/vcode';
import { COSTS } from './costs.ts';
import type { Families } from './families.ts';
import type { Frames, ReadBy } from './frames.ts';
import { KSEG0, PHYSICAL, PREDICATE_FUEL, PREDICATE_SLOT } from './layout.ts';
import { Records, type KernelMemory } from './memory.ts';
import { PREDICATE_STATE, TABLES } from './tables.ts';

/** What it costs at most to set a predicate without terms. */
const COST_OF_PREDICATE = 14_000;

/** A word of memory and by what it may be read, or a constant. */
type Side = { readonly ppn: number; readonly offset: number; readonly by: ReadBy } | { readonly value: number };

interface Term {
  readonly operator: number;
  readonly left: Side;
  readonly right: Side;
}

interface Product {
  readonly tag: number;
  readonly terms: readonly Term[];
}

export class Predicates {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #families: Families;
  /** By place. The frames of its variables are pinned. */
  readonly #installed: Records;

  constructor(memory: KernelMemory, frames: Frames, families: Families) {
    this.#memory = memory;
    this.#frames = frames;
    this.#families = families;
    this.#installed = new Records(memory, TABLES.predicateState);
  }

  /**
   * Makes the words in `bytes` the predicate of `env`, instead of the one it had; no bytes: none. Returns how many
   * instructions were made, or an error: then it keeps the one it had.
   */
  set(env: number, bytes: Uint8Array): number {
    if (bytes.length === 0) {
      this.release(env);
      return 0;
    }
    const products = this.#parse(bytes);
    if (typeof products === 'number') return products;
    const frames = framesOf(products);
    if (frames.length > PREDICATE.pages) return ERRORS.E_RANGE;
    const held = this.#installed.find(PREDICATE_STATE.owner, env + 1);
    const free = held === -1 ? this.#installed.find(PREDICATE_STATE.owner, 0) : held;
    if (free === -1) return ERRORS.E_NONE;
    const base = PHYSICAL.predicates + free * PREDICATE_SLOT.bytes;
    const program = predicateProgram(products, frames);
    const { words, activationBytes } = compileMips(program, KSEG0 + base);
    this.#memory.charge(words.length, COSTS.compiledWord);
    const fits =
      4 * words.length <= PREDICATE_SLOT.activation &&
      activationBytes <= PREDICATE_SLOT.bytes - PREDICATE_SLOT.activation;
    if (!fits || (maxCost(program) ?? Infinity) > PREDICATE_FUEL) return ERRORS.E_RANGE;
    if (held === -1 && !this.#families.take('predicates', this.#families.of(env))) return ERRORS.E_NONE;
    for (const ppn of frames) this.#frames.pin(ppn);
    this.#remove(env);
    this.#installed.set(free, PREDICATE_STATE.owner, env + 1);
    this.#installed.set(free, PREDICATE_STATE.count, frames.length);
    frames.forEach((ppn, i) => {
      this.#installed.set(free, PREDICATE_STATE.frames + 4 * i, ppn);
    });
    let guarded = 0;
    for (const side of sidesOf(products)) {
      if (!('ppn' in side)) continue;
      if (side.by === 'guard') guarded |= 1 << frames.indexOf(side.ppn);
      else this.#frames.boundThrough(env, side.by.node);
    }
    this.#installed.set(free, PREDICATE_STATE.guarded, guarded);
    this.#memory.installCode(base, words);
    const activation = base + PREDICATE_SLOT.activation;
    frames.forEach((ppn, i) => {
      this.#memory.set(activation + activationRegion(i), KSEG0 + ppn * PAGE_BYTES);
      this.#memory.set(activation + activationRegion(i) + 4, PAGE_BYTES);
    });
    this.#memory.setEnv(env, ENV.predicate, KSEG0 + base);
    this.#memory.setEnv(env, ENV.predicateActivation, KSEG0 + activation);
    return words.length;
  }

  /** What it costs at most to set a predicate of so many bytes: a term of 44 checks two capabilities, and makes ten instructions. */
  costOfSetting(bytes: number): number {
    return bytes === 0 ? 0 : COST_OF_PREDICATE + bytes * ((2 * COSTS.mac + 10 * COSTS.compiledWord) / 44 + COSTS.word);
  }

  /** The frames that predicates pin, each as often as it is. */
  get pinned(): readonly number[] {
    return this.#places().flatMap((place) => this.#framesOf(place));
  }

  /** An environment, or every one (undefined), loses its binding to a frame: predicates over it end, and their owners wake. */
  releaseFrame(env: number | undefined, ppn: number): void {
    for (const place of this.#places()) {
      const owner = this.#installed.get(place, PREDICATE_STATE.owner) - 1;
      if (owner !== (env ?? owner) || !this.#framesOf(place).includes(ppn)) continue;
      this.release(owner);
      this.#memory.setEnv(owner, ENV.pending, 1);
    }
  }

  /** Other words open a frame for reading: a predicate that reads it by the old ones goes, and who waits for it wakes. */
  guarded(ppn: number): void {
    for (const place of this.#places()) {
      const i = this.#framesOf(place).indexOf(ppn);
      if (i < 0 || ((this.#installed.get(place, PREDICATE_STATE.guarded) >>> i) & 1) === 0) continue;
      const owner = this.#installed.get(place, PREDICATE_STATE.owner) - 1;
      this.release(owner);
      this.#memory.setEnv(owner, ENV.pending, 1);
    }
  }

  release(env: number): void {
    if (this.#remove(env)) this.#families.give('predicates', this.#families.of(env));
  }

  /** Removes the predicate of an environment. Returns whether it had one. */
  #remove(env: number): boolean {
    this.#memory.setEnv(env, ENV.predicate, 0);
    const place = this.#installed.find(PREDICATE_STATE.owner, env + 1);
    if (place < 0) return false;
    this.#installed.set(place, PREDICATE_STATE.owner, 0);
    for (const ppn of this.#framesOf(place)) this.#frames.unpin(ppn);
    return true;
  }

  /** The places that are taken. */
  #places(): number[] {
    return this.#installed.filter((place) => this.#installed.get(place, PREDICATE_STATE.owner) !== 0);
  }

  #framesOf(place: number): number[] {
    const count = Math.min(this.#installed.get(place, PREDICATE_STATE.count), PREDICATE.pages);
    return Array.from({ length: count }, (_, i) => this.#installed.get(place, PREDICATE_STATE.frames + 4 * i));
  }

  /** The predicate in these bytes, or an error. They are an allegation: nothing of them is believed. */
  #parse(bytes: Uint8Array): readonly Product[] | number {
    if (bytes.length % 4 !== 0 || bytes.length > PREDICATE.bytes) return ERRORS.E_RANGE;
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    // What lies behind the end reads as a number that nothing allows.
    const next = (): number => {
      at += 4;
      return at <= bytes.length ? words.getUint32(at - 4, true) : 0xffffffff;
    };
    const side = (): Side | number => {
      const [kind, value] = [next(), next()];
      const capability = [next(), value >>> 12, next(), next()] as const;
      if (kind === PREDICATE.constant) return { value };
      if (kind !== PREDICATE.variable || value % 4 !== 0) return ERRORS.E_CODE;
      const by = this.#frames.readBy(capability);
      return by === undefined ? ERRORS.E_CAP : { ppn: value >>> 12, offset: value % PAGE_BYTES, by };
    };
    const products: Product[] = [];
    const count = next();
    if (count === 0 || count > PREDICATE.products) return ERRORS.E_CODE;
    while (products.length < count) {
      const [tag, length] = [next(), next()];
      if (tag === 0 || length === 0 || length > PREDICATE.terms) return ERRORS.E_CODE;
      const terms: Term[] = [];
      while (terms.length < length) {
        const operator = next();
        const [left, right] = [side(), side()];
        if (operator >= Object.keys(PREDICATE_OPERATORS).length) return ERRORS.E_CODE;
        if (typeof left === 'number') return left;
        if (typeof right === 'number') return right;
        terms.push({ operator, left, right });
      }
      products.push({ tag, terms });
    }
    return at === bytes.length ? products : ERRORS.E_CODE;
  }
}

function sidesOf(products: readonly Product[]): Side[] {
  return products.flatMap(({ terms }) => terms.flatMap(({ left, right }) => [left, right]));
}

function framesOf(products: readonly Product[]): number[] {
  return [...new Set(sidesOf(products).flatMap((side) => ('ppn' in side ? side.ppn : [])))];
}

/** The first product all of whose terms hold gives its tag, else 0. One region per frame, in the order of `frames`. */
function predicateProgram(products: readonly Product[], frames: readonly number[]): Program {
  return defineProgram('predicate', (b) => {
    const regions = frames.map((ppn) => b.region(`frame ${ppn}`, 'r', { align: 4 }));
    regions.forEach((region) => {
      b.require(region, 0, PAGE_BYTES);
    });
    const operand = (side: Side): Operand =>
      'value' in side ? side.value : loadOf(regions[frames.indexOf(side.ppn)], side.offset);
    for (const { tag, terms } of products) {
      const all = terms.map(({ operator, left, right }) => comparison(operator, operand(left), operand(right)));
      b.if(
        all.reduce((x, y) => and(x, y)),
        () => {
          b.return(tag);
        },
      );
    }
  });
}

function loadOf(region: RegionHandle | undefined, offset: number): Expression {
  if (region === undefined) throw new RangeError('a variable in no frame');
  return region.le32(offset);
}

/** 1 or 0; words compare unsigned. */
function comparison(operator: number, left: Operand, right: Operand): Expression {
  switch (operator) {
    case PREDICATE_OPERATORS.eq:
      return eq(left, right);
    case PREDICATE_OPERATORS.ne:
      return ne(left, right);
    case PREDICATE_OPERATORS.lt:
      return ltu(left, right);
    case PREDICATE_OPERATORS.le:
      return leu(left, right);
    case PREDICATE_OPERATORS.gt:
      return ltu(right, left);
    default:
      return leu(right, left);
  }
}
