/**
 * Straight-line runs: which accesses certainly happen together, so that one test of the farthest covers them all.
 *
 * A run is a row of statements in which nothing that an observer could see lies between a test and the accesses it speaks for: it ends
 * with the first effect, before the first division, loop, call or way out, and with an assignment to a local that serves as an index. Moving
 * a test forward inside a run changes no result: either way the run aborts with `ABORT_BOUNDS`.
 */
import type { Body, Expression, Place, Statement } from './ir.ts';
import { children } from './walk.ts';

/** The farthest byte needed, by region and index; see `runKey`. */
export type Extents = ReadonlyMap<string, number>;

/** The key of accesses that share a test: the same region from its start, or from the same local. */
export function runKey(region: number, index: Expression): string | undefined {
  if (index.kind === 'local') return `${region}+${index.local}`;
  if (index.kind === 'const' && index.value === 0) return `${region}`;
  return undefined;
}

/** The run that starts at `body[start]`: where it ends (exclusive, at least one statement) and what it needs. */
export function findRun(
  body: Body,
  start: number,
  indexLocals: ReadonlySet<number>,
): { end: number; extents: Extents } {
  const extents = new Map<string, number>();
  let at = start;
  for (; at < body.length; at += 1) {
    const statement = body[at];
    if (statement === undefined) break;
    const sources = unconditional(statement);
    if (sources === undefined || sources.some(divides)) break;
    for (const source of sources) collect(source, extents);
    if (statement.kind === 'store') note(statement, extents);
    if (statement.kind !== 'set' || indexLocals.has(statement.local)) {
      at += 1;
      break;
    }
  }
  return { end: Math.max(at, start + 1), extents };
}

/** The expressions that a statement certainly evaluates first; none if something else comes before them. */
function unconditional(statement: Statement): readonly Expression[] | undefined {
  switch (statement.kind) {
    case 'set':
    case 'setGlobal':
    case 'switch':
      return [statement.value];
    case 'return':
      return statement.values;
    case 'store':
      return [statement.index, statement.value];
    case 'if':
      return [statement.condition];
    default:
      return undefined;
  }
}

function collect(expression: Expression, extents: Map<string, number>): void {
  if (expression.kind === 'load') note(expression, extents);
  for (const child of children(expression)) collect(child, extents);
}

function note(place: Place, extents: Map<string, number>): void {
  const key = runKey(place.region, place.index);
  if (key === undefined) return;
  extents.set(key, Math.max(extents.get(key) ?? 0, place.displacement + place.size));
}

const DIVISIONS: ReadonlySet<string> = new Set(['divu', 'divs', 'remu', 'rems']);

function divides(expression: Expression): boolean {
  if (expression.kind === 'binary' && DIVISIONS.has(expression.operator)) return true;
  return children(expression).some(divides);
}
