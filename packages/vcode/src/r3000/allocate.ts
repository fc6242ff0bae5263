/**
 * Registers for intervals: linear scan, with live ranges split where a register is not free all the way.
 *
 * Sources: [WIMMER10] for the scan on SSA form with split intervals; phis are made one interval with what flows into them first, so that
 * loops carry their values without moves.
 */
import type { Interval, Life } from './intervals.ts';
import { VIRTUAL, type Lines, type Selected } from './instructions.ts';

/** Which registers there are. */
export interface RegisterSet {
  /** Lost in calls, in the order of preference. */
  readonly lost: readonly number[];
  /** Kept by calls, and so to be saved by the function that uses them. */
  readonly kept: readonly number[];
}

/** A register for every part of every interval, or its place in memory. */
export interface Allocation {
  readonly intervals: readonly (Interval | undefined)[];
  /** Places in memory that are used. */
  readonly slots: number;
  /** Registers of the kept ones that are used. */
  readonly saved: readonly number[];
}

export function allocate(
  selected: Selected,
  life: Life,
  set: RegisterSet,
  hints: ReadonlyMap<number, number>,
): Allocation {
  const intervals = joinPhis(selected, life, hints);
  return new Scan(selected, intervals, life.calls, set).run();
}

/** Makes a phi and what flows into it one interval where they never hold different values; the innermost loops first. */
function joinPhis(selected: Selected, life: Life, hints: ReadonlyMap<number, number>): (Interval | undefined)[] {
  const intervals = [...life.intervals];
  const one = new Map<Interval, Interval>();
  const find = (register: number): Interval | undefined => {
    let interval = intervals[register];
    for (let into = interval; into !== undefined; into = one.get(into)) interval = into;
    // The next search is short.
    intervals[register] = interval;
    return interval;
  };
  for (const [register, hint] of hints) {
    const interval = intervals[register];
    if (interval !== undefined && interval.hint < 0) interval.hint = hint;
  }
  const withPhis = selected.lines.filter(({ phis }) => phis.length > 0);
  withPhis.sort((a, b) => b.block.depth - a.block.depth);
  for (const { block, phis } of withPhis) {
    // Ways back first: they are taken oftenest.
    const ways = block.predecessors
      .map((_, way) => way)
      .sort((a, b) => (block.predecessors[b]?.depth ?? 0) - (block.predecessors[a]?.depth ?? 0));
    phis.forEach((register, i) => {
      const phi = block.phis[i];
      for (const way of ways) {
        const input = phi?.inputs[way];
        if (input === undefined) continue;
        const source = selected.registerOf(input);
        if (!('register' in source) || source.register < VIRTUAL) continue;
        const a = find(register);
        const b = find(source.register);
        if (a === undefined || b === undefined || a === b || a.meets(b) >= 0) continue;
        if (b.remake !== undefined) continue;
        a.absorb(b);
        one.set(b, a);
      }
    });
  }
  return intervals.map((_, register) => find(register));
}

class Scan {
  readonly #lines: readonly Lines[];
  readonly #intervals: readonly (Interval | undefined)[];
  readonly #calls: readonly number[];
  readonly #set: RegisterSet;
  readonly #isLost: readonly boolean[];
  readonly #all: readonly number[];
  /** Sorted so that the next one is the last. */
  readonly #waiting: Interval[] = [];
  #active: Interval[] = [];
  #inactive: Interval[] = [];
  #slots = 0;
  readonly #saved = new Set<number>();
  readonly #free = new Float64Array(32);
  readonly #until = new Float64Array(32);
  #turn = 0;

  constructor(
    selected: Selected,
    intervals: readonly (Interval | undefined)[],
    calls: readonly number[],
    set: RegisterSet,
  ) {
    this.#lines = selected.lines;
    this.#intervals = intervals;
    this.#calls = calls;
    this.#set = set;
    const isLost = new Array<boolean>(32).fill(false);
    for (const register of set.lost) isLost[register] = true;
    this.#isLost = isLost;
    this.#all = [...set.lost, ...set.kept];
  }

  run(): Allocation {
    for (const whole of new Set(this.#intervals)) {
      if (whole !== undefined && whole.ranges.length > 0) this.#waiting.push(whole);
    }
    this.#waiting.sort((a, b) => b.from - a.from);
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) this.#take(next);
    return { intervals: this.#intervals, slots: this.#slots, saved: [...this.#saved].sort((a, b) => a - b) };
  }

  #take(current: Interval): void {
    const position = current.from;
    this.#expire(position);
    if (current.isSpilled) return;
    if (current.uses.length === 0 && current !== current.whole) {
      this.#spill(current);
      return;
    }
    if (!this.#tryFree(current)) this.#takeBlocked(current);
    if (current.register >= 0) {
      this.#active.push(current);
      if (!(this.#isLost[current.register] ?? true)) this.#saved.add(current.register);
    }
  }

  #expire(position: number): void {
    const active: Interval[] = [];
    const inactive: Interval[] = [];
    for (const list of [this.#active, this.#inactive]) {
      for (const one of list) {
        if (one.to <= position) continue;
        (one.covers(position) ? active : inactive).push(one);
      }
    }
    this.#active = active;
    this.#inactive = inactive;
  }

  /** The first call while the interval holds a value that is needed behind it. */
  #firstCall(interval: Interval, from: number): number {
    const { ranges } = interval;
    let low = 0;
    let high = this.#calls.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#calls[middle] as number) + 1 < from) low = middle + 1;
      else high = middle;
    }
    let i = 0;
    for (let call = this.#calls[low]; call !== undefined; low += 1, call = this.#calls[low]) {
      const lost = call + 1;
      while (i < ranges.length && (ranges[i + 1] as number) <= lost) i += 2;
      if (i >= ranges.length) return Infinity;
      if ((ranges[i] as number) <= lost) return call;
    }
    return Infinity;
  }

  #tryFree(current: Interval): boolean {
    const free = this.#free;
    const call = this.#firstCall(current, current.from);
    for (const register of this.#all) free[register] = this.#isLost[register] === true ? call : Infinity;
    for (const one of this.#active) free[one.register] = 0;
    for (const one of this.#inactive) {
      const meets = one.meets(current);
      if (meets >= 0 && meets < (free[one.register] as number)) free[one.register] = meets;
    }
    const register = this.#choose(current, free);
    if (register < 0) return false;
    const until = free[register] as number;
    if (until < current.to) {
      const cut = this.#bestCut(current.from + 1, until);
      if (cut > until || cut <= current.from || cut >= current.to) return false;
      // A register that is free for no use is no help.
      if (
        current.nextUse(current.from) >= cut &&
        current.nextUse(current.from) !== Infinity &&
        current !== current.whole
      )
        return false;
      this.#wait(current.split(cut));
    }
    current.register = register;
    return true;
  }

  #choose(current: Interval, free: Float64Array): number {
    const wanted = current.hint;
    if (wanted >= 0 && (free[wanted] ?? 0) >= current.to && this.#all.includes(wanted)) return wanted;
    let best = -1;
    let longest = 0;
    const { lost, kept } = this.#set;
    // In turn, so that what stands next to each other can change places later.
    for (let i = 0; i < lost.length; i += 1) {
      const register = lost[(i + this.#turn) % lost.length] as number;
      const until = free[register] as number;
      if (until >= current.to) {
        this.#turn = (this.#turn + i + 1) % lost.length;
        return register;
      }
      if (until > longest) [best, longest] = [register, until];
    }
    let fresh = -1;
    for (const register of kept) {
      const until = free[register] as number;
      if (until < current.to) {
        if (until > longest) [best, longest] = [register, until];
      } else if (this.#saved.has(register)) return register;
      else if (fresh < 0) fresh = register;
    }
    if (fresh >= 0) return fresh;
    return longest > current.from + 1 ? best : -1;
  }

  #takeBlocked(current: Interval): void {
    const until = this.#until;
    const free = this.#free;
    for (const register of this.#all) {
      until[register] = Infinity;
      free[register] = Infinity;
    }
    const call = this.#firstCall(current, current.from);
    for (const register of this.#set.lost) {
      until[register] = call;
      free[register] = call;
    }
    for (const one of this.#active) {
      // Something that begins here, too, cannot be cut here.
      const next = one.from >= current.from ? 0 : one.nextWish(current.from);
      until[one.register] = Math.min(until[one.register] as number, next);
    }
    for (const one of this.#inactive) {
      if (one.meets(current) < 0) continue;
      until[one.register] = Math.min(until[one.register] as number, one.nextWish(current.from));
    }
    let best = -1;
    for (const register of this.#all)
      if (best < 0 || (until[register] as number) > (until[best] as number)) best = register;
    const first = current.nextUse(current.from);
    if (best < 0 || (until[best] as number) < first || (until[best] as number) <= current.from + 1) {
      // All others are needed sooner.
      if (first === Infinity || first <= current.from + 1) {
        if (first === Infinity) {
          this.#spill(current);
          return;
        }
        // It is needed at once: something must go.
        this.#evict(current, best, free);
        return;
      }
      const cut = this.#bestCut(current.from + 1, first);
      this.#wait(current.split(cut));
      this.#spill(current);
      return;
    }
    this.#evict(current, best, free);
  }

  /** Gives a register to the interval; who had it goes to memory until its next use. */
  #evict(current: Interval, register: number, free: Float64Array): void {
    current.register = register;
    const call = free[register] as number;
    if (call < current.to) {
      const cut = this.#bestCut(current.from + 1, call);
      this.#wait(current.split(cut));
    }
    const position = current.from;
    for (const one of [...this.#active]) {
      if (one.register !== register) continue;
      this.#active.splice(this.#active.indexOf(one), 1);
      this.#cutOut(one, position);
    }
    for (const one of [...this.#inactive]) {
      if (one.register !== register) continue;
      const meets = one.meets(current);
      if (meets < 0) continue;
      // Cut in its hole: before it comes back.
      this.#inactive.splice(this.#inactive.indexOf(one), 1);
      const back = one.ranges.find((from, i) => i % 2 === 0 && from >= position);
      if (back === undefined) continue;
      const rest = one.split(back);
      this.#wait(rest);
    }
  }

  /** Spills from the position on, until the next use. */
  #cutOut(one: Interval, position: number): void {
    // Before the loops that do not use it, or it would have to come back at the head of each.
    const since = this.#bestCut(Math.max(one.from, one.lastUse(position)) + 1, position);
    const cut = since > one.from && one.covers(since) && !one.uses.includes(since) ? since : position;
    const rest = one.from < cut ? one.split(cut) : one;
    if (rest === one) one.register = -1;
    const next = rest.nextUse(position);
    if (next !== Infinity && next > rest.from) {
      const back = Math.max(this.#bestCut(Math.max(rest.from, position) + 1, next), rest.from + 1);
      if (back < rest.to) this.#wait(rest.split(back));
    } else if (next === rest.from) {
      this.#wait(rest);
      return;
    }
    this.#spill(rest);
  }

  #spill(interval: Interval): void {
    interval.isSpilled = true;
    interval.register = -1;
    const { whole } = interval;
    if (whole.remake !== undefined || whole.slot >= 0) return;
    whole.slot = this.#slots;
    this.#slots += 1;
  }

  /** Where to cut between two positions: outside as many loops as possible, and as late as possible. Even. */
  #bestCut(from: number, to: number): number {
    const latest = to === Infinity ? from : to & ~1;
    let best = latest;
    let depth = this.#depthAt(latest);
    for (let i = this.#lineAt(latest); i >= 0; i -= 1) {
      const lines = this.#lines[i] as Lines;
      if (lines.from <= from || lines.from > latest) break;
      const before = this.#lines[i - 1]?.block.depth ?? 0;
      const here = Math.min(before, lines.block.depth);
      if (here < depth) {
        depth = here;
        best = lines.from;
      }
    }
    return Math.max(best, (from + 1) & ~1);
  }

  #lineAt(position: number): number {
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lines[middle] as Lines).from <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #depthAt(position: number): number {
    return this.#lines[this.#lineAt(position)]?.block.depth ?? 0;
  }

  #wait(interval: Interval): void {
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#waiting[middle] as Interval).from > interval.from) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, interval);
  }
}
