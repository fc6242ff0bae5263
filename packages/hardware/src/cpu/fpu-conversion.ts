/**
 * Conversions between single, double and word, and the comparisons of the floating-point unit.
 *
 * As in `fpu-arithmetic.ts`: operands are even registers without NaN or denormalised numbers where that matters (a
 * comparison takes both), functions return the exceptions, and the result is in `rounding.value`. A conversion to a word
 * that has no such value is Invalid, and gives 2^31 - 1 if that does not trap.
 *
 * Assumption: a comparison of denormalised numbers is done by the unit, as the R4000's is.
 *
 * Source: [KANE92 §8, app. B].
 */
import type { FpuRegisters } from './fpu-arithmetic.ts';
import { doubleNan, singleNan } from './fpu-operands.ts';
import type { Rounding } from './fpu-rounding.ts';
import { FP_I, FP_V } from './fpu-status.ts';

/** What a conversion to a word gives that is Invalid. */
export const INVALID_WORD = 0x7fffffff;

/** A number as a single. */
export function toSingle(rounding: Rounding, value: number): number {
  return value === 0 || !Number.isFinite(value) ? rounding.exact(value) : rounding.single(value, 0);
}

/** A number as a word, which is in `rounding.value`. */
export function toWord(rounding: Rounding, value: number): number {
  if (!(Math.abs(value) < 2 ** 32)) return FP_V;
  const inexact = rounding.integer(value);
  const word = rounding.value[0] as number;
  if (word < -0x80000000 || word > 0x7fffffff) return FP_V;
  return inexact ? FP_I : 0;
}

/**
 * Compares: bits 2, 1 and 0 of `condition` ask for less, equal, unordered; bit 3 makes a quiet NaN Invalid too. The
 * answer, 0 or 1, is in `rounding.value`.
 */
export function compareSingle(x: FpuRegisters, r: Rounding, fs: number, ft: number, condition: number): number {
  const nan = Math.max(singleNan(x.words[fs] as number), singleNan(x.words[ft] as number));
  return answer(r, x.singles[fs] as number, x.singles[ft] as number, nan, condition);
}

export function compareDouble(x: FpuRegisters, r: Rounding, fs: number, ft: number, condition: number): number {
  const { words } = x;
  const nan = Math.max(
    doubleNan(words[fs + 1] as number, words[fs] as number),
    doubleNan(words[ft + 1] as number, words[ft] as number),
  );
  return answer(r, x.doubles[fs >> 1] as number, x.doubles[ft >> 1] as number, nan, condition);
}

function answer(rounding: Rounding, a: number, b: number, nan: number, condition: number): number {
  const relation = nan !== 0 ? 1 : a === b ? 2 : a < b ? 4 : 0;
  rounding.exact((condition & relation) !== 0 ? 1 : 0);
  return nan === 2 || (nan === 1 && (condition & 8) !== 0) ? FP_V : 0;
}
