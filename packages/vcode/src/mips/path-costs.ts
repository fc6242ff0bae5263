/**
 * The cost of each fuel section: the most instructions of that section that one pass through it can execute.
 *
 * A pass is a path without backward branches: from the entry for section 0, from its head for a loop. Instructions of
 * other sections on the way are free here because their own section pays. So what is charged is never less than what
 * executes [ASH96: time is bounded by static instruction counts and iterations].
 */
import type { Mnemonic } from '@exokernel/isa';
import type { Instruction, Label } from './code.ts';
import type { Scheduled } from './schedule.ts';

/** Where a section's code lies: from its head to its end, inner loops included. */
export interface SectionRange {
  readonly section: number;
  readonly head: Label;
  readonly end: Label;
}

/** What an instruction counts on a path. */
export type Weigh = (mnemonic: Mnemonic) => number;

/**
 * The costs by section, or the heaviest path by another weight than 1; 0 for a section without code. Work is linear in the
 * code for each level of nesting.
 */
export function pathCosts(
  code: Scheduled,
  ranges: readonly SectionRange[],
  sections: number,
  weigh: Weigh = () => 1,
): number[] {
  const costs = new Array<number>(sections).fill(0);
  const length = code.instructions.length;
  costs[0] = longest(code, weigh, 0, 0, length);
  for (const { section, head, end } of ranges) {
    costs[section] = longest(code, weigh, section, code.labels.get(head) ?? length, code.labels.get(end) ?? length);
  }
  return costs;
}

function longest({ instructions, labels }: Scheduled, weigh: Weigh, section: number, from: number, to: number): number {
  const paths = new Float64Array(to - from + 1);
  const after = (at: number): number => (at > to ? 0 : (paths[at - from] ?? 0));
  const weight = (instruction: Instruction | undefined): number =>
    instruction?.section === section ? weigh(instruction.mnemonic) : 0;
  for (let i = to - 1; i >= from; i -= 1) {
    const instruction = instructions[i];
    if (instruction === undefined) continue;
    let path = weight(instruction);
    if (instruction.flow === 'next') path += after(i + 1);
    else {
      path += weight(instructions[i + 1]);
      const target = instruction.target === undefined ? undefined : labels.get(instruction.target);
      const jumped = target === undefined || target <= i ? 0 : after(target);
      path += instruction.flow === 'branch' ? Math.max(jumped, after(i + 2)) : jumped;
    }
    paths[i - from] = path;
  }
  return paths[0] ?? 0;
}
