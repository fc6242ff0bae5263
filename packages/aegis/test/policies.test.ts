/** Filters that want the same packets: who gets them, who is refused, and who is seen. [DPF96], [LECTURE] */
import { ENTRYLO, ERRORS, EXPOSED, FILTER, FILTER_BYTES, PAGE_BYTES, POLICIES, WELL_KNOWN_READ } from '@exokernel/abi';
import { decodeFilter, etherType, type Atom } from '@exokernel/dpf';
import { expect, test } from 'vitest';
import { KP } from '../src/layout.ts';
import { boot, checkInvariants, rawImage, WINDOW, type Booted, type Fiber, type Raw } from '../../testkit/src/index.ts';
import { bindFilter, makeRing, outside, packet, take, type Outside, type RawRing } from './network.ts';

function run(...mains: ((raw: Raw, net: Outside) => Fiber<number>)[]): Booted {
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
  return booted;
}

const byte = (offset: number, value: number): Atom => ({ kind: 'eq', offset, size: 1, value });
/** The least that a filter which refuses others may test: 32 bits of packet(type). */
const claim = (type: number): Atom[] => {
  const [high = 0, low = 0] = packet(type).slice(14, 16);
  return [...etherType(type), { kind: 'eq', offset: 14, size: 2, value: 256 * high + low }];
};
const narrow = (type: number): Atom[] => [...etherType(type), byte(14, packet(type)[14] ?? 0)];

/** How many packets lie in the first slots of a ring; they are taken. */
function* drain(raw: Raw, ring: RawRing): Fiber<number[]> {
  const filters: number[] = [];
  yield* raw.sleep(1);
  for (let i = 0; (yield* raw.fibers.load(ring.slot(i))) !== 0; i += 1)
    filters.push((yield* take(raw, ring, i)).filter);
  return filters;
}

test('first and specific: who came before keeps what it had', () => {
  run(function* (raw, { send }) {
    const early = yield* bindFilter(raw, (yield* makeRing(raw, false)).capability, 0x9000, 'first');
    const ring = yield* makeRing(raw, false, 1, 0x300000);
    const late = yield* bindFilter(raw, ring.capability, narrow(0x9000));
    const before = yield* bindFilter(raw, ring.capability, 0x9001);
    const after = yield* bindFilter(raw, ring.capability, narrow(0x9001), 'first');
    expect([early, late, before, after].map(({ filter }) => filter)).toEqual([0, 1, 2, 3]);
    send(packet(0x9000));
    send(packet(0x9001));
    expect(yield* drain(raw, ring)).toEqual([before.filter]);
    // With the early one gone the packet is the late one's.
    expect(yield* raw.code('filter_free', ...early.capability)).toBe(0);
    return 0;
  });
});

test('refuse: its packets are its alone; what comes later is kept out only of these, and it is bound beside no earlier one', () => {
  run(function* (raw, { send }) {
    const { capability: ring } = yield* makeRing(raw, false);
    const others = yield* makeRing(raw, false, 2, 0x300000);
    const own = yield* bindFilter(raw, ring, claim(0x9000), 'refuse');
    expect(own.filter).toBe(0);
    const within = [...claim(0x9000), byte(20, 1)];
    for (const policy of Object.keys(POLICIES) as (keyof typeof POLICIES)[]) {
      expect((yield* bindFilter(raw, others.capability, within, policy)).filter, policy).toBe(ERRORS.E_OVERLAP);
    }
    // What accepts other packets too is bound, and gets those.
    const rest = [
      yield* bindFilter(raw, others.capability, 0x9000),
      yield* bindFilter(raw, others.capability, [byte(12, 0x90)], 'all'),
    ];
    expect(rest.map(({ filter }) => filter)).toEqual([1, 2]);
    send(packet(0x9000));
    expect(yield* drain(raw, others)).toEqual([]);
    const other = packet(0x9000);
    other[15] = (other[15] ?? 0) ^ 1;
    send(other);
    expect((yield* drain(raw, others)).sort()).toEqual([1, 2]);
    for (const type of [0x9000, 0x9001]) {
      expect((yield* bindFilter(raw, ring, claim(type), 'refuse')).filter).toBe(ERRORS.E_OVERLAP);
    }
    return 0;
  });
});

test('refuse: a filter that tests too few bits to have packets for itself is none, however often it tests them', () => {
  run(function* (raw) {
    const { capability: ring } = yield* makeRing(raw, false);
    const few: Atom[][] = [
      [{ kind: 'meq', offset: 0, size: 1, mask: 1, value: 0 }],
      etherType(0x800),
      [...etherType(0x800), byte(23, 17)],
      Array.from({ length: 8 }, () => byte(23, 17)),
      [...etherType(0x9000), { kind: 'meq', offset: 14, size: 2, mask: 0xfffe, value: 0 }],
    ];
    for (const atoms of few) expect((yield* bindFilter(raw, ring, atoms, 'refuse')).filter).toBe(ERRORS.E_RANGE);
    for (const policy of Object.keys(POLICIES) as (keyof typeof POLICIES)[]) {
      const atoms = policy === 'refuse' ? claim(0x9008) : narrow(0x9000 + POLICIES[policy]);
      expect((yield* bindFilter(raw, ring, atoms, policy)).filter, policy).toBeGreaterThanOrEqual(0);
    }
    return 0;
  });
});

test('refuse: claims on bytes that other filters do not look at lock no other family out', () => {
  const shared = { claimed: false };
  run(
    function* (raw, { send }) {
      while (!shared.claimed) yield* raw.sleep(1);
      const ring = yield* makeRing(raw, false);
      const own = yield* bindFilter(raw, ring.capability, 0x9000);
      expect(own.filter).toBeGreaterThanOrEqual(0);
      expect((yield* bindFilter(raw, ring.capability, narrow(0x9002), 'first')).filter).toBeGreaterThanOrEqual(0);
      expect((yield* bindFilter(raw, ring.capability, 0x9003, 'all')).filter).toBeGreaterThanOrEqual(0);
      send(packet(0x9000));
      expect(yield* drain(raw, ring)).toEqual([own.filter]);
      return 0;
    },
    function* (raw) {
      const { capability: ring } = yield* makeRing(raw, false);
      for (let value = 1; value < 9; value += 1) {
        const claimed: Atom[] = [{ kind: 'eq', offset: 40, size: 4, value }];
        expect((yield* bindFilter(raw, ring, claimed, 'refuse')).filter).toBeGreaterThanOrEqual(0);
      }
      shared.claimed = true;
      for (;;) yield* raw.sleep(10);
    },
  );
});

test('all: copies for everyone who wants one, beside the winner and without one', () => {
  const booted = run(function* (raw, { send }) {
    const winner = yield* makeRing(raw, false);
    const copies = yield* makeRing(raw, false, 2, 0x300000);
    const bound = [
      yield* bindFilter(raw, winner.capability, 0x9000),
      yield* bindFilter(raw, copies.capability, 0x9000, 'all'),
      yield* bindFilter(raw, copies.capability, 0x9000, 'all'),
      yield* bindFilter(raw, copies.capability, [byte(13, 0x01)], 'all'),
    ];
    expect(bound.map(({ filter }) => filter)).toEqual([0, 1, 2, 3]);
    send(packet(0x9000));
    expect(yield* drain(raw, winner)).toEqual([0]);
    expect((yield* drain(raw, copies)).sort()).toEqual([1, 2]);
    // Nobody's, but for a copy; the slots go on where they were.
    send(packet(0x9101));
    yield* raw.sleep(1);
    expect((yield* take(raw, copies, 2)).filter).toBe(3);
    // Only copies are left.
    expect(yield* raw.code('filter_free', ...(bound[0]?.capability ?? []))).toBe(0);
    send(packet(0x9000));
    expect([(yield* take(raw, copies, 3)).filter, (yield* take(raw, copies, 0)).filter].sort()).toEqual([1, 2]);
    return 0;
  });
  expect(booted.aegis.parts.memory.kernelPage(KP.copies)).toBe(0);
  expect(booted.aegis.parts.memory.kernelPage(KP.demux)).toBe(0);
});

test('a spy is visible: whom it overlaps and what it claims can be read by everyone, also what it got', () => {
  const shared = { spying: false, seen: false };
  const TABLE = WINDOW;
  const BYTES = WINDOW + 0x10000;
  run(
    function* (raw, { send }) {
      const ring = yield* makeRing(raw, false);
      const own = yield* bindFilter(raw, ring.capability, 0x9000);
      const read = function* (filter: number, field: number): Fiber<number> {
        return (yield* raw.peek(TABLE + filter * FILTER_BYTES + field)) ?? -1;
      };
      const expose = (va: number, physical: number): Fiber<number> =>
        raw.code('tlbwr', va, physical | ENTRYLO.valid, ...WELL_KNOWN_READ);
      expect(yield* expose(TABLE, EXPOSED.filters)).toBe(0);
      expect(yield* read(own.filter, FILTER.overlaps)).toBe(0);
      while (!shared.spying) yield* raw.sleep(1);
      expect(yield* read(own.filter, FILTER.overlaps)).toBe(2);
      send(packet(0x9000));
      yield* take(raw, ring, 0);
      const suspects: [number, number, number][] = [];
      for (let i = 0; i < PAGE_BYTES / FILTER_BYTES; i += 1) {
        if ((yield* read(i, FILTER.length)) === 0 || i === own.filter) continue;
        suspects.push([yield* read(i, FILTER.owner), yield* read(i, FILTER.policy), yield* read(i, FILTER.accepted)]);
        expect(yield* read(i, FILTER.overlaps)).toBe(1);
        const [at, length] = [yield* read(i, FILTER.code), yield* read(i, FILTER.length)];
        for (let page = at & ~0xfff; page < at + length; page += 4096) {
          expect(yield* expose(BYTES + (page - EXPOSED.filterCode), page)).toBe(0);
        }
        const bytes: number[] = [];
        for (let b = 0; b < length; b += 4) {
          const word = (yield* raw.peek(BYTES + (at - EXPOSED.filterCode) + b)) ?? 0;
          bytes.push(...[0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff));
        }
        expect(decodeFilter(Uint8Array.from(bytes.slice(0, length)))).toEqual(
          suspects.length === 1 ? etherType(0x9000) : [byte(6, 77)],
        );
        // And nobody else can write there.
        expect(yield* raw.poke(TABLE + i * FILTER_BYTES, 0)).toBe(1);
      }
      expect(suspects).toEqual([
        [1, POLICIES.all, 1],
        [1, POLICIES.first, 0],
      ]);
      shared.seen = true;
      return 0;
    },
    function* (raw) {
      const ring = yield* makeRing(raw, false);
      yield* raw.sleep(4);
      yield* bindFilter(raw, ring.capability, 0x9000, 'all');
      yield* bindFilter(raw, ring.capability, [byte(6, 77)], 'first');
      shared.spying = true;
      while (!shared.seen) yield* raw.sleep(1);
      return 0;
    },
  );
});
