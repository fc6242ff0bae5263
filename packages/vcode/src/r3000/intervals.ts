/**
 * Live intervals: where each virtual register holds something that is still needed.
 *
 * Positions are even at instructions, which read there and write at the odd position behind; a range goes from its first position to
 * before its second. Sources: [WIMMER10] for building them in one pass over SSA form.
 */
import { VIRTUAL, type Instruction, type Lines, type Selected } from './instructions.ts';
import type { Node } from '../ssa/graph.ts';

/** A virtual register's life, or a part of it that has one place. */
export class Interval {
  /** Flat pairs [from, to), ascending. */
  ranges: number[];
  /** Positions at which it must be in a register, ascending. */
  uses: number[];
  /** Where a register would save a move in a loop: its end, if it is used inside, and where it goes to a phi. Ascending. */
  wishes: number[];
  /** What the uses weigh, by the depth of their loops. */
  weight = 0;
  register = -1;
  /** Not in a register here. */
  isSpilled = false;
  /** The part that came first, and has the place in memory; itself for that part. */
  readonly whole: Interval;
  /** The parts in order, this one first; on the whole only. */
  readonly parts: Interval[];
  /** A register that would save a move, or -1. */
  hint = -1;
  /** Its place in memory, or -1; on the whole only. */
  slot = -1;
  /** A constant or a field that is made again instead. */
  remake: Node | undefined;

  constructor(whole?: Interval) {
    this.ranges = [];
    this.uses = [];
    this.wishes = [];
    this.whole = whole ?? this;
    this.parts = whole === undefined ? [this] : [];
  }

  get from(): number {
    return this.ranges[0] ?? 0;
  }

  get to(): number {
    return this.ranges.at(-1) ?? 0;
  }

  covers(position: number): boolean {
    const { ranges } = this;
    for (let i = 0; i < ranges.length; i += 2) {
      if (position < (ranges[i] as number)) return false;
      if (position < (ranges[i + 1] as number)) return true;
    }
    return false;
  }

  /** The first position that both cover, or -1. */
  meets(other: Interval): number {
    const [a, b] = [this.ranges, other.ranges];
    let i = 0;
    let j = 0;
    while (i < a.length && j < b.length) {
      const from = Math.max(a[i] as number, b[j] as number);
      const [endA, endB] = [a[i + 1] as number, b[j + 1] as number];
      if (from < Math.min(endA, endB)) return from;
      if (endA < endB) i += 2;
      else j += 2;
    }
    return -1;
  }

  /** The first use at or behind the position, or infinity. */
  nextUse(position: number): number {
    for (const use of this.uses) if (use >= position) return use;
    return Infinity;
  }

  /** The next use or wish, whichever comes first; or infinity. */
  nextWish(position: number): number {
    const use = this.nextUse(position);
    for (const wish of this.wishes) if (wish >= position) return Math.min(wish, use);
    return use;
  }

  /** The last use before the position, or -1. */
  lastUse(position: number): number {
    let last = -1;
    for (const use of this.uses) if (use < position) last = use;
    return last;
  }

  /** Cuts off what is at or behind the position, which lies inside, as another part. */
  split(position: number): Interval {
    const rest = new Interval(this.whole);
    const { ranges } = this;
    let i = 0;
    while ((ranges[i + 1] as number) <= position) i += 2;
    if ((ranges[i] as number) < position) {
      rest.ranges = [position, ...ranges.slice(i + 1)];
      this.ranges = [...ranges.slice(0, i + 1), position];
    } else {
      rest.ranges = ranges.slice(i);
      this.ranges = ranges.slice(0, i);
    }
    const first = this.uses.findIndex((use) => use >= position);
    if (first >= 0) {
      rest.uses = this.uses.slice(first);
      this.uses = this.uses.slice(0, first);
    }
    rest.wishes = this.wishes.filter((wish) => wish >= position);
    rest.hint = this.register >= 0 ? this.register : this.hint;
    rest.remake = this.remake;
    const { parts } = this.whole;
    parts.splice(parts.indexOf(this) + 1, 0, rest);
    return rest;
  }

  /** The part that holds the value at a position. */
  at(position: number): Interval {
    const { parts } = this.whole;
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((parts[middle] as Interval).from <= position) low = middle;
      else high = middle - 1;
    }
    return parts[low] as Interval;
  }

  /** Takes over what another covers; they never meet. */
  absorb(other: Interval): void {
    const [a, b] = [this.ranges, other.ranges];
    const merged: number[] = [];
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      const first = j >= b.length || (i < a.length && (a[i] as number) < (b[j] as number));
      const from = (first ? a[i] : b[j]) as number;
      const to = (first ? a[i + 1] : b[j + 1]) as number;
      if (first) i += 2;
      else j += 2;
      if (merged.length > 0 && merged.at(-1) === from) merged[merged.length - 1] = to;
      else merged.push(from, to);
    }
    this.ranges = merged;
    this.uses = [...this.uses, ...other.uses].sort((x, y) => x - y);
    this.weight += other.weight;
    if (this.hint < 0) this.hint = other.hint;
    this.remake = undefined;
  }
}

/** All of a function. */
export interface Life {
  /** By virtual register; those of phis and what flows into them are one where they never meet. */
  readonly intervals: readonly (Interval | undefined)[];
  /** By block: the virtual registers that are needed at its beginning, without phis. */
  readonly liveIn: readonly Uint32Array[];
  /** Positions of calls, ascending. */
  readonly calls: readonly number[];
}

/** Visits what an instruction reads: `inRegister` tells whether a register is needed for it. */
function reads(instruction: Instruction, visit: (register: number, inRegister: boolean) => void): void {
  // The address of a call is moved like its arguments.
  if (instruction.a >= VIRTUAL) visit(instruction.a, instruction.kind !== 'call' && instruction.kind !== 'tail');
  if (instruction.b >= VIRTUAL) visit(instruction.b, true);
  for (const source of instruction.sources) {
    if ('register' in source && source.register >= VIRTUAL) visit(source.register, false);
  }
}

/** Numbers the instructions and finds every interval. */
export function findLife(selected: Selected): Life {
  const calls: number[] = [];
  let position = 0;
  for (const lines of selected.lines) {
    lines.from = position;
    position += 2;
    for (const instruction of lines.instructions) {
      instruction.position = position;
      if (instruction.kind === 'call') calls.push(position);
      position += instruction.kind === 'call' ? 4 : 2;
    }
    lines.to = position;
  }
  const life = new Builder(selected).run();
  return { ...life, calls };
}

class Builder {
  readonly #selected: Selected;
  readonly #intervals: (Interval | undefined)[];
  readonly #liveIn: Uint32Array[];
  readonly #words: number;

  constructor(selected: Selected) {
    this.#selected = selected;
    this.#intervals = new Array<Interval | undefined>(selected.registers).fill(undefined);
    this.#words = (selected.registers + 31) >>> 5;
    this.#liveIn = selected.lines.map(() => new Uint32Array(this.#words));
  }

  run(): Pick<Life, 'intervals' | 'liveIn'> {
    const { lines } = this.#selected;
    for (let i = lines.length - 1; i >= 0; i -= 1) this.#block(lines[i] as Lines, i);
    for (const interval of this.#intervals) {
      if (interval === undefined) continue;
      turnRound(interval.ranges);
      interval.uses.reverse();
      interval.wishes.sort((a, b) => a - b);
    }
    return { intervals: this.#intervals, liveIn: this.#liveIn };
  }

  #interval(register: number): Interval {
    let interval = this.#intervals[register];
    if (interval === undefined) {
      interval = new Interval();
      interval.remake = this.#selected.remakes[register];
      this.#intervals[register] = interval;
    }
    return interval;
  }

  #block(lines: Lines, index: number): void {
    const { block, from, to } = lines;
    const live = new Uint32Array(this.#words);
    for (const successor of block.successors) {
      const known = this.#liveIn[successor.order];
      if (known !== undefined) for (let w = 0; w < live.length; w += 1) live[w] = (live[w] ?? 0) | (known[w] ?? 0);
      const way = successor.predecessors.indexOf(block);
      for (const phi of successor.phis) {
        const source = this.#selected.registerOf(phi.inputs[way] as Node);
        if (!('register' in source) || source.register < VIRTUAL) continue;
        add(live, source.register);
        if (block.depth > 0) this.#interval(source.register).wishes.push(to);
      }
    }
    each(live, (register) => {
      prepend(this.#interval(register).ranges, from, to);
    });
    const weight = 10 ** Math.min(block.depth, 6);
    for (let i = lines.instructions.length - 1; i >= 0; i -= 1) {
      this.#instruction(lines.instructions[i] as Instruction, from, live, weight);
    }
    for (const phi of lines.phis) {
      startAt(this.#interval(phi).ranges, from);
      remove(live, phi);
    }
    this.#loop(lines, live);
    this.#liveIn[index] = live;
  }

  #instruction(instruction: Instruction, from: number, live: Uint32Array, weight: number): void {
    const { position } = instruction;
    const written = position + (instruction.kind === 'call' ? 3 : 1);
    const define = (register: number, inRegister: boolean): void => {
      if (register < VIRTUAL) return;
      const interval = this.#interval(register);
      startAt(interval.ranges, written);
      if (inRegister) interval.uses.push(written);
      interval.weight += weight;
      remove(live, register);
    };
    define(instruction.def, true);
    for (const register of instruction.defs) define(register, false);
    reads(instruction, (register, inRegister) => {
      const interval = this.#interval(register);
      prepend(interval.ranges, from, position + 1);
      if (inRegister && interval.uses.at(-1) !== position) interval.uses.push(position);
      interval.weight += weight;
      add(live, register);
    });
  }

  /** What is needed at the head of a loop is needed all through it. */
  #loop({ block, from }: Lines, live: Uint32Array): void {
    const { loop } = block;
    if (loop === undefined || loop.header !== block) return;
    let end = from;
    const { lines: all } = this.#selected;
    for (let i = block.order; i < all.length; i += 1) {
      const lines = all[i] as Lines;
      let inner = lines.block.loop;
      while (inner !== undefined && inner !== loop) inner = inner.outer;
      if (inner === undefined) break;
      end = lines.to;
      // These blocks were looked at before it was known.
      const within = lines.block === block ? undefined : this.#liveIn[lines.block.order];
      if (within !== undefined) for (let w = 0; w < live.length; w += 1) within[w] = (within[w] ?? 0) | (live[w] ?? 0);
    }
    each(live, (register) => {
      const interval = this.#interval(register);
      prepend(interval.ranges, from, end);
      // Uses stand in reverse still.
      if (interval.uses.some((use) => use >= from && use < end)) interval.wishes.push(end);
    });
  }
}

function add(set: Uint32Array, register: number): void {
  set[register >>> 5] = (set[register >>> 5] ?? 0) | (1 << (register & 31));
}

function remove(set: Uint32Array, register: number): void {
  set[register >>> 5] = (set[register >>> 5] ?? 0) & ~(1 << (register & 31));
}

/** Visits the members of a set. */
export function each(set: Uint32Array, visit: (register: number) => void): void {
  for (let w = 0; w < set.length; w += 1) {
    let bits = set[w] ?? 0;
    while (bits !== 0) {
      const low = bits & -bits;
      visit(w * 32 + (31 - Math.clz32(low)));
      bits ^= low;
    }
  }
}

/* While they are built, ranges stand in reverse: [to, from] pairs, the last pair the earliest. */

function prepend(ranges: number[], from: number, to: number): void {
  let end = to;
  // A range that touches or meets the earliest ones swallows them.
  while (ranges.length > 0 && (ranges.at(-1) as number) <= end) {
    end = Math.max(end, ranges.at(-2) as number);
    const start = ranges.at(-1) as number;
    ranges.length -= 2;
    if (start < from) {
      ranges.push(end, start);
      return;
    }
  }
  ranges.push(end, from);
}

function startAt(ranges: number[], position: number): void {
  if (ranges.length === 0) ranges.push(position + 1, position);
  else ranges[ranges.length - 1] = position;
}

function turnRound(ranges: number[]): void {
  ranges.reverse();
}
