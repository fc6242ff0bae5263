/**
 * Fuel sections: each function has one, and each loop. They are numbered from 1 on in the order of the text.
 *
 * All back ends charge a section's cost when it begins, before anything else of it happens: a function's when it is called, a loop's at the
 * head of each iteration. When the fuel does not suffice the run aborts there with `ABORT_FUEL` and no fuel left.
 */
import type { Body, Module, Statement } from './ir.ts';
import { innerBodies } from './walk.ts';

/** The numbers: by function, by loop, and one more than the last. */
export interface Sections {
  readonly starts: readonly number[];
  readonly loops: ReadonlyMap<Statement, number>;
  readonly count: number;
}

export function numberSections(module: Module): Sections {
  const loops = new Map<Statement, number>();
  let next = 1;
  const number = (body: Body): void => {
    for (const statement of body) {
      if (statement.kind === 'loop' || statement.kind === 'for') {
        loops.set(statement, next);
        next += 1;
      }
      innerBodies(statement).forEach(number);
    }
  };
  const starts = module.functions.map(({ body }) => {
    const start = next;
    next += 1;
    number(body);
    return start;
  });
  return { starts, loops, count: next };
}
