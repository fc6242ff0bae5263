/** The network device as fibers use it: rings over memory of both kinds, protocols of package `net`, sleeps that a packet ends. */
import { ENV, ENV_BYTES, ERRORS, PAGE_BYTES } from '@exokernel/abi';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { MACHINE_IP, MACHINE_MAC, NETMASK, Station } from '../../cheetah/test/station.ts';
import { arp, encodeFilter, etherType } from '../../dpf/src/index.ts';
import { Wire } from '../../hardware/src/index.ts';
import { NetworkStack } from '../../net/src/index.ts';
import { boot, type Booted } from '../../testkit/src/index.ts';
import {
  NetworkDevice,
  PacketRing,
  encodePredicate,
  encodeUtf8,
  loadExposed,
  presentCapability,
  type Fiber,
  type PacketStack,
  type PlacedPayload,
  type SentFrame,
} from '../src/index.ts';
import { fiberImage, type FiberImageOptions, type Self } from './fiber-libos.ts';

const IPV4 = 0x0800;
const TEST_TYPE = 0x88b5;
const MS_PER_TICK = 1000 / 64;
const HOST = { mac: MACHINE_MAC, ip: MACHINE_IP, netmask: NETMASK, seed: 1 };
const FILTERS = [encodeFilter(etherType(IPV4)), encodeFilter(arp({ targetIp: MACHINE_IP }))];

interface World {
  readonly booted: Booted;
  readonly wire: Wire;
  readonly seen: Uint8Array[];
  readonly send: (frame: Uint8Array) => boolean;
}

/** A machine on a wire that the test has the other end of. */
function world(...images: FiberImageOptions[]): World {
  const wire = new Wire();
  const booted = boot(images.map(fiberImage), { lance: { mac: MACHINE_MAC, wire } });
  const seen: Uint8Array[] = [];
  const { send } = wire.attach({ receive: (frame) => void seen.push(frame.slice()) });
  return { booted, wire, seen, send };
}

function packet(fill: number, length = 100): Uint8Array {
  const frame = new Uint8Array(length).fill(fill);
  frame.set([...MACHINE_MAC, 2, 0, 0, 0, 0, 3, TEST_TYPE >> 8, TEST_TYPE & 0xff]);
  return frame;
}

test('the stack of package net is one', () => {
  expectTypeOf<NetworkStack>().toExtend<PacketStack>();
});

describe.each([
  ['at once', false],
  ['when it is touched', true],
])('over memory that gets its frames %s', (_, lazy) => {
  test('UDP is answered, and what is sent comes whole', () => {
    const main = function* ({ fibers, memory, tick, sleep }: Self): Fiber<number> {
      const device = yield* NetworkDevice.open(fibers, memory, { filters: FILTERS });
      if (!(device instanceof NetworkDevice)) return device.code;
      const stack = new NetworkStack(HOST);
      const socket = stack.udp.bind(7);
      for (let answered = 0; answered < 30;) {
        const now = (yield* tick()) * MS_PER_TICK;
        const received = yield* device.receive(stack, now);
        stack.poll(now);
        for (let asked = socket.receive(); asked !== undefined; asked = socket.receive()) {
          socket.send(asked.ip, asked.port, asked.data);
          answered += 1;
        }
        const sent = yield* device.transmit(stack, now);
        if (received + sent === 0) yield* sleep((yield* tick()) + 4);
      }
      while (yield* device.isBusy()) yield* sleep((yield* tick()) + 1);
      return 0;
    };
    const { booted, wire } = world({ main, lazy });
    const station = new Station(booted.machine, wire);
    const socket = station.stack.udp.bind(5000);
    const sizes = Array.from({ length: 30 }, (_, i) => (i * 49) % 1472);
    const answers: Uint8Array[] = [];
    for (const [i, size] of sizes.entries()) {
      socket.send(MACHINE_IP, 7, new Uint8Array(size).fill(i));
      booted.runUntil(() => {
        station.pump();
        const answer = socket.receive();
        if (answer !== undefined) answers.push(answer.data.slice());
        return answers.length > i;
      }, 2);
    }
    expect(answers).toEqual(sizes.map((size, i) => new Uint8Array(size).fill(i)));
    expect(booted.finish(0)[0]?.cause?.text).toBe('exited with 0');
  });

  test('a sleep without a limit ends when a packet arrives: it is in the slot', () => {
    let [isAsleep, length] = [false, -1];
    const main = function* (self: Self): Fiber<number> {
      const ring = yield* boundRing(self);
      isAsleep = true;
      while ((length = yield* ring.length(0)) === 0) yield* self.sleep();
      const bytes = new Uint8Array(length);
      yield* self.fibers.read(ring.buffer(0), bytes);
      return bytes[50] ?? -1;
    };
    const { booted, send } = world({ main, lazy });
    booted.runUntil(() => isAsleep);
    booted.runUntil(() => false, 0.2);
    expect(booted.aegis.environment(0).status).toBe('runnable');
    const { systemCalls } = booted.aegis.environment(0);
    expect(send(packet(0x42))).toBe(true);
    expect(booted.finish(0)[0]?.cause?.text).toBe('exited with 66');
    expect(length).toBe(100);
    // It slept all the while: one sleep, no polling.
    expect(booted.aegis.environment(0).systemCalls - systemCalls).toBeLessThan(4);
  });

  test('a wakeup predicate looks at a slot: its tag says which slot it was', () => {
    let isAsleep = false;
    const main = function* (self: Self): Fiber<number> {
      const { fibers, memory } = self;
      const ring = yield* boundRing(self);
      const bytes = encodePredicate(
        [1, 2].map((slot) => ({
          tag: 70 + slot,
          terms: [{ left: ring.slotAddress(slot), operator: 'ne', right: 0 }] as const,
        })),
      );
      const page = yield* memory.allocate(PAGE_BYTES);
      yield* fibers.write(page, bytes);
      const code = yield* presentCapability(fibers, page, { write: true });
      const failed = yield* fibers.syscall('wake_set', ...code, bytes.length);
      if (failed < 0) return failed;
      isAsleep = true;
      let tag = 0;
      while (tag === 0) {
        yield* self.sleep();
        tag = yield* loadExposed(fibers, 'environments', fibers.env * ENV_BYTES + ENV.wakeTag);
      }
      return tag;
    };
    const { booted, send } = world({ main, lazy });
    booted.runUntil(() => isAsleep);
    // The first packet goes to slot 0, which no term looks at.
    send(packet(1));
    booted.runUntil(() => false, 0.1);
    expect(booted.aegis.environment(0).status).toBe('runnable');
    send(packet(2));
    expect(booted.finish(0)[0]?.cause?.text).toBe('exited with 71');
  });
});

/** A receive ring of four slots for TEST_TYPE. */
function* boundRing({ fibers, memory }: Self): Fiber<PacketRing> {
  const ring = yield* PacketRing.bind(fibers, memory, { transmit: false, slots: 4 });
  if (!(ring instanceof PacketRing)) throw new Error(`${ring.call} answers ${ring.code}`);
  const page = yield* memory.allocate(PAGE_BYTES);
  const filter = encodeFilter(etherType(TEST_TYPE));
  yield* fibers.write(page, filter);
  const frame = yield* presentCapability(fibers, page, { write: true });
  const code = yield* fibers.syscall('filter_bind', ...frame, ...ring.capability, filter.length, 0);
  if (code < 0) throw new Error(`filter_bind answers ${code}`);
  return ring;
}

/** Sends what it is given, and wants nothing. */
class Sender implements PacketStack {
  readonly frames: SentFrame[];

  constructor(frames: readonly SentFrame[]) {
    this.frames = [...frames];
  }

  receive(): void {
    throw new Error('there is nothing to receive');
  }

  transmit(send: (frame: SentFrame) => boolean): void {
    for (let frame = this.frames[0]; frame !== undefined && send(frame); frame = this.frames[0]) this.frames.shift();
  }
}

class Placed implements PlacedPayload {
  readonly va: number;
  readonly isGathered: boolean;

  constructor(va: number, isGathered: boolean) {
    this.va = va;
    this.isGathered = isGathered;
  }

  copy(): void {
    throw new Error('the device copies it');
  }

  isSentInPlace(): boolean {
    return this.isGathered;
  }

  copied(header: Uint8Array, from: number, to: number, data: Uint8Array): number {
    header[20] = data.length === to - from ? 0xaa : 0;
    return 1;
  }
}

const HEADER = 24;
const header = (): Uint8Array => packet(0, HEADER);

test('payloads that lie in memory leave as they are there, from any place to any other, gathered or copied', () => {
  const CONTENTS = Uint8Array.from({ length: 4 * PAGE_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const range = fc.record({
    from: fc.integer({ min: 0, max: 3 * PAGE_BYTES }),
    length: fc.integer({ min: 1, max: 1400 }),
    isGathered: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.boolean(), fc.array(range, { minLength: 1, maxLength: 40 }), (lazy, ranges) => {
      const main = function* ({ fibers, memory, tick, sleep }: Self): Fiber<number> {
        const device = yield* NetworkDevice.open(fibers, memory, { filters: [] });
        if (!(device instanceof NetworkDevice)) return device.code;
        const va = yield* memory.allocate(CONTENTS.length);
        yield* fibers.write(va, CONTENTS);
        const stack = new Sender(
          ranges.map(({ from, length, isGathered }) => ({
            header: header(),
            payload: new Placed(va, isGathered),
            from,
            to: from + length,
          })),
        );
        while (stack.frames.length > 0 || (yield* device.isBusy())) {
          if ((yield* device.transmit(stack, 0)) === 0) yield* sleep((yield* tick()) + 1);
        }
        return 0;
      };
      const { booted, seen } = world({ main, lazy });
      expect(booted.finish(0)[0]?.cause?.text).toBe('exited with 0');
      booted.runUntil(() => seen.length === ranges.length, 1);
      expect(seen).toHaveLength(ranges.length);
      ranges.forEach(({ from, length, isGathered }, i) => {
        const frame = seen[i] ?? new Uint8Array(0);
        expect(frame.subarray(HEADER, HEADER + length)).toEqual(CONTENTS.subarray(from, from + length));
        const wasCopied = !isGathered || from % 4 !== 0;
        expect(frame[20]).toBe(wasCopied ? 0xaa : 0);
      });
    }),
    { numRuns: 12 },
  );
});

describe('what cannot be opened says why', () => {
  const answer = (image: Partial<FiberImageOptions>, options: Parameters<typeof boot>[1] = {}): unknown => {
    let found: unknown;
    const booted = boot(
      [
        fiberImage({
          main: function* ({ fibers, memory }) {
            found = yield* NetworkDevice.open(fibers, memory, { filters: FILTERS });
            return 0;
          },
          ...image,
        }),
      ],
      options,
    );
    expect(booted.finish(0)[0]?.cause?.text).toBe('exited with 0');
    return found;
  };
  const network = (): Parameters<typeof boot>[1] => ({ lance: { mac: MACHINE_MAC, wire: new Wire() } });
  const withFilters = (...filters: Uint8Array[]): unknown => {
    let found: unknown;
    const main = function* ({ fibers, memory }: Self): Fiber<number> {
      found = yield* NetworkDevice.open(fibers, memory, { filters });
      return 0;
    };
    expect(answer({ main }, network())).toBeUndefined();
    return found;
  };

  test('no controller', () => {
    expect(answer({})).toEqual({ call: 'xmit', code: ERRORS.E_DEVICE });
  });

  test('bytes that are no filter, too many of them, or the same twice', () => {
    expect(withFilters(Uint8Array.of(0xff, 1, 2))).toEqual({ call: 'filter_bind', code: ERRORS.E_CODE });
    expect(withFilters(new Uint8Array(0))).toMatchObject({ call: 'filter_bind' });
    expect(withFilters(new Uint8Array(PAGE_BYTES + 1))).toMatchObject({ call: 'filter_bind' });
    const [filter = new Uint8Array(0)] = FILTERS;
    expect(withFilters(filter, filter)).toEqual({ call: 'filter_bind', code: ERRORS.E_OVERLAP });
    expect(withFilters(filter)).toBeInstanceOf(NetworkDevice);
  });

  test('memory that there is none of', () => {
    const main = function* ({ fibers, memory }: Self): Fiber<number> {
      const greedy = { ...memory, allocate: () => memory.allocate(2 ** 30) };
      const found = yield* NetworkDevice.open(fibers, greedy, { filters: FILTERS });
      return found instanceof NetworkDevice || found.call !== 'frame_alloc' ? 1 : found.code;
    };
    expect(boot([fiberImage({ main })], network()).finish(0)[0]?.exit).toBe(-1);
  });

  test.each([0, -1, 33, 0x7fffffff])('a ring of %i slots', (slots) => {
    const main = function* ({ fibers, memory }: Self): Fiber<number> {
      const small = { ...memory, allocate: () => memory.allocate(PAGE_BYTES) };
      const found = yield* PacketRing.bind(fibers, small, { transmit: false, slots });
      return found instanceof PacketRing ? 1 : found.code;
    };
    expect(boot([fiberImage({ main })], network()).finish(0)[0]?.exit).toBe(ERRORS.E_RANGE);
  });

  test('slots that a ring does not have are no side of a predicate', () => {
    const refused: unknown[] = [];
    const main = function* (self: Self): Fiber<number> {
      const ring = yield* boundRing(self);
      for (const slot of [-1, 4, 0.5, NaN, Infinity]) {
        try {
          ring.slotAddress(slot);
        } catch (error) {
          refused.push((error as { code: string }).code);
        }
      }
      return ring.slots;
    };
    expect(boot([fiberImage({ main })], network()).finish(0)[0]?.exit).toBe(4);
    expect(refused).toEqual(Array.from({ length: 5 }, () => 'predicate'));
  });
});

test('packets that no slot can have, and a ring whose owner never looks, harm nothing', () => {
  const main = function* (self: Self): Fiber<number> {
    yield* boundRing(self);
    yield* self.sleep((yield* self.tick()) + 20);
    return 0;
  };
  const { booted, send } = world(
    { main, lazy: true },
    {
      main: function* (self) {
        yield* self.sleep((yield* self.tick()) + 30);
        return 5;
      },
    },
  );
  booted.runUntil(() => false, 0.05);
  for (let i = 0; i < 60; i += 1) send(packet(i, 60 + 20 * i));
  send(encodeUtf8('x'));
  expect(booted.finish(0, 1).map(({ exit }) => exit)).toEqual([0, 5]);
  expect(booted.aegis.environment(0).packetsDropped).toBeGreaterThan(0);
});
