/**
 * Division by a constant: a multiplication by its reciprocal, shifts for powers of two.
 *
 * `divu` takes 35 cycles, `multu` and `mfhi` 12. Source: [HACKER 10].
 */
import { possibleBits, SEARCH_DEPTH } from './bits.ts';
import type { Node, Operator } from './graph.ts';

/** What makes the values; `Values` does. */
export interface Arithmetic {
  readonly constant: (value: number) => Node;
  readonly binary: (operator: Operator, left: Node, right: Node) => Node;
}

/** The value of `a operator c` without a division; nothing where the instruction is the best there is. */
export function divideBy(
  v: Arithmetic,
  operator: 'divu' | 'remu' | 'divs' | 'rems',
  a: Node,
  c: number,
): Node | undefined {
  if (c === 0) return undefined;
  const minus = (quotient: Node): Node => v.binary('sub', a, v.binary('mul', quotient, v.constant(c)));
  const power = (c & (c - 1)) === 0 ? 31 - Math.clz32(c) : undefined;
  if (operator === 'divu' || operator === 'remu') {
    if (power !== undefined) {
      return operator === 'divu' ? v.binary('shr', a, v.constant(power)) : v.binary('and', a, v.constant(c - 1));
    }
    const quotient = divideUnsigned(v, a, c);
    return operator === 'divu' ? quotient : minus(quotient);
  }
  if (c === 1) return operator === 'divs' ? a : v.constant(0);
  if (c === 0xffffffff) return operator === 'divs' ? v.binary('sub', v.constant(0), a) : v.constant(0);
  if (c === 0x80000000) return undefined;
  if (power !== undefined) {
    const sign = v.binary('sar', a, v.constant(31));
    const bias = v.binary('shr', power === 1 ? a : sign, v.constant(32 - power));
    const biased = v.binary('add', a, bias);
    if (operator === 'divs') return v.binary('sar', biased, v.constant(power));
    return v.binary('sub', v.binary('and', biased, v.constant(c - 1)), bias);
  }
  const quotient = divideSigned(v, a, c | 0);
  return operator === 'divs' ? quotient : minus(quotient);
}

/** [HACKER 10-8]: a multiplication by the reciprocal. */
function divideUnsigned(v: Arithmetic, a: Node, c: number): Node {
  const length = 32 - Math.clz32(c - 1);
  const reciprocal = ((1n << BigInt(32 + length)) + BigInt(c) - 1n) / BigInt(c);
  const high = v.binary('mulhu', a, v.constant(Number(reciprocal & 0xffffffffn)));
  const shifted = (x: Node, count: number): Node => v.binary('shr', x, v.constant(count));
  if (reciprocal < 1n << 32n) return shifted(high, length);
  // The multiplier has 33 bits. Where it is even, or the dividend small, 32 are enough.
  for (let less = length - 1; less >= 0; less -= 1) {
    const shorter = ((1n << BigInt(32 + less)) + BigInt(c) - 1n) / BigInt(c);
    const error = shorter * BigInt(c) - (1n << BigInt(32 + less));
    if (shorter < 1n << 32n && error * (BigInt(possibleBits(a, SEARCH_DEPTH)) + 1n) <= 1n << BigInt(32 + less)) {
      return shifted(v.binary('mulhu', a, v.constant(Number(shorter))), less);
    }
  }
  const half = shifted(v.binary('sub', a, high), 1);
  return shifted(v.binary('add', half, high), length - 1);
}

/** [HACKER 10-1]. */
function divideSigned(v: Arithmetic, a: Node, c: number): Node {
  const absolute = BigInt(Math.abs(c));
  let shift = 0n;
  let multiplier = 0n;
  for (; ; shift += 1n) {
    const scale = 1n << (32n + shift);
    multiplier = scale / absolute + 1n;
    if (multiplier * absolute - scale <= 1n << (shift + 1n)) break;
  }
  const word = Number(BigInt.asUintN(32, multiplier));
  let quotient = v.binary('mulhs', a, v.constant(word));
  if (word >= 0x80000000) quotient = v.binary('add', quotient, a);
  quotient = v.binary('sar', quotient, v.constant(Number(shift)));
  const sign = v.binary('sar', a, v.constant(31));
  return c < 0 ? v.binary('sub', sign, quotient) : v.binary('sub', quotient, sign);
}
