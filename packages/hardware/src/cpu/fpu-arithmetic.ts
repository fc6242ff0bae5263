/**
 * Addition, multiplication and division of the floating-point unit, with the exact sign of every rounding error.
 *
 * Singles are computed in double precision, which holds their products and is wide enough that rounding twice rounds once
 * (2 * 24 + 2 bits). For doubles the error is computed too, by the classical error-free transformations; operands whose
 * intermediate values could leave the range are first brought near 1. Operands are numbers of registers, even and checked
 * by the caller to be no NaN and not denormalised; each function returns the exceptions and leaves the result in
 * `rounding.value`. Invalid leaves none.
 *
 * Source: [IEEE754], [DEKKER71] for the transformations.
 */
import { FP_E, FP_V, FP_Z } from './fpu-status.ts';
import type { Rounding } from './fpu-rounding.ts';

const MIN_DOUBLE = 2 ** -1022;
const LARGE = 2 ** 1023;
const TO_ONE = 2 ** -1022;
/** 2^27 + 1 splits a double into two halves of 26 bits. */
const SPLITTER = 134217729;

/** The registers, in the three ways in which they are read. */
export interface FpuRegisters {
  readonly words: Int32Array;
  readonly singles: Float32Array;
  /** Double n / 2 is register n and the next one. */
  readonly doubles: Float64Array;
}

/** fs + ft, or fs - ft. */
export function addSingle(x: FpuRegisters, rounding: Rounding, fs: number, ft: number, subtract: boolean): number {
  const a = x.singles[fs] as number;
  const b = subtract ? -(x.singles[ft] as number) : (x.singles[ft] as number);
  const sum = a + b;
  if (sum === 0) return rounding.zeroSum(a, b);
  if (!Number.isFinite(sum)) return infinite(rounding, sum);
  return rounding.single(sum, sumError(a, b, sum));
}

export function addDouble(x: FpuRegisters, rounding: Rounding, fs: number, ft: number, subtract: boolean): number {
  const a = x.doubles[fs >> 1] as number;
  const b = subtract ? -(x.doubles[ft >> 1] as number) : (x.doubles[ft >> 1] as number);
  const sum = a + b;
  const magnitude = Math.abs(sum);
  if (magnitude >= MIN_DOUBLE && magnitude < LARGE) return rounding.double(sum, sumError(a, b, sum));
  if (sum === 0) return rounding.zeroSum(a, b);
  if (magnitude < MIN_DOUBLE) return FP_E;
  if (magnitude < Infinity) return rounding.scaledDouble(sum * TO_ONE, sumError(a, b, sum), 1022);
  if (!Number.isFinite(a) || !Number.isFinite(b)) return infinite(rounding, sum);
  const c = a * TO_ONE;
  const d = b * TO_ONE;
  return rounding.scaledDouble(c + d, sumError(c, d, c + d), 1022);
}

export function multiplySingle(x: FpuRegisters, rounding: Rounding, fs: number, ft: number): number {
  const product = (x.singles[fs] as number) * (x.singles[ft] as number);
  if (product === 0) return rounding.exact(product);
  if (!Number.isFinite(product)) return infinite(rounding, product);
  return rounding.single(product, 0);
}

export function multiplyDouble(x: FpuRegisters, rounding: Rounding, fs: number, ft: number): number {
  const a = x.doubles[fs >> 1] as number;
  const b = x.doubles[ft >> 1] as number;
  const ea = exponent(x, fs);
  const eb = exponent(x, ft);
  if (isExtreme(ea) || isExtreme(eb)) return infinite(rounding, a * b);
  const e = ea + eb;
  if (e > -900 && e < 1000 && ea < 900 && eb < 900) {
    const product = a * b;
    return rounding.double(product, productError(a, b, product));
  }
  const c = significand(a, ea);
  const d = significand(b, eb);
  return rounding.scaledDouble(c * d, productError(c, d, c * d), e);
}

export function divideSingle(x: FpuRegisters, rounding: Rounding, fs: number, ft: number): number {
  const a = x.singles[fs] as number;
  const b = x.singles[ft] as number;
  const quotient = a / b;
  if (b === 0 || quotient === 0) return divideByZero(rounding, a, b);
  if (!Number.isFinite(quotient)) return infinite(rounding, quotient);
  // Asked for only where the quotient is a single: then the product is exact.
  const rest = a - quotient * b;
  return rounding.single(quotient, b < 0 ? -rest : rest);
}

export function divideDouble(x: FpuRegisters, rounding: Rounding, fs: number, ft: number): number {
  const a = x.doubles[fs >> 1] as number;
  const b = x.doubles[ft >> 1] as number;
  const ea = exponent(x, fs);
  const eb = exponent(x, ft);
  if (isExtreme(ea) || isExtreme(eb)) return divideByZero(rounding, a, b);
  const e = ea - eb;
  if (e > -900 && e < 900 && ea > -900 && ea < 900 && eb > -900 && eb < 900) {
    const quotient = a / b;
    return rounding.double(quotient, quotientError(a, b, quotient));
  }
  const c = significand(a, ea);
  const d = significand(b, eb);
  return rounding.scaledDouble(c / d, quotientError(c, d, c / d), e);
}

/** A result that some infinity or zero made: exact, or no number. */
function infinite(rounding: Rounding, result: number): number {
  return Number.isNaN(result) ? FP_V : rounding.exact(result);
}

/** A quotient where an operand is zero or infinite. */
function divideByZero(rounding: Rounding, a: number, b: number): number {
  const exceptions = infinite(rounding, a / b);
  return b === 0 && a !== 0 && Number.isFinite(a) ? FP_Z : exceptions;
}

/** a + b - sum, exactly, where sum is a + b to nearest. */
function sumError(a: number, b: number, sum: number): number {
  return Math.abs(a) >= Math.abs(b) ? b - (sum - a) : a - (sum - b);
}

/** a * b - product, exactly, where product is a * b to nearest. */
function productError(a: number, b: number, product: number): number {
  const p = SPLITTER * a;
  const a1 = p - (p - a);
  const a2 = a - a1;
  const q = SPLITTER * b;
  const b1 = q - (q - b);
  const b2 = b - b1;
  return a1 * b1 - product + a1 * b2 + a2 * b1 + a2 * b2;
}

/** A number with the sign of a / b - quotient. */
function quotientError(a: number, b: number, quotient: number): number {
  const product = quotient * b;
  const rest = a - product - productError(quotient, b, product);
  return b < 0 ? -rest : rest;
}

/** Binary exponent of a double; -1023 for zero, 1024 for infinity. */
function exponent(x: FpuRegisters, register: number): number {
  return (((x.words[register + 1] as number) >>> 20) & 0x7ff) - 1023;
}

function isExtreme(e: number): boolean {
  return e === -1023 || e === 1024;
}

/** The double divided by 2 to its exponent, in two exact steps: from 1 to 2 in magnitude. */
function significand(value: number, e: number): number {
  const half = e >> 1;
  return value * 2 ** -half * 2 ** (half - e);
}
