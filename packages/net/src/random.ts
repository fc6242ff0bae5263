/**
 * The seeded generator of ephemeral ports and of the key of initial sequence numbers (`tcp-initial-number.ts`).
 *
 * Assumption: a reproducible run matters more here than secrecy. An attacker who knows the seed can guess ports and sequence
 * numbers; a stack that faces strangers must be given a seed from a good source [RFC9293 §3.4.1].
 */

/** A generator of numbers 0 to 2^32 - 1 (Mulberry32); equal seeds give equal sequences. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
