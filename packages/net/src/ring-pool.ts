/**
 * Buffers for bytes that arrive: short ones are made as they are needed, long ones are used again by the next connection that has much
 * to receive. A connection holds a buffer only while there is something in it.
 */

/** Assumption: connections that receive much at the same moment. */
const MAX_SPARE = 16;
/** Lengths below the longest: what most requests need, and a few segments. */
const SHORT = 512;
const MIDDLE = 4096;

export class RingPool {
  /** Bytes of the longest buffer. */
  readonly longest: number;
  readonly #spare: Uint8Array[] = [];

  constructor(longest: number) {
    this.longest = longest;
  }

  /** A buffer of `bytes` or more, up to `most`; what is in it means nothing. */
  take(bytes: number, most: number): Uint8Array {
    for (const length of [SHORT, MIDDLE]) if (bytes <= length && length < most) return new Uint8Array(length);
    return (most === this.longest ? this.#spare.pop() : undefined) ?? new Uint8Array(most);
  }

  /** Nothing is in the buffer any more. */
  give(ring: Uint8Array): void {
    if (ring.length === this.longest && this.#spare.length < MAX_SPARE) this.#spare.push(ring);
  }
}
