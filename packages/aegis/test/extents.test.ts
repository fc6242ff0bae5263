/** Extents that environments allocate, requests of many blocks, and what everyone sees of the disk. [SOSP95 §3], [XOK] */
import {
  DISK,
  ENTRYLO,
  ERRORS,
  EXPOSED,
  EXTENT,
  EXTENT_BYTES,
  EXTENT_LIMIT,
  PAGE_BYTES,
  REQUEST,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  RIGHTS,
  TRANSFER_LIMIT,
  U,
  WELL_KNOWN_READ,
  type CapabilityWords,
} from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import { WINDOW, type Booted, type Fiber, type Raw, type RawFrame } from '../../testkit/src/index.ts';
import { BLOCKS, NONE, extent, kernel, numbered, runOnDisk } from './disk-support.ts';

const completion = (slot: number): number => 0x1000 + U.completion + 4 * slot;

function run(mains: readonly ((raw: Raw) => Fiber<number>)[], store?: BlockStore): Booted {
  return runOnDisk(
    mains.map((main) => ({ main })),
    store,
  );
}

interface Entry {
  readonly capability: CapabilityWords;
  readonly block: number;
}

/** Starts a request whose list is made of these entries. */
function* request(
  raw: Raw,
  own: CapabilityWords,
  entries: readonly Entry[],
  { write = 0, slot = 0, count = entries.length }: { write?: number; slot?: number; count?: number } = {},
): Fiber<number> {
  const list = yield* raw.frame();
  const words = new Uint32Array(entries.flatMap(({ capability, block }) => [...capability, block]));
  yield* raw.fill(list, new Uint8Array(words.buffer));
  const code = yield* raw.code('disk_request', ...own, ...list.capability, count, write, slot);
  expect(yield* raw.code('frame_free', ...list.capability)).toBe(0);
  return code;
}

/** Waits until a request is finished; returns what its completion word was on the way, all of it if `closely` watched. */
function* finish(raw: Raw, slot: number, closely = false): Fiber<number[]> {
  const seen: number[] = [];
  for (;;) {
    const left = yield* raw.fibers.load(completion(slot));
    if (seen.at(-1) !== left) seen.push(left);
    if (left <= 0) return seen;
    if (closely) yield* raw.call('null');
    else yield* raw.sleep(1);
  }
}

function* firstByte(raw: Raw, frame: RawFrame): Fiber<number> {
  expect(yield* raw.bind(WINDOW, frame)).toBe(0);
  return ((yield* raw.peek(WINDOW)) ?? -1) & 0xff;
}

describe('extents', () => {
  test('impossible ones, taken ones, more than there are', () => {
    run([
      function* (raw) {
        for (const [start, blocks] of [
          [0, 0],
          [0, -1],
          [-2, 1],
          [0, BLOCKS + 1],
          [BLOCKS, 1],
          [BLOCKS - 1, 2],
          [0x7fffffff, 1],
          [-0x80000000, 1],
          [1, 0x7fffffff],
          [-1, BLOCKS + 1],
        ] as const) {
          expect(yield* raw.code('extent_alloc', start, blocks), `${start} ${blocks}`).toBe(ERRORS.E_RANGE);
        }
        const own = yield* extent(raw, 10, 10);
        for (const [start, blocks] of [
          [10, 10],
          [0, 11],
          [19, 1],
          [0, BLOCKS],
          [12, 2],
        ] as const) {
          expect(yield* raw.code('extent_alloc', start, blocks)).toBe(ERRORS.E_BUSY);
        }
        expect(yield* raw.call('extent_alloc', -1, 11)).toMatchObject({ code: 0, value: 20 });
        expect(yield* raw.call('extent_alloc', -1, 10)).toMatchObject({ code: 0, value: 0 });
        expect(yield* raw.code('extent_alloc', -1, 34)).toBe(ERRORS.E_NONE);
        expect(yield* raw.code('extent_free', ...own)).toBe(0);
        expect(yield* raw.code('extent_free', ...own)).toBe(ERRORS.E_CAP);
        const again = yield* extent(raw, 10, 10);
        const { capability } = yield* raw.frame();
        expect(yield* raw.code('disk_read', ...own, ...capability, 0, 0)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('disk_read', ...again, ...capability, 0, 0)).toBe(0);
        return 0;
      },
    ]);
  });

  test('there are so many; those of the dead are free', () => {
    const shared = { done: false };
    run(
      [
        function* (raw) {
          while (!shared.done) yield* raw.sleep(1);
          // To end with so many takes its time.
          yield* raw.sleep(30);
          yield* extent(raw, 0, EXTENT_LIMIT * 2);
          return 0;
        },
        function* (raw) {
          // The other family is guaranteed some, and one that is still to come.
          for (let i = 0; i < EXTENT_LIMIT - 2 * QUOTAS.extents.minimum; i += 1) yield* extent(raw, -1, 1);
          expect(yield* raw.code('extent_alloc', -1, 1)).toBe(ERRORS.E_NONE);
          shared.done = true;
          return 0;
        },
      ],
      memoryStore(new Uint8Array(EXTENT_LIMIT * 2 * PAGE_BYTES)),
    );
  });

  test('a freed extent’s blocks are nobody’s until what is under way to them is done: no late write hits an heir', () => {
    const contents = numbered();
    run(
      [
        function* (raw) {
          const own = yield* extent(raw, 40, 8);
          const frame = yield* raw.frame();
          yield* raw.fill(frame, new Uint8Array(PAGE_BYTES).fill(0x77));
          const entries = Array.from({ length: 8 }, (_, i) => ({ capability: frame.capability, block: (i * 3) % 8 }));
          expect(yield* request(raw, own, entries, { write: 1 })).toBe(0);
          expect(yield* raw.code('extent_free', ...own)).toBe(0);
          expect(yield* raw.code('extent_alloc', 47, 1)).toBe(ERRORS.E_BUSY);
          expect((yield* finish(raw, 0)).at(-1)).toBe(0);
          yield* extent(raw, 47, 1);
          return 0;
        },
      ],
      memoryStore(contents),
    );
    expect(contents.subarray(40 * PAGE_BYTES, 48 * PAGE_BYTES).every((byte) => byte === 0x77)).toBe(true);
  });
});

describe('requests of many blocks', () => {
  test('are written from and read into the frames they name; the completion word counts down to 0', () => {
    const contents = numbered();
    const booted = runOnDisk(
      [
        {
          extent: { start: 8, blocks: 32 },
          main: function* (raw) {
            const own = yield* raw.granted('extent');
            const frames: RawFrame[] = [];
            for (let i = 0; i < 20; i += 1) frames.push(yield* raw.frame());
            // Neighbours, in order and not, and twice the same.
            const blocks = [0, 1, 2, 3, 30, 5, 4, 5, ...Array.from({ length: 12 }, (_, i) => 10 + i)];
            const entries = blocks.map((block, i) => ({ capability: frames[i]?.capability ?? NONE, block }));
            expect(yield* request(raw, own, entries, { slot: 3 })).toBe(0);
            const seen = yield* finish(raw, 3, true);
            expect(seen.at(0)).toBe(20);
            expect(seen.at(-1)).toBe(0);
            expect([...seen].sort((a, b) => b - a)).toEqual(seen);
            // 0 to 3 as one, 30, 5, 4 and 5, 10 to 21.
            expect(seen).toEqual([20, 16, 15, 14, 12, 0]);
            for (const [i, block] of blocks.entries())
              expect(yield* firstByte(raw, frames[i] as RawFrame)).toBe(8 + block);
            yield* raw.fill(frames[0] as RawFrame, new Uint8Array(PAGE_BYTES).fill(0xaa));
            yield* raw.fill(frames[1] as RawFrame, new Uint8Array(PAGE_BYTES).fill(0xbb));
            expect(yield* request(raw, own, entries.slice(0, 2), { write: 1 })).toBe(0);
            yield* finish(raw, 0);
            return 0;
          },
        },
      ],
      memoryStore(contents),
    );
    expect(contents.subarray(7 * PAGE_BYTES, 11 * PAGE_BYTES).filter((_, i) => i % PAGE_BYTES === 0)).toEqual(
      Uint8Array.of(7, 0xaa, 0xbb, 10),
    );
    expect(booted.machine.memory.load32(EXPOSED.disk + DISK.requests)).toBe(0);
  });

  test('what is wrong with one entry is wrong with all: nothing is begun', () => {
    run([
      function* (raw) {
        const own = yield* extent(raw, 8, 4);
        const frame = yield* raw.frame();
        const other = yield* raw.frame();
        const good = { capability: frame.capability, block: 0 };
        const readOnly = (yield* raw.call('cap_derive', ...frame.capability, RIGHTS.read, 0)).capability;
        const [head, ppn, low, high] = frame.capability;
        const before = yield* raw.fibers.load(completion(0));
        for (const [what, capability] of [
          ['null', NONE],
          ['forged', [head, ppn, low ^ 1, high]],
          ['another frame', [head, other.ppn, low, high]],
          ['no frame', own],
          ['a frame of the kernel', [head, 0x20, low, high]],
          ['only to be read', readOnly],
        ] as const) {
          expect(yield* request(raw, own, [good, { capability, block: 1 }]), what).toBe(ERRORS.E_CAP);
        }
        for (const block of [4, 5, -1, 0x7fffffff, 0x80000000]) {
          expect(yield* request(raw, own, [good, { capability: frame.capability, block }])).toBe(ERRORS.E_RANGE);
        }
        for (const [key, values] of [
          ['count', [0, -1, TRANSFER_LIMIT + 1, 0x7fffffff]],
          ['write', [2, -1]],
          ['slot', [16, -1, 0x7fffffff]],
        ] as const) {
          for (const value of values) {
            expect(yield* request(raw, own, [good], { [key]: value }), `${key} ${value}`).toBe(ERRORS.E_RANGE);
          }
        }
        const reader = (yield* raw.call('cap_derive', ...own, RIGHTS.read, 0)).capability;
        expect(yield* request(raw, reader, [good], { write: 1 })).toBe(ERRORS.E_CAP);
        expect(yield* request(raw, own, [{ capability: readOnly, block: 0 }], { write: 1 })).toBe(0);
        yield* finish(raw, 0);
        expect(before).toBe(0);
        expect(kernel.booted?.aegis.parts.disk.inFlight).toEqual([]);
        return 0;
      },
    ]);
  });

  test('more than the queue has room for: none of it is begun', () => {
    run([
      function* (raw) {
        const own = yield* extent(raw, 0, BLOCKS);
        const { capability } = yield* raw.frame();
        // No two are neighbours: each is a request.
        const entries = Array.from({ length: TRANSFER_LIMIT }, (_, i) => ({ capability, block: (i * 2) % BLOCKS }));
        let codes = 0;
        for (let slot = 0; slot < 4; slot += 1) codes += (yield* request(raw, own, entries, { slot })) === 0 ? 1 : 0;
        // The last places are kept for other families. To ask takes so long that some of the first are done meanwhile.
        expect([1, 2]).toContain(codes);
        expect(REQUEST_LIMIT / TRANSFER_LIMIT).toBe(2);
        for (let slot = 0; slot < codes; slot += 1) expect((yield* finish(raw, slot)).at(-1)).toBe(0);
        return 0;
      },
    ]);
  });

  test('a disk that fails: the word counts down, and then says so', () => {
    let reads = 0;
    const store = memoryStore(numbered());
    const failing: BlockStore = {
      blocks: store.blocks,
      read: (first, into) => {
        reads += 1;
        if (reads === 2) throw new Error('no more');
        store.read(first, into);
      },
      write: (first, from) => {
        store.write(first, from);
      },
      flush: () => undefined,
    };
    run(
      [
        function* (raw) {
          const own = yield* extent(raw, 0, 8);
          const { capability } = yield* raw.frame();
          const entries = [0, 2, 4].map((block) => ({ capability, block }));
          expect(yield* request(raw, own, entries)).toBe(0);
          expect(yield* finish(raw, 0, true)).toEqual([3, 2, 1, ERRORS.E_DEVICE]);
          return 0;
        },
      ],
      failing,
    );
  });

  test('a frame that is taken away: what the device has not begun fails, what it has begun is finished', () => {
    run([
      function* (raw) {
        const own = yield* extent(raw, 0, BLOCKS);
        const [kept, taken] = [yield* raw.frame(), yield* raw.frame()];
        const many = Array.from({ length: 60 }, (_, i) => ({ capability: kept.capability, block: (i * 2) % BLOCKS }));
        expect(yield* request(raw, own, many, { slot: 0 })).toBe(0);
        expect(yield* request(raw, own, [{ capability: taken.capability, block: 1 }], { slot: 1 })).toBe(0);
        kernel.booted?.aegis.parts.disk.releaseFrame(0, taken.ppn);
        expect(yield* raw.fibers.load(completion(1))).toBe(ERRORS.E_DEVICE);
        expect(yield* firstByte(raw, taken)).toBe(0);
        kernel.booted?.aegis.parts.disk.releaseFrame(0, kept.ppn);
        expect((yield* finish(raw, 0)).at(-1)).toBe(ERRORS.E_DEVICE);
        return 0;
      },
    ]);
  });
});

test('everyone sees the disk, its arm and its queue', () => {
  const shared = { ready: false, seen: false };
  run([
    function* (raw) {
      const expose = (va: number, physical: number): Fiber<number> =>
        raw.code('tlbwr', va, physical | ENTRYLO.valid, ...WELL_KNOWN_READ, 0);
      expect(yield* expose(WINDOW, EXPOSED.disk)).toBe(0);
      expect(yield* expose(WINDOW + 0x1000, EXPOSED.requests)).toBe(0);
      expect(yield* expose(WINDOW + 0x2000, EXPOSED.extents)).toBe(0);
      const disk = (field: number): Fiber<number | undefined> => raw.peek(WINDOW + field);
      expect(yield* disk(DISK.blocks)).toBe(BLOCKS);
      const cylinders = (yield* disk(DISK.cylinders)) ?? 0;
      const sectors = (yield* disk(DISK.sectorsPerCylinder)) ?? 0;
      expect(cylinders * sectors).toBeGreaterThanOrEqual(8 * BLOCKS);
      while (!shared.ready) yield* raw.sleep(1);
      expect(yield* disk(DISK.requests)).toBe(3);
      const queue: [number, number, number, number][] = [];
      for (let i = 0; i < REQUEST_LIMIT; i += 1) {
        const word = (field: number): Fiber<number | undefined> =>
          raw.peek(WINDOW + 0x1000 + REQUEST_BYTES * i + field);
        if ((yield* word(REQUEST.env)) !== 1) continue;
        queue.push([
          (yield* word(REQUEST.block)) ?? 0,
          (yield* word(REQUEST.count)) ?? 0,
          (yield* word(REQUEST.write)) ?? 0,
          (yield* word(REQUEST.begun)) ?? 0,
        ]);
      }
      // All in the device's own queue, which has room.
      expect(queue).toEqual([
        [8, 2, 0, 1],
        [63, 1, 0, 1],
        [20, 1, 0, 1],
      ]);
      for (let i = 0; i < EXTENT_LIMIT; i += 1) {
        const owner = yield* raw.peek(WINDOW + 0x2000 + EXTENT_BYTES * i + EXTENT.owner);
        expect(owner).toBe(i === 0 ? 1 : -1);
      }
      expect(yield* raw.poke(WINDOW, 1)).toBe(1);
      // The arm follows what is served.
      const arms = new Set<number>();
      while (((yield* disk(DISK.requests)) ?? 0) > 0) arms.add((yield* disk(DISK.arm)) ?? -1);
      const last = Math.floor((20 * 8) / sectors);
      expect([...arms].at(-1)).toBe(last);
      shared.seen = true;
      return 0;
    },
    function* (raw) {
      const own = yield* extent(raw, 0, BLOCKS);
      const { capability } = yield* raw.frame();
      yield* raw.sleep(1);
      const entries = [8, 9, 63, 20].map((block) => ({ capability, block }));
      expect(yield* request(raw, own, entries)).toBe(0);
      shared.ready = true;
      yield* raw.routine('kit.yield', 0);
      while (!shared.seen) yield* raw.sleep(1);
      return 0;
    },
  ]);
});
