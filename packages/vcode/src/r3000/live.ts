/** Which registers are needed where. */
import type { Line, MachineBlock } from './code.ts';

/** Sets every block's `liveIn`. */
export function findLive(blocks: readonly MachineBlock[]): void {
  for (let changed = true; changed;) {
    changed = false;
    for (let i = blocks.length - 1; i >= 0; i -= 1) {
      const block = blocks[i] as MachineBlock;
      const live = liveBefore(block, 0);
      if (live !== block.liveIn) {
        block.liveIn = live;
        changed = true;
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

/** How many ways lead to each block; into the first one, one more. */
export function countPredecessors(blocks: readonly MachineBlock[]): Map<MachineBlock, number> {
  const count = new Map<MachineBlock, number>();
  const add = (block: MachineBlock | undefined): void => {
    if (block !== undefined) count.set(block, (count.get(block) ?? 0) + 1);
  };
  add(blocks[0]);
  for (const block of blocks) {
    const last = block.lines.at(-1);
    if (last?.flow !== 'jump' && last?.flow !== 'return') add(block.next);
    for (const { target } of block.lines) add(target);
    block.table.forEach(add);
  }
  return count;
}
