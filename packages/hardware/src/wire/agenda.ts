/** What is to happen, in order of time and, at equal times, of entry. */

export interface Entry<T> {
  readonly time: number;
  readonly what: T;
}

/** A queue by time. Most entries come in order, so it is a list filled from behind. */
export class Agenda<T> {
  #entries: Entry<T>[] = [];

  /** Time of the earliest entry; Infinity if there is none. */
  get next(): number {
    return this.#entries[0]?.time ?? Infinity;
  }

  add(time: number, what: T): void {
    let at = this.#entries.length;
    while (at > 0 && (this.#entries[at - 1]?.time ?? 0) > time) at -= 1;
    this.#entries.splice(at, 0, { time, what });
  }

  /** Everything in it, in order. */
  get entries(): readonly Entry<T>[] {
    return this.#entries;
  }

  clear(): void {
    this.#entries = [];
  }

  /** Takes the earliest entry. */
  take(): T | undefined {
    return this.#entries.shift()?.what;
  }
}
