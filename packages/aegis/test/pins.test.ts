/**
 * Frames that rings and windows pin: they last as long as somebody holds them. Else an environment could keep more than it may
 * hold, in a way that no revocation finds.
 */
import { ERRORS, FRAME, PAGE_BYTES, U, type CapabilityWords } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';
import {
  boot,
  type Booted,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  type RawFrame,
  rawImage,
  runRaw,
  WINDOW,
} from '../../testkit/src/index.ts';
import { bindFilter } from './network.ts';

const NONE: CapabilityWords = [0, 0, 0, 0];
const kernel: { booted?: Booted } = {};

/** Runs environments until all have ended; nothing may be left. */
function run(...mains: readonly ((raw: Raw) => Fiber<number>)[]): void {
  const disk = { store: memoryStore(new Uint8Array(16 * PAGE_BYTES)) };
  const booted = boot(
    mains.map((main) => rawImage({ main, extent: { start: 0, blocks: 16, shared: true } })),
    { disk },
  );
  kernel.booted = booted;
  const isDead = (env: number): boolean => booted.aegis.environment(env).status === 'dead';
  booted.runUntil(() => booted.machine.native.lastError !== undefined || mains.every((_, env) => isDead(env)));
  expect(booted.machine.native.lastError?.message).toBeUndefined();
  mains.forEach((_, env) => {
    expect(booted.aegis.environment(env)).toMatchObject({ status: 'dead', exit: 0 });
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
}

function free(): number {
  return kernel.booted?.aegis.framesFree ?? -1;
}

/** What pins frames: a receive ring, and a filter of it with a window. */
interface Pins {
  readonly ring: CapabilityWords;
  readonly filter: CapabilityWords;
}

function* makePins(raw: Raw): Fiber<Pins> {
  const frame = yield* raw.frame();
  const { code, capability: ring } = yield* raw.call('ring_bind', ...frame.capability, 0, 1);
  expect(code).toBe(0);
  const { capability: filter } = yield* bindFilter(raw, ring, 0x9000);
  return { ring, filter };
}

function* pin(raw: Raw, { ring, filter }: Pins, frames: readonly RawFrame[]): Fiber<void> {
  for (const { capability } of frames) expect(yield* raw.code('ring_extend', ...ring, ...capability)).toBe(0);
  const last = frames.at(-1)?.capability ?? NONE;
  expect(yield* raw.code('ash_window', ...filter, ...last, 0)).toBe(0);
}

function* some(raw: Raw): Fiber<RawFrame[]> {
  const frames: RawFrame[] = [];
  for (let i = 0; i < 8; i += 1) frames.push(yield* raw.frame());
  return frames;
}

test('who frees a frame that its rings and its window have does not keep it', () => {
  run(function* (raw) {
    const pins = yield* makePins(raw);
    const before = free();
    for (let round = 0; round < 4; round += 1) {
      const frames = yield* some(raw);
      yield* pin(raw, pins, frames);
      for (const { capability } of frames) {
        expect(yield* raw.code('frame_free', ...capability)).toBe(0);
        expect(yield* raw.code('ring_extend', ...pins.ring, ...capability)).toBe(ERRORS.E_CAP);
      }
      expect(free()).toBe(before);
    }
    return 0;
  });
});

describe('frames that another has pinned go with their last holder', () => {
  test.each([
    ['who frees them', 'free'],
    ['who ends', 'end'],
    ['from whom they are taken', 'take'],
  ] as const)('%s', (_, how) => {
    const shared: { frames: RawFrame[]; pinned: boolean; gone: boolean } = { frames: [], pinned: false, gone: false };
    run(
      function* (raw) {
        while (shared.frames.length === 0) yield* raw.sleep(1);
        const pins = yield* makePins(raw);
        yield* pin(raw, pins, shared.frames);
        shared.pinned = true;
        while (!shared.gone) yield* raw.sleep(1);
        yield* raw.sleep(4);
        for (const { ppn } of shared.frames) {
          const again = yield* raw.call('frame_alloc', ppn);
          expect(again.code).toBe(0);
          expect(yield* raw.code('frame_free', ...again.capability)).toBe(0);
        }
        return 0;
      },
      function* (raw) {
        shared.frames = yield* some(raw);
        while (!shared.pinned) yield* raw.sleep(1);
        if (how === 'free') {
          for (const { capability } of shared.frames) {
            expect(yield* raw.code('frame_free', ...capability)).toBe(0);
          }
        }
        if (how === 'take') {
          kernel.booted?.aegis.parts.frames.repossess(
            1,
            shared.frames.map(({ ppn }) => ppn),
          );
        }
        shared.gone = true;
        if (how !== 'end') yield* raw.sleep(8);
        return 0;
      },
    );
  });

  test('as long as another holds them they stay pinned', () => {
    run(function* (raw) {
      const pins = yield* makePins(raw);
      const frames = yield* some(raw);
      const child = yield* raw.call('env_alloc');
      for (const { capability } of frames) {
        expect(yield* raw.code('frame_hold', ...child.capability, ...capability)).toBe(0);
      }
      yield* pin(raw, pins, frames);
      const before = free();
      expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
      expect(free()).toBe(before);
      const [first] = frames;
      expect(kernel.booted?.aegis.parts.memory.frame(first?.ppn ?? 0, FRAME.pins)).toBe(1);
      return 0;
    });
  });
});

test('a frame that nobody holds, but a device has, cannot be bound again', () => {
  run(function* (raw) {
    const pins = yield* makePins(raw);
    const extent = yield* raw.granted('extent');
    const before = free();
    const { ppn, capability } = yield* raw.frame();
    expect(yield* raw.code('disk_read', ...extent, ...capability, 3, 0)).toBe(0);
    expect(yield* raw.bind(WINDOW, { ppn, capability })).toBe(0);
    expect(yield* raw.code('frame_free', ...capability)).toBe(0);
    expect(yield* raw.code('frame_alloc', ppn)).toBe(ERRORS.E_BUSY);
    for (const again of [
      yield* raw.code('ring_extend', ...pins.ring, ...capability),
      yield* raw.code('ash_window', ...pins.filter, ...capability, 0),
      yield* raw.code('frame_hold', ...NONE, ...capability),
      yield* raw.bind(WINDOW, { ppn, capability }),
    ]) {
      expect(again).toBe(ERRORS.E_CAP);
    }
    while ((yield* raw.fibers.load(0x1000 + U.completion)) === 0) yield* raw.routine('kit.sleep', 0);
    expect(free()).toBe(before);
    return 0;
  });
});

test.each(['drops it', 'loses it'] as const)(
  'who mapped a frame without a hold has it no longer when its last holder %s, though the registry keeps it',
  (how) => {
    const shared: { frame?: RawFrame; mapped?: boolean; gone?: boolean; looked?: boolean } = {};
    run(
      function* (raw) {
        const extent = yield* raw.granted('extent');
        const frame = yield* raw.frame();
        shared.frame = frame;
        while (shared.mapped !== true) yield* raw.sleep(1);
        // What is not on the disk yet is not let go.
        expect(yield* raw.code('bc_insert', ...extent, ...frame.capability, 3, 1)).toBe(0);
        if (how === 'drops it') expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        else kernel.booted?.aegis.parts.frames.repossess(0, [frame.ppn]);
        expect(kernel.booted?.aegis.parts.memory.frame(frame.ppn, FRAME.pins)).toBe(1);
        shared.gone = true;
        while (shared.looked !== true) yield* raw.sleep(1);
        expect(yield* raw.code('bc_remove', ...extent, 3)).toBe(0);
        return 0;
      },
      function* (raw) {
        while (shared.frame === undefined) yield* raw.sleep(1);
        expect(yield* raw.bind(WINDOW, shared.frame)).toBe(0);
        expect(yield* raw.poke(WINDOW, 1)).toBe(0);
        shared.mapped = true;
        while (shared.gone !== true) yield* raw.sleep(1);
        expect(yield* raw.peek(WINDOW)).toBeUndefined();
        expect(yield* raw.poke(WINDOW, 2)).not.toBe(0);
        shared.looked = true;
        return 0;
      },
    );
  },
);

test('two frames of an environment that ends, in one ring of another: each is free once', () => {
  const booted = runRaw(
    function* (raw) {
      const [slots, buffers] = [yield* raw.frame(), yield* raw.frame()];
      const ring = yield* raw.call('ring_bind', ...slots.capability, 0, 1);
      expect(yield* raw.code('ring_extend', ...ring.capability, ...buffers.capability)).toBe(0);
      const child = yield* raw.call('env_alloc');
      for (const { capability } of [slots, buffers]) {
        expect(yield* raw.code('frame_hold', ...child.capability, ...capability)).toBe(0);
        expect(yield* raw.code('frame_free', ...capability)).toBe(0);
      }
      expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
      expect(yield* raw.code('ring_free', ...ring.capability)).toBe(ERRORS.E_CAP);
      return 0;
    },
    { alone: true },
  );
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
