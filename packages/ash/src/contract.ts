/**
 * The contract between a handler and its runner: regions, result word, sizes.
 *
 *     result   31            16 15       8 7        0
 *              reply length     0          verdict
 *
 * The runner binds three regions in this order, each at a word-aligned address: the message (read-only), the window (the
 * application's pinned memory) and the reply (staging for one frame). What a handler writes to its window stays written, also
 * when it aborts. The verdict and the reply count only if it returns.
 * Source: [ASH96] (vectoring, initiation of messages and of control; abort leaves the message to the normal path).
 */

/** Region numbers. */
export const MESSAGE = 0;
export const WINDOW = 1;
export const REPLY = 2;

/** The normal path takes the message, as if there were no handler. */
export const PASS = 0;
/** The message is dealt with. */
export const CONSUME = 1;
/** The message is dealt with, and the application wants to hear of it. */
export const UPCALL = 2;
export type Verdict = typeof PASS | typeof CONSUME | typeof UPCALL;

/** Bytes of the reply region: the longest Ethernet frame without its check sequence. */
export const REPLY_BYTES = 1514;

/** The result word. */
export function resultWord(verdict: Verdict, replyLength = 0): number {
  return ((replyLength << 16) | verdict) >>> 0;
}

/** The verdict in a valid result word. */
export function verdictOf(result: number): number {
  return result & 0xff;
}

/** The length of the reply in a valid result word, 0 for none. */
export function replyLengthOf(result: number): number {
  return result >>> 16;
}

/** Whether a result is one that a runner must honour: a known verdict, and a reply that fits its region. */
export function isValidResult(result: number): boolean {
  return (result & 0xffff) <= UPCALL && result >>> 16 <= REPLY_BYTES;
}
