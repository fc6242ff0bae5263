/**
 * What the operators compute: the one place, for the interpreter.
 *
 * Words are unsigned numbers, longs unsigned bigints. Division by zero is the caller's to refuse.
 */
import type { BinaryOperator, UnaryOperator } from './ir.ts';

const WORD = 0xffffffffn;
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (holds: boolean): number => (holds ? 1 : 0);

/** A binary operator on two words. */
export function operateWords(operator: BinaryOperator, a: number, b: number): number | bigint {
  switch (operator) {
    case 'add':
      return (a + b) >>> 0;
    case 'sub':
      return (a - b) >>> 0;
    case 'mul':
      return Math.imul(a, b) >>> 0;
    case 'and':
      return (a & b) >>> 0;
    case 'or':
      return (a | b) >>> 0;
    case 'xor':
      return (a ^ b) >>> 0;
    case 'shl':
      return (a << b) >>> 0;
    case 'shr':
      return a >>> b;
    case 'sar':
      return (a >> b) >>> 0;
    case 'rotl':
      return (b & 31) === 0 ? a : ((a << b) | (a >>> (32 - (b & 31)))) >>> 0;
    case 'divu':
      return Math.floor(a / b);
    case 'divs':
      return ((a | 0) / (b | 0)) >>> 0;
    case 'remu':
      return a % b;
    case 'rems':
      return ((a | 0) % (b | 0)) >>> 0;
    case 'eq':
      return truth(a === b);
    case 'ne':
      return truth(a !== b);
    case 'ltu':
      return truth(a < b);
    case 'leu':
      return truth(a <= b);
    case 'lts':
      return truth((a | 0) < (b | 0));
    case 'les':
      return truth((a | 0) <= (b | 0));
    default:
      return (BigInt(a) << 32n) | BigInt(b);
  }
}

/** A binary operator on two longs, or a long and a word. */
export function operateLongs(operator: BinaryOperator, a: bigint, b: bigint): number | bigint {
  const count = b & 63n;
  switch (operator) {
    case 'add64':
      return u64(a + b);
    case 'sub64':
      return u64(a - b);
    case 'mul64':
      return u64(a * b);
    case 'and64':
      return a & b;
    case 'or64':
      return a | b;
    case 'xor64':
      return a ^ b;
    case 'shl64':
      return u64(a << count);
    case 'shr64':
      return a >> count;
    case 'sar64':
      return u64(s64(a) >> count);
    case 'rotl64':
      return u64((a << count) | (a >> (64n - count)));
    case 'eq64':
      return truth(a === b);
    case 'ne64':
      return truth(a !== b);
    case 'ltu64':
      return truth(a < b);
    case 'leu64':
      return truth(a <= b);
    case 'lts64':
      return truth(s64(a) < s64(b));
    default:
      return truth(s64(a) <= s64(b));
  }
}

/** A unary operator. */
export function operateOne(operator: UnaryOperator, x: number | bigint): number | bigint {
  const word = Number(BigInt.asUintN(32, BigInt(x)));
  switch (operator) {
    case 'bswap16':
      return ((word & 0xff) << 8) | ((word >>> 8) & 0xff);
    case 'bswap32':
      return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
    case 'extend8':
      return ((word << 24) >> 24) >>> 0;
    case 'extend16':
      return ((word << 16) >> 16) >>> 0;
    case 'wrap':
      return word;
    case 'high':
      return Number((BigInt(x) >> 32n) & WORD);
    case 'extendu':
      return BigInt(word);
    case 'extends':
      return u64(BigInt(word | 0));
  }
}
