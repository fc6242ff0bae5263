/**
 * Between two pieces of the work on one packet anything that it goes on to may be freed: nothing of it is used afterwards, and what
 * takes its place gets nothing. An xmit in pieces is one call to the program.
 */
import { ENV, ENV_STATUS, NO_ENV, POLICIES, RING_SLOT } from '@exokernel/abi';
import { UPCALL, defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, etherType } from '@exokernel/dpf';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Booted, type Fiber, type Raw } from '../../testkit/src/index.ts';
import { kernelImage } from '../src/kernel-image.ts';
import { KERNEL_STATUS, KP, KSEG0, PHYSICAL, RING_SHIFT } from '../src/layout.ts';
import { bindFilter, download, makeRing, outside, packet, put, type Outside } from './network.ts';

const TYPE = 0x9000;
const OTHER = 0x9999;
const USER = 2;

interface Made {
  readonly net: Outside;
  readonly booted: Booted;
  readonly rings: { tap: number; copy: number; own: number };
  readonly filters: { winner: number; copies: number[] };
}

/**
 * Environment 0 binds everything: a tap, a filter with a handler, which answers, and five filters that get copies. Environment 1 sends a
 * long packet to this machine; another comes from outside.
 */
function setting(from: 'here' | 'outside'): Made {
  const net = outside();
  const rings = { tap: -1, copy: -1, own: -1 };
  const filters = { winner: -1, copies: [] as number[] };
  const state = { ready: false };
  const owner = function* (raw: Raw): Fiber<number> {
    const tap = yield* makeRing(raw, false, 1, 0x300000);
    expect(yield* raw.code('tap_bind', ...(yield* raw.granted('net')), ...tap.capability)).toBe(0);
    const own = yield* makeRing(raw, false, 1, 0x310000);
    const winner = yield* bindFilter(raw, own.capability, TYPE);
    const bytes = encodeHandler(
      defineHandler('answers', { windowBytes: 0 }, (h) => {
        for (let i = 0; i < 64; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
        h.code.store(h.reply, 2, 'big', 12, OTHER + 1);
        // Long enough for a pause before its answer is sent.
        h.code.for('i', 1000, (i) => {
          h.code.store(h.reply, 4, 'little', 64, i);
        });
        h.code.return(UPCALL | (1500 << 16));
      }),
    );
    const attached = yield* download(raw, bytes, (code) =>
      raw.code('ash_attach', ...winner.capability, ...code.capability, bytes.length),
    );
    expect(attached).toBe(0);
    const copy = yield* makeRing(raw, false, 1, 0x320000);
    for (let i = 0; i < 5; i += 1) filters.copies.push((yield* bindFilter(raw, copy.capability, TYPE, 'all')).filter);
    Object.assign(rings, { tap: tap.ring, own: own.ring, copy: copy.ring });
    filters.winner = winner.filter;
    state.ready = true;
    for (;;) yield* raw.sleep(1);
  };
  const sender = function* (raw: Raw): Fiber<number> {
    const out = yield* makeRing(raw, true, 1, 0x300000);
    while (!state.ready) yield* raw.sleep(1);
    yield* put(raw, out, 0, packet(TYPE, 1512));
    if (from === 'here') yield* raw.call('xmit', out.ring);
    else net.send(packet(TYPE, 1512));
    for (;;) yield* raw.sleep(1);
  };
  const images = [owner, sender].map((main) => rawImage({ main, tap: true }));
  return { net, booted: boot(images, { ...net.machine, profile: 'dec5000' }), rings, filters };
}

/** Runs until the machine stands between two pieces for the nth time. Returns whether it came to that. */
function runToPause({ machine, aegis }: Booted, n: number): boolean {
  const { memory } = aegis.parts;
  const isPaused = (): boolean => (machine.cpu.cp0.status & USER) !== 0 && memory.kernelPage(KP.packetResume) !== 0;
  const end = machine.cycles + 12_500_000;
  let paused = 0;
  while (machine.cycles < end) {
    machine.run(memory.kernelPage(KP.packetResume) === 0 ? 40 : 1);
    if (!isPaused()) continue;
    paused += 1;
    if (paused === n) return true;
    while (isPaused()) machine.run(1);
  }
  return false;
}

/** Ends an environment; one that runs as the clock ends it. */
function end({ machine, aegis }: Booted, env: number): void {
  const { environments, memory } = aegis.parts;
  if (memory.current !== env) environments.end(env, 0);
  else {
    machine.cpu.cp0.status = KERNEL_STATUS;
    machine.cpu.pc = kernelImage().symbols.get('kill') ?? 0;
    while (memory.env(env, ENV.status) !== ENV_STATUS.dead) machine.run(1);
  }
}

const freed: Readonly<Record<string, (made: Made) => void>> = {
  'the tap': ({ booted, rings }) => {
    booted.aegis.parts.rings.free(rings.tap);
  },
  'the ring of the filter': ({ booted, rings }) => {
    booted.aegis.parts.rings.free(rings.own);
  },
  'the ring of copies': ({ booted, rings }) => {
    booted.aegis.parts.rings.free(rings.copy);
  },
  'the filter': ({ booted, filters }) => {
    booted.aegis.parts.filters.free(filters.winner);
  },
  'every filter that gets copies': ({ booted, filters }) => {
    for (const id of filters.copies) booted.aegis.parts.filters.free(id);
  },
  'the owner of all': ({ booted }) => {
    end(booted, 0);
  },
  'the sender': ({ booted }) => {
    end(booted, 1);
  },
};

test.each(Object.keys(freed).map((what, i) => [what, i % 3 === 1 ? 'outside' : 'here'] as const))(
  '%s is freed between two pieces of a packet from %s',
  (what, from) => {
    let pauses = 0;
    for (let n = 1; n < 40; n += 1) {
      const made = setting(from);
      const { booted, rings } = made;
      if (!runToPause(booted, n)) break;
      pauses += 1;
      const { aegis, machine } = booted;
      freed[what]?.(made);
      // Whatever is free now has other tenants before the machine goes on: filters with the same numbers, rings with the same records.
      const tenant = aegis.environment(1).status === 'dead' ? 0 : 1;
      const ppn = aegis.parts.frames.allocate(tenant, -1);
      const ring = aegis.parts.rings.bind(tenant, ppn, { transmit: false, slots: 2 });
      const slots = new Uint32Array(32);
      for (const i of [0, 1]) slots.set([0, 0, 1024 + 1536 * i, 1536], 16 * i);
      machine.memory.write(4096 * ppn, new Uint8Array(slots.buffer));
      for (let i = 0; i < 6; i += 1) {
        const bytes = encodeFilter(etherType(OTHER));
        aegis.parts.filters.bind(tenant, { bytes, ring, node: 0, policy: POLICIES.all });
      }
      machine.run(700_000);
      expect(checkInvariants(aegis)).toEqual([]);
      expect(aegis.parts.memory.kernelPage(KP.packetResume)).toBe(0);
      expect(machine.memory.load32(4096 * ppn + RING_SLOT.length)).toBe(0);
      expect(machine.memory.load32(PHYSICAL.rings + (ring << RING_SHIFT) + 0x18)).toBe(0);
      expect(rings.tap).toBeGreaterThanOrEqual(0);
      // The machine goes on: the next packet of the tenant's type is delivered.
      made.net.send(packet(OTHER, 64));
      machine.run(700_000);
      expect(machine.memory.load32(4096 * ppn + RING_SLOT.length)).toBe(64);
      expect(aegis.parts.memory.kernelPage(KP.senderPays)).toBe(0);
    }
    expect(pauses).toBeGreaterThan(4);
  },
);

test('what is done for an environment that has ended is owed by the one that made it, or by none', () => {
  const { booted } = setting('here');
  expect(runToPause(booted, 3)).toBe(true);
  const { memory, environments } = booted.aegis.parts;
  const heir = memory.env(1, ENV.parent);
  expect(heir).toBe(NO_ENV);
  environments.end(1, 0);
  expect(memory.kernelPage(KP.sender)).not.toBe(KSEG0 + PHYSICAL.environments + 512);
  const credit = memory.env(1, ENV.credit);
  booted.machine.run(1_000_000);
  expect(memory.env(1, ENV.credit)).toBe(credit);
});
