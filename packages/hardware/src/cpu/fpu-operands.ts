/**
 * What the floating-point unit cannot compute with: NaNs and denormalised numbers, found in the bits of an operand.
 *
 * The R3010 computes with normalised numbers, zeros and infinities. A denormalised operand is Unimplemented; so is a quiet
 * NaN, whose propagation is software's. A signalling NaN is Invalid. On MIPS a set top bit of the fraction means
 * *signalling*, the reverse of what IEEE 754-2008 chose later, and a NaN that the unit makes has all the others set.
 *
 * Assumption: that a quiet NaN is Unimplemented is documented of the R4000; the R3010 is taken to do the same. NaNs are
 * looked for in bits only: JavaScript does not promise to keep them.
 *
 * Source: [KANE92 §8].
 */
import { FP_E, FP_V } from './fpu-status.ts';

/** The quiet NaN that an untrapped Invalid gives. */
export const SINGLE_NAN = 0x7fbfffff;
export const DOUBLE_NAN_HIGH = 0x7ff7ffff;
export const DOUBLE_NAN_LOW = -1;

/** The exceptions of a single as an operand of a computation; 0 if it is one to compute with. */
export function singleOperand(bits: number): number {
  const exponent = bits & 0x7f800000;
  if ((exponent !== 0 && exponent !== 0x7f800000) || (bits & 0x7fffff) === 0) return 0;
  return exponent !== 0 && (bits & 0x400000) !== 0 ? FP_V : FP_E;
}

/** The same of a double. */
export function doubleOperand(high: number, low: number): number {
  const exponent = high & 0x7ff00000;
  if ((exponent !== 0 && exponent !== 0x7ff00000) || ((high & 0xfffff) | low) === 0) return 0;
  return exponent !== 0 && (high & 0x80000) !== 0 ? FP_V : FP_E;
}

/** Of the exceptions of several operands: Unimplemented hides Invalid. */
export function operandExceptions(both: number): number {
  return (both & FP_E) !== 0 ? FP_E : both;
}

/** How a number compares as a NaN: 0 it is none, 1 a quiet one, 2 a signalling one. */
export function singleNan(bits: number): number {
  if ((bits & 0x7fffffff) <= 0x7f800000) return 0;
  return (bits & 0x400000) === 0 ? 1 : 2;
}

/** The same of a double. */
export function doubleNan(high: number, low: number): number {
  if ((high & 0x7ff00000) !== 0x7ff00000 || ((high & 0xfffff) | low) === 0) return 0;
  return (high & 0x80000) === 0 ? 1 : 2;
}
