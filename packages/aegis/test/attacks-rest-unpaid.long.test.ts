/**
 * What a deadline takes is paid by the family that loses it. If that has no slice, and runs in those of an accomplice, it takes a small part of the time
 * of all; neither bystanders nor the one that lacked frames pay for what the loser's members and branches make of it.
 */
import { expect, test } from 'vitest';
import { boot, checkInvariants, memoryFor, rawImage, type Booted, type RawImage } from '../../testkit/src/index.ts';
import { KP } from '../src/layout.ts';
import { ACCOMPLICES, accomplice, hoard, hoarder, letGo, wantAgain, type Hoard } from './hoarding.ts';
import { emitComputes, worker } from './attackers.ts';

/** It gives the others its slice until all are served, and computes. */
function driver(state: Hoard): RawImage {
  return rawImage({
    name: 'driver',
    emit: emitComputes,
    main: function* (raw) {
      while (state.served < ACCOMPLICES)
        for (let env = 2; env < 3 + ACCOMPLICES; env += 1) yield* raw.routine('kit.yield', env);
      yield* raw.routine('computes');
      return 0;
    },
  });
}

test.each(['dec5000', 'dec3100'] as const)('a bystander has its slices while a rest is paid: %s', (profile) => {
  const state = hoard();
  const free = (): number => booted.aegis.framesFree;
  const booted: Booted = boot(
    [
      worker(),
      driver(state),
      hoarder(state, 108, 0),
      ...Array.from({ length: ACCOMPLICES }, (_, n) => accomplice(state, n, { free, slices: 0 })),
    ],
    { ramBytes: memoryFor(160), profile },
  );
  const { machine, aegis } = booted;
  const { memory } = aegis.parts;
  const rest = (): number => memory.kernelPage(KP.revokeRest);
  booted.runUntil(() => rest() > 1_000_000 || machine.native.lastError !== undefined, 60);
  expect(machine.native.lastError?.error).toBeUndefined();
  // What the driver owes for its calls it pays first.
  machine.run(50 * Math.ceil(machine.hz / 64));
  const [begun, cycles] = [machine.cycles, aegis.environment(0).cycles];
  const quantum = Math.ceil(machine.hz / 64);
  let ticks = 0;
  for (; rest() > 15_000 && ticks < 2000; ticks += 2) machine.run(2 * quantum);
  const part = (aegis.environment(0).cycles - cycles) / ((machine.cycles - begun) / 2);
  expect(checkInvariants(aegis)).toEqual([]);
  expect(ticks).toBeGreaterThan(50);
  expect(part).toBeGreaterThan(0.99);
});

test('who lacks frames does not pay for what those that have them hang on them', () => {
  const state = hoard();
  const free = (): number => booted.aegis.framesFree;
  const victim = rawImage({
    name: 'victim',
    emit: emitComputes,
    main: function* (raw) {
      while (state.noded < ACCOMPLICES) yield* raw.sleep(1);
      yield* letGo(raw);
      yield* wantAgain(raw, free);
      state.served = ACCOMPLICES;
      yield* raw.routine('computes');
      return 0;
    },
  });
  const booted: Booted = boot(
    [
      victim,
      driver(state),
      hoarder(state, 108, 0),
      ...Array.from({ length: ACCOMPLICES }, (_, n) => accomplice(state, n, { free, lacks: false, slices: 0 })),
    ],
    { ramBytes: memoryFor(160), profile: 'dec5000' },
  );
  const { machine, aegis } = booted;
  const rest = (): number => aegis.parts.memory.kernelPage(KP.revokeRest);
  booted.runUntil(() => state.served === ACCOMPLICES || machine.native.lastError !== undefined, 60);
  expect(machine.native.lastError?.error).toBeUndefined();
  const quantum = Math.ceil(machine.hz / 64);
  const [begun, cycles] = [machine.cycles, aegis.environment(0).cycles];
  let ticks = 0;
  for (; (rest() > 0 || ticks < 60) && ticks < 2000; ticks += 2) machine.run(2 * quantum);
  const part = (aegis.environment(0).cycles - cycles) / ((machine.cycles - begun) / 2);
  expect(checkInvariants(aegis)).toEqual([]);
  expect(part).toBeGreaterThan(0.99);
});
