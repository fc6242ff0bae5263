/**
 * A family that lacks frames of its guarantee waits at most 66 ticks for each family that has more (docs/mechanisms/quotas.md), also while what an earlier
 * deadline has taken is being paid, a piece a tick: frames that a hundred hold, through many nodes, take seconds of that.
 */
import { ERRORS } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { boot, checkInvariants, memoryFor, rawImage, type Booted } from '../../testkit/src/index.ts';
import { KP } from '../src/layout.ts';
import { ACCOMPLICES, accomplice, hoard, hoarder, letGo } from './hoarding.ts';

const BOUND = 66 + 20;

test.each([0, 90])('one that lacks frames has them in time: %i children hold what was taken before', (children) => {
  const state = hoard();
  const answers = { codes: [] as number[], ticks: 0, rest: 0 };
  const victim = rawImage({
    name: 'victim',
    main: function* (raw) {
      yield* letGo(raw);
      while (state.served < ACCOMPLICES) yield* raw.routine('kit.yield', -1);
      answers.rest = booted.aegis.parts.memory.kernelPage(KP.revokeRest);
      const begun = (yield* raw.call('tick')).value;
      for (let got = 0; got < 4 && answers.codes.length < 400;) {
        const code = yield* raw.code('frame_alloc', -1);
        answers.codes.push(code);
        if (code === 0) got += 1;
        else yield* raw.sleep(4);
      }
      answers.ticks = (yield* raw.call('tick')).value - begun;
      return 0;
    },
  });
  const booted: Booted = boot(
    [
      victim,
      hoarder(state, children),
      ...Array.from({ length: ACCOMPLICES }, (_, n) => accomplice(state, n, { free: () => booted.aegis.framesFree })),
    ],
    { ramBytes: memoryFor(160) },
  );
  booted.runUntil(
    () => booted.aegis.environment(0).status === 'dead' || booted.machine.native.lastError !== undefined,
    60,
  );
  expect(booted.machine.native.lastError?.error).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(answers.codes).toContain(ERRORS.E_AGAIN);
  expect(answers.codes.filter((code) => code === 0)).toHaveLength(4);
  expect(answers.ticks).toBeLessThan(BOUND);
});
