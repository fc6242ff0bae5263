/** The parts of nodes, in the order of evaluation and of the text: for passes that only look. */
import type { Body, Expression, Statement } from './ir.ts';

/** The operands of an expression. */
export function children(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'const':
    case 'const64':
    case 'local':
    case 'global':
    case 'length':
      return [];
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'select':
      return [expression.then, expression.otherwise, expression.condition];
    case 'load':
    case 'fits':
      return [expression.index];
  }
}

/** The expressions that stand directly in a statement. */
export function ownExpressions(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case 'set':
    case 'setGlobal':
    case 'switch':
      return [statement.value];
    case 'store':
      return [statement.index, statement.value];
    case 'if':
      return [statement.condition];
    case 'return':
    case 'call':
    case 'callImport':
      return statement.values;
    case 'callIndirect':
      return [...statement.values, statement.slot];
    case 'grow':
      return [statement.pages];
    case 'for':
    case 'loop':
    case 'block':
    case 'branch':
    case 'abort':
      return [];
  }
}

const NONE: readonly Body[] = [];

/** The bodies inside a statement. */
export function innerBodies(statement: Statement): readonly Body[] {
  switch (statement.kind) {
    case 'if':
      return [statement.then, statement.otherwise];
    case 'for':
    case 'loop':
    case 'block':
      return [statement.body];
    case 'switch':
      return [...statement.cases.map((one) => one.body), statement.otherwise];
    default:
      return NONE;
  }
}
