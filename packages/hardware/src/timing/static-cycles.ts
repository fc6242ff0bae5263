/**
 * How long the instructions of a program take, as far as the program alone says: for listings.
 *
 * Each stretch from a label on, or from behind an unconditional jump, is executed in order in an empty pipeline whose caches have
 * everything. So there are the cycle of each instruction, waits for HI, LO and the floating-point unit, stores that fill the write buffer
 * or merge with a cached word, and accesses to addresses that a `lui` of the stretch puts into kseg1, which no cache serves.
 *
 * Not in it: what misses a cache or the TLB, stores of before the stretch that still fill the write buffer, the declared cost of native
 * functions, and other addresses that no cache serves.
 */
import {
  KSEG1,
  KSEG2,
  controlFlow,
  decode,
  effects,
  type Assembly,
  type Mnemonic,
  type OperandKind,
} from '@exokernel/isa';
import { TIMES_END } from '../memory/cpu-state.ts';
import { everyStatement, type Semantics, type Size } from '../semantics/language.ts';
import { SEMANTICS } from '../semantics/table.ts';
import { Pipeline } from './pipeline.ts';
import { PROFILES, type Profile, type Timing } from './profiles.ts';

const COP1 = 0x11;

/** Cycles of each word of the program on the machine of that profile. */
export function staticCycles(program: Assembly, profile: Profile): number[] {
  const { timing } = PROFILES[profile];
  const { origin, words, symbols } = program;
  if (timing === undefined) return Array.from(words, () => 1);
  const starts = new Set(symbols.values());
  let stretch = new Stretch(timing);
  let jumped = false;
  return Array.from(words, (word, i) => {
    const address = (origin + 4 * i) >>> 0;
    const isSlot = i > 0 && effects(words[i - 1] ?? 0).branches;
    if (starts.has(address) || (jumped && !isSlot)) stretch = new Stretch(timing);
    if (!isSlot) jumped = controlFlow(word, address).always;
    return stretch.cycles(word);
  });
}

/** A column for a listing: the cycles on each kind of machine, one column for profiles that take the same. */
export interface CycleColumn {
  /** What the columns are, in a line. */
  readonly heading: string;
  readonly column: (index: number) => string;
}

/** The cycles of a program on every kind of machine. */
export function cycleColumn(program: Assembly): CycleColumn {
  const kinds = new Map<Timing | undefined, Profile[]>();
  for (const [profile, { timing }] of Object.entries(PROFILES) as [Profile, { timing: Timing | undefined }][]) {
    kinds.set(timing, [...(kinds.get(timing) ?? []), profile]);
  }
  const columns = [...kinds.values()].map(([profile = 'ideal']) => staticCycles(program, profile));
  const names = [...kinds.values()].map((profiles) => profiles.join(' and '));
  return {
    heading: `cycles on ${names.join('; ')}: caches hit, and the write buffer is empty at each label`,
    column: (index) => `${columns.map((cycles) => String(cycles[index] ?? 0).padStart(2)).join(' ')}  `,
  };
}

/** Upper halves of addresses in kseg1. */
const isKseg1 = (upper: number): boolean => upper >= KSEG1 >>> 16 && upper < KSEG2 >>> 16;

/** Instructions one after the other, from an empty pipeline on. */
class Stretch {
  readonly #timing: Timing;
  readonly #pipeline: Pipeline;
  #now = 0;
  /** Registers that hold an address of kseg1, as bits. */
  #uncached = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
    this.#pipeline = new Pipeline(timing, new Int32Array(TIMES_END));
  }

  cycles(word: number): number {
    const before = this.#now;
    this.#now += 1;
    const mnemonic = decode(word)?.mnemonic;
    if (mnemonic !== undefined) this.#wait(mnemonic, word);
    this.#follow(mnemonic, word);
    return this.#now - before;
  }

  #wait(mnemonic: Mnemonic, word: number): void {
    const pipeline = this.#pipeline;
    if (word >>> 26 === COP1 || mnemonic === 'lwc1' || mnemonic === 'swc1') {
      this.#now += pipeline.fpu.interlock(word, this.#now);
      if (word >>> 26 === COP1 && (word & 0x2000000) !== 0) pipeline.fpu.issue(word, this.#now);
      if (mnemonic === 'swc1') this.#now += pipeline.write(this.#now);
      return;
    }
    const row: Semantics<OperandKind> = SEMANTICS[mnemonic];
    const statements = row === 'interpreter' ? [] : 'where' in row ? row.statements : row;
    for (const statement of everyStatement(statements)) {
      if (statement.kind === 'multiplier') this.#now += pipeline.useMultiplier(statement.use, this.#now);
      if (statement.kind === 'reach') this.#reach(statement.size, statement.isStore, (word >>> 21) & 31);
    }
  }

  #reach(size: Size, isStore: boolean, base: number): void {
    const isUncached = ((this.#uncached >>> base) & 1) !== 0;
    if (isStore) {
      if (size !== 4 && !isUncached) this.#now += this.#timing.mergeCycles;
      this.#now += this.#pipeline.write(this.#now);
    } else if (isUncached) {
      this.#now += this.#pipeline.uncached(this.#now);
    }
  }

  /** Which registers hold an address that no cache serves. */
  #follow(mnemonic: Mnemonic | undefined, word: number): void {
    const { reads, writes, loads } = effects(word);
    const isSum = mnemonic === 'addu' || mnemonic === 'addiu' || mnemonic === 'or' || mnemonic === 'ori';
    const isUncached = mnemonic === 'lui' ? isKseg1(word & 0xffff) : isSum && (reads & this.#uncached) !== 0;
    const changed = writes | loads;
    this.#uncached = isUncached ? this.#uncached | changed : this.#uncached & ~changed;
  }
}
