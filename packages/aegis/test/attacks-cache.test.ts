/**
 * Transfers that meet the registry: what is begun by a frame's capabilities does not reach a cached block when these are dead, though
 * the frame goes on as the block's.
 */
import { BUFFER, PAGE_BYTES, U } from '@exokernel/abi';
import { expect, test } from 'vitest';
import type { Fiber, Raw, RawFrame } from '../../testkit/src/index.ts';
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
