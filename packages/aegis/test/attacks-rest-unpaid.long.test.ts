/**
 * Who pays for what a deadline takes if neither who loses it nor who lacks it has a slice? Both run in those of an accomplice. A piece of 15,000 cycles a
 * tick is charged to a family that never pays.
 */
import { S0 } from '@exokernel/isa';
import { RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  memoryFor,
  rawImage,
  type Booted,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';
import { KP } from '../src/layout.ts';

const ACCOMPLICES = 4;

interface State {
  frames: RawFrame[];
  hoarded: boolean;
  noded: number;
  served: number;
}

function hoarder(state: State, children: number): RawImage {
  return rawImage({
    name: 'hoarder',
    placement: { slices: 0 },
    main: function* (raw) {
      const members: CapabilityWords[] = [];
      for (let i = 0; i < children; i += 1) {
        const child = yield* raw.call('env_alloc');
        if (child.code !== 0) break;
        members.push(child.capability);
      }
      for (;;) {
        const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
        if (code !== 0) break;
        state.frames.push({ ppn, capability });
      }
      state.frames.sort((a, b) => a.ppn - b.ppn);
      for (const { capability } of state.frames) {
        for (const member of members) expect(yield* raw.code('frame_hold', ...member, ...capability)).toBe(0);
      }
      state.hoarded = true;
      for (;;) {
        // What others have let go of.
        const { code, capability } = yield* raw.call('frame_alloc', -1);
        if (code !== 0) yield* raw.sleep(1);
        else for (const member of members) yield* raw.code('frame_hold', ...member, ...capability);
      }
    },
  });
}

/** Hangs branches on a frame of the hoarder's, lets go of four of its own frames, and wants four again. */
function accomplice(state: State, n: number, free: () => number, lacks = true): RawImage {
  return rawImage({
    name: `accomplice ${n}`,
    placement: { slices: 0 },
    main: function* (raw) {
      while (!state.hoarded) yield* raw.sleep(1);
      for (let i = 0; i < 60; i += 1)
        yield* raw.code('cap_derive', ...(state.frames[n]?.capability ?? []), RIGHTS.read, 1);
      if (!lacks) {
        state.noded += 1;
        for (;;) yield* raw.sleep(1000);
      }
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      state.noded += 1;
      while (state.noded < ACCOMPLICES) yield* raw.sleep(1);
      while (free() > 0) yield* raw.sleep(1);
      for (let got = 0; got < 4;) {
        if ((yield* raw.code('frame_alloc', -1)) === 0) got += 1;
        else yield* raw.sleep(1);
      }
      state.served += 1;
      for (;;) yield* raw.sleep(1000);
    },
  });
}

/** It computes. */
function worker(): RawImage {
  return rawImage({
    name: 'worker',
    entry: 'go',
    prologue: 'go',
    emit: (a) => {
      a.label('go');
      a.addiu(S0, S0, 1);
      a.b('go');
      a.nop();
    },
  });
}

test.each(['dec5000', 'dec3100'] as const)('a bystander has its slices while a rest is paid: %s', (profile) => {
  const state: State = { frames: [], hoarded: false, noded: 0, served: 0 };
  const driver = rawImage({
    name: 'driver',
    emit: (a) => {
      a.label('computes');
      a.addiu(S0, S0, 1);
      a.b('computes');
      a.nop();
    },
    main: function* (raw) {
      while (state.served < ACCOMPLICES)
        for (let env = 2; env < 3 + ACCOMPLICES; env += 1) yield* raw.routine('kit.yield', env);
      yield* raw.routine('computes');
      return 0;
    },
  });
  const booted: Booted = boot(
    [
      worker(),
      driver,
      hoarder(state, 108),
      ...Array.from({ length: ACCOMPLICES }, (_, n) => accomplice(state, n, () => booted.aegis.framesFree)),
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
  const state: State = { frames: [], hoarded: false, noded: 0, served: 0 };
  const free = (): number => booted.aegis.framesFree;
  const victim = rawImage({
    name: 'victim',
    emit: (a) => {
      a.label('computes');
      a.addiu(S0, S0, 1);
      a.b('computes');
      a.nop();
    },
    main: function* (raw) {
      while (state.noded < ACCOMPLICES) yield* raw.sleep(1);
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (free() > 0) yield* raw.sleep(1);
      for (let got = 0; got < 4;) {
        if ((yield* raw.code('frame_alloc', -1)) === 0) got += 1;
        else yield* raw.sleep(1);
      }
      state.served = ACCOMPLICES;
      yield* raw.routine('computes');
      return 0;
    },
  });
  const driver = rawImage({
    name: 'driver',
    emit: (a) => {
      a.label('computes');
      a.addiu(S0, S0, 1);
      a.b('computes');
      a.nop();
    },
    main: function* (raw) {
      while (state.served < ACCOMPLICES)
        for (let env = 2; env < 3 + ACCOMPLICES; env += 1) yield* raw.routine('kit.yield', env);
      yield* raw.routine('computes');
      return 0;
    },
  });
  const booted: Booted = boot(
    [
      victim,
      driver,
      hoarder(state, 108),
      ...Array.from({ length: ACCOMPLICES }, (_, n) => accomplice(state, n, free, false)),
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
