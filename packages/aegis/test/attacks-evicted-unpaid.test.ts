/**
 * What the kernel writes back because a family lacks frames is written in the name of that family, but not for a debtor that never pays. One without slices
 * lacks four frames again and again, which an accomplice has put into dirty blocks.
 */
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, memoryFor, rawImage, type RawFrame } from '../../testkit/src/index.ts';
import { worker } from './attackers.ts';

const BLOCKS = 1900;
const LACKING = 3;

test('who owes more than a quantum has nothing more written back', () => {
  const profile = 'dec3100';
  const counts = { inserted: 0 };
  const state = { wanted: LACKING, full: false };
  const isFull = (): boolean => state.full;
  const lacking = rawImage({
    name: 'lacking',
    placement: { slices: 0 },
    main: function* (raw) {
      for (let i = 2; i < 6; i += 1) expect(yield* raw.code('frame_free', ...(yield* raw.segment(i)))).toBe(0);
      for (;;) {
        while (!state.full) yield* raw.routine('kit.yield', -1);
        const frames: RawFrame[] = [];
        while (frames.length < 4) {
          const { code, value: ppn, capability } = yield* raw.call('frame_alloc', -1);
          if (code === 0) frames.push({ ppn, capability });
          else yield* raw.routine('kit.yield', -1);
        }
        // Now it lacks none, which the kernel sees when it is asked again.
        const more = yield* raw.call('frame_alloc', -1);
        if (more.code === 0) yield* raw.code('frame_free', ...more.capability);
        for (const { capability } of frames) yield* raw.code('frame_free', ...capability);
        state.wanted -= 1;
        while (state.wanted > 0 && isFull()) yield* raw.routine('kit.yield', -1);
        state.full = false;
        state.wanted = LACKING;
      }
    },
  });
  const accomplice = rawImage({
    name: 'accomplice',
    extent: { start: 0, blocks: BLOCKS },
    main: function* (raw) {
      const extent = yield* raw.granted('extent');
      for (let block = 0; ;) {
        for (;;) {
          const { code, capability } = yield* raw.call('frame_alloc', -1);
          if (code !== 0) break;
          if ((yield* raw.code('bc_insert', ...extent, ...capability, block % BLOCKS, 1)) === 0) counts.inserted += 1;
          yield* raw.code('frame_free', ...capability);
          block += 1;
        }
        state.full = true;
        for (let env = 0; env < LACKING; env += 1) yield* raw.routine('kit.yield', env);
      }
    },
  });
  const booted = boot([...Array.from({ length: LACKING }, () => lacking), accomplice, worker()], {
    disk: { store: memoryStore(2048 * 4096) },
    profile,
    ramBytes: memoryFor(160),
  });
  const { aegis, machine } = booted;
  const { memory, families } = aegis.parts;
  const quantum = Math.ceil(machine.hz / 64);
  machine.run(60 * quantum);
  machine.run(600 * quantum);
  expect(machine.native.lastError?.error).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  const owed = Array.from(
    { length: LACKING },
    (_, env) => (memory.get(families.creditOf(families.of(env))) | 0) / quantum,
  );
  expect(counts.inserted).toBeGreaterThan(200);
  // And what was under way already.
  for (const one of owed) expect(one).toBeGreaterThan(-1.5);
});
