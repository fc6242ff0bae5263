/** Runs a handler's MIPS code as a kernel would: record, regions, code. */
import { compileMips } from '@exokernel/vcode';
import { REPLY_BYTES, type Handler } from '../src/index.ts';
import { executeMips, MEMORY_BASE, ORIGIN } from '../../vcode/test/mips-executor.ts';

export interface MipsOutcome {
  readonly result: number;
  readonly status: number;
  readonly fuelUsed: number;
  readonly executed: number;
  readonly reply: Uint8Array;
}

/** One run; changes `window` like the handler does. */
export function onMips({ program }: Handler, message: Uint8Array, window: Uint8Array, fuel = 100_000): MipsOutcome {
  const { words, activationBytes } = compileMips(program, ORIGIN);
  const memory = new Uint8Array(1 << 16);
  const view = new DataView(memory.buffer);
  const align = (at: number): number => (at + 31) & ~15;
  const messageAt = align(activationBytes);
  const windowAt = align(messageAt + message.length);
  const replyAt = align(windowAt + window.length);
  memory.set(message, messageAt);
  memory.set(window, windowAt);
  const places = [messageAt, message.length, windowAt, window.length, replyAt, REPLY_BYTES];
  [fuel, 0, ...places.map((place, i) => (i % 2 === 0 ? MEMORY_BASE + place : place))].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  const range = (at: number, length: number): [number, number] => [MEMORY_BASE + at, MEMORY_BASE + at + length];
  const { v0, v1, executed } = executeMips(words, memory, MEMORY_BASE, [
    range(0, activationBytes),
    range(messageAt, message.length),
    range(windowAt, window.length),
    range(replyAt, REPLY_BYTES),
  ]);
  window.set(memory.subarray(windowAt, windowAt + window.length));
  const reply = memory.slice(replyAt, replyAt + REPLY_BYTES);
  return { result: v0, status: v1, fuelUsed: fuel - view.getUint32(0, true), executed, reply };
}
