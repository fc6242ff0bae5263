/**
 * The cost of each fuel section: the most instructions of that section that one pass through it can execute.
 *
 * A pass is a path without backward branches: from the entry for a function, from its head for a loop. Instructions of other sections on the
 * way are free here because their own section pays. So what is charged is never less than what executes [ASH96: time is bounded by static
 * instruction counts and iterations].
 */
import type { Mnemonic } from '@exokernel/isa';
import type { MachineBlock } from './code.ts';
import type { Piece } from './link.ts';
import type { Scheduled } from './schedule.ts';

/** What an instruction counts on a path. */
export type Weigh = (mnemonic: Mnemonic) => number;

/** Costs by section, or the heaviest path by another weight than 1; 0 for a section without code. */
export function sectionCosts(pieces: readonly Piece[], sections: number, weigh: Weigh = () => 1): number[] {
  const costs = new Array<number>(sections).fill(0);
  for (const { scheduled } of pieces) {
    for (const [section, from, to] of extents(scheduled)) costs[section] = longest(scheduled, weigh, section, from, to);
  }
  return costs;
}

/** Each section of a function, from the head of its first block to behind its last line. */
function extents({ lines, starts }: Scheduled): [section: number, from: number, to: number][] {
  const found = new Map<number, [number, number]>();
  lines.forEach(({ section }, i) => {
    const known = found.get(section);
    if (known === undefined) found.set(section, [i, i + 1]);
    else known[1] = i + 1;
  });
  const heads = [...starts].map(([block, start]): [MachineBlock, number] => [block, start]);
  // A section begins with a block, of which the first lines may be in the slot of what jumps there.
  for (const [block, start] of heads) {
    const known = found.get(block.section);
    if (known !== undefined && start < known[0]) known[0] = start;
  }
  return [...found].map(([section, [from, to]]) => [section, from, to]);
}

function longest(
  { lines, starts, skips, owners }: Scheduled,
  weigh: Weigh,
  section: number,
  from: number,
  to: number,
): number {
  const paths = new Float64Array(to - from + 1);
  const after = (at: number): number => (at < from || at > to ? 0 : (paths[at - from] ?? 0));
  const weight = (i: number): number => {
    const placed = lines[i];
    return placed?.section === section ? weigh(placed.line.mnemonic) : 0;
  };
  const forward = (block: MachineBlock | undefined, at: number, skip: number): number => {
    const start = block === undefined ? undefined : starts.get(block);
    return start === undefined || start <= at ? 0 : after(start + skip);
  };
  let most = 0;
  for (let i = to - 1; i >= from; i -= 1) {
    const line = lines[i]?.line;
    if (line === undefined) continue;
    let path = weight(i);
    if (line.flow === 'next') path += after(i + 1);
    else {
      path += weight(i + 1);
      const taken = forward(line.target, i, skips.get(i) ?? 0);
      let table = 0;
      if (line.target === undefined && line.flow === 'jump') {
        for (const block of owners.get(i)?.table ?? []) table = Math.max(table, forward(block, i, 0));
      }
      const onward = line.flow === 'branch' || line.flow === 'call' ? after(i + 2) : 0;
      path += Math.max(taken, table, onward);
    }
    paths[i - from] = path;
    most = Math.max(most, path);
  }
  return most;
}
