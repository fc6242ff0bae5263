/**
 * The order of machine blocks: empty ones vanish, loops are turned so that their test is at the end, jumps to what follows are left out.
 */
import { HI_LO, line, type Line, type MachineBlock } from './code.ts';
import { findLive } from './live.ts';
import { oppositeBranch } from './branches.ts';

/** A test at the head of a loop of at most so many instructions is written again at its end. Assumption: one more costs less than a jump. */
const SMALL = 6;

/** Puts the blocks in order; afterwards every line that leaves stands at the end of its block, and `next` is what follows. */
export function layOut(blocks: readonly MachineBlock[]): MachineBlock[] {
  const heir = (block: MachineBlock): MachineBlock => {
    let last = block;
    for (let i = 0; last.lines.length === 0 && last.next !== undefined && i < blocks.length; i += 1) last = last.next;
    return last;
  };
  const [entry] = blocks;
  for (const block of blocks) {
    if (block.next !== undefined) block.next = heir(block.next);
    const { lines } = block;
    lines.forEach((one, i) => {
      if (one.target?.lines.length === 0) lines[i] = { ...one, target: heir(one.target) };
    });
    if (block.table.length > 0) block.table = block.table.map(heir);
  }
  const used = new Set<MachineBlock>();
  const visit = (block: MachineBlock): void => {
    const work = [block];
    for (let one = work.pop(); one !== undefined; one = work.pop()) {
      if (used.has(one)) continue;
      used.add(one);
      if (one.next !== undefined) work.push(one.next);
      for (const { target } of one.lines) if (target !== undefined) work.push(target);
      for (const target of one.table) work.push(target);
    }
  };
  if (entry !== undefined) visit(entry);
  const ordered = blocks.filter((block) => used.has(block));
  hoistEdges(ordered);
  ordered.forEach(turnLoop);
  used.clear();
  if (entry !== undefined) visit(entry);
  const kept = ordered.filter((block) => used.has(block));
  kept.forEach((block, i) => {
    close(block, kept[i + 1]);
  });
  return kept;
}

/** At most so many lines of a way back are executed on the way out too. */
const FEW = 3;

/**
 * Lines between a test and where one of its ways goes on go before the test, if the other way does not miss what they overwrite: so the test itself
 * can be the way back of a loop, or the jump. On a way forward only one line does, which will fill the test's slot.
 */
function hoistEdges(blocks: readonly MachineBlock[]): void {
  findLive(blocks);
  blocks.forEach((block, i) => {
    const test = block.lines.at(-1);
    if (test?.flow !== 'branch' || test.target === undefined || block.next === undefined) return;
    for (const [edge, other] of [
      [block.next, test.target],
      [test.target, block.next],
    ] as const) {
      if (edge.predecessors !== 1 || edge.next === undefined || edge.table.length > 0) continue;
      const isBack = edge.next.index <= i;
      if (edge.lines.length === 0 || edge.lines.length > (isBack ? FEW : 1) || edge.next === other) continue;
      const isHarmless = edge.lines.every(
        (line) =>
          line.flow === 'next' &&
          line.memory === 'none' &&
          line.charge === 0 &&
          (line.writes & (other.liveIn | test.reads | HI_LO)) === 0 &&
          (line.reads & HI_LO) === 0,
      );
      if (!isHarmless) continue;
      block.lines.splice(-1, 1, ...edge.lines, edge === block.next ? test : { ...test, target: edge.next });
      if (edge === block.next) block.next = edge.next;
      edge.lines = [];
      return;
    }
  });
}

/** A jump back to a loop's test becomes the test. */
function turnLoop(block: MachineBlock): void {
  const head = block.next;
  if (head === undefined || block.lines.at(-1)?.flow === 'branch') return;
  if (head.index > block.index || head === block) return;
  const test = head.lines.at(-1);
  if (test?.flow !== 'branch' || test.target === undefined || head.next === undefined) return;
  if (head.lines.some(({ charge }) => charge > 0)) return;
  if (head.lines.length > SMALL || head.lines.filter(({ flow }) => flow !== 'next').length > 1) return;
  block.lines.push(...head.lines.slice(0, -1));
  // Whichever of the two is in front of us is the way back.
  const back = head.next.index <= block.index ? head.next : test.target;
  if (back === head.next) {
    block.lines.push(oppositeBranch(test, head.next));
    block.next = test.target;
  } else {
    block.lines.push(test);
    block.next = head.next;
  }
}

/** Ends a block so that `after` may follow it. */
function close(block: MachineBlock, after: MachineBlock | undefined): void {
  const { next } = block;
  if (next === undefined) return;
  const last = block.lines.at(-1);
  if (last?.flow === 'branch' && last.target === next) block.lines.pop();
  else if (last?.flow === 'branch' && last.target === after && block.lines.at(-2)?.flow !== 'branch') {
    block.lines[block.lines.length - 1] = oppositeBranch(last, next);
    block.next = after;
    return;
  }
  if (next !== after) block.lines.push(jump(next, last));
}

function jump(target: MachineBlock, before: Line | undefined): Line {
  return line('beq', [0, 0], { target, at: before?.at ?? -1 });
}
