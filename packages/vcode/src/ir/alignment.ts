/**
 * Alignment: how many low bits of a value are certainly zero, so that MIPS may use whole-word accesses.
 *
 * A local's alignment is the least of everything that is ever assigned to it, wherever that stands (no flow is followed).
 */
import type { Body, Expression, Func } from './ir.ts';
import { innerBodies } from './walk.ts';

/** Word accesses are the largest: two zero bits are all that matters. */
const MOST = 2;

/** Log2 of what every value of each local is a multiple of: 0, 1 or 2. */
export function localAlignments(func: Func): readonly number[] {
  const alignments = [...func.parameters.map(() => 0), ...func.locals.map(() => MOST)];
  const assignments: { readonly local: number; readonly value: Expression }[] = [];
  collect(func.body, assignments, alignments);
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
    switch (statement.kind) {
      case 'set':
        assignments.push(statement);
        break;
      case 'for':
        alignments[statement.counter] = 0;
        break;
      case 'call':
      case 'callImport':
      case 'callIndirect':
        for (const local of statement.results) alignments[local] = 0;
        break;
      case 'grow':
        alignments[statement.result] = 0;
        break;
      default:
    }
    for (const inner of innerBodies(statement)) collect(inner, assignments, alignments);
  }
}

/** Log2 of what the value of an expression is certainly a multiple of: 0, 1 or 2. */
export function alignmentOf(expression: Expression, locals: readonly number[]): number {
  switch (expression.kind) {
    case 'const':
      return expression.value === 0 ? MOST : Math.min(MOST, 31 - Math.clz32(expression.value & -expression.value));
    case 'local':
      return locals[expression.local] ?? 0;
    case 'select':
      return Math.min(alignmentOf(expression.then, locals), alignmentOf(expression.otherwise, locals));
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
    default:
      return 0;
  }
}
