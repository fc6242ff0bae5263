/**
 * Transfers that meet the registry: what is begun by a frame's capabilities does not reach a cached block when these are dead, though
 * the frame goes on as the block's.
 */
import { BUFFER, BUFFER_STATES, ENV, ERRORS, PAGE_BYTES, U } from '@exokernel/abi';
import { describe, expect, test } from 'vitest';
import { memoryFor, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { NONE, complete, entry, extent, kernel, runOnDisk } from './disk-support.ts';

const CACHED = 40;
const OWN = 50;
const CONTENTS = 0x77;

/** The frame of the cached block. */
function cachedFrame(): number {
  return entry(CACHED)?.ppn ?? -1;
}

/** The first word of the cached block. */
function cached(): number {
  return kernel.booted?.aegis.parts.memory.get(cachedFrame() * PAGE_BYTES + BUFFER.block) ?? -1;
}

/** Makes a frame the contents of the block; of its capability there is more than one holder if `shared`. */
function* insert(raw: Raw, shared: boolean): Fiber<{ readonly frame: RawFrame; readonly holder: readonly number[] }> {
  const own = yield* extent(raw, CACHED, 1);
  const frame = yield* raw.frame();
  yield* raw.fill(frame, new Uint8Array(PAGE_BYTES).fill(CONTENTS));
  const child = yield* raw.call('env_alloc');
  if (shared) expect(yield* raw.code('frame_hold', ...child.capability, ...frame.capability)).toBe(0);
  expect(yield* raw.code('bc_insert', ...own, ...frame.capability, CACHED, 1)).toBe(0);
  return { frame, holder: child.capability };
}

/** A block of the environment's own that holds something. */
function* written(raw: Raw): Fiber<readonly number[]> {
  const own = yield* extent(raw, OWN, 1);
  const frame = yield* raw.frame();
  yield* raw.fill(frame, new Uint8Array(PAGE_BYTES).fill(0x11));
  expect(yield* raw.code('disk_write', ...own, ...frame.capability, 0, 0)).toBe(0);
  expect(yield* complete(raw)).toBe(1);
  expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
  return own;
}

test.each([
  ['through the kernel', true],
  ['by the device itself', false],
])('a read that is under way when the last hold goes does not write the block (%s)', (_, shared) => {
  runOnDisk([
    {
      main: function* (raw) {
        const own = yield* written(raw);
        const { frame, holder } = yield* insert(raw, shared);
        yield* raw.fibers.store(0x1000 + U.completion, 0);
        expect(yield* raw.code('disk_read', ...own, ...frame.capability, 0, 0)).toBe(0);
        expect(yield* raw.code('env_free', ...holder, 0)).toBe(0);
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        yield* complete(raw);
        expect(cached() & 0xff).toBe(CONTENTS);
        expect(yield* raw.code('bc_write', ...NONE, CACHED, 0)).toBe(0);
        yield* complete(raw);
        return 0;
      },
    },
  ]);
});

test('a write that waits when the last hold goes does not read what the block holds afterwards', () => {
  const blocks: number[] = [];
  runOnDisk([
    {
      main: function* (raw) {
        const own = yield* written(raw);
        const { frame, holder } = yield* insert(raw, true);
        const { capability: again } = yield* raw.call('cap_derive', ...own, 3, 0);
        // The queue is long, so that the last one waits.
        const other = yield* raw.frame();
        for (let i = 0; i < 90; i += 1)
          expect(yield* raw.code('disk_write', ...again, ...other.capability, 0, 1)).toBe(0);
        expect(yield* raw.code('disk_write', ...own, ...frame.capability, 0, 0)).toBe(0);
        expect(yield* raw.code('env_free', ...holder, 0)).toBe(0);
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        // The owner of the block writes a secret to it.
        kernel.booted?.machine.memory.write(cachedFrame() * PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(0x5e));
        yield* complete(raw);
        while ((kernel.booted?.aegis.parts.disk.inFlight.length ?? 0) > 0) yield* raw.sleep(1);
        const seen = yield* raw.frame();
        expect(yield* raw.code('disk_read', ...own, ...seen.capability, 0, 0)).toBe(0);
        expect(yield* complete(raw)).toBe(1);
        blocks.push((kernel.booted?.aegis.parts.memory.get(seen.ppn * PAGE_BYTES) ?? 0) & 0xff);
        expect(yield* raw.code('bc_write', ...NONE, CACHED, 0)).toBe(0);
        yield* complete(raw);
        return 0;
      },
    },
  ]);
  expect(blocks).toEqual([0]);
});

/** An environment that has a block read in, again and again, and in between its frame given to itself. */
const rereader = {
  main: function* (raw: Raw) {
    for (;;) {
      if (kernel.booted?.aegis.environment(0).status === 'dead') return 0;
      if (cachedFrame() >= 0) {
        const { code, capability } = yield* raw.call('frame_alloc', cachedFrame());
        if (code === 0) yield* raw.code('frame_free', ...capability);
      }
      if ((yield* raw.code('bc_read', CACHED, 0)) !== 0) yield* raw.sleep(1);
      // The frame goes as soon as the block has come in.
      else yield* complete(raw);
    }
  },
};

describe('another has a block read in again and again, and recycled before its owner has a slice', () => {
  test.each(['bc_map', 'bc_remove'] as const)('%s comes to an end', (call) => {
    let tries = 0;
    runOnDisk([
      {
        main: function* (raw) {
          const own = yield* extent(raw, CACHED, 1);
          yield* raw.sleep(4);
          for (let code = -1; code !== 0; tries += 1) {
            expect(tries).toBeLessThan(40);
            ({ code } = yield* raw.call(call, ...own, CACHED));
            if (code === ERRORS.E_NONE) yield* raw.code('bc_read', CACHED, 1);
            yield* raw.sleep(1);
          }
          return 0;
        },
      },
      rereader,
    ]);
  });
});

test('a block that was taken out while it came in is none for those that wait for it; its place is free when the device is done', () => {
  runOnDisk([
    {
      main: function* (raw) {
        const own = yield* extent(raw, CACHED, 1);
        const { capability: reader } = yield* raw.call('cap_derive', ...own, 1, 1);
        const { aegis } = kernel.booted ?? {};
        const frames = (): number | undefined => aegis?.parts.memory.env(0, ENV.frames);
        const before = frames() ?? 0;
        expect(yield* raw.code('bc_read', CACHED, 0)).toBe(0);
        for (const right of [own, reader]) expect(yield* raw.code('bc_map', ...right, CACHED)).toBe(ERRORS.E_AGAIN);
        expect(frames()).toBe(before + 1);
        expect(yield* raw.code('bc_remove', ...own, CACHED)).toBe(0);
        expect(frames()).toBe(before);
        expect(yield* raw.code('bc_remove', ...own, CACHED)).toBe(ERRORS.E_NONE);
        // The block is free for another frame at once, and is that one's.
        const frame = yield* raw.frame();
        yield* raw.fill(frame, new Uint8Array(PAGE_BYTES).fill(CONTENTS));
        expect(yield* raw.code('bc_insert', ...own, ...frame.capability, CACHED, 1)).toBe(0);
        expect(yield* complete(raw)).toBe(ERRORS.E_NONE);
        expect(cached() & 0xff).toBe(CONTENTS);
        expect(aegis?.parts.registry.pinned).toEqual([frame.ppn]);
        return 0;
      },
    },
  ]);
});

test('what an environment waits for ends with its right, and comes in for others', () => {
  runOnDisk([
    {
      main: function* (raw) {
        const own = yield* extent(raw, CACHED, 1);
        const made = yield* raw.call('cap_derive', ...own, 1, 1);
        const frames = (): number | undefined => kernel.booted?.aegis.parts.memory.env(0, ENV.frames);
        const before = frames();
        expect(yield* raw.code('bc_read', CACHED, 0)).toBe(0);
        expect(yield* raw.code('bc_map', ...made.capability, CACHED)).toBe(ERRORS.E_AGAIN);
        expect(yield* raw.code('cap_revoke', ...own, made.value)).toBe(0);
        expect(frames()).toBe(before);
        expect(entry(CACHED)?.state).toBe(BUFFER_STATES.comingIn);
        expect(yield* complete(raw)).toBe(1);
        expect(yield* raw.code('bc_map', ...made.capability, CACHED)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('bc_map', ...own, CACHED)).toBe(0);
        return 0;
      },
    },
  ]);
});

test('a family that lacks frames of its guarantee has a block read in, though others have all memory', () => {
  let full = false;
  const codes: number[] = [];
  runOnDisk(
    [
      {
        main: function* (raw) {
          for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
          while (!full) yield* raw.sleep(1);
          for (let code = -1; code !== 0 && codes.length < 60;) {
            code = yield* raw.code('bc_read', CACHED, 0);
            codes.push(code);
            if (code !== 0) yield* raw.sleep(4);
          }
          expect(yield* complete(raw)).toBe(1);
          return 0;
        },
      },
      {
        main: function* (raw) {
          while ((yield* raw.code('frame_alloc', -1)) === 0);
          full = true;
          while (kernel.booted?.aegis.environment(0).status !== 'dead') yield* raw.sleep(1);
          return 0;
        },
      },
    ],
    undefined,
    memoryFor(120),
  );
  expect(new Set(codes)).toEqual(new Set([ERRORS.E_AGAIN, 0]));
});
