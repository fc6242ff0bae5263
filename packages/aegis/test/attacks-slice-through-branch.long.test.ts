/**
 * A capability for an environment's slices that was had through a branch of its own capability ends with that branch: no call returns one
 * that is nearer to the root than what the caller came through (docs/mechanisms/rights.md).
 */
import { ERRORS, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage } from '../../testkit/src/index.ts';
import { QUANTUM } from './attackers.ts';

test('who was given control of an environment, and has lost it, does not take its slices', () => {
  const state: { branch: CapabilityWords | undefined; taken: boolean; revoked: boolean; freed: number } = {
    branch: undefined,
    taken: false,
    revoked: false,
    freed: 1,
  };
  const victim = rawImage({
    name: 'victim',
    main: function* (raw) {
      const own = yield* raw.granted('self');
      const branch = yield* raw.call('cap_derive', ...own, RIGHTS.control, 1);
      if (branch.code !== 0) throw new Error(`cap_derive answers ${branch.code}`);
      state.branch = branch.capability;
      while (!state.taken) yield* raw.sleep(1);
      expect(yield* raw.code('cap_revoke', ...own, branch.value)).toBe(0);
      state.revoked = true;
      for (;;) yield* raw.call('null');
    },
  });
  const attacker = rawImage({
    name: 'attacker',
    main: function* (raw) {
      while (state.branch === undefined) yield* raw.sleep(1);
      const slice = yield* raw.call('slice_alloc', ...state.branch, 0);
      expect(slice.code).toBe(0);
      state.taken = true;
      while (!state.revoked) yield* raw.sleep(1);
      expect(yield* raw.code('slice_alloc', ...state.branch, 0)).toBe(ERRORS.E_CAP);
      yield* raw.sleep(20);
      state.freed = yield* raw.code('slice_free', ...slice.capability);
      for (;;) yield* raw.sleep(10);
    },
  });
  const booted = boot([victim, attacker]);
  const { aegis, machine } = booted;
  booted.runUntil(() => state.freed !== 1 || machine.native.lastError !== undefined);
  expect(machine.native.lastError?.error).toBeUndefined();
  const before = aegis.environment(0).cycles;
  machine.run(100 * QUANTUM);
  expect(checkInvariants(aegis)).toEqual([]);
  expect({ freed: state.freed, runs: aegis.environment(0).cycles > before }).toEqual({
    freed: ERRORS.E_CAP,
    runs: true,
  });
});
