/**
 * Which globals only the start function sets: for all other functions they are constants.
 *
 * AssemblyScript makes such a global of every array that is allocated at the top of a file.
 */
import type { Body, Module } from './ir.ts';
import { innerBodies } from './walk.ts';

interface Facts {
  readonly calls: Set<number>;
  readonly sets: Set<number>;
}

/** By function: the globals that do not change while it runs. */
export function settledGlobals(module: Module): readonly ReadonlySet<number>[] {
  const facts = module.functions.map(({ body }) => look(body, { calls: new Set(), sets: new Set() }));
  const roots = new Set([...module.exports.values(), ...module.table.filter((index) => index >= 0)]);
  const fromOutside = reach(roots, facts);
  const changing = new Set<number>();
  facts.forEach(({ sets }, i) => {
    if (fromOutside.has(i)) for (const global of sets) changing.add(global);
  });
  const settled = new Set(module.globals.map((_, i) => i).filter((i) => !changing.has(i)));
  const none = new Set<number>();
  return facts.map((_, i) => (fromOutside.has(i) ? settled : none));
}

function look(body: Body, facts: Facts): Facts {
  for (const statement of body) {
    if (statement.kind === 'call') facts.calls.add(statement.function);
    if (statement.kind === 'setGlobal') facts.sets.add(statement.global);
    for (const inner of innerBodies(statement)) look(inner, facts);
  }
  return facts;
}

/** Everything that can be called; what is called through the table is among the roots. */
function reach(roots: ReadonlySet<number>, facts: readonly Facts[]): Set<number> {
  const reached = new Set<number>();
  const work = [...roots];
  for (let index = work.pop(); index !== undefined; index = work.pop()) {
    if (reached.has(index)) continue;
    reached.add(index);
    for (const called of facts[index]?.calls ?? []) work.push(called);
  }
  return reached;
}
