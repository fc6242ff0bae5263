/** The disk: blocks of an extent to and from frames, and transfers that outlive those who wanted them. [SOSP95 §3] */
import { COMPLETION_SLOTS, DEATHS, ENV, ERRORS, PAGE_BYTES, REQUEST_LIMIT, RIGHTS, U } from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { QUOTAS } from '../src/families.ts';
import { boot, checkInvariants, rawImage, WINDOW, type Booted, type Fiber, type Raw } from '../../testkit/src/index.ts';

const BLOCKS = 64;
const EXTENT = { start: 8, blocks: 16 };
const completion = (slot: number): number => 0x1000 + U.completion + 4 * slot;

/** A disk whose block n holds the byte n. */
function numbered(): Uint8Array {
  return Uint8Array.from({ length: BLOCKS * PAGE_BYTES }, (_, i) => Math.floor(i / PAGE_BYTES));
}

const kernel: { disk?: Booted['aegis']['parts']['disk'] } = {};

function run(main: (raw: Raw) => Fiber<number>, store: BlockStore = memoryStore(numbered())): Booted {
  const booted = boot([rawImage({ main, extent: EXTENT })], { disk: { store } });
  kernel.disk = booted.aegis.parts.disk;
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.exit, exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return booted;
}

/** Waits for the completion in a slot, which is posted once, and returns it. */
function* complete(raw: Raw, slot: number): Fiber<number> {
  for (;;) {
    const result = yield* raw.fibers.load(completion(slot));
    if (result !== 0) return result;
    yield* raw.routine('kit.sleep', 0);
  }
}

test('blocks outside the extent and slots that are none are refused', () => {
  run(function* (raw) {
    const extent = yield* raw.granted('extent');
    const { capability } = yield* raw.frame();
    for (const call of ['disk_read', 'disk_write'] as const) {
      for (const block of [16, 17, 56, 64, 0x7fffffff, -1, -8, -0x80000000]) {
        expect(yield* raw.code(call, ...extent, ...capability, block, 0), `${call} ${block}`).toBe(ERRORS.E_RANGE);
      }
      for (const slot of [COMPLETION_SLOTS, 17, 1000, -1, -0x80000000]) {
        expect(yield* raw.code(call, ...extent, ...capability, 0, slot)).toBe(ERRORS.E_RANGE);
      }
    }
    return 0;
  });
});

test('what was written is read, and lies on the disk where the extent is', () => {
  const contents = numbered();
  run(function* (raw) {
    const extent = yield* raw.granted('extent');
    const [out, back] = [yield* raw.frame(), yield* raw.frame()];
    const bytes = Uint8Array.from({ length: PAGE_BYTES }, (_, i) => (i * 31) & 0xff);
    yield* raw.fill(out, bytes);
    expect(yield* raw.code('disk_write', ...extent, ...out.capability, 3, 5)).toBe(0);
    expect(yield* complete(raw, 5)).toBe(1);
    for (const [block, expected] of [
      [3, bytes],
      [4, new Uint8Array(PAGE_BYTES).fill(EXTENT.start + 4)],
      [15, new Uint8Array(PAGE_BYTES).fill(EXTENT.start + 15)],
    ] as const) {
      expect(yield* raw.code('disk_read', ...extent, ...back.capability, block, 0)).toBe(0);
      // Pending at once, whatever the slot held before.
      expect(yield* raw.fibers.load(completion(0))).toBe(0);
      expect(yield* complete(raw, 0)).toBe(1);
      expect(yield* raw.bind(WINDOW, back)).toBe(0);
      const read = new Uint8Array(PAGE_BYTES);
      yield* raw.fibers.read(WINDOW, read);
      expect(read).toEqual(expected);
    }
    return 0;
  }, memoryStore(contents));
  expect(contents[(EXTENT.start + 3) * PAGE_BYTES + 1]).toBe(31);
  expect(contents[(EXTENT.start + 2) * PAGE_BYTES]).toBe(EXTENT.start + 2);
});

test('so many requests at a time, the next waits: E_BUSY; they are done in order, each posted to its slot', () => {
  const booted = run(function* (raw) {
    const extent = yield* raw.granted('extent');
    const { capability } = yield* raw.frame();
    let made = 0;
    for (; (yield* raw.code('disk_read', ...extent, ...capability, made % 16, made % 16)) === 0; made += 1) {
      // Some are finished meanwhile.
      expect(made).toBeLessThan(2 * REQUEST_LIMIT);
    }
    // Some places are kept for a family that is still to come.
    expect(made).toBeGreaterThanOrEqual(REQUEST_LIMIT - QUOTAS.requests.minimum);
    expect(yield* raw.code('disk_read', ...extent, ...capability, 0, 0)).toBe(ERRORS.E_BUSY);
    for (let slot = 0; slot < 16; slot += 1) expect(yield* complete(raw, slot)).toBe(1);
    while ((yield* raw.code('disk_read', ...extent, ...capability, 0, 0)) === ERRORS.E_BUSY) yield* raw.sleep(1);
    expect(yield* complete(raw, 0)).toBe(1);
    while (kernel.disk?.inFlight.length !== 0) yield* raw.sleep(1);
    return 0;
  });
  expect(booted.aegis.parts.disk.inFlight).toEqual([]);
});

test('a disk that fails is a completion that says so', () => {
  const failing: BlockStore = {
    blocks: BLOCKS * 8,
    read: () => {
      throw new Error('no more');
    },
    write: () => {
      throw new Error('no more');
    },
    flush: () => undefined,
  };
  run(function* (raw) {
    const extent = yield* raw.granted('extent');
    const { capability } = yield* raw.frame();
    for (const call of ['disk_read', 'disk_write'] as const) {
      expect(yield* raw.code(call, ...extent, ...capability, 0, 1)).toBe(0);
      expect(yield* complete(raw, 1)).toBe(ERRORS.E_DEVICE);
    }
    return 0;
  }, failing);
});

test('a frame that is freed while the disk writes to it is not given to anyone before the disk is done', () => {
  run(function* (raw) {
    const extent = yield* raw.granted('extent');
    const { ppn, capability } = yield* raw.frame();
    expect(yield* raw.code('disk_read', ...extent, ...capability, 9, 2)).toBe(0);
    expect(yield* raw.code('frame_free', ...capability)).toBe(0);
    expect(yield* raw.code('frame_alloc', ppn)).toBe(ERRORS.E_BUSY);
    expect(yield* complete(raw, 2)).toBe(1);
    const next = yield* raw.frame(ppn);
    expect(yield* raw.bind(WINDOW, next)).toBe(0);
    expect(yield* raw.peek(WINDOW)).toBe(0);
    return 0;
  });
});

test('the transfers of one that dies go on: its frames come back when they are done, its successor hears nothing', () => {
  const shared = { frames: [] as number[], busy: 0, unfinished: 0 };
  const doomed = rawImage({
    extent: EXTENT,
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      for (let i = 0; i < 16; i += 1) {
        const { ppn, capability } = yield* raw.frame();
        shared.frames.push(ppn);
        expect(yield* raw.code('disk_read', ...extent, ...capability, (i * 5) % 16, i)).toBe(0);
      }
      return 0;
    },
  });
  const heir = rawImage({
    main: function* (raw) {
      while (shared.frames.length < 16) yield* raw.sleep(1);
      for (const ppn of shared.frames) {
        if ((yield* raw.code('frame_alloc', ppn)) === ERRORS.E_BUSY) shared.busy += 1;
      }
      // All records are used up, then the first is used again, with a u-page of its own.
      let child = yield* raw.call('env_alloc');
      while (child.value !== 0) {
        const next = yield* raw.call('env_alloc');
        // The last records are kept for other families: of those that are dead the first has had the fewest tenants.
        if (next.code !== 0) expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
        else child = next;
      }
      const uPage = yield* raw.frame();
      expect(yield* raw.code('env_map', ...child.capability, ...uPage.capability, 0x1003)).toBe(0);
      shared.unfinished = disk.inFlight.length;
      yield* raw.sleep(40);
      expect(disk.inFlight).toEqual([]);
      expect(yield* raw.bind(WINDOW, uPage)).toBe(0);
      for (let slot = 0; slot < 16; slot += 1) expect(yield* raw.peek(WINDOW + U.completion + 4 * slot)).toBe(0);
      return 0;
    },
  });
  const booted = boot([doomed, heir], { disk: { store: memoryStore(numbered()) } });
  const { disk, memory } = booted.aegis.parts;
  booted.runUntil(() => booted.aegis.environment(1).status === 'dead');
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(booted.aegis.environment(1)).toMatchObject({ death: DEATHS.exit, exit: 0 });
  // Some were still being read when the heir asked, and when the record had its next tenant.
  expect(shared.busy).toBeGreaterThan(0);
  expect(shared.unfinished).toBeGreaterThan(0);
  expect(memory.env(0, ENV.pending)).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a frame of which one may only read is not read into; an extent of which one may only read is not written', () => {
  run(function* (raw) {
    const extent = yield* raw.granted('extent');
    const { capability } = yield* raw.frame();
    const readFrame = (yield* raw.call('cap_derive', ...capability, RIGHTS.read, 0)).capability;
    const readExtent = (yield* raw.call('cap_derive', ...extent, RIGHTS.read, 0)).capability;
    expect(yield* raw.code('disk_read', ...extent, ...readFrame, 0, 0)).toBe(ERRORS.E_CAP);
    expect(yield* raw.code('disk_write', ...readExtent, ...capability, 0, 0)).toBe(ERRORS.E_CAP);
    expect(yield* raw.code('disk_write', ...extent, ...readFrame, 0, 0)).toBe(0);
    expect(yield* complete(raw, 0)).toBe(1);
    return 0;
  });
});
