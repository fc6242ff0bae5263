/**
 * What the binary operators compute: the one place, for the interpreter and for constant folding.
 *
 * Division by zero is the caller's to refuse.
 */
import type { BinaryOperator } from './ir.ts';

/** One binary operator on two u32; the right operand of a division is not 0. */
export function operate(operator: BinaryOperator, left: number, right: number): number {
  switch (operator) {
    case 'add':
      return (left + right) >>> 0;
    case 'sub':
      return (left - right) >>> 0;
    case 'mul':
      return Math.imul(left, right) >>> 0;
    case 'and':
      return (left & right) >>> 0;
    case 'or':
      return (left | right) >>> 0;
    case 'xor':
      return (left ^ right) >>> 0;
    case 'shl':
      return (left << right) >>> 0;
    case 'shr':
      return left >>> right;
    case 'sar':
      return (left >> right) >>> 0;
    case 'divu':
      return Math.floor(left / right);
    case 'remu':
      return left % right;
    case 'eq':
      return left === right ? 1 : 0;
    case 'ne':
      return left === right ? 0 : 1;
    case 'ltu':
      return left < right ? 1 : 0;
    case 'leu':
      return left <= right ? 1 : 0;
    case 'lts':
      return (left | 0) < (right | 0) ? 1 : 0;
    case 'les':
      return (left | 0) <= (right | 0) ? 1 : 0;
  }
}
