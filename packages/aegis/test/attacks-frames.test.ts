/**
 * Frames that count for no family: an accomplice holds what others lack, and bystanders lose theirs in its place.
 */
import { DEATHS, ENV, ENV_STATUS, ERRORS, TRANSFER, TRANSFER_BYTES, type CapabilityWords } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  memoryFor,
  rawImage,
  runRaw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';
import { QUANTUM } from './attackers.ts';

test('a page that the kernel knows is held as long as its environment lives: else it would count for no family', () => {
  runRaw(
    function* (raw) {
      for (const [bit, va] of [
        [4, 0x600000],
        [8, 0x610000],
      ] as const) {
        const frame = yield* raw.frame();
        expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, va | bit | 1)).toBe(0);
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(ERRORS.E_BUSY);
        expect(yield* raw.peek(va)).toBe(0);
      }
      expect(yield* raw.code('frame_free', ...(yield* raw.granted('uPage')))).toBe(ERRORS.E_BUSY);
      // Of another one it is a frame like others.
      const child = yield* raw.call('env_alloc');
      const page = yield* raw.frame();
      expect(yield* raw.code('env_map', ...child.capability, ...page.capability, 0x1003)).toBe(0);
      expect(yield* raw.code('frame_free', ...page.capability)).toBe(0);
      return 0;
    },
    { alone: true },
  );
});

/** It lets transfers have all frames, and lets go of them: they count for none until the device is done. */
function hoarding(state: { full: boolean }, free: () => number): RawImage {
  return rawImage({
    extent: { start: 0, blocks: 4000 },
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      const list = yield* raw.frame();
      for (let block = 0; ; block = (block + 1234) % 3900) {
        const frames: RawFrame[] = [];
        for (let i = 0; i < 64; i += 1) {
          const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
          if (code !== 0) break;
          frames.push({ ppn, capability });
        }
        const words = new Uint32Array((64 * TRANSFER_BYTES) / 4);
        for (const [i, { capability }] of frames.entries()) {
          words.set(capability, (TRANSFER_BYTES * i + TRANSFER.frame) / 4);
          // Runs of sixteen, far from each other.
          words[(TRANSFER_BYTES * i + TRANSFER.block) / 4] = ((block + 977 * (i >> 4)) % 3900) + (i & 15);
        }
        yield* raw.fill(list, new Uint8Array(words.buffer));
        expect(yield* raw.code('disk_request', ...extent, ...list.capability, frames.length, 0, 1)).toBe(0);
        for (const { capability } of frames) expect(yield* raw.code('frame_free', ...capability)).toBe(0);
        if (free() === 0) break;
      }
      state.full = true;
      yield* raw.routine('kit.yield', 1);
      for (;;) yield* raw.sleep(1000);
    },
  });
}

test('frames that transfers have are waited for: a bystander with more than its guarantee loses none', () => {
  const state = { full: false, answers: [] as number[] };
  const lacking = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (!state.full) yield* raw.routine('kit.yield', -1);
      while (state.answers.filter((answer) => answer === 0).length < 4 && state.answers.length < 50) {
        state.answers.push(yield* raw.code('frame_alloc', -1));
        yield* raw.sleep(1);
      }
      for (;;) yield* raw.sleep(1000);
    },
  });
  const bystander = rawImage({
    main: function* (raw) {
      for (let i = 0; i < 30; i += 1) yield* raw.frame();
      for (;;) yield* raw.sleep(10_000);
    },
  });
  const booted = boot([hoarding(state, () => booted.aegis.framesFree), lacking, bystander], {
    disk: { store: memoryStore(4096 * 4096) },
    ramBytes: memoryFor(900),
  });
  const { memory, families } = booted.aegis.parts;
  expect(booted.runUntil(() => state.full, 20)).toBe(true);
  expect(families.has('frames', 0)).toBeLessThan(10);
  booted.machine.run(200 * QUANTUM);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(state.answers.filter((answer) => answer === 0)).toHaveLength(4);
  expect(state.answers).toContain(ERRORS.E_AGAIN);
  expect(memory.env(2, ENV.lost)).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('who was asked for frames keeps them if others have come meanwhile', () => {
  const state: { held: RawFrame[]; asked: boolean; answers: number[] } = { held: [], asked: false, answers: [] };
  const lacking = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (booted.aegis.framesFree > 0) yield* raw.sleep(1);
      state.answers.push(yield* raw.code('frame_alloc', -1));
      state.asked = true;
      yield* raw.sleep(2);
      for (let i = 0; i < 4; i += 1) state.answers.push(yield* raw.code('frame_alloc', -1));
      for (;;) yield* raw.sleep(1000);
    },
  });
  // It has most, and sleeps through it all.
  const asleep = rawImage({
    main: function* (raw) {
      for (let i = 0; i < 60; i += 1) yield* raw.frame();
      for (;;) yield* raw.sleep(10_000);
    },
  });
  const other = rawImage({
    main: function* (raw) {
      yield* raw.sleep(20);
      while (booted.aegis.framesFree > 0) state.held.push(yield* raw.frame());
      while (!state.asked) yield* raw.sleep(1);
      for (const { capability } of state.held) yield* raw.code('frame_free', ...capability);
      for (;;) yield* raw.sleep(1000);
    },
  });
  const booted = boot([lacking, asleep, other], { ramBytes: memoryFor(130) });
  booted.machine.run(200 * QUANTUM);
  const { memory } = booted.aegis.parts;
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(state.answers).toEqual([ERRORS.E_AGAIN, 0, 0, 0, 0]);
  expect(memory.env(1, ENV.lost)).toBe(0);
  expect(memory.env(1, ENV.revokeDeadline)).toBe(0);
});

test('pages that the kernel never takes do not fill a small memory: who lacks frames of the guarantee gets them', () => {
  const state = { full: false, refused: 0 };
  const hoarding = rawImage({
    main: function* (raw) {
      for (;;) {
        const child = yield* raw.call('env_alloc');
        if (child.code !== 0) break;
        for (const bit of [2, 4, 8]) {
          const frame = yield* raw.call('frame_alloc', -1);
          if (frame.code !== 0) break;
          const code = yield* raw.code('env_map', ...child.capability, ...frame.capability, (0x10000 * bit) | bit | 1);
          if (code === ERRORS.E_NONE) state.refused += 1;
          if (code === 0) expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        }
        // Started, so that they do not end with it.
        yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x5000);
        yield* raw.code('env_set', ...child.capability, ENV.status, ENV_STATUS.runnable);
        if (booted.aegis.framesFree === 0) break;
      }
      state.full = true;
      for (;;) yield* raw.sleep(1000);
    },
  });
  const lacking = rawImage({
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      while (!state.full) yield* raw.sleep(1);
      for (let got = 0; got < 4;) {
        if ((yield* raw.code('frame_alloc', -1)) === 0) got += 1;
        yield* raw.sleep(1);
      }
      return 0;
    },
  });
  const booted = boot([hoarding, ...Array.from({ length: 4 }, () => lacking)], { ramBytes: memoryFor(230) });
  const done = (): boolean => [1, 2, 3, 4].every((env) => booted.aegis.environment(env).status === 'dead');
  booted.runUntil(done, 30);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(state.refused).toBeGreaterThan(0);
  expect(done()).toBe(true);
});

test('who is guaranteed frames and passes them on has them once: a bystander with more than its guarantee keeps the others', () => {
  const rounds = 40;
  const state = { full: false, done: 0, pending: undefined as CapabilityWords | undefined };
  const isPending = (): boolean => state.pending !== undefined;
  const bystander = rawImage({
    main: function* (raw) {
      while ((yield* raw.code('frame_alloc', -1)) === 0);
      state.full = true;
      for (;;) yield* raw.sleep(1000);
    },
  });
  /** It takes what its family lacks, and lets go of it when the accomplice holds it. */
  const taker = rawImage({
    main: function* (raw) {
      while (!state.full) yield* raw.sleep(1);
      for (let i = 2; i < 6; i += 1) yield* raw.code('frame_free', ...(yield* raw.segment(i)));
      for (; state.done < rounds; state.done += 1) {
        const { code, capability } = yield* raw.call('frame_alloc', -1);
        if (code === ERRORS.E_NONE) break;
        if (code !== 0) {
          yield* raw.sleep(1);
          continue;
        }
        state.pending = capability;
        while (isPending()) yield* raw.sleep(1);
        expect(yield* raw.code('frame_free', ...capability)).toBe(0);
      }
      return state.done;
    },
  });
  const accomplice = rawImage({
    main: function* (raw) {
      for (;;) {
        if (state.pending !== undefined) {
          expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...state.pending)).toBe(0);
          state.pending = undefined;
        }
        yield* raw.sleep(1);
      }
    },
  });
  const booted = boot([bystander, taker, accomplice], { ramBytes: memoryFor(100) });
  const { aegis, machine } = booted;
  booted.runUntil(() => machine.native.lastError !== undefined || aegis.environment(1).status === 'dead', 30);
  expect(machine.native.lastError).toBeUndefined();
  // The four that it had lacked.
  expect(aegis.environment(1)).toMatchObject({ status: 'dead', death: DEATHS.exit, exit: 4 });
  expect(checkInvariants(aegis)).toEqual([]);
});
