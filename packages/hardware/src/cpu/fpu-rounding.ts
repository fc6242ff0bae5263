/**
 * Rounding: from a result to nearest and the sign of its error to the result in the current mode, with exact exceptions.
 *
 * JavaScript computes in double precision, to nearest. The caller knows the sign of (true result - that result):
 * one step towards the true result is what the other modes give. Overflow and underflow are found as if the exponent were
 * unbounded [KANE92 §8]; an underflow is Unimplemented, so a denormalised result never appears.
 *
 * Assumption: tininess is found after rounding, as the MIPS architecture says.
 *
 * Results stay in `value`, a typed array: a function that returned a number that is no small integer would allocate it.
 */
import { DOWNWARDS, FP_E, FP_I, FP_O, NEAREST, UPWARDS, ZEROWARDS } from './fpu-status.ts';

const MAX_DOUBLE = 1.7976931348623157e308;
const MAX_SINGLE = 3.4028234663852886e38;
const TWO_128 = 2 ** 128;
/** Singles in this range stay normal and finite in every mode. */
const SINGLE_LOW = 2 ** -125;
const SINGLE_HIGH = 2 ** 127;
/** No rounding brings a smaller number into their range. */
const SINGLE_LOST = 2 ** -260;
/** Powers of two that bring any other product or quotient of singles into it, and back. */
const DOWN = 2 ** -136;
const UP = 2 ** 130;

/** Rounds in one mode at a time; the result of the last operation is in `value[0]`. */
export class Rounding {
  /** The result. Its bits are `bits[0]` (low) and `bits[1]`. */
  readonly value: Float64Array = new Float64Array(1);
  readonly bits: Int32Array = new Int32Array(this.value.buffer);
  readonly #single: Float32Array = new Float32Array(1);
  readonly #singleBits: Int32Array = new Int32Array(this.#single.buffer);
  readonly #power: Float64Array = new Float64Array(1);
  readonly #powerBits: Int32Array = new Int32Array(this.#power.buffer);
  mode: number = NEAREST;

  /** An exact result. */
  exact(result: number): number {
    this.value[0] = result;
    return 0;
  }

  /** A sum that is zero: its sign depends on the mode unless both terms are zeros of one sign. */
  zeroSum(a: number, b: number): number {
    this.value[0] = this.mode !== DOWNWARDS || (1 / a > 0 && 1 / b > 0) ? a + b : -0;
    return 0;
  }

  /** A normal double to nearest, below its largest binade, and a number with the sign of its error. */
  double(nearest: number, error: number): number {
    this.value[0] = nearest;
    if (error === 0) return 0;
    const direction = this.#direction(nearest, error);
    if (direction !== 0) this.#stepDouble(direction);
    return FP_I;
  }

  /** The same times 2 to the `exponent`, which may lead out of range. `nearest` is from 0.25 to 8. */
  scaledDouble(nearest: number, error: number, exponent: number): number {
    const inexact = this.double(nearest, error);
    const rounded = this.value[0] as number;
    const magnitude = Math.abs(rounded);
    if (magnitude * this.#powerOfTwo(near(exponent + 1022)) < 1) return FP_E;
    if (magnitude * this.#powerOfTwo(near(exponent - 1023)) >= 2) return this.#overflow(rounded, MAX_DOUBLE);
    const half = exponent >> 1;
    this.value[0] = rounded * this.#powerOfTwo(half) * this.#powerOfTwo(exponent - half);
    return inexact;
  }

  /**
   * A single: `nearest` is the true result to nearest in double precision, finite and not zero, and `error` has the sign
   * of what that leaves, for when `nearest` is a single itself.
   */
  single(nearest: number, error: number): number {
    const magnitude = Math.abs(nearest);
    if (magnitude < SINGLE_LOST) return FP_E;
    const scale = magnitude >= SINGLE_HIGH ? DOWN : magnitude < SINGLE_LOW ? UP : 1;
    const scaled = nearest * scale;
    const rounded = Math.fround(scaled);
    const left = scaled === rounded ? error : scaled - rounded;
    this.#single[0] = rounded;
    if (left !== 0) this.#singleBits[0] = (this.#singleBits[0] as number) + this.#direction(rounded, left);
    const result = this.#single[0] / scale;
    this.value[0] = result;
    if (scale !== 1) {
      if (Math.abs(result) >= TWO_128) return this.#overflow(result, MAX_SINGLE);
      if (Math.abs(result) < 2 ** -126) return FP_E;
    }
    return left === 0 ? 0 : FP_I;
  }

  /** To an integer of any size, which `value[0]` then is. Returns whether it differs. */
  integer(x: number): boolean {
    let whole = x;
    switch (this.mode) {
      case ZEROWARDS:
        whole = Math.trunc(x);
        break;
      case UPWARDS:
        whole = Math.ceil(x);
        break;
      case DOWNWARDS:
        whole = Math.floor(x);
        break;
      default: {
        whole = Math.floor(x);
        const part = x - whole;
        if (part > 0.5 || (part === 0.5 && whole % 2 !== 0)) whole += 1;
      }
    }
    this.value[0] = whole;
    return whole !== x;
  }

  /** Which way the magnitude of a result goes: 1 up, -1 down, 0 it is right. */
  #direction(nearest: number, error: number): number {
    const outwards = nearest > 0 === error > 0;
    switch (this.mode) {
      case ZEROWARDS:
        return outwards ? 0 : -1;
      case UPWARDS:
        return error > 0 ? (outwards ? 1 : -1) : 0;
      case DOWNWARDS:
        return error < 0 ? (outwards ? 1 : -1) : 0;
      default:
        return 0;
    }
  }

  #stepDouble(direction: number): void {
    const low = ((this.bits[0] as number) + direction) | 0;
    this.bits[0] = low;
    if (low === direction >> 1) this.bits[1] = (this.bits[1] as number) + direction;
  }

  #overflow(result: number, max: number): number {
    const positive = result > 0;
    const outwards = this.mode === NEAREST || this.mode === (positive ? UPWARDS : DOWNWARDS);
    const magnitude = outwards ? Infinity : max;
    this.value[0] = positive ? magnitude : -magnitude;
    return FP_O | FP_I;
  }

  /** 2 to the n, for -1022 to 1023. */
  #powerOfTwo(n: number): number {
    this.#powerBits[1] = (n + 1023) << 20;
    return this.#power[0] as number;
  }
}

/** An exponent that decides a comparison near 1 as this one does. */
function near(exponent: number): number {
  return Math.max(-60, Math.min(60, exponent));
}
