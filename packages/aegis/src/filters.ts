/**
 * Packet filters: downloaded, checked, merged and compiled when they are bound. [SOSP95 §5.5], [DPF96]
 *
 * Filters of all environments form one DPF trie, compiled to kernel text; those that get copies form a second. What runs at
 * arrival is machine code (text/receive.ts). The filters themselves are believed, but not in secret: the record of each,
 * its atoms and the number of others' filters that it overlaps can be read by everyone.
 *
 * The set that is compiled follows from the table `filterOrder` and the exposed records and bytes: it is made again from them
 * when they have been replaced (`restored`), and the next binding makes the same code as if they had not.
 */
import {
  ENV,
  ERRORS,
  FILTER,
  FILTER_BYTES,
  FILTER_CODE_BYTES,
  FILTER_LIMIT,
  NO_ENV,
  POLICIES,
  REFUSE_BITS_MIN,
  RIGHTS,
  type CapabilityWords,
} from '@exokernel/abi';
import { DpfError, FilterSet, decodeFilter, demandedBits, normalize, type OverlapPolicy } from '@exokernel/dpf';
import { VcodeError, compileMips, type Program } from '@exokernel/vcode';
import type { Capabilities } from './capabilities.ts';
import { COSTS } from './costs.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { Handlers } from './handlers.ts';
import { FILTER_TIME, KP, KSEG0, PHYSICAL, STEP_CYCLES } from './layout.ts';
import { Records, envAddress, type KernelMemory } from './memory.ts';
import { PendingPacket } from './pending-packet.ts';
import { ringPhysical } from './rings.ts';
import { mostCycles, mostCyclesOf } from './stalls.ts';
import { FILTER_STATE, TABLES, VARIABLES } from './tables.ts';

/** Where the activation record of the second program has base and length of the words that it fills. */
const FOUND = { base: 16, length: 20 } as const;
/** Instructions that there is room for. */
const DEMUX_WORDS = (PHYSICAL.demuxActivation - PHYSICAL.demux) / 4;
/** Bytes of code that a shift makes, by the same measure as the others (families.ts), beyond its own. Assumption: 110 bytes were seen. */
const ROOM_OF_SHIFT = 20;
/** What it costs at most to free a filter, without the code that is made anew. */
const COST_OF_FILTER = 6000;
const ACTIVATION_ROOM = PHYSICAL.copiesActivation - PHYSICAL.demuxActivation;

/** What a filter is bound with. */
export interface FilterRequest {
  readonly bytes: Uint8Array;
  readonly ring: number;
  /** The node of the ring's capability. */
  readonly node: number;
  /** One of POLICIES; any word. */
  readonly policy: number;
}

export class Filters {
  readonly #memory: KernelMemory;
  readonly #capabilities: Capabilities;
  readonly #families: Families;
  readonly #filters: Records;
  /** The filters in the order in which they were bound. */
  readonly #order: Records;
  readonly #state: Records;
  readonly handlers: Handlers;
  readonly #pending: PendingPacket;
  /** Derived: the filters, merged. */
  #set: FilterSet = merge([]);

  constructor(
    memory: KernelMemory,
    parts: { readonly frames: Frames; readonly capabilities: Capabilities; readonly families: Families },
  ) {
    const { frames, capabilities, families } = parts;
    this.#memory = memory;
    this.#capabilities = capabilities;
    this.#families = families;
    this.#filters = new Records(memory, PHYSICAL.filters, FILTER_BYTES, FILTER_LIMIT);
    this.#order = new Records(memory, TABLES.filterOrder);
    this.#state = new Records(memory, TABLES.filterState);
    this.handlers = new Handlers(memory, frames, families);
    this.#pending = new PendingPacket(memory);
    memory.setKernelPage(KP.demuxActivation, KSEG0 + PHYSICAL.demuxActivation);
    memory.set(PHYSICAL.copiesActivation + FOUND.base, KSEG0 + PHYSICAL.copies);
    memory.set(PHYSICAL.copiesActivation + FOUND.length, 4 * FILTER_LIMIT);
    capabilities.guard('filter', (id) =>
      id < FILTER_LIMIT && this.owner(id) !== NO_ENV ? this.#memory.wide(...this.#lifeOf(id)) : undefined,
    );
    capabilities.breaking('filter', (id, nodes) => {
      this.handlers.revoke(id, nodes);
    });
    capabilities.breaking('ring', (ring, nodes) => {
      for (const id of this.#to(ring)) {
        if (nodes.has(this.#state.get(id, FILTER_STATE.ringNode))) this.#filters.set(id, FILTER.ring, 0);
      }
    });
    for (let id = 0; id < FILTER_LIMIT; id += 1) this.#filters.set(id, FILTER.owner, NO_ENV);
  }

  /** The tables have been replaced: what is derived from them is made again. Throws if they hold no filters that can be. */
  restored(): void {
    this.#set = merge(this.#ids().map((id) => this.#downloaded(id)));
  }

  /** Binds a filter of `env`. Returns its number or an error. */
  bind(env: number, { bytes, ring, node, policy }: FilterRequest): number {
    const name = policyName(policy);
    if (name === undefined) return ERRORS.E_RANGE;
    const family = this.#families.of(env);
    if (!this.#families.may('filters', family)) return ERRORS.E_NONE;
    const id = this.#insert(bytes, name);
    if (id < 0) return id;
    const room = roomOf(bytes);
    const at = this.#codeEnd();
    const own = units(this.#set.weightOf(id, mostCyclesOf));
    const isOwn =
      this.#families.isGuaranteed('filterTime', family, own) && this.#families.take('filterTime', family, own);
    const time = isOwn ? own : 0;
    const fits =
      this.#families.may('filterBytes', family, room) && (isOwn || this.#families.share(this.#sharedTime(id)));
    if (!fits || at + bytes.length > PHYSICAL.filterCode + FILTER_CODE_BYTES || !this.#compile(bytes.length)) {
      this.#set.delete(id);
      this.#families.give('filterTime', family, time);
      this.#families.share(this.#sharedTime());
      return ERRORS.E_NONE;
    }
    this.#state.set(id, FILTER_STATE.time, time);
    this.#families.take('filters', family);
    this.#families.take('filterBytes', family, room);
    const count = this.#memory.variable(VARIABLES.filterCount);
    this.#order.set(count, 0, id);
    this.#memory.setVariable(VARIABLES.filterCount, count + 1);
    this.#memory.write(at, bytes);
    this.#state.set(id, FILTER_STATE.ringNode, node);
    this.#filters.fill(id, [
      [FILTER.owner, env],
      [FILTER.env, envAddress(env)],
      [FILTER.ring, KSEG0 + ringPhysical(ring)],
      [FILTER.id, id],
      [FILTER.policy, policy],
      [FILTER.accepted, 0],
      [FILTER.consumed, 0],
      [FILTER.aborted, 0],
      [FILTER.code, at],
      [FILTER.length, bytes.length],
      [FILTER.handler, 0],
    ]);
    this.#memory.setWide(this.#memory.wide(...this.#lifeOf(id)) + 1, ...this.#lifeOf(id));
    this.#countOverlaps(id, 1);
    return id;
  }

  /**
   * What the filters that no family is guaranteed take of filterTime together, with one that is bound now: their longest run, and neither
   * what comes nor what goes makes more of it than its own part.
   */
  #sharedTime(bound?: number): number {
    this.#memory.charge(this.#codeBytes(), COSTS.comparedByte);
    const shares = new Set(this.#ids().filter((id) => this.#state.get(id, FILTER_STATE.time) === 0));
    return units(this.#set.weight(mostCyclesOf, (id) => id === bound || shares.has(id)));
  }

  /** What it costs at most to bind a filter of so many bytes. */
  costOfBinding(bytes: number): number {
    const count = this.#memory.variable(VARIABLES.filterCount);
    return this.#costOfCompiling(bytes) + (2 * count * bytes + 4 * (this.#codeBytes() + bytes)) * COSTS.comparedByte;
  }

  /** What it costs at most to free so many filters at once. */
  costOfFreeing(filters: number): number {
    if (filters === 0) return 0;
    const compared = filters === 1 ? 2 : this.#memory.variable(VARIABLES.filterCount) - filters + 1;
    return this.#costOfCompiling(0) + filters * COST_OF_FILTER + compared * 2 * this.#codeBytes() * COSTS.comparedByte;
  }

  /** What `release` costs at most. */
  costOfRelease(env: number): number {
    return this.costOfFreeing(this.#ofEnv(env).length);
  }

  /** With a filter of so many bytes more: an atom of ten takes less than 15 instructions. */
  #costOfCompiling(bytes: number): number {
    const words = this.#mostWords(bytes);
    const moved = 2 * this.#codeBytes() + 8 * FILTER_LIMIT;
    return words * (COSTS.compiledWord + COSTS.copiedWord) + moved * COSTS.word;
  }

  /** Instructions, at most, of all filters with one of so many bytes more. */
  #mostWords(bytes: number): number {
    return this.#memory.variable(VARIABLES.filterWords) + 1.5 * bytes + 60;
  }

  /** Bytes of all filters. */
  #codeBytes(): number {
    return this.#codeEnd() - PHYSICAL.filterCode;
  }

  /** Where the two words of a filter's generation lie. */
  #lifeOf(id: number): readonly [low: number, high: number] {
    const more = this.#memory.table(TABLES.filterState) + TABLES.filterState.bytes * id;
    return [this.#filters.address(id) + FILTER.generation, more + FILTER_STATE.generation];
  }

  /** The capability of a filter: to free it and to attach a handler (control). */
  capability(id: number): CapabilityWords {
    return this.#capabilities.make('filter', RIGHTS.control, id);
  }

  /** The filter that a capability names, if it grants these rights; else E_CAP. */
  check(words: CapabilityWords, rights: number): number {
    return this.#capabilities.check(words, 'filter', rights);
  }

  /** Frees filters that there are. */
  free(...ids: readonly number[]): void {
    if (ids.length === 0) return;
    // Of many at once those that stay are counted again: those that go together need not be compared with each other.
    if (ids.length === 1) this.#countOverlaps(ids[0] ?? 0, -1);
    for (const id of ids) this.#free(id);
    const left = this.#ids().filter((other) => !ids.includes(other));
    left.forEach((other, i) => {
      this.#order.set(i, 0, other);
    });
    this.#memory.setVariable(VARIABLES.filterCount, left.length);
    this.#families.share(this.#sharedTime());
    this.#compile(0);
    this.#closeGaps();
    if (ids.length > 1) for (const id of left) this.#recountOverlaps(id);
  }

  #free(id: number): void {
    this.#capabilities.forget('filter', id);
    // Should the rest not compile, the old code stays, and what it still accepts for this filter goes nowhere.
    this.#filters.set(id, FILTER.ring, 0);
    const family = this.#families.of(this.owner(id));
    this.#families.give('filters', family);
    this.#families.give('filterTime', family, this.#state.get(id, FILTER_STATE.time));
    this.#families.give('filterBytes', family, roomOf(this.#bytes(id)));
    this.handlers.remove(id);
    this.#filters.set(id, FILTER.owner, NO_ENV);
    this.#filters.set(id, FILTER.length, 0);
    this.#pending.filterFreed(id);
    this.#set.delete(id);
  }

  /** Who bound a filter, or NO_ENV. */
  owner(id: number): number {
    return this.#filters.get(id, FILTER.owner);
  }

  /** Attaches the handler in `bytes`. Returns an error code: E_RANGE for a filter that gets copies, which only reads along. */
  attach(id: number, bytes: Uint8Array, node: number): number {
    if (this.#filters.get(id, FILTER.policy) === POLICIES.all) return ERRORS.E_RANGE;
    return this.handlers.attach(id, bytes, node);
  }

  /** A ring is gone: filters that delivered to it deliver nowhere. */
  ringFreed(ring: number): void {
    for (const id of this.#to(ring)) this.#filters.set(id, FILTER.ring, 0);
  }

  /** Frees every filter of an environment. */
  release(env: number): void {
    this.#pending.released(env, this.#memory.env(env, ENV.parent));
    this.free(...this.#ofEnv(env));
  }

  /** Takes a frame away from the windows of an environment's filters, or (undefined) of all. */
  releaseFrame(env: number | undefined, ppn: number): void {
    for (const id of this.#ofEnv(env)) this.handlers.releaseFrame(id, ppn);
  }

  /** The filters in the order in which they were bound. */
  #ids(): number[] {
    const length = Math.min(this.#memory.variable(VARIABLES.filterCount), FILTER_LIMIT);
    return Array.from({ length }, (_, i) => this.#order.get(i, 0));
  }

  #ofEnv(env: number | undefined): number[] {
    return this.#ids().filter((id) => env === undefined || this.owner(id) === env);
  }

  /** The filters that deliver to a ring. */
  #to(ring: number): number[] {
    return this.#ids().filter((id) => this.#filters.get(id, FILTER.ring) === KSEG0 + ringPhysical(ring));
  }

  /** The bytes of a filter, as they were downloaded. */
  #bytes(id: number): Uint8Array {
    const length = Math.min(this.#filters.get(id, FILTER.length), FILTER_CODE_BYTES);
    return this.#memory.bytes(this.#filters.get(id, FILTER.code), length);
  }

  /** A filter as it was downloaded. */
  #downloaded(id: number): Downloaded {
    return { id, bytes: this.#bytes(id), policy: policyName(this.#filters.get(id, FILTER.policy)) };
  }

  #insert(bytes: Uint8Array, policy: OverlapPolicy): number {
    const count = this.#memory.variable(VARIABLES.filterCount);
    this.#memory.charge(count * bytes.length + this.#codeBytes(), COSTS.comparedByte);
    try {
      const atoms = decodeFilter(bytes);
      if (policy === 'refuse' && demandedBits(normalize(atoms)) < REFUSE_BITS_MIN) return ERRORS.E_RANGE;
      return this.#set.insert(atoms, policy);
    } catch (error) {
      if (!(error instanceof DpfError)) throw error;
      return error.code === 'overlap' ? ERRORS.E_OVERLAP : error.code === 'limit' ? ERRORS.E_NONE : ERRORS.E_CODE;
    }
  }

  /** Compiles both tries anew, with a filter of so many bytes more than before. Returns whether they fit; otherwise what was there stays. */
  #compile(added: number): boolean {
    // Packets lie at word boundaries in the controller's buffers.
    const align = { align: 4 } as const;
    const set = this.#set;
    const copies = set.copyCount > 0;
    try {
      const winner = set.size === set.copyCount ? [] : make(set.program(align), PHYSICAL.demux);
      const second = copies ? make(set.copiesProgram(align), PHYSICAL.demux + 4 * winner.length) : [];
      const words = [...winner, ...second];
      this.#memory.charge(words.length, COSTS.compiledWord);
      if (words.length > DEMUX_WORDS) return false;
      this.#memory.setKernelPage(KP.demux, winner.length === 0 ? 0 : KSEG0 + PHYSICAL.demux);
      this.#memory.setKernelPage(KP.copies, copies ? KSEG0 + PHYSICAL.demux + 4 * winner.length : 0);
      this.#memory.installCode(PHYSICAL.demux, words);
      this.#memory.setVariable(VARIABLES.filterWords, words.length);
      return true;
    } catch (error) {
      if (!(error instanceof VcodeError)) throw error;
      // It was made, as far as it went, and is thrown away.
      this.#memory.charge(this.#mostWords(added), COSTS.compiledWord);
      return false;
    }
  }

  /** Where the bytes of the next filter are to lie: behind those of the last. */
  #codeEnd(): number {
    const last = this.#ids().at(-1);
    if (last === undefined) return PHYSICAL.filterCode;
    return this.#filters.get(last, FILTER.code) + padded(this.#filters.get(last, FILTER.length));
  }

  /** Moves the bytes of all filters together, for everyone to read. */
  #closeGaps(): void {
    let at = PHYSICAL.filterCode;
    for (const id of this.#ids()) {
      const bytes = this.#bytes(id);
      this.#memory.write(at, bytes);
      this.#filters.set(id, FILTER.code, at);
      at += padded(bytes.length);
    }
  }

  #recountOverlaps(id: number): void {
    this.#chargeComparing(id);
    const others = this.#set.overlapping(id).filter((other) => this.owner(other) !== this.owner(id));
    this.#filters.set(id, FILTER.overlaps, others.length);
  }

  #chargeComparing(id: number): void {
    const count = this.#memory.variable(VARIABLES.filterCount);
    this.#memory.charge(count * this.#filters.get(id, FILTER.length) + this.#codeBytes(), COSTS.comparedByte);
  }

  /** A filter has come (1) or goes (−1): those of other owners that it overlaps, and it, have as many overlaps more or less. */
  #countOverlaps(id: number, delta: 1 | -1): void {
    this.#chargeComparing(id);
    const owner = this.owner(id);
    const others = this.#set.overlapping(id).filter((other) => this.owner(other) !== owner);
    for (const other of others) {
      this.#filters.set(other, FILTER.overlaps, this.#filters.get(other, FILTER.overlaps) + delta);
    }
    this.#filters.set(id, FILTER.overlaps, delta === 1 ? others.length : 0);
  }
}

/** Cycles in units of filterTime. */
function units(cycles: number): number {
  return Math.ceil(cycles / FILTER_TIME.unit);
}

/** How far the bytes of a filter push those of the next: to a word boundary. */
function padded(length: number): number {
  return (length + 3) & ~3;
}

/** What a filter counts of filterBytes: a shift becomes more code than its bytes allow for. */
export function roomOf(bytes: Uint8Array): number {
  const shifts = decodeFilter(bytes).filter(({ kind }) => kind === 'shift').length;
  return padded(bytes.length) + ROOM_OF_SHIFT * shifts;
}

/** A filter as it was downloaded, and its number. */
interface Downloaded {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly policy: OverlapPolicy | undefined;
}

/** The set of these filters, in the order in which they were bound. Throws `DpfError` if there is none. */
function merge(filters: readonly Downloaded[]): FilterSet {
  const set = new FilterSet({ maxFilters: FILTER_LIMIT });
  for (const { id, bytes, policy } of filters) set.insert(decodeFilter(bytes), policy, id);
  return set;
}

function policyName(policy: number): OverlapPolicy | undefined {
  return (Object.keys(POLICIES) as OverlapPolicy[]).find((name) => POLICIES[name] === policy);
}

/** The MIPS code of a program. Throws `VcodeError` if it does not fit, or one run of it is not one short step. */
function make(program: Program, physical: number): number[] {
  const code = compileMips(program, KSEG0 + physical);
  if (code.activationBytes > ACTIVATION_ROOM) throw new VcodeError('limit', 'the filters need too many words');
  if (mostCycles(code) > STEP_CYCLES) throw new VcodeError('limit', 'the filters take too long');
  return [...code.words];
}
