/** For tests of the network: a wire with the test on it, packets, rings in the window of a raw environment. */
import { RING_SLOT, RING_SLOT_BYTES } from '@exokernel/abi';
import { encodeFilter, etherType, type Atom } from '@exokernel/dpf';
import { Wire, type MachineOptions } from '@exokernel/hardware';
import { expect } from 'vitest';
import { WINDOW, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';

export const MAC: Uint8Array = Uint8Array.of(0x08, 0, 0x2b, 1, 2, 3);
const OUTSIDE = Uint8Array.of(2, 0, 0, 0, 0, 9);

export interface Outside {
  readonly machine: MachineOptions;
  /** What the machine has sent. */
  readonly received: Uint8Array[];
  readonly send: (packet: Uint8Array) => boolean;
}

export function outside(): Outside {
  const wire = new Wire({ capacity: 4096 });
  const received: Uint8Array[] = [];
  const station = wire.attach({
    receive: (frame) => {
      received.push(frame.slice());
    },
  });
  return { machine: { lance: { mac: MAC, wire } }, received, send: station.send };
}

/** A packet for the machine of this type, of `length` bytes, with a recognisable payload. */
export function packet(type: number, length = 64, seed = 0): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);
  bytes.set(MAC);
  bytes.set(OUTSIDE, 6);
  bytes.set([type >> 8, type & 0xff], 12);
  return bytes;
}

/** Places the bytes in a frame and downloads them as a filter. Returns the filter or an error. */
export function* bindFilter(raw: Raw, ring: number, atoms: readonly Atom[] | number): Fiber<number> {
  const bytes = encodeFilter(typeof atoms === 'number' ? etherType(atoms) : atoms);
  return yield* download(raw, bytes, function* (frame) {
    const { code, value } = yield* raw.call('filter_bind', ...frame.capability, bytes.length, ring);
    return code < 0 ? code : value;
  });
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
  readonly frames: readonly RawFrame[];
  /** Address of slot i, always mapped. */
  readonly slot: (i: number) => number;
}

/** A ring of two slots a frame, mapped from `va` on as guaranteed pages. */
export function* makeRing(raw: Raw, transmit: boolean, frames = 1, va: number = WINDOW + 0x100000): Fiber<RawRing> {
  const all: RawFrame[] = [];
  let ring = -1;
  for (let i = 0; i < frames; i += 1) {
    const frame = yield* raw.frame();
    all.push(frame);
    expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, (va + 4096 * i) | 1)).toBe(0);
    if (i === 0) {
      const made = yield* raw.call('ring_bind', ...frame.capability, transmit ? 1 : 0);
      expect(made.code).toBe(0);
      ring = made.value;
    } else {
      expect(yield* raw.call('ring_extend', ...frame.capability, ring)).toMatchObject({ code: 0, value: 2 * i + 2 });
    }
  }
  return { ring, frames: all, slot: (i) => va + i * RING_SLOT_BYTES };
}

/** Waits for the packet in a slot, empties the slot, and returns the packet and its filter. */
export function* take(raw: Raw, { slot }: RawRing, i: number): Fiber<{ packet: Uint8Array; filter: number }> {
  const { fibers } = raw;
  for (;;) {
    const length = yield* fibers.load(slot(i) + RING_SLOT.length);
    if (length !== 0) {
      const bytes = new Uint8Array(length);
      yield* fibers.read(slot(i) + RING_SLOT.data, bytes);
      const filter = yield* fibers.load(slot(i) + RING_SLOT.filter);
      yield* fibers.store(slot(i) + RING_SLOT.length, 0);
      return { packet: bytes, filter };
    }
    yield* raw.sleep(1);
  }
}

/** Puts a packet into a slot; `length` is what the slot says it is. */
export function* put(
  raw: Raw,
  { slot }: RawRing,
  i: number,
  bytes: Uint8Array,
  length: number = bytes.length,
): Fiber<void> {
  yield* raw.fibers.write(slot(i) + RING_SLOT.data, bytes);
  yield* raw.fibers.store(slot(i) + RING_SLOT.length, length);
}
