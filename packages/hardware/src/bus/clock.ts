/**
 * The machine's clock: the current cycle and the timers that devices set on it.
 *
 * Only the CPU advances `now`. Timers fire between instructions, in order of their time and, at equal times, of the
 * order in which they were armed, so a run is a function of its inputs. A timer with a rank fires before those without one,
 * whenever it was armed: what comes from outside this clock is armed when the host gets to it. Arming allocates nothing.
 */

/** One alarm of one device. `fire` gets the cycle it was armed for; `clock.now` may be later by one instruction. */
export class Timer {
  readonly #clock: Clock;
  readonly fire: (at: number) => void;
  /** 0, or a negative number: its place before the timers of rank 0 at equal times. */
  readonly rank: number;
  /** Cycle it is armed for; Infinity when it is not armed. */
  at: number = Infinity;
  /** Order of arming, which breaks ties. */
  sequence: number = 0;
  /** Place in the clock's heap, -1 when not armed. */
  slot: number = -1;

  constructor(clock: Clock, fire: (at: number) => void, rank: number) {
    this.#clock = clock;
    this.fire = fire;
    this.rank = rank;
  }

  get armed(): boolean {
    return this.slot >= 0;
  }

  /** The clock's present cycle. */
  get now(): number {
    return this.#clock.now;
  }

  /** Sets the alarm to cycle `at` (rounded up to a whole cycle), instead of an earlier setting. */
  arm(at: number): void {
    this.#clock.arm(this, Math.ceil(at));
  }

  disarm(): void {
    this.#clock.disarm(this);
  }
}

/** Time in cycles of the CPU. */
export class Clock {
  /** Cycles per second. */
  readonly hz: number;
  /** Cycles since power-on. Written by the CPU only. */
  now: number = 0;
  /** The earliest time a timer is armed for; Infinity if none is. */
  next: number = Infinity;
  readonly #heap: Timer[] = [];
  #sequence = 0;

  constructor(hz: number) {
    this.hz = hz;
  }

  /** A timer of this clock, not armed; `rank` as in `Timer`. */
  timer(fire: (at: number) => void, rank = 0): Timer {
    return new Timer(this, fire, rank);
  }

  /** Fires every timer that is due at `now`, also those that the fired ones arm. */
  runDue(): void {
    while (this.next <= this.now) {
      const timer = this.#heap[0];
      if (timer === undefined) return;
      const { at } = timer;
      this.disarm(timer);
      timer.fire(at);
    }
  }

  /** For `Timer.arm`. */
  arm(timer: Timer, at: number): void {
    if (timer.slot >= 0) this.disarm(timer);
    timer.at = at;
    timer.sequence = timer.rank === 0 ? this.#sequence : timer.rank;
    this.#sequence += 1;
    const slot = this.#heap.length;
    this.#heap.push(timer);
    this.#up(timer, slot);
    this.next = this.#heap[0]?.at ?? Infinity;
  }

  /** For `Timer.disarm`. */
  disarm(timer: Timer): void {
    const { slot } = timer;
    if (slot < 0) return;
    const last = this.#heap.pop();
    timer.slot = -1;
    timer.at = Infinity;
    if (last !== undefined && last !== timer) {
      this.#up(last, slot);
      this.#down(last, last.slot);
    }
    this.next = this.#heap[0]?.at ?? Infinity;
  }

  #up(timer: Timer, from: number): void {
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || !before(timer, parent)) break;
      this.#place(parent, slot);
      slot = above;
    }
    this.#place(timer, slot);
  }

  #down(timer: Timer, from: number): void {
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      let child = this.#heap[below];
      if (child === undefined) break;
      const right = this.#heap[below + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        below += 1;
      }
      if (!before(child, timer)) break;
      this.#place(child, slot);
      slot = below;
    }
    this.#place(timer, slot);
  }

  #place(timer: Timer, slot: number): void {
    this.#heap[slot] = timer;
    timer.slot = slot;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
