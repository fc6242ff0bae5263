/**
 * Calls on packet rings, filters and handlers.
 */
import { ERRORS, PAGE_BYTES, RIGHTS } from '@exokernel/abi';
import type { Arguments, Call, Parts } from '../call.ts';
import { COSTS } from '../costs.ts';

export function networkCalls({ frames, rings, filters, memory }: Parts): Record<string, Call> {
  /** Runs what compiles, and charges for the code that it made. */
  const compiling = (call: Arguments, run: () => number): number => {
    const before = filters.made;
    const answer = run();
    const made = filters.made - before;
    if (made > 0) call.cpu.charge(COSTS.compile + COSTS.compileWord * made);
    return answer;
  };
  return {
    ring_bind: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read | RIGHTS.write);
      const direction = call.word(4);
      if (ppn < 0) return ppn;
      return direction === 0 || direction === 1 ? rings.bind(self, ppn, direction === 1) : ERRORS.E_RANGE;
    },
    ring_extend: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read | RIGHTS.write);
      return ppn < 0 ? ppn : rings.extend(self, ppn, call.word(4));
    },
    ring_free: (call, self) => rings.free(self, call.word(0)),
    filter_bind: (call, self) => {
      const bytes = codeBytes(call, 0, call.word(4));
      const ring = call.word(5);
      if (typeof bytes === 'number') return bytes;
      if (!rings.owns(self, ring) || !rings.isReceive(ring)) return ERRORS.E_CAP;
      return compiling(call, () => filters.bind(self, bytes, ring));
    },
    filter_free: (call, self) => compiling(call, () => filters.free(self, call.word(0))),
    ash_attach: (call, self) => {
      const bytes = codeBytes(call, 0, call.word(8));
      const window = frames.check(call.capability(4), RIGHTS.read | RIGHTS.write);
      if (typeof bytes === 'number') return bytes;
      if (window < 0) return window;
      return compiling(call, () => filters.attach(self, call.word(9), bytes, window));
    },
  };

  /** A copy of the first `length` bytes of the frame that the capability at argument `i` may read, or an error. */
  function codeBytes(call: Arguments, i: number, length: number): Uint8Array | number {
    const ppn = frames.check(call.capability(i), RIGHTS.read);
    if (ppn < 0) return ppn;
    if (length < 0 || length > PAGE_BYTES) return ERRORS.E_RANGE;
    return memory.ram.bytes.slice(ppn * PAGE_BYTES, ppn * PAGE_BYTES + length);
  }
}
