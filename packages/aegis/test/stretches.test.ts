/**
 * No attack keeps interrupts off for more than 20,000 cycles, on the slowest memory that there is; what is long is done in
 * pieces, nothing is lost by it, and the bystander has its cycles.
 */
import {
  ERRORS,
  EXPOSED,
  FILTER,
  FILTER_BYTES,
  POLICIES,
  RIGHTS,
  RING_SLOT,
  SLICE,
  TRANSFER,
  TRANSFER_BYTES,
  U,
  type CapabilityWords,
} from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, etherType, type Atom } from '@exokernel/dpf';
import { memoryStore, type MachineOptions } from '@exokernel/hardware';
import { add, and, divu, mul } from '@exokernel/vcode';
import { expect, test } from 'vitest';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  encodePredicate,
  rawImage,
  type Booted,
  type Fiber,
  type PredicateTerm,
  type Raw,
  type RawFrame,
} from '../../testkit/src/index.ts';
import { bindFilter, download, makeRing, outside, packet, put, take, type Outside } from './network.ts';
import { KP, KSEG0 } from '../src/layout.ts';
import { LONGEST, watchStretches } from './stretches.ts';

interface Attack {
  readonly net: Outside;
  /** From here on stretches count: what is bound before is another's business. */
  readonly ready: () => void;
}

/** Runs attackers beside a bystander, on a machine with stalls, until the first has ended. */
function attack(
  mains: readonly ((raw: Raw, attack: Attack) => Fiber<number>)[],
  options: Pick<MachineOptions, 'disk'> = {},
): { readonly booted: Booted; readonly net: Outside; readonly longest: number } {
  const net = outside();
  const shared: { ready: () => void } = { ready: () => undefined };
  const images = mains.map((main) =>
    rawImage({
      main: (raw) =>
        main(raw, {
          net,
          ready: () => {
            shared.ready();
          },
        }),
      tap: true,
    }),
  );
  const booted = boot(images, { ...net.machine, ...options, profile: 'dec5000' });
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  const stretches = watchStretches(booted.machine);
  shared.ready = () => {
    stretches.forget();
  };
  booted.runUntil(() => {
    watch.look();
    return booted.aegis.environment(0).status === 'dead' || booted.machine.native.lastError !== undefined;
  }, 30);
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  const longest = stretches.longest;
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(watch.damage()).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return { booted, net, longest };
}

const TYPE = 0x9000;

/** A receive ring of two slots that is never full: what is stored in one empties the other. Binds `copies` filters to it. */
function* selfEmptying(raw: Raw, copies: number): Fiber<number> {
  const slots = yield* raw.frame();
  const ring = yield* raw.call('ring_bind', ...slots.capability, 0, 2);
  const words = new Uint32Array(32);
  for (const i of [0, 1]) words.set([0, 0, 2048, 64, 64 * (1 - i), 4, 2112, 1512 - 68], i * 16);
  yield* raw.fill(slots, new Uint8Array(words.buffer));
  const filter = encodeFilter(etherType(TYPE));
  yield* download(raw, filter, function* (frame) {
    for (let i = 0; i < copies; i += 1) {
      const args = [...frame.capability, ...ring.capability, filter.length, POLICIES.all];
      expect((yield* raw.call('filter_bind', ...args)).code).toBe(0);
    }
    return 0;
  });
  return ring.value;
}

/** A packet of 1512 bytes with zeros where `selfEmptying` has a length. */
function zeros(): Uint8Array {
  const bytes = new Uint8Array(1512);
  bytes.set(packet(TYPE).subarray(0, 14));
  return bytes;
}

/** Counters of filters by number. */
function accepted({ machine }: Booted, filters: number): number[] {
  return Array.from({ length: filters }, (_, id) =>
    machine.memory.load32(EXPOSED.filters + FILTER_BYTES * id + FILTER.accepted),
  );
}

test('240 copies of each long packet to oneself: a debtor loses packets, nothing else is lost', () => {
  const { booted, longest } = attack([
    function* (raw, { ready }) {
      yield* selfEmptying(raw, 240);
      const out = yield* makeRing(raw, true, 2);
      ready();
      for (let i = 0; i < 4; i += 1) yield* put(raw, out, i, zeros());
      expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 4 });
      return 0;
    },
  ]);
  const got = accepted(booted, 240);
  expect(Math.max(...got)).toBeLessThanOrEqual(4);
  expect(booted.aegis.environment(0).packetsIn).toBe(got.reduce((a, b) => a + b));
  expect(booted.aegis.environment(0).packetsOut).toBe(4);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test('copies that take many pieces: each filter gets each packet once, in order, between packets of others', () => {
  const copies = 2;
  const { booted, longest } = attack([
    function* (raw, { net, ready }) {
      const rings = [];
      for (let i = 0; i < copies; i += 1) {
        const ring = yield* makeRing(raw, false, 2, 0x300000 + 0x10000 * i);
        yield* bindFilter(raw, ring.capability, TYPE, 'all');
        rings.push(ring);
      }
      const own = yield* makeRing(raw, false, 2, 0x400000);
      yield* bindFilter(raw, own.capability, TYPE);
      const out = yield* makeRing(raw, true, 2, 0x410000);
      ready();
      for (let i = 0; i < 2; i += 1) {
        yield* put(raw, out, i, packet(TYPE, 1500, i));
        net.send(packet(TYPE, 1496, 10 + i));
      }
      expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 2 });
      let seen: readonly number[] | undefined;
      for (const ring of [own, ...rings]) {
        const order: number[] = [];
        for (let i = 0; i < 4; i += 1) {
          const { packet: got } = yield* take(raw, ring, i);
          const seed = (got[14] ?? 0) - 98;
          expect(got).toEqual(packet(TYPE, got.length, seed));
          order.push(seed);
        }
        expect([...order].sort((a, b) => a - b)).toEqual([0, 1, 10, 11]);
        expect(order.indexOf(0)).toBeLessThan(order.indexOf(1));
        expect(order.indexOf(10)).toBeLessThan(order.indexOf(11));
        seen ??= order;
        expect(order).toEqual(seen);
      }
      return 0;
    },
  ]);
  expect(accepted(booted, copies + 1)).toEqual(Array.from({ length: copies + 1 }, () => 4));
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test('26 taps of what comes, goes and comes back', () => {
  const taps = 26;
  const { booted, longest } = attack([
    function* (raw, { net, ready }) {
      const granted = yield* raw.granted('net');
      for (let i = 0; i < taps; i += 1) {
        const slots = yield* raw.frame();
        const ring = yield* raw.call('ring_bind', ...slots.capability, 0, 2);
        const words = new Uint32Array(32);
        for (const i of [0, 1]) words.set([0, 0, 2048, 64, 64 * (1 - i), 4, 2112, 1512 - 68], i * 16);
        yield* raw.fill(slots, new Uint8Array(words.buffer));
        expect(yield* raw.code('tap_bind', ...granted, ...ring.capability)).toBe(0);
      }
      const out = yield* makeRing(raw, true, 2, 0x410000);
      ready();
      for (let i = 0; i < 3; i += 1) net.send(zeros());
      for (let i = 0; i < 3; i += 1) yield* put(raw, out, i, i === 1 ? zeros().fill(2, 0, 6) : zeros());
      expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 3 });
      yield* raw.sleep(1);
      return 0;
    },
  ]);
  // The first makes no debtor of it.
  expect(booted.aegis.environment(0).packetsIn).toBeGreaterThanOrEqual(taps);
  expect(booted.aegis.environment(0).packetsIn).toBeLessThanOrEqual(6 * taps);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test('a flood to oneself, and from outside', () => {
  const { longest } = attack([
    function* (raw, { net, ready }) {
      yield* selfEmptying(raw, 8);
      const out = yield* makeRing(raw, true, 8);
      for (let i = 0; i < 16; i += 1) yield* raw.fibers.write(out.buffer(i), zeros());
      ready();
      for (let round = 0; round < 6; round += 1) {
        for (let i = 0; i < 16; i += 1) yield* raw.fibers.store(out.slot(i) + RING_SLOT.length, 1512);
        for (let i = 0; i < 16; i += 1) net.send(zeros());
        yield* raw.call('xmit', out.ring);
      }
      return 0;
    },
  ]);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

/** Answers a packet of one type with a long one of the other, to this machine. */
function answering(type: number): Uint8Array {
  return encodeHandler(
    defineHandler('ping-pong', { windowBytes: 0 }, (h) => {
      for (let i = 0; i < 12; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
      h.code.store(h.reply, 2, 'big', 12, type);
      h.consume(1512);
    }),
  );
}

test('handlers that answer each other here, each answer with copies', () => {
  const player = function* (raw: Raw, own: number, other: number): Fiber<void> {
    const ring = yield* makeRing(raw, false, 1, 0x400000);
    const filter = yield* bindFilter(raw, ring.capability, own);
    const bytes = answering(other);
    const attached = yield* download(raw, bytes, (code) =>
      raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length),
    );
    expect(attached).toBe(0);
  };
  const shared = { ready: false };
  const { booted, longest } = attack([
    function* (raw, { net, ready }) {
      yield* player(raw, TYPE, TYPE + 1);
      yield* selfEmptying(raw, 20);
      while (!shared.ready) yield* raw.sleep(1);
      const out = yield* makeRing(raw, true, 2, 0x410000);
      ready();
      for (let i = 0; i < 3; i += 1) {
        yield* put(raw, out, i, zeros());
        net.send(zeros());
        yield* raw.call('xmit', out.ring);
        yield* raw.sleep(2);
      }
      return 0;
    },
    function* (raw) {
      yield* player(raw, TYPE + 1, TYPE);
      shared.ready = true;
      for (;;) yield* raw.sleep(1);
    },
  ]);
  expect(booted.aegis.environment(0).packetsIn).toBeGreaterThan(60);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test.each<readonly [string, Parameters<typeof defineHandler>[2]]>([
  [
    'that loads from the packet',
    (h) => {
      const x = h.code.local('x');
      h.code.require(h.message, 0, 64);
      h.code.while(1, () => {
        for (let i = 0; i < 16; i += 1) h.code.set(x, add(x, h.message.le32(4 * i)));
      });
    },
  ],
  [
    'that loads from its window',
    (h) => {
      const [x, at] = [h.code.local('x'), h.code.local('at')];
      h.code.while(1, () => {
        h.code.set(at, and(add(at, 64), 0xfc0));
        h.code.set(x, add(x, h.window.le32(at)));
      });
    },
  ],
  [
    'that stores',
    (h) => {
      h.code.require(h.window, 0, 4096);
      h.code.while(1, () => {
        for (let i = 0; i < 32; i += 1) h.code.store(h.window, 4, 'little', 128 * i, i);
      });
    },
  ],
  [
    'that divides',
    (h) => {
      const x = h.code.local('x', 1000);
      h.code.while(1, () => {
        h.code.set(x, divu(x, 3));
      });
    },
  ],
  [
    'that is long',
    (h) => {
      const x = h.code.local('x');
      h.code.require(h.message, 0, 64);
      h.code.while(1, () => {
        for (let i = 0; i < 100; i += 1) h.code.set(x, add(mul(x, 3), h.message.le32(4 * (i % 16))));
      });
    },
  ],
])('a handler %s until its fuel is used up, and then the copy of a long packet', (_, write) => {
  const { booted, longest } = attack([
    function* (raw, { net, ready }) {
      const ring = yield* makeRing(raw, false, 1, 0x400000);
      const filter = yield* bindFilter(raw, ring.capability, TYPE);
      const window = yield* raw.frame();
      expect((yield* raw.call('ash_window', ...filter.capability, ...window.capability, 0)).code).toBe(0);
      const bytes = encodeHandler(defineHandler('endless', { windowBytes: 4096 }, write));
      const attached = yield* download(raw, bytes, (code) =>
        raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length),
      );
      expect(attached).toBe(0);
      ready();
      for (let i = 0; i < 2; i += 1) {
        net.send(packet(TYPE, 1512, i));
        expect((yield* take(raw, ring, i)).packet).toEqual(packet(TYPE, 1512, i));
      }
      return 0;
    },
  ]);
  expect(booted.machine.memory.load32(EXPOSED.filters + FILTER.aborted)).toBe(2);
  // The bound is not idle: most of a step was used.
  expect(longest).toBeGreaterThan(LONGEST / 6);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test.each(['specific', 'all'] as const)('the slowest set of filters that can be bound (%s)', (policy) => {
  // Each of the others is tried to its last field.
  const fields = (filter: number): number[] => Array.from({ length: 8 }, (_, k) => 20 + 32 * filter + 4 * k);
  const { booted, longest } = attack([
    function* (raw, { net, ready }) {
      const ring = yield* makeRing(raw, false, 1, 0x400000);
      let bound = 0;
      for (; bound < 40; bound += 1) {
        const atoms = fields(bound).map((offset): Atom => ({ kind: 'eq', offset, size: 4, value: 0x12345678 }));
        const { filter } = yield* bindFilter(raw, ring.capability, atoms, policy);
        if (filter < 0) {
          expect(filter).toBe(ERRORS.E_NONE);
          break;
        }
      }
      expect(bound).toBeGreaterThan(10);
      ready();
      const bytes = packet(TYPE, 1512);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < bound; i += 1) {
        for (const at of i < bound - 1 ? fields(i).slice(0, 7) : fields(i)) view.setUint32(at, 0x12345678);
      }
      net.send(bytes);
      expect((yield* take(raw, ring, 0)).filter).toBe(bound - 1);
      return bound < 40 ? 0 : 1;
    },
  ]);
  expect(booted.aegis.environment(0).packetsIn).toBe(1);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test('28 predicates of sleepers, looked at for one position after the other, while packets come', () => {
  const sleepers = 28;
  const shared = { ready: 0 };
  const sleeper = function* (raw: Raw): Fiber<number> {
    const frame = yield* raw.frame();
    // As long as a predicate may be, each word in a line of its own, and all but the last of each product as it should be.
    const terms = (product: number): PredicateTerm[] =>
      Array.from({ length: 7 }, (_, i) => ({
        left: { physical: 4096 * frame.ppn + 64 * (8 * product + i), capability: frame.capability },
        operator: 'eq',
        right: 0,
      }));
    const never: PredicateTerm = {
      left: { physical: 4096 * frame.ppn, capability: frame.capability },
      operator: 'ne',
      right: 0,
    };
    const predicate = encodePredicate([
      { tag: 1, terms: [...terms(0), never] },
      { tag: 2, terms: [...terms(1), never] },
      { tag: 3, terms: [...terms(2), never] },
    ]);
    const set = yield* download(raw, predicate, (code) => raw.code('wake_set', ...code.capability, predicate.length));
    expect(set).toBe(0);
    shared.ready += 1;
    for (;;) yield* raw.routine('kit.sleep', 0);
  };
  const { longest } = attack([
    function* (raw, { net, ready }) {
      const ring = yield* makeRing(raw, false, 1, 0x400000);
      yield* bindFilter(raw, ring.capability, TYPE);
      while (shared.ready < sleepers) yield* raw.sleep(4);
      ready();
      for (let i = 0; i < 4; i += 1) {
        net.send(packet(TYPE));
        yield* take(raw, ring, i % 2);
      }
      return 0;
    },
    ...Array.from({ length: sleepers }, () => sleeper),
  ]);
  expect(longest).toBeLessThanOrEqual(LONGEST);
});

test('a debt that takes thousands of rounds to pay, while the machine has nothing else to do', () => {
  const net = outside();
  const spinner = rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      a.b('go');
      a.nop();
    },
  });
  const booted = boot([spinner], { ...net.machine, profile: 'dec5000' });
  booted.runUntil(() => false, 0.1);
  const { memory } = booted.aegis.parts;
  const before = booted.aegis.environment(0).cycles;
  memory.set(memory.kernelPage(KP.payer) - KSEG0 + SLICE.credit, -(2 ** 30));
  const stretches = watchStretches(booted.machine);
  for (let i = 0; i < 100; i += 1) {
    net.send(packet(TYPE));
    booted.runUntil(() => false, 0.002);
  }
  expect(stretches.longest).toBeLessThanOrEqual(LONGEST);
  // It has paid, and runs again.
  expect(booted.aegis.environment(0).cycles).toBeGreaterThan(before);
});

test('bounced transfers, many at once: each is done, copies are made a few at a time', () => {
  const blocks = 32;
  const disk = new Uint8Array(64 * 4096);
  const { longest } = attack(
    [
      function* (raw, { ready }) {
        const { capability: extent } = yield* raw.call('extent_alloc', 8, blocks);
        // A branch: the right may end, so the transfer goes through the kernel's frames.
        const frames: (RawFrame & { readonly derived: CapabilityWords })[] = [];
        for (let i = 0; i < 8; i += 1) {
          const frame = yield* raw.frame();
          yield* raw.fill(frame, new Uint8Array(4096).fill(100 + i));
          const { code, capability } = yield* raw.call(
            'cap_derive',
            ...frame.capability,
            RIGHTS.read | RIGHTS.write,
            1,
          );
          expect(code).toBe(0);
          frames.push({ ...frame, derived: capability });
        }
        const list = yield* raw.frame();
        ready();
        // Requests of four blocks each, two of which the device has at a time, and single ones. When a read is done and a write is
        // next, both are copied.
        for (const writes of [
          [1, 1, 1, 1],
          [0, 0, 1, 1],
          [0, 1, 0, 1],
        ]) {
          for (const [r, write] of writes.entries()) {
            const words = new Uint32Array(20);
            for (let i = 0; i < 4; i += 1) {
              const { derived } = frames[(4 * r + i) % 8] as (typeof frames)[number];
              words.set(derived, (TRANSFER_BYTES / 4) * i + TRANSFER.frame / 4);
              words[(TRANSFER_BYTES / 4) * i + TRANSFER.block / 4] = 4 * r + i;
            }
            yield* raw.fill(list, new Uint8Array(words.buffer));
            const args = [...extent, ...list.capability, 4, write, r];
            expect(yield* raw.code('disk_request', ...args)).toBe(0);
            const { derived } = frames[r] as (typeof frames)[number];
            const single = [...extent, ...derived, 16 + r, 8 + r];
            if (r > 1) expect(yield* raw.code(write === 1 ? 'disk_write' : 'disk_read', ...single)).toBe(0);
          }
          for (const slot of [0, 1, 2, 3, 10, 11]) {
            const at = 0x1000 + U.completion + 4 * slot;
            const end = slot < 8 ? 0 : 1;
            while ((yield* raw.fibers.load(at)) !== end) yield* raw.sleep(1);
          }
        }
        return 0;
      },
    ],
    { disk: { store: memoryStore(disk) } },
  );
  for (let i = 0; i < 16; i += 1) expect(disk[4096 * (8 + i) + 4095]).toBe(100 + (i % 8));
  expect(longest).toBeLessThanOrEqual(LONGEST);
});
