/**
 * Timing profiles: how long the parts of a DECstation take, in cycles of its CPU. One table; nothing else knows a model.
 *
 * All caches here are those of every DECstation with an R2000 or R3000: 64 KB of instructions and 64 KB of data,
 * direct-mapped, physical, written through, each word with a tag of its own: [DTJ90] of the 3100, and what Linux finds on
 * all of them, "64kB, linesize 4 bytes" [LINUXLOG]. What differs is how many words a miss brings in.
 *
 * `ideal` has neither caches nor a write buffer, and every instruction takes one cycle.
 */
import { HardwareError } from '../error.ts';

/** What an instruction may have to wait for. */
export interface Timing {
  /** Words that a miss brings in, a power of two, aligned. */
  readonly refillWords: number;
  /** Cycles for which the pipeline stands when the caches do not have a word. */
  readonly missCycles: number;
  /** The same for a load or fetch that does not ask the caches: kseg1, a page with the N bit, a device. */
  readonly uncachedCycles: number;
  /** Stores that the write buffer takes while memory is busy, and the cycles that memory needs for each. */
  readonly writeBufferDepth: number;
  readonly writeCycles: number;
  /** A byte or halfword stored into a word that the data cache has: it is read, merged and written. */
  readonly mergeCycles: number;
  /** From the instruction to that which may use HI and LO. */
  readonly multiplyCycles: number;
  readonly divideCycles: number;
}

/** One model. */
export interface TimingProfile {
  /** Cycles per second. */
  readonly hz: number;
  /** PRId: implementation and revision of the CPU. */
  readonly processor: number;
  /** The same of the floating-point unit (FCR0). */
  readonly fpu: number;
  /** Undefined: nothing is waited for. */
  readonly timing: Timing | undefined;
}

export type Profile = 'ideal' | 'dec2100' | 'dec3100' | 'dec5000';

/**
 * The KN01. `missCycles`: the loops of [VCODE96 T4] take 340 µs more on a 3100 when the data is not in the cache, 5.5
 * cycles for each word. `writeCycles`: a full buffer stops the CPU for 5 cycles at each further store [ANDERSON91], so
 * memory takes one in 6.
 *
 * Assumption: the 4 KB that make that a word of 5.5 cycles; that a load from elsewhere costs no more; `mergeCycles`. The
 * 2100 is the same board with a slower clock [KN01], and takes the same cycles.
 */
const KN01: Timing = {
  refillWords: 1,
  missCycles: 6,
  uncachedCycles: 6,
  writeBufferDepth: 4,
  writeCycles: 6,
  mergeCycles: 1,
  multiplyCycles: 12, // [GCC], as of all R2000 and R3000
  divideCycles: 35, // [GCC]
};

/**
 * A DECstation 5000 at 25 MHz. `missCycles`: 156 µs for the same loops, 15 cycles for each block of four words. The write
 * buffer of the 5000/200 has 6 entries and takes a store a cycle to one page of memory [ANDERSON91], less to others.
 *
 * Assumption: what is known of the 5000/200 holds for the 5000/125; a store in 2 cycles on average, as the copy of cached
 * data at 46 MB/s and 40 MHz that [ASH96 T4] implies; a single word without the three cycles of its neighbours.
 */
const KN02: Timing = {
  refillWords: 4,
  missCycles: 15,
  uncachedCycles: 12,
  writeBufferDepth: 6,
  writeCycles: 2,
  mergeCycles: 1,
  multiplyCycles: 12,
  divideCycles: 35,
};

/**
 * The clocks are those of [SOSP95 §3.3]; the revisions those that [LINUXLOG] shows. Assumption: the revisions of the R2000
 * and R2010.
 */
export const PROFILES: Readonly<Record<Profile, TimingProfile>> = {
  ideal: { hz: 25_000_000, processor: 0x220, fpu: 0x340, timing: undefined },
  dec2100: { hz: 12_500_000, processor: 0x100, fpu: 0x200, timing: KN01 },
  dec3100: { hz: 16_666_667, processor: 0x100, fpu: 0x200, timing: KN01 },
  dec5000: { hz: 25_000_000, processor: 0x230, fpu: 0x340, timing: KN02 },
};

/** The profile of this name; undefined if there is none. */
export function findProfile(name: string): TimingProfile | undefined {
  return Object.hasOwn(PROFILES, name) ? PROFILES[name as Profile] : undefined;
}

const LEAST_HZ = 1e6;
const MOST_HZ = 4e9;

/** The clock of a machine, in Hz, if `hz` is asked for: only `ideal` has another than its own. Throws `HardwareError` `clock`. */
export function clockOf(profile: Profile, own: number, hz: number = own): number {
  const isPossible = Number.isInteger(hz) && hz >= LEAST_HZ && hz <= MOST_HZ;
  if (hz === own || (profile === 'ideal' && isPossible)) return hz;
  const message = isPossible
    ? `profile ${profile} has a clock of ${own} Hz: only ideal takes another`
    : `no machine has a clock of ${hz} Hz: use an integer from ${LEAST_HZ} to ${MOST_HZ}`;
  throw new HardwareError('clock', message, { profile, hz });
}
