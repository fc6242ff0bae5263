/**
 * The cost of each fuel section: the most instructions of that section that one pass through it can execute.
 *
 * A pass is a path without backward branches: from the entry for a function, from its head for a loop. Instructions of other sections on the
 * way are free here because their own section pays. So what is charged is never less than what executes [ASH96: time is bounded by static
 * instruction counts and iterations].
 */
import type { Mnemonic } from '@exokernel/isa';
import type { MachineBlock } from './code.ts';
import type { Scheduled } from './schedule.ts';

/** What an instruction counts on a path. */
export type Weigh = (mnemonic: Mnemonic) => number;

/** A function's lines, as far as its costs depend on them: small, for it is kept as long as the code. */
export interface Paths {
  readonly mnemonics: readonly Mnemonic[];
  readonly sections: readonly number[];
  /** By line: whether control goes on behind it, or behind its slot. */
  readonly goesOn: readonly boolean[];
  /** By line: where else it goes, if that is further on; -1 if it does not leave, -2 if it only leaves. */
  readonly targets: readonly number[];
  /** By line: where a jump through a table goes. */
  readonly tables: ReadonlyMap<number, readonly number[]>;
  /** Each section, from the head of its first block to behind its last line. */
  readonly extents: readonly (readonly [section: number, from: number, to: number])[];
}

const STAYS = -1;
const LEAVES = -2;

export function pathsOf(scheduled: Scheduled): Paths {
  const { lines, starts, skips, owners } = scheduled;
  const sections: number[] = [];
  const goesOn: boolean[] = [];
  const targets: number[] = [];
  const tables = new Map<number, readonly number[]>();
  const forward = (block: MachineBlock, at: number, skip: number): number => {
    const start = starts.get(block);
    return start === undefined || start <= at ? LEAVES : start + skip;
  };
  lines.forEach(({ line, section }, i) => {
    const { flow, target } = line;
    sections.push(section);
    goesOn.push(flow === 'next' || flow === 'branch' || flow === 'call');
    targets.push(flow === 'next' ? STAYS : target === undefined ? LEAVES : forward(target, i, skips.get(i) ?? 0));
    if (flow !== 'jump' || target !== undefined) return;
    const table = owners.get(i)?.table ?? [];
    tables.set(
      i,
      table.map((block) => forward(block, i, 0)).filter((at) => at >= 0),
    );
  });
  const mnemonics = lines.map(({ line }) => line.mnemonic);
  return { mnemonics, sections, goesOn, targets, tables, extents: extentsOf(sections, starts) };
}

function extentsOf(
  sections: readonly number[],
  starts: ReadonlyMap<MachineBlock, number>,
): (readonly [section: number, from: number, to: number])[] {
  const found = new Map<number, [number, number]>();
  sections.forEach((section, i) => {
    const known = found.get(section);
    if (known === undefined) found.set(section, [i, i + 1]);
    else known[1] = i + 1;
  });
  // A section begins with a block, of which the first lines may be in the slot of what jumps there.
  for (const [block, start] of starts) {
    const known = found.get(block.section);
    if (known !== undefined && start < known[0]) known[0] = start;
  }
  return [...found].map(([section, [from, to]]) => [section, from, to]);
}

/** Costs by section, or the heaviest path by another weight than 1; 0 for a section without code. */
export function sectionCosts(functions: readonly Paths[], sections: number, weigh: Weigh = () => 1): number[] {
  const costs = new Array<number>(sections).fill(0);
  for (const paths of functions) {
    for (const [section, from, to] of paths.extents) costs[section] = longest(paths, weigh, section, from, to);
  }
  return costs;
}

function longest(
  { mnemonics, sections, goesOn, targets, tables }: Paths,
  weigh: Weigh,
  section: number,
  from: number,
  to: number,
): number {
  const paths = new Array<number>(to - from + 1).fill(0);
  const after = (at: number): number => (at < from || at > to ? 0 : (paths[at - from] as number));
  const weight = (i: number): number => (sections[i] === section ? weigh(mnemonics[i] as Mnemonic) : 0);
  let most = 0;
  for (let i = to - 1; i >= from; i -= 1) {
    let path = weight(i);
    const target = targets[i] as number;
    if (target === STAYS) path += after(i + 1);
    else {
      let further = target >= 0 ? after(target) : 0;
      if (goesOn[i] === true) further = Math.max(further, after(i + 2));
      for (const at of tables.get(i) ?? []) further = Math.max(further, after(at));
      path += weight(i + 1) + further;
    }
    paths[i - from] = path;
    if (path > most) most = path;
  }
  return most;
}
