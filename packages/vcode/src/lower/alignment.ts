/**
 * Alignment: how many low bits of a value are certainly zero, so that the MIPS back end may use whole-word accesses.
 *
 * A local's alignment is the least of everything that is ever assigned to it, wherever that stands (no flow is followed).
 */
import type { Body, Expression, Program } from '../program/ir.ts';
import type { LoweredExpression } from './lowered.ts';
import { innerBodies } from '../program/walk.ts';

/** Word accesses are the largest: two zero bits are all that matters. */
const MOST = 2;

/** Log2 of what every value of each local is a multiple of: 0, 1 or 2. */
export function localAlignments(program: Program): readonly number[] {
  const alignments = [...program.parameters.map(() => 0), ...program.locals.map(() => MOST)];
  const assignments: { readonly local: number; readonly value: Expression }[] = [];
  collect(program.body, assignments, alignments);
  for (let changed = true; changed;) {
    changed = false;
    for (const { local, value } of assignments) {
      const known = alignments[local] ?? 0;
      if (known > 0 && alignmentOf(value, alignments) < known) {
        alignments[local] = alignmentOf(value, alignments);
        changed = true;
      }
    }
  }
  return alignments;
}

function collect(
  body: Body,
  assignments: { readonly local: number; readonly value: Expression }[],
  alignments: number[],
): void {
  for (const statement of body) {
    if (statement.kind === 'set') assignments.push(statement);
    if (statement.kind === 'for') alignments[statement.counter] = 0;
    for (const inner of innerBodies(statement)) collect(inner, assignments, alignments);
  }
}

/** Log2 of what the value of an expression is certainly a multiple of: 0, 1 or 2. */
export function alignmentOf(expression: Expression | LoweredExpression, locals: readonly number[]): number {
  switch (expression.kind) {
    case 'const':
      return expression.value === 0 ? MOST : Math.min(MOST, 31 - Math.clz32(expression.value & -expression.value));
    case 'local':
      return locals[expression.local] ?? 0;
    case 'binary': {
      const left = alignmentOf(expression.left, locals);
      const { right } = expression;
      switch (expression.operator) {
        case 'add':
        case 'sub':
        case 'or':
        case 'xor':
          return Math.min(left, alignmentOf(right, locals));
        case 'and':
          return Math.max(left, alignmentOf(right, locals));
        case 'mul':
          return Math.min(MOST, left + alignmentOf(right, locals));
        case 'shl':
          return right.kind === 'const' ? Math.min(MOST, left + (right.value & 31)) : left;
        default:
          return 0;
      }
    }
    case 'unary':
    case 'load':
    case 'length':
    case 'fits':
      return 0;
  }
}
