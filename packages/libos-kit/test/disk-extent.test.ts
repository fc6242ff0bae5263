/** The disk as fibers use it, and the exposed tables: blocks in order, at the edges, while others are at work, and when they fail. */
import {
  DISK,
  ENV,
  ENV_BYTES,
  ERRORS,
  EXPOSED,
  PAGE_BYTES,
  SYSTEM,
  TRANSFER_LIMIT,
  type CapabilityWords,
} from '@exokernel/abi';
import { T0, T1, V0 } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import type { BlockStore } from '../../hardware/src/index.ts';
import { batch } from '../../batch/src/index.ts';
import { boot, memoryStore, quicken, type Booted } from '../../testkit/src/index.ts';
import { DiskExtent, compose, loadExposed, machineProgram, type Fiber } from '../src/index.ts';
import { fiberImage, type Self } from './fiber-libos.ts';

const BLOCKS = 400;
const EXTENT = { start: 8, blocks: BLOCKS - 8 };
const NONE: CapabilityWords = [0, 0, 0, 0];

/** A disk whose block n holds the byte n. */
function numbered(): Uint8Array {
  return Uint8Array.from({ length: BLOCKS * PAGE_BYTES }, (_, i) => Math.floor(i / PAGE_BYTES) & 0xff);
}

interface Parts extends Self {
  readonly disk: DiskExtent;
}

function run(
  main: (parts: Parts) => Fiber<number>,
  {
    store = memoryStore(numbered()),
    lazy = false,
    others = 0,
  }: { store?: BlockStore; lazy?: boolean; others?: number } = {},
): Booted {
  const image = fiberImage({
    lazy,
    extent: { ...EXTENT, shared: true },
    main: function* (self) {
      const disk = yield* DiskExtent.open(self.fibers, self.memory, { runtime: self.runtime });
      return typeof disk === 'number' ? disk : yield* main({ ...self, disk });
    },
  });
  const booted = boot(
    Array.from({ length: 1 + others }, () => image),
    { disk: { store } },
  );
  booted.finish(...Array.from({ length: 1 + others }, (_, env) => env));
  for (const { cause } of booted.aegis.environments()) expect(cause?.text).toBe('exited with 0');
  return booted;
}

function* firstBytes({ fibers }: Self, va: number, count: number): Fiber<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i += 1) found.push((yield* fibers.load(va + i * PAGE_BYTES)) & 0xff);
  return found;
}

describe.each([
  ['at once', false],
  ['when it is touched', true],
])('memory that gets its frames %s', (_, lazy) => {
  test.each([1, 2, TRANSFER_LIMIT - 1, TRANSFER_LIMIT, TRANSFER_LIMIT + 1, 3 * TRANSFER_LIMIT + 7])(
    '%i blocks are read in their order, and written back in another',
    (count) => {
      const contents = numbered();
      const blocks = Array.from({ length: count }, (_, i) => (i * 5) % EXTENT.blocks);
      run(
        function* (self) {
          const va = yield* self.memory.allocate(count * PAGE_BYTES);
          expect(yield* self.disk.read(blocks, va)).toBe(0);
          expect(yield* firstBytes(self, va, count)).toEqual(blocks.map((block) => (block + EXTENT.start) & 0xff));
          for (let i = 0; i < count; i += 1) yield* self.fibers.store(va + i * PAGE_BYTES, i ^ 0x55);
          expect(yield* self.disk.write(blocks, va)).toBe(0);
          return 0;
        },
        { store: memoryStore(contents), lazy },
      );
      blocks.forEach((block, i) => {
        expect(contents[(block + EXTENT.start) * PAGE_BYTES]).toBe((i ^ 0x55) & 0xff);
      });
      // Nothing else was written.
      expect(contents.subarray(0, EXTENT.start * PAGE_BYTES)).toEqual(
        numbered().subarray(0, EXTENT.start * PAGE_BYTES),
      );
    },
  );

  test('pages that were never touched are written as zeros', () => {
    const contents = numbered();
    run(
      function* ({ memory, disk }) {
        return yield* disk.write([3], yield* memory.allocate(PAGE_BYTES));
      },
      { store: memoryStore(contents), lazy },
    );
    const at = (EXTENT.start + 3) * PAGE_BYTES;
    expect(contents.subarray(at, at + PAGE_BYTES).every((byte) => byte === 0)).toBe(true);
  });
});

test('no blocks are no work; what is no block, no page or too much is refused, and nothing of it begins', () => {
  const booted = run(function* ({ memory, disk }) {
    const va = yield* memory.allocate(4 * PAGE_BYTES);
    expect(yield* disk.read([], va)).toBe(0);
    for (const block of [EXTENT.blocks, -1, 0.5, NaN, 2 ** 32, 2 ** 32 + 1, 0xffffffff]) {
      expect(yield* disk.read([0, block], va), `${block}`).toBe(ERRORS.E_RANGE);
      expect(yield* disk.start(5, true, [block], va)).toBe(ERRORS.E_RANGE);
    }
    for (const wrong of [va + 4, va + 1, va + 0.5]) expect(yield* disk.read([0], wrong)).toBe(ERRORS.E_RANGE);
    for (const slot of [16, -1, 0x7fffffff]) expect(yield* disk.start(slot, false, [0], va)).toBe(ERRORS.E_RANGE);
    const many = Array.from({ length: TRANSFER_LIMIT + 1 }, () => 0);
    expect(yield* disk.start(5, false, many, va)).toBe(ERRORS.E_RANGE);
    expect(yield* disk.start(5, false, [], va)).toBe(ERRORS.E_RANGE);
    return 0;
  });
  expect(booted.aegis.parts.disk.inFlight).toEqual([]);
});

test('pages that are not there end the environment, as any access would', () => {
  const booted = boot(
    [
      fiberImage({
        extent: EXTENT,
        main: function* ({ fibers, memory, runtime }) {
          const disk = yield* DiskExtent.open(fibers, memory, { runtime });
          return disk instanceof DiskExtent ? yield* disk.read([0], 0x700000) : disk;
        },
      }),
    ],
    { disk: { store: memoryStore(numbered()) } },
  );
  const [dead] = booted.finish(0);
  expect(dead?.cause).toMatchObject({ kind: 'exception', exception: 'tlbl', address: 0x700000 });
});

test('an extent that was not granted, a machine without a disk, and memory that is none', () => {
  const answers: unknown[] = [];
  const main = function* ({ fibers, memory, runtime }: Self): Fiber<number> {
    const disk = yield* DiskExtent.open(fibers, memory, { runtime, extent: NONE });
    if (!(disk instanceof DiskExtent)) return disk;
    answers.push(yield* disk.read([0], yield* memory.allocate(PAGE_BYTES)));
    answers.push(yield* loadExposed(fibers, 'disk', DISK.blocks), yield* disk.arm());
    const none = { ...memory, allocate: () => memory.allocate(2 ** 30) };
    answers.push(yield* DiskExtent.open(fibers, none, { runtime }));
    return 0;
  };
  boot([fiberImage({ main })]).finish(0);
  expect(answers).toEqual([ERRORS.E_CAP, 0, 0, -1]);
});

test('a block that cannot be read fails the whole, and what was under way is over when that is known', () => {
  const good = memoryStore(numbered());
  const bad = EXTENT.start + 70;
  const store: BlockStore = {
    ...good,
    read: (sector, into) => {
      if (sector < 8 * (bad + 1) && 8 * bad < sector + into.length / 512) throw new Error('a scratch');
      good.read(sector, into);
    },
  };
  const booted = run(
    function* ({ memory, disk }) {
      const va = yield* memory.allocate(200 * PAGE_BYTES);
      const all = Array.from({ length: 200 }, (_, i) => i);
      expect(yield* disk.read(all, va)).toBe(ERRORS.E_DEVICE);
      for (const slot of [0, 1]) expect(yield* disk.left(slot)).toBeLessThanOrEqual(0);
      // And it can be used again.
      expect(yield* disk.read([1, 2], va)).toBe(0);
      return 0;
    },
    { store },
  );
  expect(booted.aegis.parts.disk.inFlight).toEqual([]);
});

test('requests that are begun and not waited for: the completion word counts down, the arm moves', () => {
  run(function* ({ fibers, memory, disk, sleep, tick }) {
    const va = yield* memory.allocate(16 * PAGE_BYTES);
    const [lefts, arms] = [new Set<number>(), new Set<number>()];
    // Each by itself, far from the one before.
    const blocks = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? i : EXTENT.blocks - 1 - i));
    expect(yield* disk.start(3, false, blocks, va)).toBe(0);
    for (let left = yield* disk.left(3); left !== 0; left = yield* disk.left(3)) {
      lefts.add(left);
      arms.add(yield* disk.arm());
      yield* sleep((yield* tick()) + 1);
    }
    expect([...lefts]).toEqual([...lefts].sort((a, b) => b - a));
    expect(lefts.size).toBeGreaterThan(4);
    expect(arms.size).toBeGreaterThan(1);
    expect(Math.max(...arms)).toBeLessThan(yield* loadExposed(fibers, 'disk', DISK.cylinders));
    expect(yield* disk.wait(3)).toBe(0);
    return 0;
  });
});

test('eight environments at one disk: a full queue is waited for', () => {
  run(
    function* (self) {
      const blocks = Array.from({ length: 40 }, (_, i) => (i * 3) % EXTENT.blocks);
      const va = yield* self.memory.allocate(blocks.length * PAGE_BYTES);
      expect(yield* self.disk.read(blocks, va)).toBe(0);
      expect(yield* firstBytes(self, va, blocks.length)).toEqual(blocks.map((block) => (block + EXTENT.start) & 0xff));
      return 0;
    },
    { others: 7 },
  );
});

describe('the exposed tables', () => {
  test('are what the kernel says, also while another takes every entry of the TLB', () => {
    const pages = 80;
    const greedy = machineProgram('greedy', ['memory'], pages * PAGE_BYTES, (a, os) => {
      a.label('again');
      a.li(T0, os.data);
      a.li(T1, pages);
      a.label('touch');
      a.lw(V0, 0, T0);
      a.addiu(T1, T1, -1);
      a.bnez(T1, 'touch');
      a.addiu(T0, T0, PAGE_BYTES);
      a.b('again');
      a.nop();
    });
    const main = function* ({ fibers, tick }: Self): Fiber<number> {
      for (let i = 0; i < 200; i += 1) {
        const before = yield* tick();
        const seen = yield* loadExposed(fibers, 'system', SYSTEM.tick);
        expect(seen - before).toBeGreaterThanOrEqual(0);
        expect((yield* tick()) - seen).toBeGreaterThanOrEqual(0);
        expect(yield* loadExposed(fibers, 'environments', fibers.env * ENV_BYTES + ENV.id)).toBe(fibers.env);
      }
      return 0;
    };
    const booted = boot([fiberImage({ main }), compose(batch, greedy)]);
    quicken(booted, 8192);
    expect(booted.finish(0)[0]?.cause?.text).toBe('exited with 0');
  });

  test('end where they end: what is not exposed ends the program', () => {
    const booted = boot([
      fiberImage({ main: ({ fibers }) => loadExposed(fibers, 'system', 0x10000000) }),
      fiberImage({ main: ({ fibers }) => loadExposed(fibers, 'system', -EXPOSED.system) }),
    ]);
    for (const { cause } of booted.finish(0, 1)) expect(cause?.kind).toBe('error');
  });
});
