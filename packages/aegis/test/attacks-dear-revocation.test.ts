/**
 * What others hang below a branch, who gave it pays when it is revoked, but once for each environment: 63 nodes by which a hundred environments hold one frame.
 * Who lets go of a frame that others hold pays for none of them.
 */
import { ERRORS, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Fiber, type Raw } from '../../testkit/src/index.ts';
import { numbered } from './disk-support.ts';
import { QUANTUM } from './attackers.ts';

const CHILDREN = 100;
const NODES = 63;

test.each([0, CHILDREN])('a branch is revoked in a few quanta, whoever holds through it: %i', (children) => {
  const state: { branch: CapabilityWords | undefined; bound: boolean; took: number; ran: number } = {
    branch: undefined,
    bound: false,
    took: 0,
    ran: 0,
  };
  const victim = rawImage({
    name: 'victim',
    main: function* (raw) {
      const { capability } = yield* raw.frame();
      const branch = yield* raw.call('cap_derive', ...capability, RIGHTS.read, 1);
      state.branch = branch.capability;
      while (!state.bound) yield* raw.sleep(1);
      const [from, ran] = [booted.machine.cycles, booted.aegis.environment(0).cycles];
      expect(yield* raw.code('cap_revoke', ...capability, branch.value)).toBe(0);
      state.took = booted.machine.cycles - from;
      state.ran = booted.aegis.environment(0).cycles - ran;
      return 0;
    },
  });
  const attacker = rawImage({
    name: 'attacker',
    main: function* (raw) {
      while (state.branch === undefined) yield* raw.sleep(1);
      const members: CapabilityWords[] = [];
      for (let i = 0; i < children; i += 1) {
        const child = yield* raw.call('env_alloc');
        expect(child.code).toBe(0);
        members.push(child.capability);
      }
      for (let n = 0; n < NODES; n += 1) {
        const node = yield* raw.call('cap_derive', ...state.branch, RIGHTS.read, 1);
        expect(node.code).toBe(0);
        for (const child of members) expect(yield* raw.code('frame_hold', ...child, ...node.capability)).toBe(0);
      }
      state.bound = true;
      for (;;) yield* raw.sleep(10);
    },
  });
  const booted = boot([victim, attacker]);
  const { aegis, machine } = booted;
  const bound = booted.runUntil(() => state.bound || machine.native.lastError !== undefined, 60);
  booted.runUntil(() => aegis.environment(0).status === 'dead', 60);
  expect(machine.native.lastError?.error).toBeUndefined();
  expect(bound).toBe(true);
  expect(checkInvariants(aegis)).toEqual([]);
  expect(Math.round(state.took / QUANTUM)).toBeLessThan(10);
});

test.each([0, CHILDREN])('a cached block is let go of in a few quanta, whoever else holds it: %i', (children) => {
  const state = { mapped: false, bound: false, took: 0 };
  const extent = { start: 0, blocks: 8, shared: true };
  const mapped = function* (raw: Raw): Fiber<CapabilityWords> {
    const own = yield* raw.granted('extent');
    for (;;) {
      const { code, capability } = yield* raw.call('bc_map', ...own, 3);
      if (code === 0) return capability;
      if (code === ERRORS.E_NONE) yield* raw.call('bc_read', 3, 0);
      yield* raw.sleep(1);
    }
  };
  const victim = rawImage({
    name: 'victim',
    extent,
    main: function* (raw) {
      const capability = yield* mapped(raw);
      state.mapped = true;
      while (!state.bound) yield* raw.sleep(1);
      const from = booted.machine.cycles;
      expect(yield* raw.code('frame_free', ...capability)).toBe(0);
      state.took = booted.machine.cycles - from;
      return 0;
    },
  });
  const attacker = rawImage({
    name: 'attacker',
    extent,
    main: function* (raw) {
      while (!state.mapped) yield* raw.sleep(1);
      const frame = yield* mapped(raw);
      const members: CapabilityWords[] = [];
      for (let i = 0; i < children; i += 1) members.push((yield* raw.call('env_alloc')).capability);
      for (let n = 0; n < NODES; n += 1) {
        const node = yield* raw.call('cap_derive', ...frame, RIGHTS.read, 1);
        expect(node.code).toBe(0);
        for (const child of members) expect(yield* raw.code('frame_hold', ...child, ...node.capability)).toBe(0);
      }
      state.bound = true;
      for (;;) yield* raw.sleep(10);
    },
  });
  const booted = boot([victim, attacker], { disk: { store: memoryStore(numbered()) } });
  const { aegis, machine } = booted;
  const ended = booted.runUntil(
    () => aegis.environment(0).status === 'dead' || machine.native.lastError !== undefined,
    60,
  );
  expect(machine.native.lastError?.error).toBeUndefined();
  expect(ended).toBe(true);
  expect(checkInvariants(aegis)).toEqual([]);
  expect(Math.round(state.took / QUANTUM)).toBeLessThan(10);
});
