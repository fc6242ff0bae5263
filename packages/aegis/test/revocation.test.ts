/** Visible revocation: asked, told, answered or not; quotas; the guaranteed minimum. [SOSP95 §3.3, §3.4] */
import {
  DEATHS,
  ENV,
  ENV_STATUS,
  ERRORS,
  NO_TARGET,
  REVOKE_KINDS,
  REVOKE_MODES,
  U,
  type CapabilityWords,
} from '@exokernel/abi';
import { T0, V0, ZERO, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { KP } from '../src/layout.ts';
import {
  boot,
  checkInvariants,
  rawImage,
  runRaw,
  SCRATCH,
  WINDOW,
  type Booted,
  type Fiber,
  type Raw,
  type RawFrame,
  type RawImage,
} from '../../testkit/src/index.ts';

const { E_AGAIN, E_CAP, E_NONE, E_RANGE } = ERRORS;
const { frames: FRAMES, slices: SLICES } = REVOKE_KINDS;
const { cooperative: ASK, notify: TAKE } = REVOKE_MODES;
const U_PAGE = 0x1000;
/** How often the handler of revocation was entered. */
const TOLD = SCRATCH;

interface World {
  victim: CapabilityWords;
  stage: number;
}

function* reach(raw: Raw, world: World, stage: number): Fiber<void> {
  while (world.stage < stage) yield* raw.sleep(1);
}

function emitHandler(a: Assembler): void {
  a.label('revoked');
  a.lw(T0, TOLD, ZERO);
  a.nop();
  a.addiu(T0, T0, 1);
  a.sw(T0, TOLD, ZERO);
  a.j('kit.prologue');
  a.nop();
  a.label('revoked.address');
  a.la(V0, 'revoked');
  a.ret();
  a.nop();
}

function* listen(raw: Raw): Fiber<void> {
  const handler = yield* raw.routine('revoked.address');
  expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.exceptionPc, handler)).toBe(0);
}

/** Frames, slices, deadline, lost: what the u-page says. */
function* words(raw: Raw): Fiber<number[]> {
  const list: number[] = [];
  for (const at of [U.revokeFrames, U.revokeSlices, U.revokeDeadline, U.lost]) {
    list.push(yield* raw.fibers.load(U_PAGE + at));
  }
  return list;
}

/** A victim with some more frames than the eight of every raw image, which are its guaranteed minimum. */
function victim(
  world: World,
  more: number,
  main: (raw: Raw, frames: RawFrame[]) => Fiber<number>,
  slices = 1,
): RawImage {
  return rawImage({
    name: 'victim',
    emit: emitHandler,
    placement: { slices },
    main: function* (raw) {
      yield* listen(raw);
      const frames: RawFrame[] = [];
      for (let i = 0; i < more; i += 1) frames.push(yield* raw.frame());
      world.victim = yield* raw.granted('self');
      world.stage = 1;
      return yield* main(raw, frames);
    },
  });
}

function run(images: readonly RawImage[], envs: readonly number[]): Booted {
  const booted = boot(images);
  let looks = 0;
  const ended = booted.runUntil(() => {
    looks += 1;
    if (looks % 64 === 0) expect(checkInvariants(booted.aegis)).toEqual([]);
    return (
      booted.machine.native.lastError !== undefined ||
      envs.every((env) => booted.aegis.environment(env).status === 'dead')
    );
  }, 10);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(ended).toBe(true);
  for (const env of envs) expect(booted.aegis.environment(env)).toMatchObject({ death: DEATHS.exit, exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return booted;
}

const fresh = (): World => ({ victim: [0, 0, 0, 0], stage: 0 });

test('who is asked is told at the begin of its next slice, gives up what it chooses, and keeps the rest', () => {
  const world = fresh();
  const booted = run(
    [
      victim(world, 6, function* (raw, frames) {
        yield* reach(raw, world, 2);
        expect(yield* raw.fibers.load(TOLD)).toBe(1);
        const [count, slices, deadline = 0, lost] = yield* words(raw);
        expect([count, slices, lost]).toEqual([4, 0, 0]);
        const now = (yield* raw.call('tick')).value;
        expect(deadline - now).toBeGreaterThanOrEqual(0);
        expect(deadline - now).toBeLessThanOrEqual(2);
        for (const [i, left] of [3, 2, 1, 0].entries()) {
          expect(yield* raw.code('frame_free', ...(frames[i + 1]?.capability ?? []))).toBe(0);
          expect((yield* words(raw))[0]).toBe(left);
        }
        expect(yield* words(raw)).toEqual([0, 0, 0, 0]);
        yield* raw.sleep(6);
        for (const i of [0, 5])
          expect(yield* raw.bind(WINDOW, frames[i] ?? { ppn: 0, capability: world.victim })).toBe(0);
        expect(yield* raw.fibers.load(TOLD)).toBe(1);
        return 0;
      }),
      rawImage({
        main: function* (raw) {
          yield* reach(raw, world, 1);
          expect(yield* raw.call('revoke', ...world.victim, FRAMES, 4, ASK)).toMatchObject({ code: 0, value: 4 });
          world.stage = 2;
          return 0;
        },
      }),
    ],
    [0, 1],
  );
  expect(booted.aegis.parts.memory.kernelPage(KP.revokeTick)).toBe(0);
});

describe('who does not answer loses by force', () => {
  test.each<[string, (raw: Raw, frames: RawFrame[]) => Fiber<void>]>([
    ['it does nothing', () => nothing()],
    [
      'it frees what is not its own, what it does not hold, what there is not',
      function* (raw) {
        for (let i = 0; i < 8; i += 1) {
          expect(yield* raw.code('frame_free', 0x1000000, 0x400 + i, i, i)).toBe(E_CAP);
        }
      },
    ],
    [
      'it gives back what it has only just got',
      function* (raw) {
        for (let i = 0; i < 8; i += 1) {
          const frame = yield* raw.frame();
          expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        }
      },
    ],
    [
      'it takes more while it is asked',
      function* (raw) {
        yield* raw.frame();
      },
    ],
    [
      'it unsets its handler',
      function* (raw) {
        expect(yield* raw.code('env_set', 0, 0, 0, 0, ENV.exceptionPc, 0)).toBe(0);
      },
    ],
  ])('%s', (what, answer) => {
    const world = fresh();
    run(
      [
        victim(world, 6, function* (raw, frames) {
          yield* reach(raw, world, 2);
          const more = what.includes('more') ? 1 : 0;
          yield* answer(raw, frames);
          expect((yield* words(raw))[0]).toBe(4 + more);
          expect(yield* raw.bind(WINDOW, frames[0] ?? { ppn: 0, capability: world.victim })).toBe(0);
          expect(yield* raw.poke(WINDOW, 1)).toBe(0);
          while ((yield* words(raw))[3] === 0) yield* raw.sleep(1);
          expect(yield* words(raw)).toEqual([0, 0, 0, 4 + more]);
          yield* raw.sleep(2);
          expect(yield* raw.fibers.load(TOLD)).toBe(what.includes('unsets') ? 1 : 2);
          // The first ones are gone: mapping, capability, and the frame is somebody else's now or free.
          expect(yield* raw.poke(WINDOW, 1)).not.toBe(0);
          const binds: number[] = [];
          for (const frame of frames) binds.push(yield* raw.bind(WINDOW, frame));
          expect(binds.filter((code) => code === 0)).toHaveLength(2 - more);
          expect(binds.filter((code) => code !== 0 && code !== E_CAP)).toEqual([]);
          for (const [i, frame] of frames.entries()) {
            if (binds[i] !== 0) expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...frame.capability)).toBe(E_CAP);
          }
          return 0;
        }),
        rawImage({
          main: function* (raw) {
            yield* reach(raw, world, 1);
            expect(yield* raw.code('revoke', ...world.victim, FRAMES, 4, ASK)).toBe(0);
            world.stage = 2;
            return 0;
          },
        }),
      ],
      [0, 1],
    );
  });
});

test('arguments that make no sense; capabilities that do not control', () => {
  runRaw(function* (raw) {
    for (const [kind, count, mode] of [
      [2, 1, 0],
      [-1, 1, 0],
      [FRAMES, 0, 0],
      [FRAMES, -1, 1],
      [FRAMES, 1, 2],
      [SLICES, 1, -1],
    ] as const) {
      expect(yield* raw.code('revoke', 0, 0, 0, 0, kind, count, mode)).toBe(E_RANGE);
    }
    // At its minimum of both.
    for (const kind of [FRAMES, SLICES]) {
      for (const mode of [ASK, TAKE]) expect(yield* raw.code('revoke', 0, 0, 0, 0, kind, 1, mode)).toBe(E_NONE);
    }
    const { capability } = yield* raw.frame();
    expect(yield* raw.code('revoke', ...capability, FRAMES, 1, ASK)).toBe(E_CAP);
    return 0;
  });
});

test('notify: it is gone at once, the revoker is told like anybody, and nothing goes below the minimum', () => {
  const world = fresh();
  run(
    [
      victim(world, 5, function* (raw, frames) {
        expect(yield* raw.call('revoke', 0, 0, 0, 0, FRAMES, 2, TAKE)).toMatchObject({ code: 0, value: 2 });
        expect((yield* words(raw))[3]).toBe(2);
        expect(yield* raw.bind(WINDOW, frames[0] ?? { ppn: 0, capability: world.victim })).toBe(E_CAP);
        expect(yield* raw.fibers.load(TOLD)).toBe(0);
        yield* raw.sleep(2);
        expect(yield* raw.fibers.load(TOLD)).toBe(1);
        expect(yield* raw.call('revoke', 0, 0, 0, 0, FRAMES, 0x7fffffff, TAKE)).toMatchObject({ code: 0, value: 3 });
        for (let i = 0; i < 20; i += 1) expect(yield* raw.code('revoke', 0, 0, 0, 0, FRAMES, 1, i & 1)).toBe(E_NONE);
        yield* raw.sleep(2);
        return 0;
      }),
    ],
    [0],
  );
});

test('a yield to who is asked tells it, and does not start its time', () => {
  const world = fresh();
  run(
    [
      victim(world, 5, function* (raw) {
        while ((yield* words(raw))[0] === 0) yield* raw.routine('kit.yield', -1);
        expect(yield* raw.fibers.load(TOLD)).toBe(1);
        expect(((yield* words(raw))[2] ?? 0) - (yield* raw.call('tick')).value).toBeGreaterThan(40);
        return 0;
      }),
      rawImage({
        main: function* (raw) {
          yield* reach(raw, world, 1);
          expect(yield* raw.code('revoke', ...world.victim, FRAMES, 1, ASK)).toBe(0);
          yield* raw.routine('kit.yield', 0);
          return 0;
        },
      }),
    ],
    [0, 1],
  );
});

test('asked again and again: the target sinks to the minimum, the deadline stays, one abort', () => {
  const world = fresh();
  const booted = run(
    [
      victim(world, 12, function* (raw) {
        const answers: number[] = [];
        for (let i = 0; i < 100; i += 1) answers.push((yield* raw.call('revoke', 0, 0, 0, 0, FRAMES, 1, ASK)).value);
        expect(answers.slice(0, 12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        expect(new Set(answers.slice(12))).toEqual(new Set([12]));
        while ((yield* words(raw))[3] === 0) yield* raw.sleep(1);
        expect(yield* words(raw)).toEqual([0, 0, 0, 12]);
        return 0;
      }),
    ],
    [0],
  );
  expect(booted.aegis.parts.memory.kernelPage(KP.revokeTick)).toBe(0);
});

test('who is asked and dies leaves no request behind, and no deadline', () => {
  const world = fresh();
  const booted = run(
    [
      victim(world, 5, function* (raw) {
        yield* reach(raw, world, 2);
        return 0;
      }),
      rawImage({
        main: function* (raw) {
          yield* reach(raw, world, 1);
          expect(yield* raw.code('revoke', ...world.victim, FRAMES, 4, ASK)).toBe(0);
          world.stage = 2;
          yield* raw.sleep(80);
          expect(yield* raw.code('revoke', ...world.victim, FRAMES, 4, ASK)).toBe(E_CAP);
          return 0;
        },
      }),
    ],
    [0, 1],
  );
  const { memory } = booted.aegis.parts;
  expect([ENV.lost, ENV.revokeDeadline].map((field) => memory.env(0, field))).toEqual([0, 0]);
  expect(memory.env(0, ENV.frameTarget)).toBe(NO_TARGET);
});

test('slices: asked for, given up, taken; the last one stays', () => {
  const world = fresh();
  const booted = run(
    [
      victim(
        world,
        0,
        function* (raw) {
          yield* reach(raw, world, 2);
          expect((yield* words(raw))[1]).toBe(3);
          // One it frees itself.
          const own = yield* raw.call('slice_alloc', 0, 0, 0, 0, 1);
          expect(yield* raw.code('slice_free', ...own.capability)).toBe(0);
          expect((yield* words(raw))[1]).toBe(2);
          while ((yield* words(raw))[3] === 0) yield* raw.sleep(1);
          expect(yield* words(raw)).toEqual([0, 0, 0, 2]);
          expect(yield* raw.call('revoke', 0, 0, 0, 0, SLICES, 9, TAKE)).toMatchObject({ code: 0, value: 2 });
          expect(yield* raw.code('revoke', 0, 0, 0, 0, SLICES, 1, TAKE)).toBe(E_NONE);
          yield* raw.sleep(3);
          return 0;
        },
        6,
      ),
      rawImage({
        main: function* (raw) {
          yield* reach(raw, world, 1);
          expect(yield* raw.call('revoke', ...world.victim, SLICES, 3, ASK)).toMatchObject({ code: 0, value: 3 });
          world.stage = 2;
          return 0;
        },
      }),
    ],
    [0, 1],
  );
  expect(booted.aegis.environment(0).slices).toBeGreaterThan(3);
});

test('a frame that others hold: only the victim’s hold and mappings go', () => {
  const world = fresh();
  const shared: { frame: RawFrame | undefined } = { frame: undefined };
  run(
    [
      victim(world, 1, function* (raw, [frame]) {
        if (frame === undefined) return 1;
        expect(yield* raw.bind(0x200000, frame)).toBe(0);
        expect(yield* raw.poke(0x200000, 77)).toBe(0);
        shared.frame = frame;
        yield* reach(raw, world, 2);
        expect(yield* raw.call('revoke', 0, 0, 0, 0, FRAMES, 1, TAKE)).toMatchObject({ code: 0, value: 1 });
        expect(yield* raw.peek(0x200000)).toBeUndefined();
        // The capability is as good as the other's hold: it may be mapped, and is held again within the limit.
        expect(yield* raw.bind(WINDOW, frame)).toBe(0);
        world.stage = 3;
        return 0;
      }),
      rawImage({
        main: function* (raw) {
          while (shared.frame === undefined) yield* raw.sleep(1);
          const { frame } = shared;
          expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, 0x200001)).toBe(0);
          world.stage = 2;
          yield* reach(raw, world, 3);
          expect(yield* raw.peek(0x200000)).toBe(77);
          expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
          return 0;
        },
      }),
    ],
    [0, 1],
  );
});

test('who is below its guaranteed minimum and finds no frame gets one of those who have most', () => {
  const world = fresh();
  run(
    [
      victim(world, 0, function* (raw) {
        let code: number = ERRORS.E_OK;
        while (code === 0) code = yield* raw.code('frame_alloc', -1);
        expect(code).toBe(E_NONE);
        world.stage = 2;
        yield* reach(raw, world, 3);
        for (let i = 0; i < 2; i += 1) yield* raw.frame();
        world.stage = 4;
        // It tries to be faster than the other.
        while (world.stage < 5) expect(yield* raw.code('frame_alloc', -1)).toBe(E_NONE);
        expect((yield* words(raw))[3]).toBe(2);
        return 0;
      }),
      rawImage({
        main: function* (raw) {
          yield* reach(raw, world, 2);
          // With its minimum it waits like everybody.
          expect(yield* raw.code('frame_alloc', -1)).toBe(E_NONE);
          // Two pages of its page table, which it does not use.
          for (const i of [4, 5]) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
          world.stage = 3;
          yield* reach(raw, world, 4);
          // The other has taken these too. Asking often does not ask for more.
          for (let i = 0; i < 3; i += 1) expect(yield* raw.code('frame_alloc', -1)).toBe(E_AGAIN);
          for (let i = 0; i < 2; i += 1) {
            let code: number = E_AGAIN;
            while (code !== 0) {
              code = yield* raw.code('frame_alloc', -1);
              if (code === E_AGAIN) yield* raw.routine('kit.sleep', 0);
              else expect(code).toBe(0);
            }
          }
          expect(yield* raw.code('frame_alloc', -1)).toBe(E_NONE);
          world.stage = 5;
          return 0;
        },
      }),
    ],
    [0, 1],
  );
});

function* nothing(): Fiber<void> {
  // Does not even look.
}

test('an environment that is asked before it is started is told when it begins', () => {
  const booted = runRaw(
    function* (raw) {
      const child = yield* raw.call('env_alloc');
      const frame = yield* raw.frame();
      expect(yield* raw.code('env_map', ...child.capability, ...frame.capability, 0x1003)).toBe(0);
      for (const i of [0, 1]) {
        expect(yield* raw.code('env_map', ...child.capability, ...(yield* raw.segment(i)), 0x2000 + 0x1000 * i)).toBe(
          0,
        );
      }
      for (let i = 0; i < 20; i += 1) {
        expect(yield* raw.code('frame_hold', ...child.capability, ...(yield* raw.frame()).capability)).toBe(0);
      }
      expect(yield* raw.call('revoke', ...child.capability, FRAMES, 1, ASK)).toMatchObject({ code: 0, value: 1 });
      expect(yield* raw.code('env_set', ...child.capability, ENV.prologue, 0x2000)).toBe(0);
      expect(yield* raw.code('env_set', ...child.capability, ENV.status, ENV_STATUS.runnable)).toBe(0);
      return child.value;
    },
    { emit: emitHandler },
  );
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
