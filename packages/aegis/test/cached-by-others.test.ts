/** What an environment pays for an extent does not grow with the blocks that strangers have in the registry, none of which lies in it. */
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage } from '../../testkit/src/index.ts';

const BLOCKS = 1400;

test.each([0, 900])('%i blocks of others', (cached) => {
  const state = { read: 0, done: false };
  const cycles: number[] = [];
  const victim = rawImage({
    main: function* (raw) {
      while (!state.done) yield* raw.sleep(8);
      for (let i = 0; i < 3; i += 1) {
        const before = booted.machine.cycles;
        const { code, capability } = yield* raw.call('extent_alloc', 1300 + i, 1);
        expect(code).toBe(0);
        expect(yield* raw.code('extent_free', ...capability)).toBe(0);
        cycles.push(booted.machine.cycles - before);
      }
      return 0;
    },
  });
  const stranger = rawImage({
    main: function* (raw) {
      for (let block = 0; state.read < cached && block < 1200; block += 1) {
        const code = yield* raw.code('bc_read', block, 0);
        if (code === 0) state.read += 1;
        else if (code === -4) yield* raw.sleep(1);
        else break;
      }
      yield* raw.sleep(200);
      state.done = true;
      for (;;) yield* raw.sleep(100_000);
    },
  });
  const booted = boot([victim, stranger], { disk: { store: memoryStore(BLOCKS * 4096) } });
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 200);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(Math.max(...cycles)).toBeLessThan(200_000);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
