/** One that reads along (policy `all`, as for ARP) has its slices beside one that sends long packets to all. */
import { RING_SLOT } from '@exokernel/abi';
import { S0, T0, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, WINDOW, type RawImage } from '../../testkit/src/index.ts';
import { bindFilter, makeRing, outside, packet, put } from './network.ts';

const SLOT = WINDOW + 0x100000;

function reader(state: { ready: boolean }, filters: number): RawImage {
  return rawImage({
    emit: (a) => {
      a.label('computes');
      a.lui(T0, SLOT >>> 16);
      a.label('next');
      a.sw(ZERO, RING_SLOT.length, T0);
      a.sw(ZERO, RING_SLOT.length + 64, T0);
      a.addiu(S0, S0, 1);
      a.b('next');
      a.nop();
    },
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      for (let i = 0; i < filters; i += 1) yield* bindFilter(raw, ring.capability, 0x0806, 'all');
      state.ready = true;
      yield* raw.routine('computes');
      return 0;
    },
  });
}

const flood = rawImage({
  main: function* (raw) {
    const out = yield* makeRing(raw, true, 4, 0x300000);
    const bytes = packet(0x0806, 1514).map((byte, i) => (i < 6 ? 0xff : byte));
    for (let i = 0; i < 8; i += 1) yield* put(raw, out, i, bytes);
    for (;;) {
      for (let i = 0; i < 8; i += 1) yield* raw.fibers.store(out.slot(i) + RING_SLOT.length, bytes.length);
      yield* raw.call('xmit', out.ring);
    }
  },
});

test.each([
  ['dec5000', 1],
  ['dec3100', 1],
] as const)('%s, %i filters', (profile, filters) => {
  const state = { ready: false };
  const net = outside();
  const booted = boot([reader(state, filters)], { ...net.machine, profile });
  expect(booted.runUntil(() => state.ready)).toBe(true);
  booted.aegis.load(flood);
  const quantum = Math.ceil(booted.machine.hz / 64);
  booted.machine.run(30 * quantum);
  const before = booted.aegis.environment(0);
  booted.machine.run(320 * quantum);
  const after = booted.aegis.environment(0);
  const part = (after.cycles - before.cycles) / (160 * quantum);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(part).toBeGreaterThan(0.99);
});
