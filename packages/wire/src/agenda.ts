/** What is to happen, in order of time and, at equal times, of entry, unless a rule says otherwise. */

export interface Entry<T> {
  readonly time: number;
  readonly what: T;
}

/** A queue by time. Most entries come in order, so it is a list filled from behind. */
export class Agenda<T> {
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #entries: Entry<T>[] = [];
  /** Where the earliest entry is; those before it have been taken. */
  #first = 0;

  /** `isBefore` says whether `a`, entered after `b` for the same time, goes before it. */
  constructor(isBefore: (a: T, b: T) => boolean = () => false) {
    this.#isBefore = isBefore;
  }

  /** Time of the earliest entry; Infinity if there is none. */
  get next(): number {
    return this.#entries[this.#first]?.time ?? Infinity;
  }

  add(time: number, what: T): void {
    const entries = this.#entries;
    let at = entries.length;
    while (at > this.#first) {
      const other = entries[at - 1];
      if (other === undefined || other.time < time) break;
      if (other.time === time && !this.#isBefore(what, other.what)) break;
      at -= 1;
    }
    entries.splice(at, 0, { time, what });
  }

  /** Everything in it, in order. */
  get entries(): readonly Entry<T>[] {
    return this.#entries.slice(this.#first);
  }

  /** Gives it other contents, which are in order. */
  refill(entries: Iterable<Entry<T>>): void {
    this.#entries.length = 0;
    this.#first = 0;
    for (const entry of entries) this.#entries.push(entry);
  }

  /** Takes the earliest entry. */
  take(): T | undefined {
    const what = this.#entries[this.#first]?.what;
    this.#first += 1;
    // Half of the list at once: to shift a long list for each entry would take a time that is its square.
    if (2 * this.#first >= this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
    return what;
  }
}
