/** Branches as lines, and the addresses of tables of jumps. */
import { ZERO, type Mnemonic } from '@exokernel/isa';
import type { Test } from '../ssa/graph.ts';
import { OPPOSITE } from '../ssa/legal.ts';
import { line, type Line, type MachineBlock } from './code.ts';

/** Where the linker puts the halves of a block's table's address. */
export const TABLE_HIGH = '%hi(table)';
export const TABLE_LOW = '%lo(table)';

const TESTS: Readonly<Record<Test, Mnemonic>> = {
  eq: 'beq',
  ne: 'bne',
  ltz: 'bltz',
  gez: 'bgez',
  lez: 'blez',
  gtz: 'bgtz',
};

/** A branch if the test holds. */
export function branchLine(
  test: Test,
  operands: readonly number[],
  target: MachineBlock,
  at: number,
  mayRead = false,
): Line {
  const two = test === 'eq' || test === 'ne';
  return line(TESTS[test], two ? [operands[0] ?? 0, operands[1] ?? ZERO] : [operands[0] ?? 0], { target, at, mayRead });
}

/** The same branch if the test does not hold. */
export function oppositeBranch(branch: Line, target: MachineBlock): Line {
  const test = (Object.keys(TESTS) as Test[]).find((one) => TESTS[one] === branch.mnemonic) ?? 'ne';
  return branchLine(OPPOSITE[test], branch.operands, target, branch.at, branch.mayRead);
}
