/**
 * A deliberately naive floating point in BigInt, for comparison: every number is an exact fraction, every result is
 * rounded from the exact one, as if the exponent were unbounded. Written from [IEEE754] and [KANE92 §8], not from the code.
 */

export type Format = 's' | 'd';

export interface Outcome {
  /** The bits of the result; what an operation leaves that traps whatever is enabled is undefined. */
  readonly bits: bigint | undefined;
  /** V Z O U I and E, as letters in this order. */
  readonly flags: string;
}

const SHAPE = { s: { precision: 24, max: 127, bits: 32 }, d: { precision: 53, max: 1023, bits: 64 } } as const;

interface Number_ {
  readonly kind: 'zero' | 'finite' | 'denormal' | 'infinite' | 'quiet' | 'signalling';
  readonly negative: boolean;
  /** The value is n / d. */
  readonly n: bigint;
  readonly d: bigint;
}

function unpack(format: Format, bits: bigint): Number_ {
  const { precision, max, bits: width } = SHAPE[format];
  const fractionBits = BigInt(precision - 1);
  const fraction = bits & ((1n << fractionBits) - 1n);
  const exponent = Number((bits >> fractionBits) & BigInt(2 * max + 1));
  const negative = bits >> BigInt(width - 1) === 1n;
  if (exponent === 2 * max + 1) {
    const kind = fraction === 0n ? 'infinite' : fraction >> (fractionBits - 1n) === 0n ? 'quiet' : 'signalling';
    return { kind, negative, n: 0n, d: 1n };
  }
  const significand = exponent === 0 ? fraction : fraction | (1n << fractionBits);
  const power = Math.max(exponent, 1) - max - (precision - 1);
  const n = significand << BigInt(Math.max(power, 0));
  const d = 1n << BigInt(Math.max(-power, 0));
  const kind = exponent !== 0 ? 'finite' : fraction === 0n ? 'zero' : 'denormal';
  return { kind, negative, n: negative ? -n : n, d };
}

const special = (format: Format, negative: boolean, exponent: number, fraction: bigint): bigint => {
  const { precision, max, bits } = SHAPE[format];
  return (BigInt(negative) << BigInt(bits - 1)) | (BigInt(exponent + max) << BigInt(precision - 1)) | fraction;
};
const infinity = (format: Format, negative: boolean): bigint => special(format, negative, SHAPE[format].max + 1, 0n);
const zero = (format: Format, negative: boolean): bigint => special(format, negative, -SHAPE[format].max, 0n);

const INVALID = { s: 0x7fbfffffn, d: 0x7ff7ffffffffffffn } as const;

/** n / d as a whole number in rounding mode 0 to 3; and whether it is exact. */
function wholeOf(n: bigint, d: bigint, mode: number): [bigint, boolean] {
  let below = n / d;
  if (below * d > n) below -= 1n;
  const rest = n - below * d;
  if (rest === 0n) return [below, true];
  const up = mode === 0 ? 2n * rest > d || (2n * rest === d && below % 2n !== 0n) : mode === 1 ? n < 0n : mode === 2;
  return [up ? below + 1n : below, false];
}

/** Rounds n / d, not zero, d positive. */
function round(format: Format, n: bigint, d: bigint, mode: number): Outcome {
  const { precision, max } = SHAPE[format];
  const negative = n < 0n;
  const size = (x: bigint): number => x.toString(2).length;
  let power = size(negative ? -n : n) - size(d) - precision;
  const scaled = (): [bigint, boolean] =>
    wholeOf(n << BigInt(Math.max(-power, 0)), d << BigInt(Math.max(power, 0)), mode);
  let [whole, exact] = scaled();
  const magnitude = (): bigint => (whole < 0n ? -whole : whole);
  // The first guess is at most one too low; a whole that has been rounded up to a power of two is right either way.
  if (magnitude() >= 1n << BigInt(precision)) {
    power += 1;
    [whole, exact] = scaled();
  }
  if (magnitude() < 1n << BigInt(precision - 1)) throw new Error('not normalised');
  if (magnitude() === 1n << BigInt(precision)) {
    power += 1;
    whole /= 2n;
  }
  const exponent = power + precision - 1;
  if (exponent < 1 - max) return { bits: undefined, flags: 'E' };
  if (exponent > max) {
    const outwards = mode === 0 || mode === (negative ? 3 : 2);
    const largest = infinity(format, negative) - 1n;
    return { bits: outwards ? infinity(format, negative) : largest, flags: 'OI' };
  }
  const fraction = magnitude() - (1n << BigInt(precision - 1));
  return { bits: special(format, negative, exponent, fraction), flags: exact ? '' : 'I' };
}

function nan(format: Format, ...operands: Number_[]): Outcome | undefined {
  if (operands.some(({ kind }) => kind === 'quiet' || kind === 'denormal')) return { bits: undefined, flags: 'E' };
  if (operands.some(({ kind }) => kind === 'signalling')) return { bits: INVALID[format], flags: 'V' };
  return undefined;
}

export function arithmetic(op: 'add' | 'sub' | 'mul' | 'div', f: Format, a: bigint, b: bigint, mode: number): Outcome {
  const x = unpack(f, a);
  const right = unpack(f, b);
  const bad = nan(f, x, right);
  if (bad !== undefined) return bad;
  const y = op === 'sub' ? { ...right, negative: !right.negative, n: -right.n } : right;
  const invalid = { bits: INVALID[f], flags: 'V' };
  const exact = (bits: bigint): Outcome => ({ bits, flags: '' });
  if (op === 'add' || op === 'sub') {
    if (x.kind === 'infinite' && y.kind === 'infinite') {
      return x.negative === y.negative ? exact(infinity(f, x.negative)) : invalid;
    }
    if (x.kind === 'infinite') return exact(infinity(f, x.negative));
    if (y.kind === 'infinite') return exact(infinity(f, y.negative));
    const n = x.n * y.d + y.n * x.d;
    if (n !== 0n) return round(f, n, x.d * y.d, mode);
    return exact(zero(f, x.kind === 'zero' && x.negative === y.negative ? x.negative : mode === 3));
  }
  const negative = x.negative !== y.negative;
  if (op === 'mul') {
    const infinite = x.kind === 'infinite' || y.kind === 'infinite';
    if (infinite && (x.kind === 'zero' || y.kind === 'zero')) return invalid;
    if (infinite) return exact(infinity(f, negative));
    return x.n * y.n === 0n ? exact(zero(f, negative)) : round(f, x.n * y.n, x.d * y.d, mode);
  }
  if (x.kind === y.kind && (x.kind === 'infinite' || x.kind === 'zero')) return invalid;
  if (x.kind === 'infinite') return exact(infinity(f, negative));
  if (y.kind === 'infinite' || x.kind === 'zero') return exact(zero(f, negative));
  if (y.kind === 'zero') return { bits: infinity(f, negative), flags: 'Z' };
  const sign = y.n < 0n ? -1n : 1n;
  return round(f, sign * x.n * y.d, sign * x.d * y.n, mode);
}

/** cvt.to.from; w is a two's complement word. */
export function convert(to: Format | 'w', from: Format | 'w', a: bigint, mode: number): Outcome {
  if (from === 'w') {
    const n = BigInt.asIntN(32, a);
    if (to === 'w') throw new Error('no such conversion');
    return n === 0n ? { bits: 0n, flags: '' } : round(to, n, 1n, mode);
  }
  const x = unpack(from, a);
  if (to === 'w') {
    if (x.kind === 'denormal') return { bits: undefined, flags: 'E' };
    const invalid = { bits: 0x7fffffffn, flags: 'V' };
    if (x.kind !== 'finite' && x.kind !== 'zero') return invalid;
    const [whole, exact] = wholeOf(x.n, x.d, mode);
    if (BigInt.asIntN(32, whole) !== whole) return invalid;
    return { bits: BigInt.asUintN(32, whole), flags: exact ? '' : 'I' };
  }
  const bad = nan(to, x);
  if (bad !== undefined) return bad;
  if (x.kind === 'infinite') return { bits: infinity(to, x.negative), flags: '' };
  return x.kind === 'zero' ? { bits: zero(to, x.negative), flags: '' } : round(to, x.n, x.d, mode);
}

/** c.cond; the bits are the condition, 0 or 1. `condition` is the number in the instruction. */
export function compare(f: Format, condition: number, a: bigint, b: bigint): Outcome {
  const x = unpack(f, a);
  const y = unpack(f, b);
  const kinds = [x.kind, y.kind];
  const unordered = kinds.includes('quiet') || kinds.includes('signalling');
  const rank = (z: Number_): [bigint, bigint] =>
    z.kind === 'infinite' ? [z.negative ? -(1n << 3000n) : 1n << 3000n, 1n] : [z.n, z.d];
  const [an, ad] = rank(x);
  const [bn, bd] = rank(y);
  const [less, equal] = [an * bd < bn * ad, an * bd === bn * ad];
  const holds = unordered ? condition & 1 : (equal && condition & 2) || (less && condition & 4);
  const invalid = kinds.includes('signalling') || (unordered && (condition & 8) !== 0);
  return { bits: holds ? 1n : 0n, flags: invalid ? 'V' : '' };
}
