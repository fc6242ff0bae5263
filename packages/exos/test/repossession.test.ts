/** A process of which a page is taken by force: it ends when it misses it, instead of faulting for ever. */
import { program, compose } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { BAD_ADDRESS, exos } from '../src/index.ts';
import { boot, checkInvariants, exitOf } from '../../testkit/src/index.ts';

test.each(['load', 'store'] as const)('a %s of a page that was taken away is the end of the process', (access) => {
  const image = compose(
    exos,
    program('loser', ['memory', 'clock'], function* ({ memory, clock }) {
      const at = yield* memory.allocate(4096);
      yield* memory.store(at, 42);
      yield* clock.sleep(4);
      if (access === 'load') yield* memory.load(at);
      else yield* memory.store(at, 43);
      return 0;
    }),
  );
  const booted = boot([image]);
  const { aegis } = booted;
  const before = new Set(aegis.parts.frames.heldBy(0));
  const found = (): number | undefined =>
    aegis.parts.frames.heldBy(0).find((ppn) => !before.has(ppn) && aegis.parts.memory.get(4096 * ppn) === 42);
  expect(booted.runUntil(() => found() !== undefined)).toBe(true);
  aegis.parts.frames.repossess(0, [found() ?? -1]);
  const [process] = booted.finish(0);
  expect(process === undefined ? -1 : exitOf(process)).toBe(BAD_ADDRESS);
  expect(checkInvariants(aegis)).toEqual([]);
});
