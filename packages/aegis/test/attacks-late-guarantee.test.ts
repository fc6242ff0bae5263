/**
 * A family that lacks frames of its guarantee waits at most 66 ticks for each family that has more (docs/mechanisms/quotas.md). What a deadline has taken
 * beyond its estimate is paid a piece a tick, and meanwhile no other deadline is looked at: frames that a hundred hold, through many nodes, take seconds.
 */
import { ERRORS, RIGHTS, type CapabilityWords } from '@exokernel/abi';
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

const BOUND = 66 + 20;
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
function accomplice(state: State, n: number, free: () => number): RawImage {
  return rawImage({
    name: `accomplice ${n}`,
    main: function* (raw) {
      while (!state.hoarded) yield* raw.sleep(1);
      for (let i = 0; i < 60; i += 1)
        yield* raw.code('cap_derive', ...(state.frames[n]?.capability ?? []), RIGHTS.read, 1);
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

test.each([0, 90])('one that lacks frames has them in time: %i children hold what was taken before', (children) => {
  const state: State = { frames: [], hoarded: false, noded: 0, served: 0 };
  const answers = { codes: [] as number[], ticks: 0, rest: 0 };
  const victim = rawImage({
    name: 'victim',
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (state.served < ACCOMPLICES) yield* raw.routine('kit.yield', -1);
      answers.rest = booted.aegis.parts.memory.kernelPage(KP.revokeRest);
      const begun = (yield* raw.call('tick')).value;
      for (let got = 0; got < 4 && answers.codes.length < 400;) {
        const code = yield* raw.code('frame_alloc', -1);
        answers.codes.push(code);
        if (code === 0) got += 1;
        else yield* raw.sleep(4);
      }
      answers.ticks = (yield* raw.call('tick')).value - begun;
      return 0;
    },
  });
  const booted: Booted = boot(
    [
      victim,
      hoarder(state, children),
      ...Array.from({ length: ACCOMPLICES }, (_, n) => accomplice(state, n, () => booted.aegis.framesFree)),
    ],
    { ramBytes: memoryFor(160) },
  );
  booted.runUntil(
    () => booted.aegis.environment(0).status === 'dead' || booted.machine.native.lastError !== undefined,
    60,
  );
  expect(booted.machine.native.lastError?.error).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(answers.codes).toContain(ERRORS.E_AGAIN);
  expect(answers.codes.filter((code) => code === 0)).toHaveLength(4);
  expect(answers.ticks).toBeLessThan(BOUND);
});
