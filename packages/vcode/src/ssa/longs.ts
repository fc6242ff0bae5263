/** 64-bit arithmetic on pairs of words. */
import type { BinaryOperator } from '../ir/ir.ts';
import { resolve, type Node } from './graph.ts';
import type { Values } from './values.ts';

/** A 64-bit value. */
export interface Long {
  readonly low: Node;
  readonly high: Node;
}

/** Makes longs of one graph. */
export class Longs {
  readonly #values: Values;

  constructor(values: Values) {
    this.#values = values;
  }

  constant(value: bigint): Long {
    const word = (shift: bigint): Node => this.#values.constant(Number(BigInt.asUintN(32, value >> shift)));
    return { low: word(0n), high: word(32n) };
  }

  extend(low: Node, signed: boolean): Long {
    const v = this.#values;
    return { low, high: signed ? v.binary('sar', low, v.constant(31)) : v.constant(0) };
  }

  /** An operator whose operands and result are longs. */
  binary(operator: BinaryOperator, a: Long, b: Long): Long {
    const v = this.#values;
    switch (operator) {
      case 'add64': {
        const low = v.binary('add', a.low, b.low);
        const carry = v.binary('ltu', low, b.low);
        return { low, high: v.binary('add', v.binary('add', a.high, b.high), carry) };
      }
      case 'sub64': {
        const borrow = v.binary('ltu', a.low, b.low);
        const high = v.binary('sub', v.binary('sub', a.high, b.high), borrow);
        return { low: v.binary('sub', a.low, b.low), high };
      }
      case 'mul64':
        return this.#multiply(a, b);
      case 'or64':
        return { low: v.binary('or', a.low, b.low), high: v.binary('or', a.high, b.high) };
      case 'xor64':
        return { low: v.binary('xor', a.low, b.low), high: v.binary('xor', a.high, b.high) };
      default:
        return { low: v.binary('and', a.low, b.low), high: v.binary('and', a.high, b.high) };
    }
  }

  /** A comparison of longs, as a word. */
  compare(operator: BinaryOperator, a: Long, b: Long): Node {
    const v = this.#values;
    switch (operator) {
      case 'eq64':
      case 'ne64': {
        const difference = v.binary('or', v.binary('xor', a.low, b.low), v.binary('xor', a.high, b.high));
        return v.binary(operator === 'eq64' ? 'eq' : 'ne', difference, v.constant(0));
      }
      case 'ltu64':
        return this.#less('ltu', a, b);
      case 'lts64':
        return this.#less('lts', a, b);
      case 'leu64':
        return v.not(this.#less('ltu', b, a));
      default:
        return v.not(this.#less('lts', b, a));
    }
  }

  /** A shift or rotation by a word, of which the low six bits count. */
  shift(operator: BinaryOperator, a: Long, count: Node): Long {
    const by = resolve(count);
    if (by.op === 'const') return this.#shiftBy(operator, a, by.value & 63);
    return operator === 'rotl64' ? this.#rotate(a, by) : this.#shiftVariable(operator, a, by);
  }

  #less(operator: 'ltu' | 'lts', a: Long, b: Long): Node {
    const v = this.#values;
    const same = v.binary('eq', a.high, b.high);
    const lower = v.binary('and', same, v.binary('ltu', a.low, b.low));
    return v.binary('or', v.binary(operator, a.high, b.high), lower);
  }

  #multiply(a: Long, b: Long): Long {
    const v = this.#values;
    const low = v.binary('mul', a.low, b.low);
    if (isExtended(a) && isExtended(b)) return { low, high: v.binary('mulhs', a.low, b.low) };
    const cross = v.binary('add', v.binary('mul', a.low, b.high), v.binary('mul', a.high, b.low));
    return { low, high: v.binary('add', v.binary('mulhu', a.low, b.low), cross) };
  }

  #shiftBy(operator: BinaryOperator, a: Long, count: number): Long {
    const v = this.#values;
    if (count === 0) return a;
    const shift = (way: 'shl' | 'shr' | 'sar', x: Node, by: number): Node =>
      by === 0 ? x : v.binary(way, x, v.constant(by));
    const both = (way: 'shl' | 'shr', x: Node, from: Node, by: number): Node =>
      by === 0 ? x : v.binary('or', shift(way, x, by), shift(way === 'shl' ? 'shr' : 'shl', from, 32 - by));
    switch (operator) {
      case 'shl64':
        if (count >= 32) return { low: v.constant(0), high: shift('shl', a.low, count - 32) };
        return { low: shift('shl', a.low, count), high: both('shl', a.high, a.low, count) };
      case 'rotl64': {
        const [low, high] = count >= 32 ? [a.high, a.low] : [a.low, a.high];
        return { low: both('shl', low, high, count & 31), high: both('shl', high, low, count & 31) };
      }
      default: {
        const way = operator === 'sar64' ? 'sar' : 'shr';
        const above = way === 'sar' ? v.binary('sar', a.high, v.constant(31)) : v.constant(0);
        if (count >= 32) return { low: shift(way, a.high, count - 32), high: above };
        return { low: both('shr', a.low, a.high, count), high: shift(way, a.high, count) };
      }
    }
  }

  /** Without branches: both results, and a mask of bit 5 of the count that chooses. */
  #shiftVariable(operator: BinaryOperator, a: Long, count: Node): Long {
    const v = this.#values;
    const mask = v.binary('sar', v.binary('shl', count, v.constant(26)), v.constant(31));
    const choose = (far: Node, near: Node): Node =>
      v.binary('xor', near, v.binary('and', v.binary('xor', near, far), mask));
    const rest = v.binary('xor', count, v.constant(31));
    const one = v.constant(1);
    if (operator === 'shl64') {
      const low = v.binary('shl', a.low, count);
      const carried = v.binary('shr', v.binary('shr', a.low, one), rest);
      return {
        low: choose(v.constant(0), low),
        high: choose(low, v.binary('or', v.binary('shl', a.high, count), carried)),
      };
    }
    const way = operator === 'sar64' ? 'sar' : 'shr';
    const high = v.binary(way, a.high, count);
    const carried = v.binary('shl', v.binary('shl', a.high, one), rest);
    const above = way === 'sar' ? v.binary('sar', a.high, v.constant(31)) : v.constant(0);
    return {
      low: choose(high, v.binary('or', v.binary('shr', a.low, count), carried)),
      high: choose(above, high),
    };
  }

  #rotate(a: Long, count: Node): Long {
    const back = this.#values.binary('sub', this.#values.constant(0), count);
    const up = this.#shiftVariable('shl64', a, count);
    return this.binary('or64', up, this.#shiftVariable('shr64', a, back));
  }
}

/** Whether the high word only repeats the sign of the low one. */
function isExtended({ low, high }: Long): boolean {
  const [upper, lower] = [resolve(high), resolve(low)];
  if (upper.op === 'const' && lower.op === 'const') return upper.value === (lower.value >> 31) >>> 0;
  const [x, count] = upper.inputs;
  return upper.op === 'sar' && x === lower && count?.op === 'const' && count.value === 31;
}
