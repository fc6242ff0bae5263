/** For tests of the network: a wire with the test on it, packets, rings in the window of a raw environment. */
import { POLICIES, RING_BUFFERS, RING_SLOT, RING_SLOT_BYTES, type CapabilityWords } from '@exokernel/abi';
import { encodeFilter, etherType, type Atom } from '@exokernel/dpf';
import { expect } from 'vitest';
import { WINDOW, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';

export { MAC, outside, packet, type Outside } from './outside.ts';

export interface RawFilter {
  /** Its number, or an error. */
  readonly filter: number;
  readonly capability: CapabilityWords;
}

/** Places the bytes in a frame and downloads them as a filter of a ring. */
export function* bindFilter(
  raw: Raw,
  ring: CapabilityWords,
  atoms: readonly Atom[] | number,
  policy: keyof typeof POLICIES = 'specific',
): Fiber<RawFilter> {
  const bytes = encodeFilter(typeof atoms === 'number' ? etherType(atoms) : atoms);
  let bound: RawFilter = { filter: 0, capability: [0, 0, 0, 0] };
  yield* download(raw, bytes, function* (frame) {
    const args = [...frame.capability, ...ring, bytes.length, POLICIES[policy]];
    const { code, value, capability } = yield* raw.call('filter_bind', ...args);
    bound = { filter: code < 0 ? code : value, capability };
    return code;
  });
  return bound;
}

/** Runs `use` with a frame that begins with the bytes. */
export function* download(raw: Raw, bytes: Uint8Array, use: (frame: RawFrame) => Fiber<number>): Fiber<number> {
  const frame = yield* raw.frame();
  yield* raw.fill(frame, bytes);
  const result = yield* use(frame);
  expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
  return result;
}

export interface RawRing {
  readonly ring: number;
  readonly capability: CapabilityWords;
  readonly frames: readonly RawFrame[];
  /** Address of slot i, always mapped, and of the buffer it begins with; and the buffer's place in the ring. */
  readonly slot: (i: number) => number;
  readonly buffer: (i: number) => number;
  readonly at: (i: number) => number;
}

const SLOTS_PER_FRAME = 2;
/** In each frame, behind the slots, which only the first has. */
const FIRST_BUFFER = 1024;
export const BUFFER_BYTES = 1536;

/** A ring of two slots a frame (eight frames at most), each with a buffer, mapped from `va` on as guaranteed pages. */
export function* makeRing(raw: Raw, transmit: boolean, frames = 1, va: number = WINDOW + 0x100000): Fiber<RawRing> {
  const all: RawFrame[] = [];
  let bound = { ring: -1, capability: [0, 0, 0, 0] as CapabilityWords };
  for (let i = 0; i < frames; i += 1) {
    const frame = yield* raw.frame();
    all.push(frame);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, (va + 4096 * i) | 1)).toBe(0);
    if (i === 0) {
      const made = yield* raw.call('ring_bind', ...frame.capability, transmit ? 1 : 0, SLOTS_PER_FRAME * frames);
      expect(made.code).toBe(0);
      bound = { ring: made.value, capability: made.capability };
    } else {
      const extended = yield* raw.call('ring_extend', ...bound.capability, ...frame.capability);
      expect(extended).toMatchObject({ code: 0, value: 4096 * i });
    }
  }
  const at = (i: number): number => 4096 * (i >> 1) + FIRST_BUFFER + (i & 1) * BUFFER_BYTES;
  const ring: RawRing = {
    ...bound,
    frames: all,
    slot: (i) => va + i * RING_SLOT_BYTES,
    buffer: (i) => va + at(i),
    at,
  };
  for (let i = 0; i < SLOTS_PER_FRAME * frames; i += 1) yield* setBuffers(raw, ring, i, [[at(i), BUFFER_BYTES]]);
  return ring;
}

/** Says where the packet of a slot lies: place in the ring and length of each buffer. */
export function* setBuffers(
  raw: Raw,
  { slot }: RawRing,
  i: number,
  buffers: readonly (readonly [at: number, length: number])[],
): Fiber<void> {
  for (let b = 0; b < RING_BUFFERS; b += 1) {
    const [at, length] = buffers[b] ?? [0, 0];
    yield* raw.fibers.store(slot(i) + RING_SLOT.buffers + 8 * b, at);
    yield* raw.fibers.store(slot(i) + RING_SLOT.buffers + 8 * b + 4, length);
  }
}

/** Waits for the packet in a slot, empties the slot, and returns the packet and its filter. */
export function* take(raw: Raw, { slot, buffer }: RawRing, i: number): Fiber<{ packet: Uint8Array; filter: number }> {
  const { fibers } = raw;
  for (;;) {
    const length = yield* fibers.load(slot(i) + RING_SLOT.length);
    if (length !== 0) {
      const bytes = new Uint8Array(length);
      yield* fibers.read(buffer(i), bytes);
      const filter = yield* fibers.load(slot(i) + RING_SLOT.filter);
      yield* fibers.store(slot(i) + RING_SLOT.length, 0);
      return { packet: bytes, filter };
    }
    yield* raw.sleep(1);
  }
}

/** Puts a packet into a slot's own buffer; `length` is what the slot says it is. */
export function* put(
  raw: Raw,
  { slot, buffer }: RawRing,
  i: number,
  bytes: Uint8Array,
  length: number = bytes.length,
): Fiber<void> {
  yield* raw.fibers.write(buffer(i), bytes);
  yield* raw.fibers.store(slot(i) + RING_SLOT.length, length);
}
