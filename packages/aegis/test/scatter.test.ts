/** Rings of scatter buffers: packets in pieces, slots that make no sense, completion words, frames that go away. [XOK] */
import { ERRORS, PAGE_BYTES, RIGHTS, RING, RING_SLOT } from '@exokernel/abi';
import { describe, expect, test } from 'vitest';
import { ringPhysical } from '../src/rings.ts';
import {
  boot,
  type Booted,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  rawImage,
  WINDOW,
} from '../../testkit/src/index.ts';
import {
  bindFilter,
  BUFFER_BYTES,
  makeRing,
  outside,
  packet,
  put,
  setBuffers,
  take,
  type Outside,
  type RawRing,
} from './network.ts';

const kernel: { booted?: Booted } = {};

function run(main: (raw: Raw, net: Outside) => Fiber<number>): { booted: Booted; net: Outside } {
  const net = outside();
  const booted = boot([rawImage({ main: (raw) => main(raw, net) })], net.machine);
  kernel.booted = booted;
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
  return { booted, net };
}

/** The bytes of a ring's memory at a place in it, which is mapped from the address of its first slot on. */
function* bytesAt(raw: Raw, { slot }: RawRing, at: number, length: number): Fiber<number[]> {
  const bytes = new Uint8Array(length);
  yield* raw.fibers.read(slot(0) + at, bytes);
  return [...bytes];
}

describe('receive', () => {
  test('a packet is scattered over the buffers in their order, also of different frames', () => {
    run(function* (raw, { send }) {
      const ring = yield* makeRing(raw, false, 2);
      yield* bindFilter(raw, ring.capability, 0x9000);
      const bytes = packet(0x9000, 1001);
      const pieces = [
        [4096 + 1024, 16],
        [2048, 4],
        [4096 + 3072, 980],
        [3000, 60],
      ] as const;
      yield* setBuffers(raw, ring, 0, pieces);
      send(bytes);
      while ((yield* raw.fibers.load(ring.slot(0))) === 0) yield* raw.sleep(1);
      expect(yield* raw.fibers.load(ring.slot(0))).toBe(1001);
      let from = 0;
      for (const [at, length] of pieces) {
        const n = Math.min(length, bytes.length - from);
        expect(yield* bytesAt(raw, ring, at, n)).toEqual([...bytes.subarray(from, from + n)]);
        from += n;
      }
      return 0;
    });
  });

  test('a packet that is longer than its buffers is dropped, and the slot stays empty for one that fits', () => {
    const { booted } = run(function* (raw, { send }) {
      const ring = yield* makeRing(raw, false);
      yield* bindFilter(raw, ring.capability, 0x9000);
      yield* setBuffers(raw, ring, 0, [[ring.at(0), 96]]);
      send(packet(0x9000, 97));
      yield* raw.sleep(2);
      expect(yield* raw.fibers.load(ring.slot(0))).toBe(0);
      send(packet(0x9000, 96));
      expect([...(yield* take(raw, ring, 0)).packet]).toEqual([...packet(0x9000, 96)]);
      return 0;
    });
    expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 1, packetsDropped: 1 });
  });

  const BAD: readonly (readonly [what: string, at: number, length: number])[] = [
    ['no frame of the ring', 2 * PAGE_BYTES, 1536],
    ['a frame far away', 0x7ffff000, 1536],
    ['a frame that is negative', -PAGE_BYTES, 1536],
    ['behind the end of its frame', PAGE_BYTES + 3000, 1100],
    ['over the end by a word', PAGE_BYTES + 3000, 1100],
    ['of a length that wraps around', PAGE_BYTES + 4092, -4092],
    ['of a negative length', PAGE_BYTES, -4],
    ['of a length of 2 GiB', PAGE_BYTES, -0x80000000],
    ['longer than a frame', PAGE_BYTES, 4100],
    ['at an odd place', PAGE_BYTES + 1, 1536],
    ['at a half word', PAGE_BYTES + 2, 1536],
    ['of no whole words', PAGE_BYTES, 1537],
    ['empty', PAGE_BYTES, 0],
  ];
  test.each(BAD)('a buffer that is %s: nothing is stored, the packet is dropped', (_, at, length) => {
    const { booted } = run(function* (raw, { send }) {
      const ring = yield* makeRing(raw, false, 2);
      yield* bindFilter(raw, ring.capability, 0x9000);
      const before = [...hash()];
      yield* setBuffers(raw, ring, 0, [[at, length]]);
      send(packet(0x9000, 1514, 3));
      yield* raw.sleep(2);
      expect(yield* raw.fibers.load(ring.slot(0))).toBe(0);
      expect(yield* bytesAt(raw, ring, PAGE_BYTES, PAGE_BYTES)).toEqual(new Array(PAGE_BYTES).fill(0));
      expect([...hash()]).toEqual(before);
      // The ring goes on.
      yield* setBuffers(raw, ring, 0, [[ring.at(0), BUFFER_BYTES]]);
      send(packet(0x9000));
      yield* take(raw, ring, 0);
      return 0;
    });
    expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 1, packetsDropped: 1 });
  });

  /** Words of the kernel's text, which no packet changes. */
  function hash(): Int32Array {
    const bytes = kernel.booted?.machine.memory.read(0x2000, new Uint8Array(0x6000));
    return new Int32Array(bytes?.buffer ?? []);
  }
});

describe('transmit', () => {
  test('a packet is gathered from pieces of any length, each at a word boundary', () => {
    const content = packet(0x9000, 1514, 9);
    const cuts = [[14, 20, 20, 1460], [1, 2, 3, 1508], [54, 1460], [1500, 14], [60], [2, 58], [15], [700, 1, 800]];
    const { net } = run(function* (raw) {
      const ring = yield* makeRing(raw, true, 4);
      for (const [i, lengths] of cuts.entries()) {
        const total = lengths.reduce((a, b) => a + b);
        const pieces: [number, number][] = [];
        let from = 0;
        for (const [p, length] of lengths.entries()) {
          // One frame each, the buffers of later pieces first.
          const at = PAGE_BYTES * (3 - p) + 2048 + 4 * i;
          yield* raw.fibers.write(ring.slot(0) + at, content.subarray(from, from + length));
          pieces.push([at, length]);
          from += length;
        }
        yield* setBuffers(raw, ring, i % 8, pieces);
        yield* raw.fibers.store(ring.slot(i % 8), total);
        expect(yield* raw.call('xmit', ring.ring)).toMatchObject({ code: 0, value: 1 });
        yield* raw.sleep(1);
      }
      return 0;
    });
    expect(net.received.map((one) => one.length)).toEqual(
      cuts.map((lengths) =>
        Math.max(
          60,
          lengths.reduce((a, b) => a + b),
        ),
      ),
    );
    net.received.forEach((one, i) => {
      const total = (cuts[i] ?? []).reduce((a, b) => a + b);
      expect([...one.subarray(0, total)]).toEqual([...content.subarray(0, total)]);
      expect(one.subarray(total).every((byte) => byte === 0)).toBe(true);
    });
  });

  test('slots that make no sense are emptied unsent and counted; completion words count down all the same', () => {
    const COUNTER = 512;
    const { booted, net } = run(function* (raw) {
      const ring = yield* makeRing(raw, true, 2);
      const fill = function* (i: number, at: number, length: number, completion: number): Fiber<void> {
        yield* put(raw, ring, i, packet(0x9000), 64);
        yield* setBuffers(raw, ring, i, [[at, length]]);
        yield* raw.fibers.store(ring.slot(i) + RING_SLOT.completion, completion);
      };
      yield* raw.fibers.store(ring.slot(0) + COUNTER, 10);
      yield* fill(0, ring.at(0), 64, COUNTER);
      yield* fill(1, 5 * PAGE_BYTES, 64, COUNTER);
      yield* fill(2, ring.at(2) + 2, 64, COUNTER);
      yield* fill(3, ring.at(3), 63, COUNTER);
      expect(yield* raw.call('xmit', ring.ring)).toMatchObject({ code: 0, value: 1 });
      expect(yield* raw.fibers.load(ring.slot(0) + COUNTER)).toBe(6);
      for (let i = 0; i < 4; i += 1) expect(yield* raw.fibers.load(ring.slot(i))).toBe(0);
      // Completion words that are none: the packets are sent, nothing is counted.
      for (const [i, bad] of [2, COUNTER + 1, PAGE_BYTES + 512, -4].entries()) {
        yield* fill(i, ring.at(i), 64, bad);
        expect(yield* raw.call('xmit', ring.ring)).toMatchObject({ code: 0, value: 1 });
      }
      expect(yield* raw.fibers.load(ring.slot(0) + COUNTER)).toBe(6);
      yield* raw.sleep(1);
      return 0;
    });
    expect(net.received).toHaveLength(5);
    expect(booted.machine.memory.load32(ringPhysical(0) + RING.refused)).toBe(3);
    expect(booted.machine.memory.load32(ringPhysical(0) + RING.packets)).toBe(5);
  });

  test('what one may only read is sent, and never written', () => {
    const { net } = run(function* (raw) {
      const ring = yield* makeRing(raw, true);
      const file = yield* raw.frame();
      yield* raw.fill(file, packet(0x9000, 100));
      const { capability } = yield* raw.call('cap_derive', ...file.capability, RIGHTS.read, 0);
      const { value: at } = yield* raw.call('ring_extend', ...ring.capability, ...capability);
      yield* setBuffers(raw, ring, 0, [[at, 100]]);
      // A completion word there would be a way to write it.
      yield* raw.fibers.store(ring.slot(0) + RING_SLOT.completion, at + 200);
      yield* raw.fibers.store(ring.slot(0), 100);
      expect(yield* raw.call('xmit', ring.ring)).toMatchObject({ code: 0, value: 1 });
      yield* raw.sleep(1);
      expect(yield* raw.bind(WINDOW, file)).toBe(0);
      expect(yield* raw.peek(WINDOW + 200)).toBe(0);
      return 0;
    });
    expect(net.received.map((one) => [...one])).toEqual([[...packet(0x9000, 100)]]);
  });
});

describe('frames that are taken away', () => {
  test('a buffer frame: slots that name it are refused, the ring goes on; the slot frame: the ring is gone', () => {
    const { booted } = run(function* (raw, { send }) {
      const ring = yield* makeRing(raw, false, 2);
      yield* bindFilter(raw, ring.capability, 0x9000);
      const [slots, buffers] = ring.frames.map(({ ppn }) => ppn);
      kernel.booted?.aegis.parts.rings.releaseFrame(0, buffers ?? 0);
      for (let i = 0; i < 4; i += 1) yield* setBuffers(raw, ring, i, [[ring.at(2), BUFFER_BYTES]]);
      send(packet(0x9000));
      yield* raw.sleep(2);
      yield* setBuffers(raw, ring, 0, [[ring.at(0), BUFFER_BYTES]]);
      send(packet(0x9000));
      yield* take(raw, ring, 0);
      kernel.booted?.aegis.parts.rings.releaseFrame(0, slots ?? 0);
      expect(yield* raw.code('ring_free', ...ring.capability)).toBe(ERRORS.E_CAP);
      send(packet(0x9000));
      yield* raw.sleep(2);
      return 0;
    });
    expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 1, packetsDropped: 2 });
  });
});
