/**
 * Fuel sections: 0 is the program outside all loops, each loop has the next number in the order of the text.
 *
 * All back ends charge a section's cost when it begins: section 0 at entry, a loop's at the head of each iteration, and
 * both before anything else of it happens. When the fuel does not suffice the run aborts there with `ABORT_FUEL` and no
 * fuel left.
 */
import type { Body, Loop, Program } from './ir.ts';
import { innerBodies } from './walk.ts';

/** The number of every loop, 1 and up. */
export function loopSections(program: Program): ReadonlyMap<Loop, number> {
  const sections = new Map<Loop, number>();
  number(program.body, sections);
  return sections;
}

function number(body: Body, sections: Map<Loop, number>): void {
  for (const statement of body) {
    if (statement.kind === 'for' || statement.kind === 'while') sections.set(statement, sections.size + 1);
    for (const inner of innerBodies(statement)) number(inner, sections);
  }
}
