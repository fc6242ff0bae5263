/** What a freed block held is not readable by its next owner: allocated blocks are blank until they are written. [SOSP95 §3] */
import { ERRORS, NODES_PER_ENV, PAGE_BYTES, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { WINDOW, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { BLANK_LIMIT } from '../src/tables.ts';
import { BLOCKS, complete, extent, kernel, numbered, runOnDisk } from './disk-support.ts';

const word = (byte: number): number => (byte * 0x01010101) | 0;

function* first(raw: Raw, frame: RawFrame): Fiber<number | undefined> {
  expect(yield* raw.bind(WINDOW, frame)).toBe(0);
  return yield* raw.peek(WINDOW);
}

/** Moves one block. Returns its completion word. */
function* move(
  raw: Raw,
  call: 'disk_read' | 'disk_write',
  own: CapabilityWords,
  at: number,
  f: RawFrame,
): Fiber<number> {
  expect(yield* raw.code(call, ...own, ...f.capability, at, 0)).toBe(0);
  return yield* complete(raw);
}

/** The first word of a block, read in one of several ways into a frame that held something else. */
function* read(raw: Raw, own: CapabilityWords, start: number, at: number): Fiber<number | undefined> {
  const frame = yield* raw.frame();
  yield* raw.fill(frame, new Uint8Array(PAGE_BYTES).fill(0x99));
  expect(yield* move(raw, 'disk_read', own, at, frame)).toBe(1);
  const direct = yield* first(raw, frame);
  expect(yield* raw.code('bc_read', start + at, 0)).toBe(0);
  expect(yield* complete(raw)).toBe(1);
  const { value, capability } = yield* raw.call('bc_map', ...own, start + at);
  expect(yield* first(raw, { ppn: value, capability })).toBe(direct);
  expect(yield* raw.code('bc_remove', ...own, start + at)).toBe(0);
  return direct;
}

test('the next owner of blocks reads zeros until it has written them; images read what lies on theirs', () => {
  const contents = numbered();
  runOnDisk(
    [
      {
        extent: { start: 8, blocks: 8 },
        main: function* (raw) {
          const granted = yield* raw.granted('extent');
          expect(yield* read(raw, granted, 8, 3)).toBe(word(11));
          expect(yield* raw.code('extent_free', ...granted)).toBe(0);
          const own = yield* extent(raw, 8, 8);
          for (const at of [0, 3, 7]) expect(yield* read(raw, own, 8, at)).toBe(0);
          const frame = yield* raw.frame();
          yield* raw.fill(frame, Uint8Array.of(0x77, 0, 0, 0));
          expect(yield* move(raw, 'disk_write', own, 3, frame)).toBe(1);
          expect(yield* read(raw, own, 8, 3)).toBe(0x77);
          for (const at of [2, 4]) expect(yield* read(raw, own, 8, at)).toBe(0);
          // Blocks that no image has are blank too: an owner before the last boot may have left something.
          const other = yield* extent(raw, 40, 2);
          expect(yield* read(raw, other, 40, 0)).toBe(0);
          expect(yield* raw.code('extent_free', ...own)).toBe(0);
          expect(yield* read(raw, yield* extent(raw, 10, 4), 10, 1)).toBe(0);
          return 0;
        },
      },
    ],
    memoryStore(contents),
  );
  // The disk itself is as it was, but for what was written.
  expect([contents[10 * PAGE_BYTES], contents[11 * PAGE_BYTES], contents[40 * PAGE_BYTES]]).toEqual([10, 0x77, 40]);
});

test('a request for blank blocks and others gives zeros for the blank ones; a write that was asked for before is seen', () => {
  runOnDisk([
    {
      main: function* (raw) {
        const own = yield* extent(raw, 8, 8);
        const out = yield* raw.frame();
        yield* raw.fill(out, new Uint8Array(PAGE_BYTES).fill(0x55));
        const frames: RawFrame[] = [];
        for (let i = 0; i < 8; i += 1) frames.push(yield* raw.frame());
        const list = yield* raw.frame();
        yield* raw.fill(
          list,
          new Uint8Array(new Uint32Array(frames.flatMap(({ capability }, i) => [...capability, i])).buffer),
        );
        for (const at of [2, 5]) expect(yield* raw.code('disk_write', ...own, ...out.capability, at, 1)).toBe(0);
        expect(yield* raw.code('disk_request', ...own, ...list.capability, 8, 0, 2)).toBe(0);
        while ((kernel.booted?.aegis.parts.disk.inFlight.length ?? 0) > 0) yield* raw.sleep(1);
        const seen: (number | undefined)[] = [];
        for (const frame of frames) seen.push(yield* first(raw, frame));
        expect(seen).toEqual([0, 0, word(0x55), 0, 0, word(0x55), 0, 0]);
        return 0;
      },
    },
  ]);
});

test('a write that fails leaves a block blank', () => {
  const store = memoryStore(numbered());
  const failing: BlockStore = {
    blocks: store.blocks,
    read: (at, into) => {
      store.read(at, into);
    },
    write: () => {
      throw new Error('bad');
    },
    flush: () => undefined,
  };
  runOnDisk(
    [
      {
        main: function* (raw) {
          const own = yield* extent(raw, 8, 8);
          expect(yield* move(raw, 'disk_write', own, 1, yield* raw.frame())).toBe(ERRORS.E_DEVICE);
          expect(yield* read(raw, own, 8, 1)).toBe(0);
          return 0;
        },
      },
    ],
    failing,
  );
});

test('a block that gets an owner while it is being read comes in blank', () => {
  runOnDisk([
    {
      main: function* (raw) {
        expect(yield* raw.code('bc_read', 9, 0)).toBe(0);
        const own = yield* extent(raw, 8, 4);
        expect(yield* complete(raw)).toBe(1);
        const { value, capability } = yield* raw.call('bc_map', ...own, 9);
        expect(yield* first(raw, { ppn: value, capability })).toBe(0);
        return 0;
      },
    },
  ]);
});

test('beyond the blocks that the kernel has bits for none is allocated; all bits of a large extent are set, no others', () => {
  const store: BlockStore = {
    blocks: 8 * (BLANK_LIMIT + 100),
    read: (_, into) => into.fill(0x33),
    write: () => undefined,
    flush: () => undefined,
  };
  runOnDisk(
    [
      {
        extent: { start: BLANK_LIMIT - 1, blocks: 2 },
        main: function* (raw) {
          expect(yield* raw.code('extent_alloc', BLANK_LIMIT, 1)).toBe(ERRORS.E_RANGE);
          expect(yield* raw.code('extent_alloc', -1, BLANK_LIMIT + 1)).toBe(ERRORS.E_RANGE);
          const granted = yield* raw.granted('extent');
          yield* extent(raw, 3, 1000);
          const isBlank = (block: number): boolean => kernel.booted?.aegis.parts.extents.isBlank(block) ?? false;
          const all = Array.from({ length: 2000 }, (_, block) => block);
          expect(all.filter(isBlank)).toEqual(all.slice(3, 1003));
          for (const at of [0, 1]) expect(yield* read(raw, granted, BLANK_LIMIT - 1, at)).toBe(word(0x33));
          return 0;
        },
      },
    ],
    store,
  );
});

test('a frame that others hold is read into by way of the kernel, and not when the reader has died', () => {
  const shared: { frame: RawFrame | undefined; step: number } = { frame: undefined, step: 0 };
  runOnDisk([
    {
      main: function* (raw) {
        const frame = yield* raw.frame();
        shared.frame = frame;
        while (shared.step < 1) yield* raw.sleep(1);
        yield* raw.sleep(20);
        expect(kernel.booted?.aegis.parts.disk.inFlight).toEqual([]);
        expect(yield* first(raw, frame)).toBe(0);
        return 0;
      },
    },
    {
      extent: { start: 8, blocks: 8 },
      main: function* (raw) {
        while (shared.frame === undefined) yield* raw.sleep(1);
        const { frame } = shared;
        expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...frame.capability)).toBe(0);
        const own = yield* raw.granted('extent');
        expect(yield* move(raw, 'disk_read', own, 2, frame)).toBe(1);
        expect(yield* first(raw, frame)).toBe(word(10));
        expect(yield* raw.poke(WINDOW, 0)).toBe(0);
        expect(yield* raw.code('disk_read', ...own, ...frame.capability, 3, 0)).toBe(0);
        shared.step = 1;
        return 0;
      },
    },
  ]);
});

test('a transfer through a branch of one’s own frame ends with the branch', () => {
  runOnDisk([
    {
      extent: { start: 8, blocks: 8 },
      main: function* (raw) {
        const own = yield* raw.granted('extent');
        const frame = yield* raw.frame();
        const branch = yield* raw.call('cap_derive', ...frame.capability, RIGHTS.read | RIGHTS.write, 1);
        expect(yield* raw.code('disk_read', ...own, ...branch.capability, 2, 0)).toBe(0);
        expect(yield* raw.code('cap_revoke', ...frame.capability, branch.value)).toBe(0);
        expect(yield* complete(raw)).toBe(ERRORS.E_DEVICE);
        expect(yield* first(raw, frame)).toBe(0);
        return 0;
      },
    },
  ]);
});

test('what is written back is what it was when it began, whatever is stored meanwhile', () => {
  const contents = new Uint8Array(BLOCKS * PAGE_BYTES);
  runOnDisk(
    [
      {
        main: function* (raw) {
          const own = yield* extent(raw, 8, 4);
          const frame = yield* raw.frame();
          yield* raw.fill(frame, Uint8Array.of(1));
          expect(yield* raw.code('bc_insert', ...own, ...frame.capability, 9, 1)).toBe(0);
          expect(yield* raw.code('bc_write', ...own, 9, 0)).toBe(0);
          yield* raw.fill(frame, Uint8Array.of(2));
          expect(yield* complete(raw)).toBe(1);
          expect(contents[9 * PAGE_BYTES]).toBe(1);
          return 0;
        },
      },
    ],
    memoryStore(contents),
  );
});

test('blocks mapped through a branch count among the nodes of who maps, until it frees their frames', () => {
  runOnDisk([
    {
      main: function* (raw) {
        const own = yield* extent(raw, 0, BLOCKS);
        const branch = (yield* raw.call('cap_derive', ...own, RIGHTS.read, 1)).capability;
        expect(yield* raw.code('bc_read', 2, 0)).toBe(0);
        expect(yield* complete(raw)).toBe(1);
        const inserted = yield* raw.frame();
        expect(yield* raw.code('bc_insert', ...own, ...inserted.capability, 1, 0)).toBe(0);
        // It lives on when the mapping ends.
        const child = yield* raw.call('env_alloc');
        expect(yield* raw.code('frame_hold', ...child.capability, ...inserted.capability)).toBe(0);
        const mapped = (yield* raw.call('bc_map', ...branch, 1)).capability;
        expect((yield* raw.call('bc_map', ...branch, 1)).capability).toEqual(mapped);
        for (let i = 2; i < NODES_PER_ENV; i += 1) {
          expect(yield* raw.code('cap_derive', ...own, RIGHTS.read, 1)).toBe(0);
        }
        expect(yield* raw.code('bc_map', ...branch, 2)).toBe(ERRORS.E_NONE);
        expect(yield* raw.code('frame_free', ...mapped)).toBe(0);
        expect(yield* raw.code('cap_derive', ...mapped, RIGHTS.read, 0)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('cap_derive', ...inserted.capability, RIGHTS.read, 0)).toBe(0);
        expect(yield* raw.code('bc_map', ...branch, 2)).toBe(0);
        return 0;
      },
    },
  ]);
});
