/**
 * Which locals may be read before they are set, so that they must be zeroed at entry.
 *
 * Definite assignment over the lowered tree. What a loop sets does not count after it; ways that leave by `break`,
 * `continue`, `return` or `abort` set whatever is wanted.
 */
import type { LoweredBody, LoweredExpression, LoweredStatement } from '../lower/lowered.ts';

/** Locals from `parameters` on that some way reads before setting, in ascending order. */
export function neverSet(body: LoweredBody, parameters: number): readonly number[] {
  const early = new Set<number>();
  walk(body, new Set(), early);
  return [...early].filter((local) => local >= parameters).sort((a, b) => a - b);
}

type Assigned = ReadonlySet<number>;

/** What is set at the end of a body; `undefined` if the end is not reached. */
function walk(body: LoweredBody, before: Assigned, early: Set<number>): Assigned | undefined {
  const now = new Set(before);
  for (const statement of body) {
    const after = step(statement, now, early);
    if (after === undefined) return undefined;
    for (const local of after) now.add(local);
  }
  return now;
}

/** What a statement sets in addition. */
function step(statement: LoweredStatement, now: Assigned, early: Set<number>): Assigned | undefined {
  switch (statement.kind) {
    case 'set':
      read(statement.value, now, early);
      return new Set([statement.local]);
    case 'store':
      read(statement.index, now, early);
      read(statement.value, now, early);
      return new Set();
    case 'if':
      read(statement.condition, now, early);
      return common([walk(statement.then, now, early), walk(statement.otherwise, now, early)]);
    case 'for':
      walk(statement.body, new Set([...now, statement.counter]), early);
      return new Set([statement.counter]);
    case 'while':
      read(statement.condition, now, early);
      walk(statement.body, now, early);
      return new Set();
    case 'switch': {
      read(statement.value, now, early);
      const bodies = [...statement.cases.map((one) => one.body), statement.otherwise];
      return common(bodies.map((body) => walk(body, now, early)));
    }
    case 'return':
      read(statement.value, now, early);
      return undefined;
    case 'break':
    case 'continue':
    case 'abort':
      return undefined;
  }
}

function common(ends: readonly (Assigned | undefined)[]): Assigned | undefined {
  const reached = ends.filter((end) => end !== undefined);
  const [first, ...others] = reached;
  if (first === undefined) return undefined;
  return new Set([...first].filter((local) => others.every((end) => end.has(local))));
}

function read(expression: LoweredExpression, now: Assigned, early: Set<number>): void {
  switch (expression.kind) {
    case 'local':
      if (!now.has(expression.local)) early.add(expression.local);
      return;
    case 'unary':
      read(expression.operand, now, early);
      return;
    case 'binary':
      read(expression.left, now, early);
      read(expression.right, now, early);
      return;
    case 'load':
    case 'fits':
      read(expression.index, now, early);
      return;
    case 'const':
    case 'length':
  }
}
