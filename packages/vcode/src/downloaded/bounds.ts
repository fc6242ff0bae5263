/**
 * Bounds: the most fuel that a whole program can use, from the costs of its sections and the counts of its loops.
 *
 * A bound, not an estimate: of two branches it takes the dearer, and every loop runs to its count.
 */
import type { Body, Module, Statement } from '../ir/ir.ts';
import { numberSections } from '../ir/sections.ts';

/** What an iteration of a loop costs, inner loops apart. */
type CostOf = (loop: Statement) => number;

/** The fuel that no run of a prepared module can exceed; nothing if it has a `while` that can be reached. */
export function boundOf(module: Module, costs: readonly number[]): number | undefined {
  const { starts, loops } = numberSections(module);
  const inLoops = loopBound(bodyOf(module), (loop) => costs[loops.get(loop) ?? 0] ?? 0);
  return inLoops === undefined ? undefined : (costs[starts[0] ?? 0] ?? 0) + inLoops;
}

/** Whether every loop of a prepared module has a static bound. */
export function hasBound(module: Module): boolean {
  return loopBound(bodyOf(module), () => 0) !== undefined;
}

function bodyOf({ functions }: Module): Body {
  return functions[0]?.body ?? [];
}

function loopBound(body: Body, costOf: CostOf): number | undefined {
  let sum = 0;
  for (const statement of body) {
    const bound = statementBound(statement, costOf);
    if (bound === undefined) return undefined;
    sum += bound;
  }
  return sum;
}

function statementBound(statement: Statement, costOf: CostOf): number | undefined {
  switch (statement.kind) {
    case 'loop':
      return undefined;
    case 'for': {
      const inner = loopBound(statement.body, costOf);
      return inner === undefined ? undefined : statement.count * (costOf(statement) + inner);
    }
    case 'block':
      return loopBound(statement.body, costOf);
    case 'if':
      return greatest([loopBound(statement.then, costOf), loopBound(statement.otherwise, costOf)]);
    case 'switch': {
      const bodies = [...statement.cases.map((one) => one.body), statement.otherwise];
      return greatest(bodies.map((one) => loopBound(one, costOf)));
    }
    default:
      return 0;
  }
}

/** The greatest of some bounds; one that does not exist makes the whole unbounded. */
function greatest(bounds: readonly (number | undefined)[]): number | undefined {
  let most = 0;
  for (const bound of bounds) {
    if (bound === undefined) return undefined;
    most = Math.max(most, bound);
  }
  return most;
}
