/**
 * Fills delay slots: what the R3000 executes behind a load, a branch, a jump and a call is something useful where there is something.
 *
 * Sources: [KANE92 §1] for the slots, [KANE92 app. A, MFLO] for the two instructions between `mflo` and the next multiply.
 */
import { bit, HI_LO, NOP, type Line, type MachineBlock } from './code.ts';
import { findLive, liveBefore } from './live.ts';

/** A line in its final place. */
interface Placed {
  readonly line: Line;
  readonly section: number;
}

/** All lines in order, and where each block begins. */
export interface Scheduled {
  readonly lines: readonly Placed[];
  /** By block: the index of its first line. */
  readonly starts: ReadonlyMap<MachineBlock, number>;
  /** By the index of a branch: how many lines of its target it skips. */
  readonly skips: ReadonlyMap<number, number>;
  /** By the index of a line that names its block's table, and of the jump through it: the block. */
  readonly owners: ReadonlyMap<number, MachineBlock>;
}

const leaves = (line: Line): boolean => line.flow !== 'next' && line.flow !== 'call';
const isFromHiLo = (line: Line): boolean => (line.reads & HI_LO) !== 0;
const isMultiply = (line: Line): boolean => (line.writes & HI_LO) !== 0 && line.flow === 'next';
/** Whether the second may not stand right behind the first, a load. */
function delays(load: Line, use: Line): boolean {
  // A return reads results and kept registers for its caller, later.
  const touched = use.flow === 'return' ? bit(use.operands[0]) : use.reads | use.writes;
  if (load.memory !== 'load' || (load.writes & touched) === 0) return false;
  // The other half of an unaligned load merges with the first at once, if that is all it takes from it.
  return !(load.mnemonic === 'lwr' && use.mnemonic === 'lwl' && bit(use.operands[2]) !== load.writes);
}

/** Whether two lines may change places. */
function independent(a: Line, b: Line): boolean {
  if ((a.writes & (b.reads | b.writes)) !== 0 || (a.reads & b.writes) !== 0) return false;
  if (a.memory === 'none' || b.memory === 'none') return a.charge === 0 || b.charge === 0;
  return a.memory === 'load' && b.memory === 'load' && !(a.isOrdered && b.isOrdered);
}

export function schedule(blocks: readonly MachineBlock[]): Scheduled {
  findLive(blocks);
  const slots = new Map<Line, Line>();
  // A line that names its block's table names it in the slot of another block's branch too.
  const named = new Map<Line, MachineBlock>();
  for (const block of blocks) for (const one of block.lines) if (one.symbol !== undefined) named.set(one, block);
  for (const block of blocks) {
    separate(block);
    slotsFromBefore(block, slots, false);
  }
  // What a loaded value meets first at a target is known now.
  for (const block of blocks) slotsFromBefore(block, slots, true);
  const skips = new Map<Line, number>();
  blocks.forEach((block, i) => {
    fillBeforeBranch(block, blocks[i + 1], slots);
    slotFromElsewhere(block, blocks[i + 1], slots, skips);
  });
  return flatten(blocks, slots, skips, named);
}

/* Loads. */

/** How far the search for something to do goes. Assumption: farther finds little more. */
const WINDOW = 8;

/** Moves lines so that a load does not stand right before its use. */
function separate(block: MachineBlock): void {
  const { lines } = block;
  for (let k = 0; k + 1 < lines.length; k += 1) {
    const load = lines[k] as Line;
    if (!delays(load, lines[k + 1] as Line)) continue;
    if (!pullUp(lines, k, load) && !sink(lines, k, load)) pushDown(lines, k, load);
  }
}

/** Moves a later line to behind the load. */
function pullUp(lines: Line[], k: number, load: Line): boolean {
  for (let j = k + 2; j < lines.length && j <= k + WINDOW; j += 1) {
    const candidate = lines[j] as Line;
    if (candidate.flow !== 'next' || candidate.memory === 'all' || lines[j - 1]?.flow !== 'next') return false;
    if (delays(load, candidate) || isMultiply(candidate) || isFromHiLo(candidate)) continue;
    if (candidate.memory === 'load' && lines[k + 1] !== undefined && delays(candidate, lines[k + 1] as Line)) continue;
    let isFree = true;
    for (let i = k + 1; i < j && isFree; i += 1) isFree = independent(lines[i] as Line, candidate);
    if (!isFree) continue;
    lines.splice(j, 1);
    lines.splice(k + 1, 0, candidate);
    return true;
  }
  return false;
}

/** Moves an earlier line to behind the load. */
function sink(lines: Line[], k: number, load: Line): boolean {
  // What the ways need that leave in between.
  let needed = 0;
  for (let j = k - 1; j >= 0 && j >= k - WINDOW; j -= 1) {
    const candidate = lines[j] as Line;
    if (candidate.flow === 'branch' && candidate.target !== undefined) {
      needed |= candidate.target.liveIn;
      continue;
    }
    if (candidate.flow !== 'next') return false;
    if ((candidate.writes & needed) !== 0) continue;
    if (candidate.memory !== 'none' || candidate.charge > 0 || isMultiply(candidate) || isFromHiLo(candidate)) continue;
    if (candidate.mnemonic === 'break' || candidate.mnemonic === 'syscall') return false;
    let isFree = !delays(load, candidate);
    for (let i = j + 1; i <= k && isFree; i += 1) isFree = independent(lines[i] as Line, candidate);
    const [before, behind] = [lines[j - 1], lines[j + 1]];
    if (!isFree || (before !== undefined && behind !== undefined && delays(before, behind))) continue;
    lines.splice(j, 1);
    lines.splice(k, 0, candidate);
    return true;
  }
  return false;
}

/** Moves the load up, before lines that do not feed it. */
function pushDown(lines: Line[], k: number, load: Line): void {
  const before = lines[k - 1];
  if (before?.flow !== 'next' || !independent(before, load)) return;
  if (before.memory === 'load' && delays(before, lines[k + 1] as Line)) return;
  const earlier = lines[k - 2];
  if (earlier !== undefined && delays(earlier, load)) return;
  lines[k - 1] = load;
  lines[k] = before;
}

/* Branches. */

/** Lines that never go into a slot: halves of an unaligned load, and what must keep its distance on HI and LO. */
const staysOut = (line: Line): boolean =>
  line.flow !== 'next' ||
  line.mnemonic === 'break' ||
  line.mnemonic === 'syscall' ||
  line.mnemonic === 'lwr' ||
  line.mnemonic === 'lwl' ||
  isFromHiLo(line) ||
  isMultiply(line);

function slotsFromBefore(block: MachineBlock, slots: Map<Line, Line>, isLoad: boolean): void {
  const { lines } = block;
  for (let k = 0; k < lines.length; k += 1) {
    const leaving = lines[k] as Line;
    if (leaving.flow === 'next' || slots.has(leaving)) continue;
    const found = fromBefore(block, k, isLoad, slots);
    if (found < 0) continue;
    slots.set(leaving, lines[found] as Line);
    lines.splice(found, 1);
    k -= 1;
  }
}

/** The line before a branch that can as well be executed behind it; -1 if there is none. */
function fromBefore({ lines, next }: MachineBlock, k: number, isLoad: boolean, slots: ReadonlyMap<Line, Line>): number {
  const leaving = lines[k] as Line;
  const onward = leaving.flow === 'branch' ? (lines[k + 1] ?? next?.lines[0]) : undefined;
  const after = [leaving.target?.lines[0], onward].filter((line) => line !== undefined);
  // What the ways need that leave in between, and what is in the slots there.
  let needed = 0;
  const passed: Line[] = [];
  for (let j = k - 1; j >= 0 && j >= k - WINDOW; j -= 1) {
    const candidate = lines[j] as Line;
    if (candidate.flow === 'branch' && candidate.target !== undefined) {
      needed |= candidate.target.liveIn;
      const slot = slots.get(candidate);
      if (slot !== undefined) passed.push(slot);
      continue;
    }
    if (leaves(candidate) || candidate.flow === 'call') return -1;
    if ((candidate.writes & needed) !== 0 || (needed !== 0 && (candidate.memory !== 'none' || candidate.charge > 0)))
      continue;
    if (!passed.every((line) => independent(line, candidate))) continue;
    if (staysOut(candidate) || (candidate.memory === 'load') !== isLoad || (isLoad && j === 0)) continue;
    // A loaded value would not be there yet for what comes first.
    if (candidate.memory === 'load') {
      if (leaving.flow === 'call' || leaving.flow === 'return') continue;
      if (leaving.target?.lines[0] === undefined) continue;
      if (after.some((line) => delays(candidate, line))) continue;
    }
    // In the slot of a call, ra is the return address already.
    if (leaving.flow === 'call' && ((candidate.writes | candidate.reads) & bit(31)) !== 0) continue;
    const isFree = lines.slice(j + 1, k).every((line) => independent(line, candidate));
    if (!isFree) continue;
    // A call reads its arguments when it begins, behind the slot; a branch compares before it.
    const written =
      leaving.flow === 'call'
        ? leaving.mnemonic === 'jalr' && (candidate.writes & bit(leaving.operands[1])) !== 0
        : (candidate.writes & compared(leaving)) !== 0;
    if (written) continue;
    // What stood apart may now be too near.
    const [before, behind] = [lines[j - 1], lines[j + 1]];
    if (before !== undefined && behind !== undefined && delays(before, behind)) continue;
    return j;
  }
  return -1;
}

/** The registers that decide where a line goes. */
function compared(leaving: Line): number {
  if (leaving.flow === 'return' || leaving.flow === 'jump')
    return bit(leaving.mnemonic === 'jr' ? leaving.operands[0] : 0);
  return leaving.reads;
}

/** Whether a line does no harm where its result, which is not in `live`, is not needed. */
function isHarmless(line: Line, live: number, branch: Line): boolean {
  if ((line.writes & live) !== 0 || line.charge !== 0) return false;
  return line.memory === 'none' || (line.memory === 'load' && (line.mayRead || branch.mayRead));
}

/** A branch's slot from its target, which it then enters one line later, or from what follows. */
function slotFromElsewhere(
  block: MachineBlock,
  following: MachineBlock | undefined,
  slots: Map<Line, Line>,
  skips: Map<Line, number>,
): void {
  const { lines } = block;
  for (let k = 0; k < lines.length; k += 1) {
    const leaving = lines[k] as Line;
    const { target } = leaving;
    if (slots.has(leaving) || target === undefined) continue;
    const first = target.lines[0];
    const copy = (line: Line): void => {
      slots.set(leaving, line);
      skips.set(leaving, 1);
    };
    if (leaving.flow === 'jump') {
      if (first !== undefined && isGood(first, target.lines[1])) copy(first);
      continue;
    }
    if (leaving.flow !== 'branch') continue;
    const isLast = k === lines.length - 1;
    const onward = isLast ? (block.next?.liveIn ?? 0) : liveBefore(block, k + 1, slots);
    const next = isLast ? following?.lines[0] : lines[k + 1];
    const isBack = target.depth >= block.depth && target.id <= block.id;
    const fromTarget =
      first !== undefined &&
      isGood(first, target.lines[1]) &&
      isHarmless(first, onward, leaving) &&
      !(next !== undefined && delays(first, next));
    const isOnly = following !== undefined && following === block.next && following.predecessors === 1;
    const source = isLast ? (isOnly ? following.lines : []) : lines;
    const behind = behindBranch(leaving, source, isLast ? 0 : k + 1);
    if (fromTarget && (isBack || behind < 0)) copy(first);
    else if (behind >= 0) {
      const [line] = source.splice(behind, 1) as [Line];
      slots.set(leaving, line);
      if (isLast && following !== undefined) following.liveIn |= line.writes;
    }
  }
}

/** So many lines behind a branch are looked at. Assumption: farther finds little more. */
const FEW = 4;

/** A branch on a loaded value waits for it: something from behind the branch can be done meanwhile. */
function fillBeforeBranch(
  block: MachineBlock,
  following: MachineBlock | undefined,
  slots: ReadonlyMap<Line, Line>,
): void {
  const { lines } = block;
  const [load, branch] = [lines.at(-2), lines.at(-1)];
  if (load === undefined || branch?.flow !== 'branch' || branch.target === undefined || !delays(load, branch)) return;
  if (following === undefined || following !== block.next || following.predecessors !== 1) return;
  const at = behindBranch(branch, following.lines, 0);
  const line = following.lines[at];
  if (line === undefined || delays(load, line) || (line.writes & branch.reads) !== 0) return;
  const slot = slots.get(branch);
  if (slot !== undefined && (!independent(slot, line) || delays(line, slot))) return;
  following.lines.splice(at, 1);
  following.liveIn |= line.writes;
  lines.splice(-1, 0, line);
}

/** Which of the first lines from `start` on may as well be executed before the branch goes on; -1 if none. */
function behindBranch(branch: Line, lines: readonly Line[], start: number): number {
  const { liveIn, lines: there } = branch.target as MachineBlock;
  for (let at = start; at < start + FEW; at += 1) {
    const line = lines[at];
    if (line?.flow !== 'next' || line.memory === 'all') return -1;
    if (staysOut(line) || !isHarmless(line, liveIn, branch)) continue;
    // A loaded value is not there yet for what comes first on either way.
    const next = lines[at === start ? at + 1 : start];
    const settles = next !== undefined && there[0] !== undefined && !delays(line, next) && !delays(line, there[0]);
    if (line.memory === 'load' && !settles) continue;
    const [before, after] = [lines[at - 1], lines[at + 1]];
    if (at > start && before !== undefined && after !== undefined && delays(before, after)) continue;
    let isFree = true;
    for (let i = start; i < at && isFree; i += 1) isFree = independent(lines[i] as Line, line);
    if (isFree) return at;
  }
  return -1;
}

function isGood(first: Line, second: Line | undefined): boolean {
  if (staysOut(first) || first.flow !== 'next') return false;
  return first.memory !== 'load' || (second !== undefined && !delays(first, second));
}

/* The result. */

function flatten(
  blocks: readonly MachineBlock[],
  slots: ReadonlyMap<Line, Line>,
  skipped: ReadonlyMap<Line, number>,
  named: ReadonlyMap<Line, MachineBlock>,
): Scheduled {
  const placed: Placed[] = [];
  const starts = new Map<MachineBlock, number>();
  const skips = new Map<number, number>();
  const owners = new Map<number, MachineBlock>();
  let ended = true;
  const put = (line: Line, section: number): void => {
    const owner = named.get(line);
    if (owner !== undefined) owners.set(placed.length, owner);
    placed.push({ line, section });
  };
  const settle = (next: Line, section: number): void => {
    if (ended) return;
    const last = placed.at(-1)?.line;
    if (last !== undefined && delays(last, next)) placed.push({ line: NOP, section });
    while (isMultiply(next) && placed.slice(-2).some(({ line }) => isFromHiLo(line)))
      placed.push({ line: NOP, section });
  };
  for (const block of blocks) {
    const { section } = block;
    const [first] = block.lines;
    // Who falls into the block waits, not who branches to it.
    if (first !== undefined) settle(first, section);
    starts.set(block, placed.length);
    block.lines.forEach((line, i) => {
      if (i > 0) settle(line, section);
      const index = placed.length;
      put(line, section);
      if (line.flow === 'jump' && block.table.length > 0) owners.set(index, block);
      ended = false;
      if (line.flow === 'next') return;
      put(slots.get(line) ?? NOP, section);
      const skip = skipped.get(line);
      if (skip !== undefined) skips.set(index, skip);
      ended = line.flow === 'jump' || line.flow === 'return';
    });
  }
  return { lines: placed, starts, skips, owners };
}
