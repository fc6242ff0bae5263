/** Extents of images: blocks that the disk has, and that others have only if the image says so. */
import { ERRORS, type ImageExtent } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boot, rawImage, type Booted } from '../../testkit/src/index.ts';
import type { AegisError } from '../src/index.ts';
import { extent } from './disk-support.ts';

const BLOCKS = 64;
const sleeper = (granted: ImageExtent): ReturnType<typeof rawImage> =>
  rawImage({
    extent: granted,
    main: function* (raw) {
      yield* raw.sleep(1000);
      return 0;
    },
  });
const machine = (): Booted => boot([], { disk: { store: memoryStore(BLOCKS * 4096) } });

/** What the loader says to this extent: why it refuses it, or nothing. */
function refusal(booted: Booted, granted: ImageExtent): unknown {
  const { framesFree } = booted.aegis;
  const before = booted.aegis.environments().length;
  try {
    booted.aegis.load(sleeper(granted));
    return undefined;
  } catch (error) {
    const { name, code, details } = error as AegisError;
    expect([name, code]).toEqual(['AegisError', 'extent']);
    expect(details).toMatchObject({ start: granted.start, blocks: granted.blocks });
    // Nothing of it is left: neither its frames nor a living environment.
    expect(booted.aegis.framesFree).toBe(framesFree);
    expect(booted.aegis.environments().filter(({ status }) => status !== 'dead').length).toBeLessThanOrEqual(before);
    return details['reason'];
  }
}

describe('what an image cannot have', () => {
  test('blocks without a disk, or of one that is smaller than a block', () => {
    expect(refusal(boot([]), { start: 0, blocks: 4 })).toBe('no-disk');
    expect(refusal(boot([], { disk: { store: memoryStore(512) } }), { start: 0, blocks: 1 })).toBe('no-disk');
  });

  test.each<[string, number, number, string]>([
    ['no blocks', 0, 0, 'empty'],
    ['no blocks at the end', BLOCKS, 0, 'empty'],
    ['less than none', 8, -1, 'empty'],
    ['half a block', 0, 0.5, 'empty'],
    ['no number', 0, NaN, 'empty'],
    ['all there could be', 0, Infinity, 'empty'],
    ['before the disk', -1, 4, 'empty'],
    ['between two blocks', 1.5, 4, 'empty'],
    ['one behind the end', BLOCKS, 1, 'beyond'],
    ['up to one behind the end', 1, BLOCKS, 'beyond'],
    ['far behind', 0xffffffff, 1, 'beyond'],
    ['so many that a sum goes round', 8, 0xfffffff8, 'beyond'],
  ])('%s', (_, start, blocks, reason) => {
    expect(refusal(machine(), { start, blocks })).toBe(reason);
    expect(refusal(machine(), { start, blocks, shared: true })).toBe(reason);
  });

  test('what another has, unless it says so', () => {
    const booted = machine();
    expect(refusal(booted, { start: 8, blocks: 8 })).toBeUndefined();
    for (const [start, blocks] of [
      [8, 8],
      [0, 9],
      [15, 1],
      [15, 20],
      [0, BLOCKS],
      [10, 2],
    ] as const) {
      expect(refusal(booted, { start, blocks, shared: false })).toBe('taken');
    }
    expect(refusal(booted, { start: 8, blocks: 8, shared: true })).toBeUndefined();
    for (const start of [0, 16]) expect(refusal(booted, { start, blocks: 8 })).toBeUndefined();
  });

  test('what another has allocated; and what it has freed is free', () => {
    const booted = machine();
    const step = { now: 0 };
    booted.aegis.load(
      rawImage({
        main: function* (raw) {
          const own = yield* extent(raw, 8, 8);
          step.now = 1;
          while (step.now === 1) yield* raw.sleep(1);
          return yield* raw.code('extent_free', ...own);
        },
      }),
    );
    booted.runUntil(() => step.now === 1);
    expect(refusal(booted, { start: 0, blocks: BLOCKS })).toBe('taken');
    step.now = 2;
    expect(booted.finish(0)[0]?.exit).toBe(ERRORS.E_OK);
    expect(refusal(booted, { start: 0, blocks: BLOCKS })).toBeUndefined();
  });
});

test('extents that do not say that they share never overlap', () => {
  const range = fc.record({ start: fc.integer({ min: -2, max: 70 }), blocks: fc.integer({ min: -1, max: 20 }) });
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
      const booted = machine();
      const taken = new Set<number>();
      for (const { start, blocks } of ranges) {
        const wanted = Array.from({ length: Math.max(0, blocks) }, (_, i) => start + i);
        const isFree = wanted.length > 0 && wanted.every((at) => at >= 0 && at < BLOCKS && !taken.has(at));
        expect(refusal(booted, { start, blocks }) === undefined).toBe(isFree);
        if (isFree) for (const at of wanted) taken.add(at);
      }
    }),
    { numRuns: 40 },
  );
});
