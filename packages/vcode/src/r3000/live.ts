/** Which registers are needed where. */
import type { Line, MachineBlock } from './code.ts';

/** Sets every block's `liveIn`, `index` and `predecessors`. */
export function findLive(blocks: readonly MachineBlock[]): void {
  let goesBack = false;
  blocks.forEach((block, i) => {
    block.index = i;
    block.predecessors = i === 0 ? 1 : 0;
    block.liveIn = 0;
  });
  for (const block of blocks) {
    const add = (to: MachineBlock): void => {
      to.predecessors += 1;
      if (to.index <= block.index) goesBack = true;
    };
    const last = block.lines.at(-1);
    if (block.next !== undefined && last?.flow !== 'jump' && last?.flow !== 'return') add(block.next);
    for (const { target } of block.lines) if (target !== undefined) add(target);
    for (const target of block.table) add(target);
  }
  // Without ways back, what follows is known before what comes before it.
  for (let changed = true; changed;) {
    changed = false;
    for (let i = blocks.length - 1; i >= 0; i -= 1) {
      const block = blocks[i] as MachineBlock;
      const live = liveBefore(block, 0);
      if (live !== block.liveIn) {
        block.liveIn = live;
        changed = goesBack;
      }
    }
  }
}

/** Registers that are needed before a line of a block; `slots` are lines that have been taken out of it. */
export function liveBefore(block: MachineBlock, index: number, slots?: ReadonlyMap<Line, Line>): number {
  const last = block.lines.at(-1);
  let live = block.next === undefined || last?.flow === 'jump' ? 0 : block.next.liveIn;
  for (const target of block.table) live |= target.liveIn;
  for (let i = block.lines.length - 1; i >= index; i -= 1) {
    const line = block.lines[i] as Line;
    live = (live & ~line.writes) | line.reads | (slots?.get(line)?.reads ?? 0);
    if (line.target !== undefined) live |= line.target.liveIn;
  }
  return live;
}
