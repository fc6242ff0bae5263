/** The parts of nodes, in the order of evaluation and of the text: for passes that only look. */
import type { Body, Expression, Statement } from './ir.ts';

/** The operands of an expression. */
export function children(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'const':
    case 'local':
    case 'length':
      return [];
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'load':
    case 'fits':
      return [expression.index];
  }
}

/** The expressions that stand directly in a statement. */
export function ownExpressions(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case 'set':
    case 'switch':
    case 'return':
      return [statement.value];
    case 'store':
      return [statement.index, statement.value];
    case 'if':
    case 'while':
      return [statement.condition];
    case 'for':
    case 'break':
    case 'continue':
    case 'abort':
      return [];
  }
}

/** The bodies inside a statement. */
export function innerBodies(statement: Statement): readonly Body[] {
  switch (statement.kind) {
    case 'if':
      return [statement.then, statement.otherwise];
    case 'for':
    case 'while':
      return [statement.body];
    case 'switch':
      return [...statement.cases.map((one) => one.body), statement.otherwise];
    case 'set':
    case 'store':
    case 'break':
    case 'continue':
    case 'return':
    case 'abort':
      return [];
  }
}
