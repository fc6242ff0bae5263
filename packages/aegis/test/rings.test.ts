/** Packet rings and filters: who may bind what, what arrives, what is dropped, what goes out. [SOSP95 §5.5] */
import {
  ENV,
  ERRORS,
  RIGHTS,
  RING_FRAME_LIMIT,
  RING_LIMIT,
  RING_SLOT,
  RING_SLOT_LIMIT,
  SYSTEM,
  type CapabilityWords,
} from '@exokernel/abi';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import { PHYSICAL } from '../src/layout.ts';
import {
  boot,
  type Booted,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  rawImage,
} from '../../testkit/src/index.ts';
import {
  bindFilter,
  download,
  makeRing,
  MAC,
  outside,
  packet,
  put,
  take,
  type Outside,
  type RawRing,
} from './network.ts';

/** Runs raw environments on a machine with a network until the first has ended. */
function run(...mains: ((raw: Raw, net: Outside) => Fiber<number>)[]): { booted: Booted; net: Outside } {
  const net = outside();
  const booted = boot(
    mains.map((main) => rawImage({ main: (raw) => main(raw, net) })),
    net.machine,
  );
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return { booted, net };
}

const NO_RINGS = [-1, RING_LIMIT, 33, 1000, 0x7fffffff, -0x80000000];

test('rings that are none, not one’s own, or of the other direction are refused', () => {
  const shared: { ring: RawRing | undefined; transmit: RawRing | undefined; done: boolean } = {
    ring: undefined,
    transmit: undefined,
    done: false,
  };
  run(
    function* (raw) {
      while (shared.transmit === undefined) yield* raw.sleep(1);
      const { capability } = yield* raw.frame();
      for (const ring of NO_RINGS) expect(yield* raw.code('xmit', ring)).toBe(ERRORS.E_RANGE);
      // A number is no capability: what others have bound is theirs to send.
      expect(yield* raw.code('xmit', shared.transmit.ring)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('xmit', 20)).toBe(ERRORS.E_CAP);
      for (const direction of [2, -1, 0x100]) {
        expect(yield* raw.code('ring_bind', ...capability, direction, 1)).toBe(ERRORS.E_RANGE);
      }
      for (const slots of [0, -1, RING_SLOT_LIMIT + 1, 0x7fffffff]) {
        expect(yield* raw.code('ring_bind', ...capability, 0, slots)).toBe(ERRORS.E_RANGE);
      }
      const own = yield* makeRing(raw, false);
      expect(yield* raw.code('xmit', own.ring)).toBe(ERRORS.E_RANGE);
      // Filters deliver to receive rings alone.
      const out = yield* raw.call('ring_bind', ...capability, 1, 1);
      expect((yield* bindFilter(raw, out.capability, 0x9000)).filter).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('ring_free', ...own.capability)).toBe(0);
      expect(yield* raw.code('ring_free', ...own.capability)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('ring_extend', ...own.capability, ...capability)).toBe(ERRORS.E_CAP);
      expect((yield* bindFilter(raw, own.capability, 0x9000)).filter).toBe(ERRORS.E_CAP);
      shared.done = true;
      return 0;
    },
    function* (raw) {
      shared.ring = yield* makeRing(raw, false);
      shared.transmit = yield* makeRing(raw, true, 1, 0x300000);
      while (!shared.done) yield* raw.sleep(1);
      return 0;
    },
  );
});

test('there are so many rings, and so many frames in one', () => {
  const { booted } = run(function* (raw) {
    const { capability } = yield* raw.frame();
    const rings: CapabilityWords[] = [];
    // A family that is still to come is guaranteed the others.
    for (let i = 0; i < RING_LIMIT - QUOTAS.rings.minimum; i += 1) {
      const bound = yield* raw.call('ring_bind', ...capability, i & 1, 1);
      expect(bound).toMatchObject({ code: 0, value: i });
      rings.push(bound.capability);
    }
    expect(yield* raw.code('ring_bind', ...capability, 0, 1)).toBe(ERRORS.E_NONE);
    const ring = rings[3] ?? [0, 0, 0, 0];
    for (let n = 1; n < RING_FRAME_LIMIT; n += 1) {
      expect(yield* raw.call('ring_extend', ...ring, ...capability)).toMatchObject({ code: 0, value: 4096 * n });
    }
    expect(yield* raw.code('ring_extend', ...ring, ...capability)).toBe(ERRORS.E_NONE);
    expect(yield* raw.code('ring_free', ...ring)).toBe(0);
    expect(yield* raw.call('ring_bind', ...capability, 0, 1)).toMatchObject({ code: 0, value: 3 });
    return 0;
  });
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
});

test('who may only read a frame transmits from it, and does not receive into it', () => {
  run(function* (raw) {
    const frame = yield* raw.frame();
    const { capability: readOnly } = yield* raw.call('cap_derive', ...frame.capability, RIGHTS.read, 0);
    expect(yield* raw.code('ring_bind', ...readOnly, 0, 1)).toBe(ERRORS.E_CAP);
    expect(yield* raw.code('ring_bind', ...readOnly, 1, 1)).toBe(ERRORS.E_CAP);
    const receive = yield* makeRing(raw, false);
    expect(yield* raw.code('ring_extend', ...receive.capability, ...readOnly)).toBe(ERRORS.E_CAP);
    const transmit = yield* makeRing(raw, true, 1, 0x300000);
    expect(yield* raw.code('ring_extend', ...transmit.capability, ...readOnly)).toBe(0);
    return 0;
  });
});

test('without a controller nothing can be sent', () => {
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const { ring } = yield* makeRing(raw, true);
        return yield* raw.code('xmit', ring);
      },
    }),
  ]);
  expect(booted.finish(0)[0]?.exit).toBe(ERRORS.E_DEVICE);
});

test('what is no filter is E_CODE, whatever the bytes; the same filter twice is E_OVERLAP', () => {
  run(function* (raw) {
    const { capability: ring } = yield* makeRing(raw, false);
    const good = encodeFilter(etherType(0x9000));
    const bind = (bytes: Uint8Array, length = bytes.length, policy = 0): Fiber<number> =>
      download(raw, bytes, (frame) => raw.code('filter_bind', ...frame.capability, ...ring, length, policy));
    let seed = 1;
    const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
    for (let i = 0; i < 60; i += 1) {
      const junk = Uint8Array.from({ length: random() % 64 }, () => random() & 0xff);
      expect(yield* bind(junk)).toBe(ERRORS.E_CODE);
    }
    for (let cut = 0; cut < good.length; cut += 1) expect(yield* bind(good, cut)).toBe(ERRORS.E_CODE);
    expect(yield* bind(good, good.length + 1)).toBe(ERRORS.E_CODE);
    for (const length of [-1, 4097, 0x7fffffff, -0x80000000]) expect(yield* bind(good, length)).toBe(ERRORS.E_RANGE);
    expect(yield* bind(good)).toBe(0);
    expect(yield* bind(good)).toBe(ERRORS.E_OVERLAP);
    for (const policy of [-1, 4, 0x100]) expect(yield* bind(good, good.length, policy)).toBe(ERRORS.E_RANGE);
    return 0;
  });
});

test('filters of the dead are gone', () => {
  const shared = { filter: -1 };
  const { booted } = run(
    function* (raw) {
      while (shared.filter < 0) yield* raw.sleep(1);
      yield* raw.sleep(4);
      // Its owner is dead: the same filter may be bound again, and is another for those who had its capability.
      const { capability: ring } = yield* makeRing(raw, false);
      expect((yield* bindFilter(raw, ring, 0x9000)).filter).toBe(shared.filter);
      for (let i = 1; i < 40; i += 1) expect((yield* bindFilter(raw, ring, 0xa000 + i)).filter).toBe(i);
      return 0;
    },
    function* (raw) {
      const { capability: ring } = yield* makeRing(raw, false);
      shared.filter = (yield* bindFilter(raw, ring, 0x9000)).filter;
      yield* raw.sleep(2);
      return 0;
    },
  );
  expect(booted.aegis.environment(1).status).toBe('dead');
});

test('packets arrive whole, in order, with their filter, each at whom it is for', () => {
  const lengths = [60, 61, 62, 63, 64, 100, 1513, 1514];
  const shared = { ready: 0, other: 0 };
  const { booted, net } = run(
    function* (raw, { send }) {
      const ring = yield* makeRing(raw, false, 2);
      const { filter } = yield* bindFilter(raw, ring.capability, 0x9000);
      while (shared.ready === 0) yield* raw.sleep(1);
      for (const [i, length] of lengths.entries()) {
        send(packet(0x9000, length, i));
        send(packet(0x9001, 64));
        send(packet(0x9002, 64));
        const got = yield* take(raw, ring, i % 4);
        expect(got.filter).toBe(filter);
        expect([...got.packet]).toEqual([...packet(0x9000, length, i)]);
      }
      yield* raw.sleep(2);
      return 0;
    },
    function* (raw) {
      const ring = yield* makeRing(raw, false, 4);
      yield* bindFilter(raw, ring.capability, 0x9001);
      shared.ready = 1;
      for (;;) {
        yield* take(raw, ring, shared.other % 8);
        shared.other += 1;
      }
    },
  );
  expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: lengths.length, packetsDropped: 0 });
  expect(booted.aegis.environment(1)).toMatchObject({ packetsIn: lengths.length, packetsDropped: 0 });
  expect(shared.other).toBe(lengths.length);
  expect(net.received).toEqual([]);
});

test('a full ring drops, and counts; what a slot says while it is full is left alone', () => {
  const { booted } = run(function* (raw, { send }) {
    const ring = yield* makeRing(raw, false);
    yield* bindFilter(raw, ring.capability, 0x9000);
    for (let i = 0; i < 7; i += 1) send(packet(0x9000, 64, i));
    yield* raw.sleep(3);
    expect([...(yield* take(raw, ring, 0)).packet]).toEqual([...packet(0x9000, 64, 0)]);
    // Slot 1 is next to be filled: as long as the application says that it is not empty, with whatever length, nothing is.
    yield* raw.fibers.store(ring.slot(0) + RING_SLOT.length, -1);
    send(packet(0x9000, 64, 8));
    yield* raw.sleep(2);
    expect(yield* raw.fibers.load(ring.slot(0) + RING_SLOT.length)).toBe(-1);
    expect([...(yield* take(raw, ring, 1)).packet]).toEqual([...packet(0x9000, 64, 1)]);
    return 0;
  });
  expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 2, packetsDropped: 6 });
});

test('a ring that is freed while filters deliver to it: they deliver nowhere, its frame is free', () => {
  const { booted } = run(function* (raw, { send }) {
    const ring = yield* makeRing(raw, false);
    yield* bindFilter(raw, ring.capability, 0x9000);
    expect(yield* raw.code('ring_free', ...ring.capability)).toBe(0);
    send(packet(0x9000));
    yield* raw.sleep(2);
    expect(yield* raw.fibers.load(ring.slot(0) + RING_SLOT.length)).toBe(0);
    // Another ring of the same number does not inherit the filter.
    const again = yield* makeRing(raw, false, 1, 0x300000);
    expect(again.ring).toBe(ring.ring);
    send(packet(0x9000));
    yield* raw.sleep(2);
    expect(yield* raw.fibers.load(again.slot(0) + RING_SLOT.length)).toBe(0);
    return 0;
  });
  expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 0, packetsDropped: 2 });
});

test('a frame of slots that nobody holds any more takes its ring along', () => {
  const { booted } = run(function* (raw, { send }) {
    const ring = yield* makeRing(raw, false);
    yield* bindFilter(raw, ring.capability, 0x9000);
    const [frame] = ring.frames;
    if (frame === undefined) return 1;
    expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
    expect(yield* raw.code('ring_free', ...ring.capability)).toBe(ERRORS.E_CAP);
    expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(0);
    send(packet(0x9000));
    yield* raw.sleep(2);
    return 0;
  });
  expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 0, packetsDropped: 1 });
});

test('an environment that dies with rings and filters leaves none: its packets are nobody’s', () => {
  const shared = { ready: false };
  const { booted } = run(
    function* (raw, { send }) {
      while (!shared.ready) yield* raw.sleep(1);
      yield* raw.sleep(3);
      send(packet(0x9000));
      yield* raw.sleep(2);
      return 0;
    },
    function* (raw) {
      const ring = yield* makeRing(raw, false);
      yield* bindFilter(raw, ring.capability, 0x9000);
      shared.ready = true;
      return 0;
    },
  );
  expect(booted.aegis.environment(1).packetsIn).toBe(0);
  expect(booted.aegis.parts.memory.get(PHYSICAL.system + SYSTEM.unclaimed)).toBe(1);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
});

test('slots that say an impossible length are emptied unsent; the others go out as they are, padded to 60', () => {
  const lengths: readonly (readonly [said: number, sent: boolean])[] = [
    [1, false],
    [13, false],
    [14, true],
    [59, true],
    [60, true],
    [61, true],
    [1514, true],
    [1515, false],
    [2040, false],
    [4096, false],
    [0x7fffffff, false],
    [-1, false],
    [-0x80000000, false],
  ];
  const content = Uint8Array.from({ length: 1514 }, (_, i) => (i * 13 + 5) & 0xff);
  const { booted, net } = run(function* (raw) {
    const ring = yield* makeRing(raw, true);
    for (const [i, [said, sent]] of lengths.entries()) {
      yield* put(raw, ring, i % 2, content, said);
      expect(yield* raw.call('xmit', ring.ring), String(said)).toMatchObject({ code: 0, value: sent ? 1 : 0 });
      expect(yield* raw.fibers.load(ring.slot(i % 2) + RING_SLOT.length)).toBe(0);
      yield* raw.sleep(1);
    }
    // An empty ring sends nothing.
    expect(yield* raw.call('xmit', ring.ring)).toMatchObject({ code: 0, value: 0 });
    return 0;
  });
  const sent = lengths.filter(([, one]) => one).map(([said]) => said);
  expect(net.received.map((one) => one.length)).toEqual(sent.map((said) => Math.max(60, said)));
  net.received.forEach((one, i) => {
    const length = sent[i] ?? 0;
    expect([...one.subarray(0, length)]).toEqual([...content.subarray(0, length)]);
    expect(one.subarray(length).every((byte) => byte === 0)).toBe(true);
  });
  expect(booted.aegis.environment(0).packetsOut).toBe(sent.length);
});

test('the controller takes so many; the rest is sent by a later call, in order', () => {
  const { booted, net } = run(function* (raw) {
    const ring = yield* makeRing(raw, true, 8);
    const all: number[] = [];
    for (let first = 0; first < 32; first += 16) {
      for (let i = 0; i < 16; i += 1) yield* put(raw, ring, i, packet(0x9000, 1514, first + i));
      do all.push((yield* raw.call('xmit', ring.ring)).value);
      while (all.reduce((a, b) => a + b) < first + 16);
    }
    // At first every buffer is free, and a family gets twice as many as it leaves; then they are as slow as the wire.
    expect(all[0]).toBe(11);
    expect(Math.max(...all.slice(1))).toBeLessThan(11);
    yield* raw.sleep(5);
    return 0;
  });
  expect(net.received.map((one) => one[20])).toEqual(Array.from({ length: 32 }, (_, i) => packet(0x9000, 64, i)[20]));
  expect(booted.aegis.environment(0).packetsOut).toBe(32);
  expect(booted.aegis.parts.memory.env(0, ENV.xmitBusy)).toBeGreaterThan(0);
});

test('filters see packets to the station and to all, not to others', () => {
  const { booted } = run(function* (raw, { send }) {
    const ring = yield* makeRing(raw, false);
    yield* bindFilter(raw, ring.capability, 0x9000);
    const other = packet(0x9000);
    other[5] = 77;
    send(other);
    const all = packet(0x9000);
    all.fill(0xff, 0, 6);
    send(all);
    const { packet: got } = yield* take(raw, ring, 0);
    expect([...got]).toEqual([...all]);
    return 0;
  });
  expect(booted.aegis.environment(0).packetsIn).toBe(1);
  expect(MAC).toHaveLength(6);
});
