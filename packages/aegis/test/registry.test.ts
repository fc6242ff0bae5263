/** The buffer-cache registry: who may insert, map, write; what is kept, and for how long. [SOSP97 §4.3.3], [XOK] */
import {
  BUFFER_LIMIT,
  BUFFER_STATES,
  ENV,
  ERRORS,
  EXCEPTIONS,
  PAGE_BYTES,
  RIGHTS,
  type CapabilityWords,
} from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import type { Extent } from '../src/extents.ts';
import { memoryFor, WINDOW, type Booted, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { BLOCKS, NONE, complete, entry, extent, kernel, numbered, runOnDisk } from './disk-support.ts';

type Main = (raw: Raw) => Fiber<number>;
interface Granted {
  readonly main: Main;
  readonly extent: Extent;
}

/** Environments, some with an extent that they are granted at boot, with what lies on it. */
function run(mains: readonly (Main | Granted)[], store?: BlockStore, ramBytes?: number): Booted {
  return runOnDisk(
    mains.map((main) => (typeof main === 'function' ? { main } : main)),
    store,
    ramBytes,
  );
}

function granted(start: number, blocks: number, main: Main): Granted {
  return { main, extent: { start, blocks } };
}

function* read(raw: Raw, block: number): Fiber<void> {
  expect(yield* raw.code('bc_read', block, 0)).toBe(0);
  expect(yield* complete(raw)).toBe(1);
}

function* map(raw: Raw, own: CapabilityWords, block: number): Fiber<RawFrame> {
  const { code, value, capability } = yield* raw.call('bc_map', ...own, block);
  expect(code).toBe(0);
  return { ppn: value, capability };
}

function* look(raw: Raw, frame: RawFrame, writable = false): Fiber<number | undefined> {
  expect(yield* raw.bind(WINDOW, frame, writable)).toBe(0);
  return yield* raw.peek(WINDOW);
}

const word = (byte: number): number => (byte * 0x01010101) | 0;

describe('reading and mapping', () => {
  test('anyone has a block read; only who has the right to it maps it, with the rights that he has', () => {
    run([
      granted(8, 8, function* (raw) {
        const own = yield* raw.granted('extent');
        const reader = (yield* raw.call('cap_derive', ...own, RIGHTS.read, 0)).capability;
        // 30 is nobody's.
        for (const block of [9, 30]) yield* read(raw, block);
        expect(entry(30)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 0, owner: 0 });
        expect(yield* raw.code('bc_map', ...own, 30)).toBe(ERRORS.E_RANGE);
        expect(yield* raw.code('bc_map', ...own, 10)).toBe(ERRORS.E_NONE);
        const [head, name, low, high] = own;
        for (const bad of [NONE, [head, name, low ^ 1, high], [head, name + 1, low, high]] as const) {
          expect(yield* raw.code('bc_map', ...bad, 9)).toBe(ERRORS.E_CAP);
        }
        const frame = yield* map(raw, reader, 9);
        expect(frame.ppn).toBe(entry(9)?.ppn);
        expect(yield* look(raw, frame)).toBe(word(9));
        expect(yield* raw.bind(WINDOW, frame, true)).toBe(ERRORS.E_CAP);
        const both = yield* map(raw, own, 9);
        expect(yield* raw.bind(WINDOW, both, true)).toBe(0);
        return 0;
      }),
    ]);
  });

  test('impossible blocks and slots; a block that is there already; a disk that fails leaves nothing', () => {
    const store = memoryStore(numbered());
    const failing: BlockStore = {
      blocks: store.blocks,
      read: (first, into) => {
        if (first === 8 * 13) throw new Error('bad');
        store.read(first, into);
      },
      write: () => undefined,
      flush: () => undefined,
    };
    run(
      [
        function* (raw) {
          for (const block of [BLOCKS, -1, 0x7fffffff, -0x80000000]) {
            expect(yield* raw.code('bc_read', block, 0)).toBe(ERRORS.E_RANGE);
          }
          for (const slot of [16, -1]) expect(yield* raw.code('bc_read', 0, slot)).toBe(ERRORS.E_RANGE);
          const own = yield* extent(raw, 0, BLOCKS);
          expect(yield* raw.code('bc_read', 5, 0)).toBe(0);
          // While it comes in.
          expect(yield* raw.code('bc_read', 5, 1)).toBe(ERRORS.E_BUSY);
          expect(yield* raw.code('bc_map', ...own, 5)).toBe(ERRORS.E_AGAIN);
          expect(yield* raw.code('bc_write', ...own, 5, 1)).toBe(ERRORS.E_AGAIN);
          const { capability } = yield* raw.frame();
          expect(yield* raw.code('bc_insert', ...own, ...capability, 5, 0)).toBe(ERRORS.E_BUSY);
          expect(yield* complete(raw)).toBe(1);
          expect(yield* raw.code('bc_read', 5, 0)).toBe(ERRORS.E_BUSY);
          expect(yield* raw.code('bc_read', 13, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(ERRORS.E_DEVICE);
          expect(entry(13)).toBeUndefined();
          // An environment that waited for it learns of it, and keeps no frame; it may be read again.
          const frames = kernel.booted?.aegis.parts.memory.env(0, ENV.frames);
          expect(yield* raw.code('bc_read', 13, 0)).toBe(0);
          expect(yield* raw.code('bc_map', ...own, 13)).toBe(ERRORS.E_AGAIN);
          expect(yield* complete(raw)).toBe(ERRORS.E_DEVICE);
          expect(entry(13)?.state).toBe(BUFFER_STATES.failed);
          expect(yield* raw.code('bc_dirty', ...own, 13, 1)).toBe(ERRORS.E_NONE);
          expect(yield* raw.code('bc_read', 13, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(ERRORS.E_DEVICE);
          expect(yield* raw.code('bc_map', ...own, 13)).toBe(ERRORS.E_NONE);
          expect(entry(13)).toBeUndefined();
          expect(kernel.booted?.aegis.parts.memory.env(0, ENV.frames)).toBe(frames);
          return 0;
        },
      ],
      failing,
    );
  });

  test('two environments share a block: what one writes the other sees; who lets go is out of it', () => {
    const shared: { reader: CapabilityWords | undefined; step: number } = { reader: undefined, step: 0 };
    run([
      granted(0, 4, function* (raw) {
        const own = yield* raw.granted('extent');
        shared.reader = (yield* raw.call('cap_derive', ...own, RIGHTS.read, 0)).capability;
        yield* read(raw, 2);
        const frame = yield* map(raw, own, 2);
        expect(yield* look(raw, frame, true)).toBe(word(2));
        shared.step = 1;
        while (shared.step < 2) yield* raw.sleep(1);
        expect(yield* raw.poke(WINDOW, 77)).toBe(0);
        expect(yield* raw.code('bc_dirty', ...own, 2, 1)).toBe(0);
        shared.step = 3;
        while (shared.step < 4) yield* raw.sleep(1);
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        expect(yield* raw.peek(WINDOW)).toBeUndefined();
        expect(entry(2)).toMatchObject({ dirty: 1, state: BUFFER_STATES.valid });
        return 0;
      }),
      function* (raw) {
        while (shared.step < 1) yield* raw.sleep(1);
        const frame = yield* map(raw, shared.reader ?? NONE, 2);
        expect(yield* look(raw, frame)).toBe(word(2));
        shared.step = 2;
        while (shared.step < 3) yield* raw.sleep(1);
        expect(yield* raw.peek(WINDOW)).toBe(77);
        shared.step = 4;
        return 0;
      },
    ]);
  });
});

describe('inserting', () => {
  test('wants the right to write the block, and a frame of one’s own to write; once per block and frame', () => {
    run([
      function* (raw) {
        const own = yield* extent(raw, 8, 8);
        const reader = (yield* raw.call('cap_derive', ...own, RIGHTS.read, 0)).capability;
        const [frame, other] = [yield* raw.frame(), yield* raw.frame()];
        const readOnly = (yield* raw.call('cap_derive', ...frame.capability, RIGHTS.read, 0)).capability;
        // A fake of what one may only read.
        expect(yield* raw.code('bc_insert', ...reader, ...frame.capability, 9, 0)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('bc_insert', ...own, ...readOnly, 9, 0)).toBe(ERRORS.E_CAP);
        for (const block of [7, 16, BLOCKS, -1]) {
          expect(yield* raw.code('bc_insert', ...own, ...frame.capability, block, 0)).toBe(ERRORS.E_RANGE);
        }
        for (const dirty of [2, -1]) {
          expect(yield* raw.code('bc_insert', ...own, ...frame.capability, 9, dirty)).toBe(ERRORS.E_RANGE);
        }
        expect(yield* raw.code('bc_insert', ...own, ...frame.capability, 9, 1)).toBe(0);
        expect(yield* raw.code('bc_insert', ...own, ...other.capability, 9, 0)).toBe(ERRORS.E_BUSY);
        expect(yield* raw.code('bc_insert', ...own, ...frame.capability, 10, 0)).toBe(ERRORS.E_BUSY);
        expect(yield* raw.code('bc_words', ...own, 9, 3, 4)).toBe(0);
        expect(entry(9)).toMatchObject({ ppn: frame.ppn, dirty: 1, owner: 0, word0: 3, word1: 4 });
        for (const [call, args] of [
          ['bc_dirty', [0]],
          ['bc_words', [0, 0]],
          ['bc_remove', []],
        ] as const) {
          expect(yield* raw.code(call, ...reader, 9, ...args), call).toBe(ERRORS.E_CAP);
          expect(yield* raw.code(call, ...own, 11, ...args), call).toBe(ERRORS.E_NONE);
          expect(yield* raw.code(call, ...own, 17, ...args), call).toBe(ERRORS.E_RANGE);
        }
        expect(yield* raw.code('bc_dirty', ...own, 9, 2)).toBe(ERRORS.E_RANGE);
        // The inserter lets go: the registry keeps it.
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(ERRORS.E_BUSY);
        expect(yield* raw.code('bc_remove', ...own, 9)).toBe(0);
        expect(yield* raw.code('bc_remove', ...own, 9)).toBe(ERRORS.E_NONE);
        expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(0);
        return 0;
      },
    ]);
  });

  test('there are so many entries: a full table makes room for the next with the least used clean one', () => {
    run(
      [
        function* (raw) {
          const own = yield* extent(raw, 0, BUFFER_LIMIT + 2);
          const all: RawFrame[] = [];
          // A family that is still to come is guaranteed the others.
          const most = BUFFER_LIMIT - QUOTAS.buffers.minimum;
          for (let block = 0; block < most; block += 1) {
            const frame = yield* raw.frame();
            all.push(frame);
            expect(yield* raw.code('bc_insert', ...own, ...frame.capability, block, 0)).toBe(0);
          }
          const last = yield* raw.frame();
          // Each is held.
          expect(yield* raw.code('bc_insert', ...own, ...last.capability, most, 0)).toBe(ERRORS.E_NONE);
          expect(yield* raw.code('frame_free', ...(all[5]?.capability ?? NONE))).toBe(0);
          expect(yield* raw.code('bc_insert', ...own, ...last.capability, most, 0)).toBe(0);
          expect(entry(5)).toBeUndefined();
          return 0;
        },
      ],
      memoryStore(new Uint8Array((BUFFER_LIMIT + 2) * PAGE_BYTES)),
    );
  }, 20_000);
});

describe('writing back', () => {
  test('who may write the block; anyone, if nobody holds it; not while it is being written', () => {
    const contents = numbered();
    const shared: { own: CapabilityWords; step: number } = { own: NONE, step: 0 };
    run(
      [
        granted(8, 8, function* (raw) {
          shared.own = yield* raw.granted('extent');
          yield* read(raw, 9);
          const frame = yield* map(raw, shared.own, 9);
          expect(yield* look(raw, frame, true)).toBe(word(9));
          expect(yield* raw.poke(WINDOW, 0x55)).toBe(0);
          // What is clean is written already.
          expect(yield* raw.code('bc_write', ...shared.own, 9, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(1);
          expect(contents[9 * PAGE_BYTES]).toBe(9);
          expect(yield* raw.code('bc_dirty', ...shared.own, 9, 1)).toBe(0);
          shared.step = 1;
          while (shared.step < 2) yield* raw.sleep(1);
          expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
          shared.step = 3;
          while (shared.step < 4) yield* raw.sleep(1);
          expect(contents[9 * PAGE_BYTES]).toBe(0x55);
          return 0;
        }),
        function* (raw) {
          while (shared.step < 1) yield* raw.sleep(1);
          const [head, name, low, high] = shared.own;
          expect(yield* raw.code('bc_write', ...NONE, 9, 0)).toBe(ERRORS.E_CAP);
          expect(yield* raw.code('bc_write', head, name, low ^ 1, high, 9, 0)).toBe(ERRORS.E_CAP);
          shared.step = 2;
          while (shared.step < 3) yield* raw.sleep(1);
          expect(yield* raw.code('bc_write', head, name, low ^ 1, high, 9, 0)).toBe(ERRORS.E_CAP);
          expect(yield* raw.code('bc_write', ...NONE, 10, 0)).toBe(ERRORS.E_NONE);
          expect(yield* raw.code('bc_write', ...NONE, 9, 16)).toBe(ERRORS.E_RANGE);
          expect(yield* raw.code('bc_write', ...NONE, 9, 0)).toBe(0);
          expect(entry(9)).toMatchObject({ state: BUFFER_STATES.goingOut, dirty: 0 });
          expect(yield* raw.code('bc_write', ...NONE, 9, 1)).toBe(ERRORS.E_AGAIN);
          // Mapped meanwhile, and written again: dirty again.
          yield* map(raw, shared.own, 9);
          expect(yield* raw.code('bc_dirty', ...shared.own, 9, 1)).toBe(0);
          expect(yield* complete(raw)).toBe(1);
          expect(entry(9)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
          shared.step = 4;
          return 0;
        },
      ],
      memoryStore(contents),
    );
  });

  test('a disk that fails leaves the block dirty', () => {
    const store = memoryStore(numbered());
    const failing: BlockStore = {
      blocks: store.blocks,
      read: (first, into) => {
        store.read(first, into);
      },
      write: () => {
        throw new Error('no more');
      },
      flush: () => undefined,
    };
    run(
      [
        function* (raw) {
          const own = yield* extent(raw, 0, 4);
          const { capability } = yield* raw.frame();
          expect(yield* raw.code('bc_insert', ...own, ...capability, 1, 1)).toBe(0);
          expect(yield* raw.code('bc_write', ...own, 1, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(ERRORS.E_DEVICE);
          expect(entry(1)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
          return 0;
        },
      ],
      failing,
    );
  });
});

describe('what is kept', () => {
  test('clean blocks that nobody holds, until frames run out: then the least used; never dirty or held ones', () => {
    run(
      [
        function* (raw) {
          const own = yield* extent(raw, 0, 16);
          for (const block of [1, 2, 3, 4]) yield* read(raw, block);
          // 1 is used again, 2 is held, 3 is dirty.
          const one = yield* map(raw, own, 1);
          yield* raw.code('frame_free', ...one.capability);
          yield* map(raw, own, 2);
          expect(yield* raw.code('bc_dirty', ...own, 3, 1)).toBe(0);
          const free = kernel.booted?.aegis.framesFree ?? 0;
          for (let i = 0; i < free; i += 1) yield* raw.frame();
          expect([1, 2, 3, 4].map((block) => entry(block) !== undefined)).toEqual([true, true, true, true]);
          const next = yield* raw.frame();
          expect([1, 2, 3, 4].map((block) => entry(block) !== undefined)).toEqual([true, true, true, false]);
          // Contents are zero, and the old capability is dead.
          expect(yield* look(raw, next, true)).toBe(0);
          yield* raw.frame(one.ppn);
          expect(yield* raw.bind(WINDOW, one)).toBe(ERRORS.E_CAP);
          expect(yield* raw.code('frame_alloc', -1)).toBe(ERRORS.E_NONE);
          expect(yield* raw.code('frame_alloc', entry(2)?.ppn ?? 0)).toBe(ERRORS.E_BUSY);
          expect(yield* raw.code('frame_alloc', entry(3)?.ppn ?? 0)).toBe(ERRORS.E_BUSY);
          expect(yield* raw.code('bc_read', 5, 0)).toBe(ERRORS.E_NONE);
          return 0;
        },
      ],
      undefined,
      2 << 20,
    );
  });

  test('a branch that ends ends with all that was mapped by it; what was not on the disk yet stays the block’s', () => {
    const contents = numbered();
    const shared: { branch: CapabilityWords; step: number } = { branch: NONE, step: 0 };
    run(
      [
        granted(8, 4, function* (raw) {
          const own = yield* raw.granted('extent');
          const made = yield* raw.call('cap_derive', ...own, RIGHTS.read | RIGHTS.write, 1);
          shared.branch = made.capability;
          for (const block of [8, 9]) yield* read(raw, block);
          shared.step = 1;
          while (shared.step < 2) yield* raw.sleep(1);
          expect(yield* raw.code('cap_revoke', ...own, made.value)).toBe(0);
          // 8 was clean: it is on the disk. 9 was not: it is kept.
          expect(entry(8)).toBeUndefined();
          shared.step = 3;
          while (shared.step < 4) yield* raw.sleep(1);
          const frame = yield* map(raw, own, 9);
          expect(yield* look(raw, frame)).toBe(1234);
          expect(yield* raw.code('bc_write', ...own, 9, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(1);
          return 0;
        }),
        function* (raw) {
          while (shared.step < 1) yield* raw.sleep(1);
          yield* map(raw, shared.branch, 8);
          const frame = yield* map(raw, shared.branch, 9);
          expect(yield* look(raw, frame, true)).toBe(word(9));
          expect(yield* raw.poke(WINDOW, 1234)).toBe(0);
          expect(yield* raw.code('bc_dirty', ...shared.branch, 9, 1)).toBe(0);
          shared.step = 2;
          while (shared.step < 3) yield* raw.sleep(1);
          expect(yield* raw.code('bc_map', ...shared.branch, 9)).toBe(ERRORS.E_CAP);
          // The frame is the block's still, and the branch led to it.
          expect(entry(9)?.ppn).toBe(frame.ppn);
          expect(yield* raw.poke(WINDOW, 666)).toBe(EXCEPTIONS.tlbs);
          expect(yield* raw.bind(WINDOW, frame)).toBe(ERRORS.E_CAP);
          shared.step = 4;
          return 0;
        },
      ],
      memoryStore(contents),
    );
    expect(new DataView(contents.buffer).getUint32(9 * PAGE_BYTES, true)).toBe(1234);
  });

  test('the end of an environment in the middle: its reads come in, its writes go out, its dirty blocks can be flushed', () => {
    const contents = numbered();
    const shared = { done: false };
    run(
      [
        function* (raw) {
          while (!shared.done) yield* raw.sleep(1);
          yield* raw.sleep(20);
          expect(entry(3)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 0 });
          expect(entry(10)).toMatchObject({ state: BUFFER_STATES.valid, dirty: 1 });
          // Written back when its owner died; it went out, and then nobody's right to it was left.
          expect(entry(11)).toBeUndefined();
          expect(yield* raw.code('bc_write', ...NONE, 10, 0)).toBe(0);
          expect(yield* complete(raw)).toBe(1);
          // Whoever gets the blocks begins with what is on the disk.
          yield* extent(raw, 8, 8);
          expect(entry(10)).toBeUndefined();
          expect(entry(3)).toBeDefined();
          return 0;
        },
        function* (raw) {
          const own = yield* extent(raw, 8, 8);
          for (const [block, value] of [
            [10, 0xa0],
            [11, 0xb0],
          ] as const) {
            const frame = yield* raw.frame();
            yield* raw.fill(frame, Uint8Array.of(value));
            expect(yield* raw.code('bc_insert', ...own, ...frame.capability, block, 1)).toBe(0);
          }
          expect(yield* raw.code('bc_read', 3, 0)).toBe(0);
          expect(yield* raw.code('bc_write', ...own, 11, 1)).toBe(0);
          shared.done = true;
          return 0;
        },
      ],
      memoryStore(contents),
    );
    expect([contents[10 * PAGE_BYTES], contents[11 * PAGE_BYTES]]).toEqual([0xa0, 0xb0]);
  });

  test('a frame that is taken away from its last holder is free, unless it has what is not on the disk', () => {
    run([
      function* (raw) {
        const own = yield* extent(raw, 0, 4);
        const frames = [yield* raw.frame(), yield* raw.frame()];
        for (const [block, { capability }] of frames.entries()) {
          expect(yield* raw.code('bc_insert', ...own, ...capability, block, block)).toBe(0);
        }
        for (const { ppn } of frames) kernel.booted?.aegis.parts.registry.releaseFrame(0, ppn);
        expect([entry(0) !== undefined, entry(1) !== undefined]).toEqual([false, true]);
        return 0;
      },
    ]);
  });
});

describe('a family that lacks frames', () => {
  test('gets those of dirty blocks that no environment holds: they are written, and are not in the way meanwhile', () => {
    const shared = { ready: false, full: false, done: false };
    const contents = numbered();
    run(
      [
        function* (raw) {
          for (let i = 2; i < 6; i += 1) yield* raw.code('frame_free', ...(yield* raw.segment(i)));
          shared.ready = true;
          while (!shared.full) yield* raw.sleep(1);
          for (let got = 0; got < 4;) {
            const code = yield* raw.code('frame_alloc', -1);
            expect([0, ERRORS.E_AGAIN]).toContain(code);
            if (code === 0) got += 1;
            else yield* raw.sleep(1);
          }
          shared.done = true;
          return 0;
        },
        function* (raw) {
          const own = yield* extent(raw, 0, BLOCKS);
          while (!shared.ready) yield* raw.sleep(1);
          // Its own frames come down to its minimum; all others are dirty blocks.
          const seen = new Set<number>();
          for (let block = 0; ; block += 1) {
            const { code, value, capability } = yield* raw.call('frame_alloc', -1);
            if (code !== 0) break;
            yield* raw.fill({ ppn: value, capability }, new Uint8Array(64).fill(0xdd));
            expect(yield* raw.code('bc_insert', ...own, ...capability, block, 1)).toBe(0);
            expect(yield* raw.code('frame_free', ...capability)).toBe(0);
          }
          shared.full = true;
          while (!shared.done) {
            for (let block = 0; block < BLOCKS; block += 1) {
              const state = entry(block)?.state;
              if (state !== BUFFER_STATES.leaving) continue;
              const codes = [
                yield* raw.code('bc_map', ...own, block),
                yield* raw.code('bc_dirty', ...own, block, 1),
                yield* raw.code('bc_remove', ...own, block),
              ];
              // The last of them may come when it is gone.
              expect(codes.every((code) => code === ERRORS.E_AGAIN || code === ERRORS.E_NONE)).toBe(true);
              if (codes.every((code) => code === ERRORS.E_AGAIN)) seen.add(block);
            }
            yield* raw.routine('kit.yield', -1);
          }
          expect(seen.size).toBeGreaterThan(0);
          for (const block of seen) expect(contents[block * PAGE_BYTES]).toBe(0xdd);
          return 0;
        },
      ],
      memoryStore(contents),
      memoryFor(60),
    );
  });
});
