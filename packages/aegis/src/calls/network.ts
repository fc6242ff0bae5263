/**
 * Calls on packet rings, filters and handlers.
 */
import { ERRORS, PAGE_BYTES, RIGHTS, RING_SLOT_LIMIT } from '@exokernel/abi';
import { AGAIN, type Arguments, type Call, type Parts } from '../call.ts';
import { nodeOf } from '../capabilities.ts';

const BOTH = RIGHTS.read | RIGHTS.write;

export function networkCalls({ capabilities, frames, rings, filters, memory, slices }: Parts): Record<string, Call> {
  return {
    ring_bind: (call, self) => {
      const frame = call.capability(0);
      const ppn = frames.check(frame, BOTH);
      const [direction, slots] = [call.word(4), call.word(5)];
      if (ppn < 0) return ppn;
      if ((direction !== 0 && direction !== 1) || slots < 1 || slots > RING_SLOT_LIMIT) return ERRORS.E_RANGE;
      const ring = rings.bind(self, ppn, { transmit: direction === 1, slots });
      if (ring >= 0) frames.boundThrough(self, nodeOf(frame));
      return ring < 0 ? ring : { value: ring, capability: rings.capability(ring) };
    },
    ring_extend: (call) => {
      const ring = rings.check(call.capability(0), RIGHTS.control);
      if (ring < 0) return ring;
      const frame = call.capability(4);
      const ppn = frames.check(frame, rings.isReceive(ring) ? BOTH : RIGHTS.read);
      if (ppn < 0) return ppn;
      const at = rings.extend(ring, ppn);
      if (at >= 0) frames.boundThrough(rings.owner(ring), nodeOf(frame));
      return at;
    },
    ring_free: (call) => {
      const ring = rings.check(call.capability(0), RIGHTS.control);
      if (ring < 0) return ring;
      rings.free(ring);
      return ERRORS.E_OK;
    },
    tap_bind: (call) => {
      const [net, of] = [call.capability(0), call.capability(4)];
      const ring = rings.check(of, RIGHTS.control);
      const granted = capabilities.check(net, 'net', RIGHTS.read) >= 0 && ring >= 0 && rings.isReceive(ring);
      if (!granted) return ERRORS.E_CAP;
      if (slices.isDebtor(rings.owner(ring))) return ERRORS.E_BUSY;
      return rings.tap(ring, { ring: nodeOf(of), net: nodeOf(net) });
    },
    filter_bind: (call, self) => {
      const bytes = codeBytes(call, 0, call.word(8));
      const of = call.capability(4);
      const ring = rings.check(of, RIGHTS.write);
      if (typeof bytes === 'number') return bytes;
      if (ring < 0 || !rings.isReceive(ring)) return ERRORS.E_CAP;
      // Else each new member of a family without slices would have packets of a quantum that none ever pays.
      if (slices.isDebtor(self)) return ERRORS.E_BUSY;
      const request = { bytes, ring, node: nodeOf(of), policy: call.word(9) };
      if (!memory.affords(self, filters.costOfBinding(bytes.length))) return AGAIN;
      const filter = filters.bind(self, request);
      return filter < 0 ? filter : { value: filter, capability: filters.capability(filter) };
    },
    filter_free: (call, self) => {
      const filter = filters.check(call.capability(0), RIGHTS.control);
      if (filter < 0) return filter;
      if (!memory.affords(self, filters.costOfFreeing(1))) return AGAIN;
      filters.free(filter);
      return ERRORS.E_OK;
    },
    ash_window: (call) => {
      const of = call.capability(0);
      const filter = filters.check(of, RIGHTS.control);
      const frame = call.capability(4);
      const ppn = frames.check(frame, BOTH);
      const append = call.word(8);
      if (filter < 0 || ppn < 0) return ERRORS.E_CAP;
      if (append !== 0 && append !== 1) return ERRORS.E_RANGE;
      const pages = filters.handlers.window(filter, ppn, append === 1, nodeOf(of));
      if (pages >= 0) frames.boundThrough(filters.owner(filter), nodeOf(frame));
      return pages;
    },
    ash_attach: (call, self) => {
      const of = call.capability(0);
      const filter = filters.check(of, RIGHTS.control);
      const bytes = codeBytes(call, 4, call.word(8));
      if (filter < 0) return filter;
      if (typeof bytes === 'number') return bytes;
      if (!memory.affords(self, filters.handlers.costOfAttaching(bytes.length))) return AGAIN;
      return filters.attach(filter, bytes, nodeOf(of));
    },
  };

  /** A copy of the first `length` bytes of the frame that the capability at argument `i` may read, or an error. */
  function codeBytes(call: Arguments, i: number, length: number): Uint8Array | number {
    const ppn = frames.check(call.capability(i), RIGHTS.read);
    if (ppn < 0) return ppn;
    if (length < 0 || length > PAGE_BYTES) return ERRORS.E_RANGE;
    return memory.bytes(ppn * PAGE_BYTES, length);
  }
}
