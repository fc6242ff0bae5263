/**
 * Bounds: the most fuel that a whole program can use, from the costs of its sections and the counts of its loops.
 *
 * A bound, not an estimate: of two branches it takes the dearer, and every loop runs to its count.
 */
import type { LoweredBody } from '../lower/lowered.ts';
import { lower } from '../lower/lower.ts';
import { sectionCosts } from './compile.ts';
import type { Program } from '../program/ir.ts';

/**
 * The fuel that no run of the program can exceed, or `undefined` if it has a `while` that can be reached. Throws
 * `VcodeError` `malformed` or `limit`.
 */
export function maxCost(program: Program): number | undefined {
  const costs = sectionCosts(program);
  const loops = loopBound(lower(program).body, costs);
  return loops === undefined ? undefined : (costs[0] ?? 0) + loops;
}

/** Whether every loop of the program has a static bound. Throws `VcodeError` `malformed` or `limit`. */
export function isBounded(program: Program): boolean {
  return loopBound(lower(program).body, []) !== undefined;
}

function loopBound(body: LoweredBody, costs: readonly number[]): number | undefined {
  let sum = 0;
  for (const statement of body) {
    let inner: number | undefined = 0;
    switch (statement.kind) {
      case 'while':
        return undefined;
      case 'for': {
        const iteration = loopBound(statement.body, costs);
        if (iteration !== undefined) inner = statement.count * ((costs[statement.section] ?? 0) + iteration);
        else inner = undefined;
        break;
      }
      case 'if':
        inner = greatest([loopBound(statement.then, costs), loopBound(statement.otherwise, costs)]);
        break;
      case 'switch': {
        const bodies = [...statement.cases.map((one) => one.body), statement.otherwise];
        inner = greatest(bodies.map((one) => loopBound(one, costs)));
        break;
      }
      case 'set':
      case 'store':
      case 'break':
      case 'continue':
      case 'return':
      case 'abort':
        break;
    }
    if (inner === undefined) return undefined;
    sum += inner;
  }
  return sum;
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
