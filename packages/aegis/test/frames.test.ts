/** Frames by their physical names: allocation, holders, exhaustion. [SOSP95 §3.1] */
import {
  DEATHS,
  ENTRYLO,
  ERRORS,
  EXPOSED,
  FRAME,
  FRAME_BYTES,
  NO_ENV,
  PAGE_BYTES,
  WELL_KNOWN_READ,
} from '@exokernel/abi';
import { expect, test } from 'vitest';
import type { KernelMemory } from '../src/memory.ts';
import {
  boot,
  checkInvariants,
  FIRST_FREE_FRAME as FIRST,
  rawImage,
  runRaw,
  WINDOW,
  type Booted,
} from '../../testkit/src/index.ts';

const COUNT = 0x1000;

/** Frames that a machine has when no environment holds any. */
function allFree({ aegis }: Booted): number {
  return aegis.parts.frames.count - FIRST;
}

test('names out of range, of the kernel, of no frame are refused', () => {
  runRaw(function* (raw) {
    for (const ppn of [0, 1, 2, 0x10, 0x60, 0xff, COUNT, COUNT + 1, 0x7fffffff, -2, -5, -0x80000000]) {
      expect(yield* raw.code('frame_alloc', ppn), String(ppn)).toBe(ERRORS.E_RANGE);
    }
    return 0;
  });
});

test('a frame is had by its name, once; any other frame by −1', () => {
  const booted = runRaw(
    function* (raw) {
      const named = yield* raw.frame(0xabc);
      expect(named.ppn).toBe(0xabc);
      expect(named.capability[1]).toBe(0xabc);
      expect(yield* raw.code('frame_alloc', 0xabc)).toBe(ERRORS.E_BUSY);
      const any = yield* raw.frame();
      expect(any.ppn).not.toBe(0xabc);
      expect(yield* raw.code('frame_free', ...named.capability)).toBe(0);
      expect(yield* raw.code('frame_free', ...named.capability)).toBe(ERRORS.E_CAP);
      expect((yield* raw.frame(0xabc)).capability).not.toEqual(named.capability);
      return 0;
    },
    { alone: true },
  );
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(allFree(booted));
});

test('frames of one cache colour are had by their names, those that are free found in the exposed table', () => {
  const booted = runRaw(function* (raw) {
    // 64 KiB of direct-mapped cache: sixteen colours of a page.
    const colours = 16;
    const colour = 5;
    const records = PAGE_BYTES / FRAME_BYTES;
    const page = Math.floor(COUNT / 2 / records);
    const table = EXPOSED.frames + page * PAGE_BYTES;
    expect(yield* raw.code('tlbwr', WINDOW, table | ENTRYLO.valid, ...WELL_KNOWN_READ, 0)).toBe(0);
    const wanted: number[] = [];
    for (let i = colour; i < records; i += colours) {
      const owner = yield* raw.fibers.load(WINDOW + i * FRAME_BYTES + FRAME.owner);
      if (owner >>> 0 === NO_ENV) wanted.push(page * records + i);
    }
    expect(wanted.length).toBeGreaterThan(8);
    for (const ppn of wanted.slice(0, 8)) {
      const frame = yield* raw.frame(ppn);
      expect(frame.ppn).toBe(ppn);
      expect((frame.ppn * PAGE_BYTES) % (colours * PAGE_BYTES)).toBe(colour * PAGE_BYTES);
    }
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a frame has nothing of its former life in it', () => {
  runRaw(function* (raw) {
    const frame = yield* raw.frame(0x200);
    yield* raw.fill(frame, new Uint8Array(PAGE_BYTES).fill(0xa5));
    yield* raw.code('frame_free', ...frame.capability);
    const again = yield* raw.frame(0x200);
    expect(yield* raw.bind(WINDOW, again)).toBe(0);
    const bytes = new Uint8Array(PAGE_BYTES);
    yield* raw.fibers.read(WINDOW, bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    return 0;
  });
});

test('the table tells owner, holders, generation and pins', () => {
  const kernel: { memory?: KernelMemory } = {};
  const look = (ppn: number): unknown[] =>
    [FRAME.owner, FRAME.holders, FRAME.generation, FRAME.pins].map((field) => kernel.memory?.frame(ppn, field));
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const frame = yield* raw.frame(0x300);
        expect(look(0x300)).toEqual([0, 1, 1, 0]);
        const child = yield* raw.call('env_alloc');
        expect(yield* raw.code('frame_hold', ...child.capability, ...frame.capability)).toBe(0);
        expect(yield* raw.code('frame_hold', ...child.capability, ...frame.capability)).toBe(0);
        expect(look(0x300)).toEqual([0, 2, 1, 0]);
        expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...frame.capability)).toBe(0);
        expect(look(0x300)).toEqual([0, 2, 1, 0]);
        const ring = yield* raw.call('ring_bind', ...frame.capability, 0, 1);
        expect(ring.code).toBe(0);
        expect(look(0x300)).toEqual([0, 2, 1, 1]);
        // Its allocator drops it, and it is the other holder's; then that dies, and the ring is gone too.
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        expect(look(0x300)).toEqual([child.value, 1, 1, 1]);
        expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
        expect(look(0x300)).toEqual([NO_ENV, 0, 2, 0]);
        expect(yield* raw.code('ring_free', ...ring.capability)).toBe(ERRORS.E_CAP);
        expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...frame.capability)).toBe(ERRORS.E_CAP);
        return 0;
      },
    }),
  ]);
  kernel.memory = booted.aegis.parts.memory;
  booted.finish(0);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a hog gets the last frame and then E_NONE; others are told so; when it dies everything comes back', () => {
  const shared = { taken: 0, full: false };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        for (;;) {
          const { code } = yield* raw.call('frame_alloc', -1);
          if (code !== 0) {
            expect(code).toBe(ERRORS.E_NONE);
            break;
          }
          shared.taken += 1;
        }
        expect(yield* raw.code('env_alloc')).toBe(0);
        shared.full = true;
        yield* raw.sleep(8);
        return 0;
      },
    }),
    rawImage({
      main: function* (raw) {
        while (!shared.full) yield* raw.sleep(1);
        expect(yield* raw.code('frame_alloc', -1)).toBe(ERRORS.E_NONE);
        expect(yield* raw.code('frame_alloc', 0x200)).toBe(ERRORS.E_BUSY);
        while ((yield* raw.code('frame_alloc', -1)) !== 0) yield* raw.sleep(1);
        return 0;
      },
    }),
  ]);
  const before = booted.aegis.framesFree;
  expect(booted.runUntil(() => shared.full, 5)).toBe(true);
  expect(booted.aegis.framesFree).toBe(0);
  expect(shared.taken).toBe(before);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  const outcome = booted.finish(0, 1);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(outcome.map(({ death }) => death)).toEqual([DEATHS.exit, DEATHS.exit]);
  expect(booted.aegis.framesFree).toBe(allFree(booted));
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a frame that was freed by one holder and held by another is not freed twice', () => {
  const booted = runRaw(
    function* (raw) {
      const frame = yield* raw.frame();
      const children = [yield* raw.call('env_alloc'), yield* raw.call('env_alloc')];
      for (const child of children) {
        expect(yield* raw.code('frame_hold', ...child.capability, ...frame.capability)).toBe(0);
      }
      expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
      for (const child of children) expect(yield* raw.code('env_free', ...child.capability, 0)).toBe(0);
      const next = yield* raw.frame(frame.ppn);
      expect(yield* raw.code('frame_free', ...frame.capability)).toBe(ERRORS.E_CAP);
      expect(yield* raw.code('frame_free', ...next.capability)).toBe(0);
      return 0;
    },
    { alone: true },
  );
  expect(booted.aegis.framesFree).toBe(allFree(booted));
});
