/** The buffer-cache registry when rights end, limits are reached and disks fail: nobody keeps a block, no block is lost. [XOK] */
import { BUFFER_STATES, ENV, ERRORS, PAGE_BYTES, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';
import { WINDOW, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { BLOCKS, NONE, complete, entry, extent, kernel, runOnDisk } from './disk-support.ts';

/** On a disk of zeros. */
function run(
  mains: Parameters<typeof runOnDisk>[0],
  store: BlockStore = memoryStore(new Uint8Array(BLOCKS * PAGE_BYTES)),
  ramBytes?: number,
): void {
  runOnDisk(mains, store, ramBytes);
}

/** A frame that begins with this word, and is the block's. */
function* insert(raw: Raw, own: CapabilityWords, block: number, word: number, dirty: number): Fiber<RawFrame> {
  const frame = yield* raw.frame();
  yield* raw.fill(frame, new Uint8Array(Int32Array.of(word).buffer));
  expect(yield* raw.code('bc_insert', ...own, ...frame.capability, block, dirty)).toBe(0);
  return frame;
}

function* look(raw: Raw, own: CapabilityWords, block: number): Fiber<number | undefined> {
  const { code, value, capability } = yield* raw.call('bc_map', ...own, block);
  expect(code).toBe(0);
  expect(yield* raw.bind(WINDOW, { ppn: value, capability }, false)).toBe(0);
  return yield* raw.peek(WINDOW);
}

describe('a right that ends', () => {
  test.each([
    ['clean', 0],
    ['dirty', 1],
  ] as const)('who inserted a frame by it has it no longer as the block’s: %s', (_, dirty) => {
    const shared: { branch: CapabilityWords; step: number } = { branch: NONE, step: 0 };
    run([
      {
        main: function* (raw) {
          const own = yield* extent(raw, 8, 4);
          const made = yield* raw.call('cap_derive', ...own, RIGHTS.read | RIGHTS.write, 1);
          shared.branch = made.capability;
          shared.step = 1;
          while (shared.step < 2) yield* raw.sleep(1);
          expect(yield* raw.code('cap_revoke', ...own, made.value)).toBe(0);
          shared.step = 3;
          while (shared.step < 4) yield* raw.sleep(1);
          if (dirty === 0) expect(entry(9)).toBeUndefined();
          else expect(yield* look(raw, own, 9)).toBe(1234);
          return 0;
        },
      },
      {
        main: function* (raw) {
          while (shared.step < 1) yield* raw.sleep(1);
          const frame = yield* insert(raw, shared.branch, 9, 1234, dirty);
          shared.step = 2;
          while (shared.step < 3) yield* raw.sleep(1);
          expect(yield* raw.bind(WINDOW, frame)).toBe(0);
          expect(yield* raw.poke(WINDOW, 666)).toBe(0);
          shared.step = 4;
          return 0;
        },
      },
    ]);
  });

  test.each([0, 1])(
    'a frame let go of that another holds through node %i of two by which it was come to: both end, once',
    (held) => {
      run([
        {
          main: function* (raw) {
            const own = yield* extent(raw, 8, 4);
            expect(yield* raw.code('bc_read', 9, 0)).toBe(0);
            yield* complete(raw);
            const nodes: CapabilityWords[] = [];
            for (let i = 0; i < 2; i += 1) {
              const branch = yield* raw.call('cap_derive', ...own, RIGHTS.read, 1);
              const mapped = yield* raw.call('bc_map', ...branch.capability, 9);
              expect(mapped.code).toBe(0);
              nodes.push(mapped.capability);
            }
            const child = yield* raw.call('env_alloc');
            const words = nodes[held] ?? NONE;
            expect(yield* raw.code('frame_hold', ...child.capability, ...words)).toBe(0);
            expect(yield* raw.code('frame_free', ...words)).toBe(0);
            expect(kernel.booted?.aegis.parts.frames.holders(words[1]).size).toBe(0);
            expect(yield* raw.code('frame_free', ...words)).toBe(ERRORS.E_CAP);
            return 0;
          },
        },
      ]);
    },
  );

  test('also if another extent has the block too, as those given at boot may', () => {
    const shared = { step: 0, ppn: 0 };
    const both = { start: 4, blocks: 4, shared: true };
    run([
      {
        extent: both,
        main: function* (raw) {
          const own = yield* raw.granted('extent');
          while (shared.step < 1) yield* raw.sleep(1);
          expect(yield* look(raw, own, 5)).toBe(77);
          expect(entry(5)?.ppn).not.toBe(shared.ppn);
          shared.step = 2;
          return 0;
        },
      },
      {
        extent: both,
        main: function* (raw) {
          const own = yield* raw.granted('extent');
          shared.ppn = (yield* insert(raw, own, 5, 77, 1)).ppn;
          expect(yield* raw.code('extent_free', ...own)).toBe(0);
          shared.step = 1;
          while (shared.step < 2) yield* raw.sleep(1);
          return 0;
        },
      },
    ]);
  });

  test('what was not on the disk is not lost because somebody holds as much as he may', () => {
    run([
      {
        main: function* (raw) {
          const own = yield* extent(raw, 8, 4);
          const made = yield* raw.call('cap_derive', ...own, RIGHTS.read | RIGHTS.write, 1);
          yield* insert(raw, made.capability, 9, 1234, 1);
          const held = kernel.booted?.aegis.parts.memory.env(0, ENV.frames) ?? 0;
          expect(yield* raw.code('env_set', ...NONE, ENV.frameLimit, held)).toBe(0);
          expect(yield* raw.code('cap_revoke', ...own, made.value)).toBe(0);
          expect(entry(9)).toMatchObject({ dirty: 1, state: BUFFER_STATES.valid });
          // What is read in counts for nobody either.
          expect(yield* raw.code('bc_read', 10, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(1);
          expect(yield* raw.code('bc_map', ...own, 10)).toBe(ERRORS.E_NONE);
          return 0;
        },
      },
    ]);
  });
});

describe('writing back when the right ends', () => {
  test('the blocks are nobody’s until it is done: no late write lands in somebody else’s', () => {
    run([
      {
        main: function* (raw) {
          const own = yield* extent(raw, 8, 4);
          yield* insert(raw, own, 9, 1234, 1);
          expect(yield* raw.code('bc_write', ...own, 9, 0)).toBe(0);
          expect(yield* raw.code('extent_free', ...own)).toBe(0);
          expect(yield* raw.code('extent_alloc', 8, 4)).toBe(ERRORS.E_BUSY);
          expect(yield* complete(raw)).toBe(1);
          expect(entry(9)).toBeUndefined();
          yield* extent(raw, 8, 4);
          return 0;
        },
      },
    ]);
  });

  test('blocks without an owner are not allocated while they are written; if that fails, the next owner finds them blank', () => {
    const store = memoryStore(new Uint8Array(BLOCKS * PAGE_BYTES));
    const failing: BlockStore = {
      blocks: store.blocks,
      read: (first, into) => {
        store.read(first, into);
      },
      write: () => {
        throw new Error('bad');
      },
      flush: () => undefined,
    };
    run(
      [
        {
          main: function* (raw) {
            const own = yield* extent(raw, 8, 4);
            yield* insert(raw, own, 9, 1234, 1);
            expect(yield* raw.code('extent_free', ...own)).toBe(0);
            // Nobody's block now, which anyone may have written.
            expect(yield* raw.code('bc_write', ...NONE, 9, 0)).toBe(0);
            expect(yield* raw.code('extent_alloc', 8, 4)).toBe(ERRORS.E_BUSY);
            expect(yield* raw.code('extent_alloc', 9, 1)).toBe(ERRORS.E_BUSY);
            yield* extent(raw, 10, 2);
            expect(yield* complete(raw)).toBe(ERRORS.E_DEVICE);
            expect(entry(9)).toMatchObject({ dirty: 1 });
            const next = yield* extent(raw, 8, 2);
            expect(entry(9)).toBeUndefined();
            expect(yield* raw.code('bc_map', ...next, 9)).toBe(ERRORS.E_NONE);
            expect(yield* raw.code('bc_read', 9, 0)).toBe(0);
            expect(yield* complete(raw)).toBe(1);
            expect(yield* look(raw, next, 9)).toBe(0);
            return 0;
          },
        },
      ],
      failing,
    );
  });
});
