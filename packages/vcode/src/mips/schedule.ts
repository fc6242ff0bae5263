/**
 * Scheduling: from the list that takes every effect at once to code that is right on the R3000.
 *
 * Three steps: separate a load from its first use where something useful fits between; fill the delay slots, with an
 * instruction from before the branch or, if the other way does not need it, from behind; write the rest out with `nop`s. A load never
 * passes a guard, a store never moves across memory operations.
 *
 * Source: [KANE92 §1] for the slots, [KANE92 app. A, MFLO] for the two instructions between `mflo` and the next multiply.
 */
import { HI_LO, type Instruction, type Item, type Label, type MipsCode } from './code.ts';
import { liveAtLabels } from './liveness.ts';

/** How far the search for something to do in a delay goes. Assumption: farther finds little more. */
const WINDOW = 5;

/** Code in its final order, and where the labels are in it. */
export interface Scheduled {
  readonly instructions: readonly Instruction[];
  readonly labels: ReadonlyMap<Label, number>;
}

/** Schedules what was appended; the code is used up. Labels that nothing branches to are dropped unless kept. */
export function schedule(code: MipsCode, kept: ReadonlySet<Label>): Scheduled {
  const used = new Set(code.items.map((item) => (item.kind === 'instruction' ? item.target : undefined)));
  const present = code.items.filter((item) => item.kind === 'instruction' || used.has(item) || kept.has(item));
  const live = liveAtLabels(present);
  const items = separateLoads(present);
  fillSlots(items, live);
  return flatten(
    items.filter((item) => item !== undefined),
    code,
  );
}

const isPlain = (item: Item | undefined): item is Instruction => item?.kind === 'instruction' && item.flow === 'next';

/** Whether two instructions may change places. */
function independent(a: Instruction, b: Instruction): boolean {
  if ((a.writes & (b.reads | b.writes)) !== 0 || (a.reads & b.writes) !== 0) return false;
  return a.memory === 'none' || b.memory === 'none' || (a.memory === 'load' && b.memory === 'load');
}

const delays = (load: Item | undefined, use: Item | undefined): boolean =>
  load?.kind === 'instruction' &&
  use?.kind === 'instruction' &&
  load.memory === 'load' &&
  use.mnemonic !== 'lwl' &&
  (load.writes & (use.reads | use.writes)) !== 0;

function separateLoads(source: readonly Item[]): (Item | undefined)[] {
  const items = [...source];
  for (let k = 0; k < items.length; k += 1) {
    const load = items[k];
    if (!isPlain(load) || !delays(load, items[k + 1])) continue;
    if (!pullUp(items, k, load)) pushDown(items, k, load);
  }
  return items;
}

/** Moves an independent later instruction of the block to behind the load. */
function pullUp(items: Item[], k: number, load: Instruction): boolean {
  for (let j = k + 1; j <= k + WINDOW; j += 1) {
    const candidate = items[j];
    if (!isPlain(candidate)) return false;
    if (j === k + 1 || delays(load, candidate)) continue;
    const between = items.slice(k + 1, j).filter((item) => item.kind === 'instruction');
    if (!between.every((item) => independent(item, candidate))) continue;
    items.splice(j, 1);
    items.splice(k + 1, 0, candidate);
    return true;
  }
  return false;
}

/** Exchanges the load with the instruction before it. */
function pushDown(items: Item[], k: number, load: Instruction): void {
  const before = items[k - 1];
  if (!isPlain(before) || before.memory !== 'none' || !independent(before, load) || delays(items[k - 2], load)) return;
  items[k - 1] = load;
  items[k] = before;
}

function fillSlots(items: (Item | undefined)[], live: ReadonlyMap<Label, number>): void {
  const places = new Map<Label, number>();
  items.forEach((item, i) => {
    if (item?.kind === 'label') places.set(item, i);
  });
  items.forEach((branch, i) => {
    if (branch?.kind !== 'instruction' || branch.slot !== undefined) return;
    // A return brings its slot along, or gets a nop: what the caller does first is not known here.
    if (branch.flow === 'next' || branch.flow === 'return') return;
    const ways = waysOf(items, branch, i, places);
    const chosen = fromBefore(items, branch, i, ways) ?? fromBehind(items, branch, i, live, ways);
    if (chosen === undefined) return;
    branch.slot = items[chosen] as Instruction;
    items[chosen] = undefined;
  });
}

/** The first two instructions on each way that a branch can take. */
interface Ways {
  readonly taken: readonly Instruction[];
  readonly onward: readonly Instruction[];
}

function waysOf(
  items: readonly (Item | undefined)[],
  branch: Instruction,
  at: number,
  places: ReadonlyMap<Label, number>,
): Ways {
  const firstTwo = (start: number): Instruction[] => {
    const first: Instruction[] = [];
    for (let i = start; i < items.length && first.length < 2; i += 1) {
      const item = items[i];
      if (item?.kind === 'instruction') first.push(item);
    }
    return first;
  };
  return {
    taken: branch.target === undefined ? [] : firstTwo(places.get(branch.target) ?? items.length),
    onward: branch.flow === 'branch' ? firstTwo(at + 1) : [],
  };
}

/** An instruction shortly before the branch that feeds neither it nor what is between. */
function fromBefore(
  items: readonly (Item | undefined)[],
  branch: Instruction,
  at: number,
  ways: Ways,
): number | undefined {
  const between: Instruction[] = [branch];
  for (let i = at - 1; i >= 0 && between.length <= WINDOW; i -= 1) {
    const item = items[i];
    if (item === undefined) continue;
    if (!isPlain(item)) return undefined;
    const settles =
      item.memory !== 'load' ||
      [...ways.taken, ...ways.onward].every((next) => (item.writes & (next.reads | next.writes)) === 0);
    if (!staysOut(item) && settles && between.every((other) => independent(other, item))) return i;
    between.push(item);
  }
  return undefined;
}

/** One of the two instructions behind the branch whose result is dead on the other way. */
function fromBehind(
  items: readonly (Item | undefined)[],
  branch: Instruction,
  at: number,
  live: ReadonlyMap<Label, number>,
  ways: Ways,
): number | undefined {
  if (branch.flow !== 'branch' || branch.target === undefined) return undefined;
  const needed = live.get(branch.target) ?? ~0;
  const skipped: Instruction[] = [];
  for (let i = at + 1; i <= at + 2; i += 1) {
    const item = items[i];
    if (!isPlain(item) || staysOut(item)) return undefined;
    const harmless = item.memory === 'none' || (item.memory === 'load' && !branch.guard);
    // A delayed load must not meet another write of its register at the target.
    const settles = item.memory === 'none' || ways.taken.every((next) => (next.writes & item.writes) === 0);
    if (harmless && settles && (item.writes & needed) === 0 && skipped.every((other) => independent(other, item)))
      return i;
    skipped.push(item);
  }
  return undefined;
}

/** Instructions that never go into a slot: halves of an unaligned load, and what has to keep its distance on HI and LO. */
function staysOut(instruction: Instruction): boolean {
  const { mnemonic } = instruction;
  return mnemonic === 'lwr' || mnemonic === 'lwl' || isFromHiLo(instruction) || isMultiply(instruction);
}

const isFromHiLo = (instruction: Instruction): boolean => (instruction.reads & HI_LO) !== 0;
const isMultiply = (instruction: Instruction): boolean => (instruction.writes & HI_LO) !== 0;

function flatten(items: readonly Item[], code: MipsCode): Scheduled {
  const instructions: Instruction[] = [];
  const labels = new Map<Label, number>();
  const nop = (section: number): void => {
    instructions.push({ ...code.instruction('sll', [0, 0, 0]), section });
  };
  /** Waits until `next` may follow what is there. */
  const settle = (next: Instruction): void => {
    const last = instructions.at(-1);
    if (last !== undefined && delays(last, next)) nop(last.section);
    while (isMultiply(next) && instructions.slice(-2).some(isFromHiLo)) nop(next.section);
  };
  items.forEach((item, i) => {
    if (item.kind === 'label') {
      // Only who falls into the label waits, not who branches to it.
      const next = items.slice(i + 1, i + 4).find((other) => other.kind === 'instruction');
      if (next !== undefined && !endsFlow(instructions)) settle(next);
      labels.set(item, instructions.length);
      return;
    }
    if (!endsFlow(instructions)) settle(item);
    instructions.push(item);
    if (item.flow === 'next') return;
    if (item.slot === undefined) nop(item.section);
    else instructions.push(item.slot);
  });
  return { instructions, labels };
}

/** Whether control never falls out of the end of this code. */
function endsFlow(instructions: readonly Instruction[]): boolean {
  const before = instructions.at(-2);
  return before?.flow === 'jump' || before?.flow === 'return';
}
