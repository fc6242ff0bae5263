/**
 * A soak: environments that call the kernel with anything (`soaker.ts`). Whatever they do, the machine goes on, the kernel's tables
 * are right, and everything comes back when they are dead.
 */
import {
  CALLS,
  DEATHS,
  ENV,
  ENV_LIMIT,
  ENV_STATUS,
  EXPOSED,
  FILTER,
  FILTER_BYTES,
  FILTER_LIMIT,
  NO_ENV,
  SLICE,
  SLICE_LIMIT,
} from '@exokernel/abi';
import { memoryStore } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { boot, checkInvariants, FIRST_FREE_FRAME } from '../../testkit/src/index.ts';
import { outside, packet } from './network.ts';
import { soaker, type World } from './soaker.ts';

/** `npm run soak` wants a million; SOAK_SEED makes another run of it. */
const SEED = Number(process.env['SOAK_SEED'] ?? 20260801);
const CALLS_WANTED = Number(process.env['SOAK_CALLS'] ?? 8_000);
const PROGRESS = 50_000;

test('random calls with random and with valid arguments', () => {
  const world: World = { calls: 0, wanted: CALLS_WANTED, capabilities: [], answers: new Map() };
  const net = outside();
  const booted = boot(
    [1, 2, 3].map((i) => soaker(SEED + i, world)),
    { ...net.machine, disk: { store: memoryStore(64 * 4096) } },
  );
  const { aegis, machine } = booted;
  let next = 4;
  let looks = 0;
  let told = 0;
  booted.runUntil(() => {
    looks += 1;
    if (world.calls - told >= PROGRESS) {
      told = world.calls;
      process.stderr.write(`soak: ${told} of ${CALLS_WANTED} calls\n`);
    }
    net.send(packet(0x9000 + (looks & 3)));
    if (looks % 128 === 0) expect(checkInvariants(aegis)).toEqual([]);
    const alive = aegis
      .environments()
      .filter(({ name, status }) => status !== 'dead' && name.startsWith('soak') && !name.includes('/'))
      // One that has given its last slice away calls nothing any more.
      .filter(({ id }) => aegis.parts.slices.of(id).length > 0);
    if (alive.length < 3 && world.calls < CALLS_WANTED) {
      // Room for the next: what the dead made may have taken all records or slices.
      if (aegis.environments().filter(({ status }) => status !== 'dead').length > 120) endAll();
      try {
        aegis.load(soaker(SEED + next, world));
        next += 1;
      } catch {
        endAll();
      }
    }
    return world.calls >= CALLS_WANTED;
  }, CALLS_WANTED / 100);
  function living(env: number): boolean {
    const status = aegis.parts.memory.env(env, ENV.status);
    return status === ENV_STATUS.embryo || status === ENV_STATUS.runnable;
  }
  function endAll(): void {
    for (let env = 0; env < ENV_LIMIT; env += 1) {
      if (!living(env)) continue;
      // The one that is being executed ends in its slices: only the kernel itself can end that.
      if (env === aegis.parts.memory.current) aegis.parts.environments.condemn(env, DEATHS.destroyed);
      else aegis.parts.environments.end(env, DEATHS.destroyed);
    }
  }
  expect(world.calls).toBeGreaterThanOrEqual(CALLS_WANTED);
  expect(machine.native.lastError).toBeUndefined();
  expect(checkInvariants(aegis)).toEqual([]);
  // Every call has succeeded at least once.
  const succeeded = Object.keys(CALLS).filter((name) => world.answers.has(`${name} 0`));
  expect(succeeded).toEqual(Object.keys(CALLS));

  booted.runUntil(() => false, 1);
  endAll();
  const environments = Array.from({ length: ENV_LIMIT }, (_, env) => env);
  booted.runUntil(() => !environments.some(living) && aegis.parts.disk.inFlight.length === 0, 20);
  expect(environments.filter(living)).toEqual([]);
  expect(checkInvariants(aegis)).toEqual([]);
  // What is cached stays, for whoever comes.
  expect(aegis.framesFree).toBe(aegis.parts.frames.count - FIRST_FREE_FRAME - [...aegis.parts.registry.pinned].length);
  expect(aegis.parts.capabilities.nodes.used).toBe(0);
  const slices = Array.from({ length: SLICE_LIMIT }, (_, p) => aegis.parts.memory.slice(p, SLICE.owner));
  expect(slices.filter((owner) => owner !== NO_ENV)).toEqual([]);
  const filters = Array.from({ length: FILTER_LIMIT }, (_, id) =>
    aegis.parts.memory.get(EXPOSED.filters + FILTER_BYTES * id + FILTER.owner),
  );
  expect(filters.filter((owner) => owner !== NO_ENV)).toEqual([]);
}, 3_600_000);
