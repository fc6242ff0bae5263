/**
 * A member of a family without slices owes for its packets a quantum at most; then it loses them. A slice that it is given and loses again takes its debt
 * to its family, where it counts as well.
 */
import type { CapabilityWords } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { add } from '@exokernel/vcode';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Booted } from '../../testkit/src/index.ts';
import { emitComputes, spin, worker } from './attackers.ts';
import { bindFilter, download, makeRing, outside, packet } from './network.ts';

const ASKED = 0x9000;
/** The slice of the second accomplice, behind that of the first and the bystander's. */
const OWNED = 2;

test.each([
  ['dec5000', false],
  ['dec5000', true],
  ['dec3100', true],
] as const)('a debt does not go away with a slice: %s, washed %s', (profile, washes) => {
  const state: { self?: CapabilityWords; owner?: CapabilityWords; ready: boolean } = { ready: false };
  const server = rawImage({
    name: 'server',
    placement: { slices: 0 },
    main: function* (raw) {
      const ring = yield* makeRing(raw, false);
      const filter = yield* bindFilter(raw, ring.capability, ASKED);
      const handler = encodeHandler(
        defineHandler('burns', { windowBytes: 0 }, (h) => {
          const i = h.code.local('i', 0);
          h.code.while(1, () => {
            h.code.set(i, add(i, 1));
          });
          h.consume();
        }),
      );
      yield* download(raw, handler, (frame) =>
        raw.code('ash_attach', ...filter.capability, ...frame.capability, handler.length),
      );
      state.self = yield* raw.granted('self');
      for (;;) yield* raw.sleep(1000);
    },
  });
  const owner = rawImage({
    name: 'owner',
    emit: emitComputes,
    main: function* (raw) {
      state.owner = yield* raw.granted('self');
      yield* raw.routine('computes');
      return 0;
    },
  });
  const accomplice = rawImage({
    name: 'accomplice',
    emit: (a) => {
      a.label('spin');
      spin(a, 'spinning', 60_000);
      a.ret();
      a.nop();
    },
    main: function* (raw) {
      while (state.self === undefined || state.owner === undefined) yield* raw.routine('kit.yield', 0);
      state.ready = true;
      let slice = yield* raw.call('slice_alloc', ...state.owner, OWNED);
      expect(slice.code).toBe(0);
      for (;;) {
        yield* raw.routine('spin');
        if (!washes) continue;
        yield* raw.code('slice_give', ...slice.capability, 0);
        const its = yield* raw.call('slice_alloc', ...state.self, OWNED);
        yield* raw.code('slice_give', ...its.capability, 3);
        slice = yield* raw.call('slice_alloc', ...state.owner, OWNED);
      }
    },
  });
  const net = outside();
  const booted: Booted = boot([server, accomplice, worker(), owner], { ...net.machine, profile });
  const { aegis, machine } = booted;
  const { memory, families } = aegis.parts;
  const quantum = Math.ceil(machine.hz / 64);
  expect(booted.runUntil(() => state.ready)).toBe(true);
  let before = 0;
  for (let tick = -60; tick < 300; tick += 1) {
    if (tick === 0) before = aegis.environment(2).cycles;
    for (let i = 0; i < 10; i += 1) {
      net.send(packet(ASKED));
      machine.run(Math.floor(quantum / 10));
    }
  }
  expect(machine.native.lastError?.error).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  const part = (aegis.environment(2).cycles - before) / (100 * quantum);
  const owed = (memory.get(families.creditOf(families.of(0))) | 0) / quantum;
  expect({ part: part > 0.99, owes: owed < -1.5 }).toEqual({ part: true, owes: false });
});
