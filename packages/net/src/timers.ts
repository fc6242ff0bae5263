/**
 * Timers on the caller's clock: a binary heap of the earliest deadlines. Nothing here reads a clock.
 *
 * A timer runs once when it is due; it may set itself again, to a time after the one it was run with.
 */

/** One thing that can be due. Make it once and set it as often as needed. */
export class Timer {
  /** Runs when due; `now` is the time given to `fire`, at or after the deadline. */
  readonly run: (now: number) => void;
  /** The deadline in milliseconds; infinite when not set. Only `Timers` writes it. */
  at: number = Infinity;
  /** The place in the heap; -1 when not set. Only `Timers` writes it. */
  place = -1;

  constructor(run: (now: number) => void) {
    this.run = run;
  }

  get isSet(): boolean {
    return this.place >= 0;
  }
}

export class Timers {
  readonly #heap: Timer[] = [];

  /** The earliest deadline; `undefined` if none is set. */
  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Sets or moves the deadline of a timer. */
  set(timer: Timer, at: number): void {
    timer.at = at;
    if (timer.place < 0) {
      timer.place = this.#heap.length;
      this.#heap.push(timer);
    }
    this.#settle(timer);
  }

  clear(timer: Timer): void {
    const { place } = timer;
    if (place < 0) return;
    timer.place = -1;
    timer.at = Infinity;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    this.#put(last, place);
    this.#settle(last);
  }

  /** Runs every timer that is due at `now`, the earliest first. */
  fire(now: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.clear(first);
      first.run(now);
    }
  }

  #put(timer: Timer, place: number): void {
    this.#heap[place] = timer;
    timer.place = place;
  }

  /** Moves a timer up, then down, to where the heap is in order again. */
  #settle(timer: Timer): void {
    const heap = this.#heap;
    let place = timer.place;
    while (place > 0) {
      const parent = heap[(place - 1) >>> 1];
      if (parent === undefined || parent.at <= timer.at) break;
      const above = parent.place;
      this.#put(parent, place);
      place = above;
    }
    for (;;) {
      const left = heap[2 * place + 1];
      const right = heap[2 * place + 2];
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= timer.at) break;
      const below = child.place;
      this.#put(child, place);
      place = below;
    }
    this.#put(timer, place);
  }
}
