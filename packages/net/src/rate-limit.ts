/** A limit on answers that a stranger could ask for without end: so many per second, the rest are not sent. */

const SECOND_MS = 1000;

export class RateLimit {
  readonly #perSecond: number;
  #since = -Infinity;
  #count = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** True if one more is within the limit at `now` (milliseconds); it is counted then. */
  allow(now: number): boolean {
    if (now - this.#since >= SECOND_MS) {
      this.#since = now;
      this.#count = 0;
    }
    if (this.#count >= this.#perSecond) return false;
    this.#count += 1;
    return true;
  }
}
