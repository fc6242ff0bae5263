/**
 * Constant folding and the few identities that matter for code from builders: powers of two, neutral constants.
 *
 * Nothing that could abort is dropped: an operand disappears only if it is a constant.
 */
import type { Expression } from '../ir/ir.ts';
import { operateWords } from '../ir/operate.ts';
import type { BinaryOperator } from '../program/ir.ts';

const COMMUTES: ReadonlySet<BinaryOperator> = new Set(['add', 'mul', 'and', 'or', 'xor', 'eq', 'ne']);

/** `left operator right`, simpler where that is possible; a constant operand of a commutative operator is on the right. */
export function simplify(operator: BinaryOperator, left: Expression, right: Expression): Expression {
  if (left.kind === 'const' && right.kind !== 'const' && COMMUTES.has(operator)) return simplify(operator, right, left);
  const plain: Expression = { kind: 'binary', operator, left, right };
  if (right.kind !== 'const') return plain;
  const { value } = right;
  if ((operator === 'divu' || operator === 'remu') && value === 0) return plain;
  if (left.kind === 'const') return { kind: 'const', value: Number(operateWords(operator, left.value, value)) };
  const power = value !== 0 && (value & (value - 1)) === 0 ? 31 - Math.clz32(value) : undefined;
  switch (operator) {
    case 'add':
    case 'sub':
    case 'or':
    case 'xor':
      return value === 0 ? left : plain;
    case 'shl':
    case 'shr':
    case 'sar':
      return (value & 31) === 0 ? left : plain;
    case 'and':
      return value === 0xffffffff ? left : plain;
    case 'mul':
      return power === undefined ? plain : simplify('shl', left, { kind: 'const', value: power });
    case 'divu':
      return power === undefined ? plain : simplify('shr', left, { kind: 'const', value: power });
    case 'remu':
      return power === undefined
        ? plain
        : { kind: 'binary', operator: 'and', left, right: { kind: 'const', value: value - 1 } };
    case 'eq':
    case 'ne':
    case 'ltu':
    case 'leu':
    case 'lts':
    case 'les':
      return plain;
  }
}
