/**
 * The kit's TypeScript side with bad input: addresses, numbers and lengths that are wild. A fiber gets an error code, or an error of JavaScript that ends its
 * environment with a cause; the host goes on, and the neighbour is unharmed. A method without a row fails.
 */
import { expect, test } from 'vitest';
import { boot, bystander, BystanderWatch, checkInvariants, memoryStore } from '../../testkit/src/index.ts';
import { MACHINE_MAC } from '../../cheetah/test/station.ts';
import { Wire } from '../../hardware/src/index.ts';
import {
  DiskExtent,
  Fibers,
  NetworkDevice,
  PacketRing,
  encodePredicate,
  loadExposed,
  type Fiber,
  type PacketStack,
} from '../src/index.ts';
import { fiberImage, type Self } from './fiber-libos.ts';

const IS_WHOLE = process.env['BAD_INPUT'] !== undefined;
const WILD = [0, 1, 3, -1, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffffd, 0x1000, 0x4000, 2 ** 40, 0.5, NaN];

function* ring(self: Self, transmit: boolean): Fiber<PacketRing> {
  const made = yield* PacketRing.bind(self.fibers, self.memory, { transmit, slots: 4 });
  if (!(made instanceof PacketRing)) throw new Error('no ring');
  return made;
}

function* disk(self: Self): Fiber<DiskExtent> {
  const made = yield* DiskExtent.open(self.fibers, self.memory, { runtime: self.runtime });
  if (!(made instanceof DiskExtent)) throw new Error('no disk');
  return made;
}

function* device(self: Self, filters: readonly Uint8Array[] = []): Fiber<NetworkDevice> {
  const made = yield* NetworkDevice.open(self.fibers, self.memory, { filters });
  if (!(made instanceof NetworkDevice)) throw new Error('no device');
  return made;
}

const sends = (from: number, to: number, va: number): PacketStack => {
  let sent = 0;
  const payload = { va, isSentInPlace: () => true, copied: () => 0, copy: () => undefined };
  return {
    receive: () => undefined,
    transmit: (send) => {
      if (sent++ === 0) send({ header: new Uint8Array(14), payload, from, to });
    },
  };
};

/** By class and method: what is called with a wild number, and a second one. */
const ROWS: Readonly<Record<string, (self: Self, n: number, m: number) => Fiber<unknown>>> = {
  'PacketRing.bind': ({ fibers, memory }, n) => PacketRing.bind(fibers, memory, { transmit: false, slots: n }),
  'PacketRing.slotAddress': function* (self, n) {
    return (yield* ring(self, false)).slotAddress(n);
  },
  'PacketRing.buffer': function* (self, n) {
    return (yield* ring(self, false)).buffer(n);
  },
  'PacketRing.length': function* (self, n) {
    return yield* (yield* ring(self, false)).length(n);
  },
  'PacketRing.give': function* (self, n, m) {
    const own = yield* ring(self, true);
    yield* own.give(0, n);
    yield* self.fibers.syscall('xmit', own.ring);
    yield* own.give(n, m);
  },
  'PacketRing.place': function* (self, n) {
    return yield* (yield* ring(self, true)).place(n);
  },
  'PacketRing.compose': function* (self, n, m) {
    const own = yield* ring(self, true);
    yield* own.compose(0, n, [{ at: m, length: n }]);
    yield* own.give(0, 60);
    yield* self.fibers.syscall('xmit', own.ring);
    yield* own.compose(m, 1, []);
  },
  'DiskExtent.open': ({ fibers, memory, runtime }, n, m) =>
    DiskExtent.open(fibers, memory, { runtime, extent: [n, m, n, m], slots: [n, m] }),
  'DiskExtent.read': function* (self, n, m) {
    return yield* (yield* disk(self)).read([m], n);
  },
  'DiskExtent.write': function* (self, n, m) {
    return yield* (yield* disk(self)).write([m, m], n);
  },
  'DiskExtent.start': function* (self, n, m) {
    return yield* (yield* disk(self)).start(n, false, [m], n);
  },
  'DiskExtent.left': function* (self, n) {
    return yield* (yield* disk(self)).left(n);
  },
  'DiskExtent.wait': function* (self, n) {
    return yield* (yield* disk(self)).wait(n);
  },
  'DiskExtent.arm': function* (self) {
    return yield* (yield* disk(self)).arm();
  },
  'NetworkDevice.open': (self, n) => device(self, [new Uint8Array(n % 5000).fill(n), new Uint8Array(0)]),
  'NetworkDevice.receive': function* (self, n) {
    return yield* (yield* device(self)).receive(sends(0, 0, 0), n);
  },
  'NetworkDevice.transmit': function* (self, n, m) {
    return yield* (yield* device(self)).transmit(sends(n, m, n), n);
  },
  'NetworkDevice.isBusy': function* (self) {
    return yield* (yield* device(self)).isBusy();
  },
  'Fibers.load': ({ fibers }, n) => fibers.load(n),
  'Fibers.store': ({ fibers }, n, m) => fibers.store(n, m),
  'Fibers.touch': ({ fibers }, n, m) => fibers.touch(n, m % 2 === 0),
  'Fibers.read': ({ fibers }, n, m) => fibers.read(n, new Uint8Array(Math.abs(m) % 70_000)),
  'Fibers.write': ({ fibers }, n, m) => fibers.write(n, new Uint8Array(Math.abs(m) % 70_000)),
  'Fibers.syscall': ({ fibers }, n, m) => fibers.syscall('disk_read', n, m, n, m, n, m, n, m, n, m),
  'Fibers.call': ({ fibers }, n, m) => fibers.call(n, m),
  'Fibers.register': function* ({ fibers }, n) {
    yield* fibers.load(0x1000);
    return fibers.register(n);
  },
  encodePredicate: function* ({ fibers }, n, m) {
    yield* fibers.load(0x1000);
    return encodePredicate([{ tag: n, terms: [{ operator: 'eq', left: m, right: n }] }] as never);
  },
  loadExposed: ({ fibers }, n) => loadExposed(fibers, 'environments', n),
};
/** Made by the kit and not by fibers: the ways in from the machine, and what belongs to a call that was just made. */
const NOT_CALLED = ['Fibers.step', 'Fibers.start', 'Fibers.results', 'Fibers.cpu', 'Fibers.env'];

test('each method has a row', () => {
  const methods = [PacketRing, DiskExtent, NetworkDevice, Fibers].flatMap((of) => [
    ...Object.getOwnPropertyNames(of.prototype).map((name) => `${of.name}.${name}`),
    ...Object.getOwnPropertyNames(of)
      .filter((name) => !['length', 'name', 'prototype'].includes(name))
      .map((name) => `${of.name}.${name}`),
  ]);
  const isMethod = (name: string): boolean => !name.endsWith('.constructor') && !NOT_CALLED.includes(name);
  expect(methods.filter((name) => isMethod(name) && ROWS[name] === undefined)).toEqual([]);
});

test.each(Object.entries(ROWS))('%s', (name, call) => {
  const endings = new Set<string>();
  // Four of them, others for each.
  const all = WILD.map((n, i) => [n, WILD[(i * 5 + 3) % WILD.length] ?? 0] as const);
  const first = IS_WHOLE ? 0 : (3 * Object.keys(ROWS).indexOf(name)) % (WILD.length - 3);
  const pairs = all.slice(first, IS_WHOLE ? WILD.length : first + 4);
  const images = pairs.map(([n, m]) =>
    fiberImage({
      extent: { start: 8, blocks: 8, shared: true },
      main: function* (self) {
        yield* call(self, n, m);
        return 0;
      },
    }),
  );
  // Four at a time, beside a neighbour.
  for (let i = 0; i < images.length; i += 4) {
    const some = images.slice(i, i + 4);
    const wire = new Wire();
    const booted = boot([bystander(), ...some], {
      disk: { store: memoryStore(32 * 4096) },
      lance: { mac: MACHINE_MAC, wire },
    });
    const watch = new BystanderWatch(booted.aegis, 0);
    const envs = some.map((_, k) => 1 + k);
    booted.runUntil(() => {
      watch.look();
      return envs.every((env) => booted.aegis.environment(env).status === 'dead');
    }, 6);
    for (const env of envs) {
      const { status, cause } = booted.aegis.environment(env);
      const [n, m] = pairs[i + env - 1] ?? [0, 0];
      const ended = status === 'dead' ? (cause?.text ?? 'without a cause') : 'does not end';
      endings.add(ended);
      expect(`${name}(${n}, ${m}): ${ended}`).not.toMatch(/without a cause|does not end/);
    }
    expect(watch.damage(), name).toEqual([]);
    expect(checkInvariants(booted.aegis), name).toEqual([]);
  }
  expect(endings.size).toBeGreaterThan(0);
});
