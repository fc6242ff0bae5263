/**
 * When floating-point results are there: an instruction waits for its registers and for the unit that executes it.
 *
 * The R3010 adds, multiplies and divides in three units, which work side by side, each at one operation at a time. Compares,
 * conversions and moves are the adder's. A branch waits for the compare; an access to the control register for everything.
 *
 * `interlock` is asked before an instruction and says the stall; `issue` is told when it has been executed. An operation
 * that traps is not issued.
 *
 * Source: latencies of [GCC] (compare, add, multiply, divide, moves). Assumption: those of conversions; that the units do
 * not hinder each other.
 */
import * as S from '../memory/cpu-state.ts';

const ADDER = 0;
const MULTIPLIER = 1;
const DIVIDER = 2;

const MUL = 2;
const DIV = 3;
const DOUBLE = 17;
const WORD = 20;

/** The times of one machine's floating-point unit. */
export class FpuScoreboard {
  readonly #words: Int32Array;

  /** `words` is the whole memory of the machine. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Cycles for which `word`, an instruction of coprocessor 1, waits at cycle `now`. */
  interlock(word: number, now: number): number {
    const opcode = word >>> 26;
    if (opcode !== 0x11) return this.#pair(word >>> 16, now);
    if ((word & 0x2000000) !== 0) {
      const operation = word & 63;
      const operands = Math.max(this.#pair(word >>> 11, now), isBinary(operation) ? this.#pair(word >>> 16, now) : 0);
      const result = operation >= 0x30 ? 0 : this.#pair(word >>> 6, now);
      return Math.max(this.#ahead(S.FPU_UNIT_FREE + unitOf(operation), now), operands, result);
    }
    switch ((word >>> 21) & 31) {
      case 0x00: // mfc1, mtc1
      case 0x04:
        return this.#pair(word >>> 11, now);
      case 0x08:
        return this.#ahead(S.FPU_CONDITION_READY, now);
      default: {
        let all = 0;
        for (let i = S.FPU_UNIT_FREE; i < S.TIMES_END; i += 1) all = Math.max(all, this.#ahead(i, now));
        return all;
      }
    }
  }

  /** `word`, an operation that does not trap, begins at cycle `now`. */
  issue(word: number, now: number): void {
    const operation = word & 63;
    const done = now + latency(operation, (word >>> 21) & 31);
    this.#words[S.FPU_UNIT_FREE + unitOf(operation)] = done;
    if (operation >= 0x30) this.#words[S.FPU_CONDITION_READY] = done;
    else this.#words[S.FPU_PAIR_READY + ((word >>> 7) & 15)] = done;
  }

  /** The register in the low bits of `field`. */
  #pair(field: number, now: number): number {
    return this.#ahead(S.FPU_PAIR_READY + ((field >>> 1) & 15), now);
  }

  #ahead(index: number, now: number): number {
    const ahead = ((this.#words[index] as number) - now) | 0;
    return ahead > 0 ? ahead : 0;
  }
}

/** Whether an operation has two operands. */
export function isBinary(operation: number): boolean {
  return operation <= DIV || operation >= 0x30;
}

function unitOf(operation: number): number {
  return operation === MUL ? MULTIPLIER : operation === DIV ? DIVIDER : ADDER;
}

/** Cycles from an operation to one that may use its result. */
function latency(operation: number, format: number): number {
  const isDouble = format === DOUBLE;
  switch (operation) {
    case MUL:
      return isDouble ? 5 : 4;
    case DIV:
      return isDouble ? 19 : 12;
    case 0x05: // abs, mov, neg
    case 0x06:
    case 0x07:
      return 1;
    case 0x20: // cvt.s, cvt.d
    case 0x21:
      return format === WORD ? 3 : isDouble ? 2 : 1;
    default: // add, sub, cvt.w, compares
      return 2;
  }
}
