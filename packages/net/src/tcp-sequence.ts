/**
 * Sequence numbers: unsigned 32-bit, compared over the wrap. Two numbers compare rightly while they are less than 2^31
 * apart, which windows of 16 bits guarantee.
 *
 * Source: [RFC9293 §3.4].
 */

/** `a - b` as a signed distance. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

/** `seq + n`, wrapped. */
export function advance(seq: number, n: number): number {
  return (seq + n) >>> 0;
}
