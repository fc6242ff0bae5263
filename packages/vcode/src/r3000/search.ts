/** A switch without a table: the value is looked for among the sorted values of the cases, by halves. */
import { AT, ZERO } from '@exokernel/isa';
import { branchLine } from './branches.ts';
import { line, load32, type Line, type MachineBlock } from './code.ts';

/** At most so many values are compared one after the other. */
const ROW = 3;

interface Search {
  /** Where the instructions go. */
  readonly lines: Line[];
  /** Where a value that no case has goes. */
  readonly otherwise: MachineBlock;
  readonly at: number;
  /** Makes a block for one half. */
  readonly part: () => MachineBlock;
}

/** Writes the search for what a register holds; `pairs` ascend. */
export function search(
  value: number,
  pairs: readonly (readonly [value: number, target: MachineBlock])[],
  how: Search,
): void {
  const { lines, at, part } = how;
  if (pairs.length <= ROW) {
    for (const [one, target] of pairs) {
      if (one !== 0) lines.push(...load32(AT, one, at));
      lines.push(branchLine('eq', [value, one === 0 ? ZERO : AT], target, at));
    }
    return;
  }
  const half = pairs.length >> 1;
  const middle = pivot(pairs[half - 1]?.[0] ?? 0, pairs[half]?.[0] ?? 0);
  const lower = part();
  const isSmall = (middle | 0) >= -0x8000 && (middle | 0) <= 0x7fff;
  if (isSmall) lines.push(line('sltiu', [AT, value, middle | 0], { at }));
  else lines.push(...load32(AT, middle, at), line('sltu', [AT, value, AT], { at }));
  lines.push(branchLine('ne', [AT, ZERO], lower, at));
  search(value, pairs.slice(half), how);
  search(value, pairs.slice(0, half), { ...how, lines: lower.lines });
}

/** A number above the lower one and at most the upper one: the cheapest to compare with. */
function pivot(lower: number, upper: number): number {
  if (upper <= 0x7fff || lower >= 0xffff8000) return upper;
  if (lower < 0x7fff) return 0x7fff;
  const round = (upper & 0xffff0000) >>> 0;
  return round > lower ? round : upper;
}
