/** Quotas by family: whatever one takes, with all its descendants, every other gets what it is guaranteed. [SOSP95 §3.4] */
import { DEATHS, ENV, ERRORS, FRAME_MINIMUM, NO_ENV, POLICIES, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, type Atom } from '@exokernel/dpf';
import { describe, expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  encodePredicate,
  memoryFor,
  rawImage,
  type Fiber,
  type Raw,
} from '../../testkit/src/index.ts';
import { QUOTAS } from '../src/families.ts';
import { COMPLETIONS, type QuotaKind } from '../src/tables.ts';
import { BLOCKS, CPU, World } from './world.ts';

const HANDLER = encodeHandler(
  defineHandler('small', { windowBytes: 0 }, (h) => {
    h.consume();
  }),
);

const atoms = (name: number, count: number): Atom[] => [
  { kind: 'eq', offset: 12, size: 2, value: name },
  ...Array.from({ length: count - 1 }, (_, i): Atom => ({ kind: 'eq', offset: 14 + 4 * i, size: 4, value: name * i })),
];

/** How an environment takes one more of a kind: whether it got it. */
type Take = (world: World, env: number) => boolean;

/** The filter that an environment binds, with so many atoms. */
function filter(world: World, env: number, count = 1): number {
  const bytes = encodeFilter(atoms(world.fresh(), count));
  const { rings, capabilities } = world.parts;
  // All deliver to the first environment.
  if (capabilities.check(rings.capability(0), 'ring', 0) < 0) {
    rings.bind(0, world.frame(0), { transmit: false, slots: 1 });
  }
  const request = { bytes, ring: 0, node: 0, policy: POLICIES.specific };
  return world.parts.filters.bind(env, request);
}

const TAKES: Readonly<Record<Exclude<QuotaKind, 'frames' | 'filterTime'>, Take>> = {
  environments: (world, env) => world.born(env) >= 0,
  slices: ({ parts }, env) => parts.slices.allocate(env, -1) >= 0,
  nodes: (world, env) => {
    const root = world.parts.frames.capability(world.frame(env));
    return typeof world.parts.capabilities.branch(root, RIGHTS.read, env) !== 'number';
  },
  rings: (world, env) => world.parts.rings.bind(env, world.frame(env), { transmit: false, slots: 1 }) >= 0,
  filters: (world, env) => filter(world, env) >= 0,
  filterBytes: (world, env) => filter(world, env, 12) >= 0,
  handlers: (world, env) => {
    const id = filter(world, env);
    return id >= 0 && world.parts.filters.attach(id, HANDLER, 0) === 0;
  },
  predicates: (world, env) => {
    const { parts } = world;
    if (parts.memory.env(env, ENV.predicate) !== 0) return false;
    const physical = 4096 * world.frame(env);
    const capability = parts.frames.capability(world.frame(env));
    const bytes = encodePredicate([{ tag: 1, terms: [{ left: { physical, capability }, operator: 'eq', right: 1 }] }]);
    return parts.predicates.set(env, bytes) > 0;
  },
  extents: ({ parts }, env) => parts.extents.allocate(env, -1, 1, BLOCKS) >= 0,
  requests: (world, env) => {
    const done = { kind: COMPLETIONS.word, operand: 0, slot: 0 };
    const frames = [{ ppn: world.frame(env), node: 0 }];
    return world.parts.disk.submit(CPU, [{ env, node: 0, block: 0, frames, write: true, done }]) === 0;
  },
  buffers: (world, env) => {
    const { frames, registry } = world.parts;
    const ppn = frames.allocate(env, -1);
    const code = registry.insert(env, ppn, world.fresh(), { dirty: true, through: { extent: 0, node: 0 } });
    // The registry keeps the frame, which no environment holds any more.
    frames.drop(env, ppn);
    return code === 0;
  },
};

/** A family of many generations, some of whose makers have died: all that live. */
function dynasty(world: World, generations: number): number[] {
  const { environments } = world.parts;
  const founder = world.born(NO_ENV);
  const members = [founder];
  for (let i = 1; i < generations; i += 1) members.push(world.born(members.at(-1) ?? founder));
  // Every second maker dies, the founder too.
  const dead = members.filter((_, i) => i % 2 === 0 && i < generations - 1);
  for (const env of dead) environments.end(env, DEATHS.exit);
  return members.filter((env) => !dead.includes(env));
}

/** All members take turns until none gets any more. Returns how many they got. */
function takeAll(world: World, members: readonly number[], take: Take): number {
  let taken = 0;
  for (let before = -1; before < taken;) {
    before = taken;
    for (const env of members) if (take(world, env)) taken += 1;
  }
  return taken;
}

describe('one family takes all it can; what every other is guaranteed is there at once', () => {
  test.each(Object.keys(TAKES) as (keyof typeof TAKES)[])('%s', (kind) => {
    const world = new World();
    const { families } = world.parts;
    const { total, minimum } = QUOTAS[kind];
    const take = TAKES[kind];
    const victim = [world.born(NO_ENV), world.born(NO_ENV)];
    const had = victim.map((env) => families.has(kind, world.family(env)));
    // A node's maker has 64 of them at most, and an environment one predicate.
    const members = dynasty(world, kind === 'nodes' || kind === 'predicates' ? 90 : 9);
    const family = world.family(members[0] ?? 0);
    expect(new Set(members.map((env) => world.family(env)))).toEqual(new Set([family]));
    if (kind !== 'predicates') takeAll(world, members, take);
    else for (const env of members) if (!take(world, env)) break;
    const reserved = 2 * minimum - had.reduce((a, b) => a + b) + minimum;
    const unit = kind === 'filterBytes' ? 120 : 1;
    expect(families.has(kind, family)).toBeLessThanOrEqual(total - reserved - had.reduce((a, b) => a + b));
    if (kind !== 'predicates') {
      expect(families.has(kind, family)).toBeGreaterThan(total - reserved - had.reduce((a, b) => a + b) - unit);
    }
    expect(checkInvariants(world.aegis)).toEqual([]);
    // Two that are there, and one that comes later.
    for (const env of [...victim, world.born(NO_ENV)]) {
      const mine = world.family(env);
      const own = kind === 'predicates' ? [env, world.born(env)] : [env];
      let n = 0;
      while (families.has(kind, mine) + (kind === 'filterBytes' ? 120 : 1) <= minimum) {
        expect(take(world, own[n % own.length] ?? env), `${n} of ${kind}`).toBe(true);
        n += 1;
      }
    }
    expect(checkInvariants(world.aegis)).toEqual([]);
    expect(take(world, members[0] ?? 0)).toBe(false);
  });
});

describe('frames', () => {
  /** Takes frames until there is none. */
  function* hog(raw: Raw): Fiber<CapabilityWords[]> {
    const taken: CapabilityWords[] = [];
    for (;;) {
      const { code, capability } = yield* raw.call('frame_alloc', -1);
      if (code !== 0) return taken;
      taken.push(capability);
    }
  }

  interface Shared {
    ready: boolean;
    full: boolean;
    taken: CapabilityWords[];
  }

  /** A victim that has half of its minimum and wants the rest when all memory is taken; it gives the time that it took, in ticks. */
  const victim = (shared: Shared): ReturnType<typeof rawImage> =>
    rawImage({
      name: 'victim',
      main: function* (raw) {
        for (let i = 2; i < 6; i += 1) yield* raw.code('frame_free', ...(yield* raw.segment(i)));
        shared.ready = true;
        while (!shared.full) yield* raw.sleep(1);
        const began = (yield* raw.call('tick')).value;
        for (let got = 0; got < FRAME_MINIMUM / 2;) {
          const code = yield* raw.code('frame_alloc', -1);
          expect([0, ERRORS.E_AGAIN]).toContain(code);
          if (code === 0) got += 1;
          else yield* raw.sleep(1);
        }
        expect(yield* raw.code('frame_alloc', -1)).toBe(ERRORS.E_NONE);
        return (yield* raw.call('tick')).value - began;
      },
    });

  /** Runs a victim and its attackers, environments 1 and so on. Returns in how many ticks the victim had its minimum. */
  function ticks(attackers: (shared: Shared) => readonly ((raw: Raw) => Fiber<number>)[], memory = 500): number {
    const shared: Shared = { ready: false, full: false, taken: [] };
    const images = attackers(shared).map((main) => rawImage({ main }));
    const booted = boot([victim(shared), ...images], { ramBytes: memoryFor(memory) });
    const { machine, aegis } = booted;
    booted.runUntil(() => machine.native.lastError !== undefined || aegis.environment(0).status === 'dead', 20);
    expect(machine.native.lastError).toBeUndefined();
    expect(checkInvariants(aegis)).toEqual([]);
    expect(aegis.environment(0)).toMatchObject({ status: 'dead', death: DEATHS.exit });
    return aegis.environment(0).exit;
  }

  function* forever(raw: Raw): Fiber<number> {
    for (;;) yield* raw.sleep(1);
  }

  test('that one environment holds', () => {
    const waited = ticks((shared) => [
      function* (raw) {
        while (!shared.ready) yield* raw.sleep(1);
        yield* hog(raw);
        shared.full = true;
        return yield* forever(raw);
      },
    ]);
    expect(waited).toBeLessThan(40);
  });

  /** Two families that hold the same frames, those that they were loaded with too, so that neither has one alone but its u-page. */
  const accomplices = (
    shared: Shared,
    taker: (raw: Raw) => Fiber<number>,
  ): readonly ((raw: Raw) => Fiber<number>)[] => {
    const own: CapabilityWords[] = [];
    const share = function* (raw: Raw): Fiber<void> {
      for (let i = 0; i < 7; i += 1) own.push(yield* raw.segment(i));
      while (own.length < 14 || !shared.ready) yield* raw.sleep(1);
      for (const capability of own) expect(yield* raw.code('frame_hold', 0, 0, 0, 0, ...capability)).toBe(0);
    };
    return [
      function* (raw) {
        yield* share(raw);
        shared.taken = [...own, ...(yield* hog(raw))];
        while (!shared.full) yield* raw.sleep(1);
        return yield* taker(raw);
      },
      function* (raw) {
        yield* share(raw);
        while (shared.taken.length === 0) yield* raw.sleep(1);
        for (;;) {
          for (const capability of shared.taken) yield* raw.code('frame_hold', 0, 0, 0, 0, ...capability);
          shared.full = true;
          yield* raw.sleep(1);
        }
      },
    ];
  };

  /** So few frames that the accomplices hold again within a tick. */
  const FEW = 64;

  test('that two families hold together, who hold again whatever is taken', () => {
    const waited = ticks(
      (shared) =>
        accomplices(shared, function* (raw) {
          for (;;) {
            for (const capability of shared.taken) yield* raw.code('frame_hold', 0, 0, 0, 0, ...capability);
            yield* raw.sleep(1);
          }
        }),
      FEW,
    );
    expect(waited).toBeLessThan(40);
  });

  test('that one gives up as asked, and an accomplice holds: they are not given back', () => {
    const waited = ticks(
      (shared) =>
        accomplices(shared, function* (raw) {
          for (;;) {
            // It comes down as far as it is asked to, and holds them again.
            const some = shared.taken.slice(-10);
            for (const capability of some) yield* raw.code('frame_free', ...capability);
            for (const capability of some) yield* raw.code('frame_hold', 0, 0, 0, 0, ...capability);
            yield* raw.sleep(1);
          }
        }),
      FEW,
    );
    expect(waited).toBeLessThan(40);
  });

  test('that a family of a hundred environments holds, each a little', () => {
    const waited = ticks((shared) => [
      function* (raw) {
        const children: CapabilityWords[] = [];
        for (let i = 0; i < 100; i += 1) children.push((yield* raw.call('env_alloc')).capability);
        while (!shared.ready) yield* raw.sleep(1);
        for (let i = 0; ; i += 1) {
          const { code, capability } = yield* raw.call('frame_alloc', -1);
          if (code !== 0) break;
          expect(yield* raw.code('frame_hold', ...(children[i % 100] ?? []), ...capability)).toBe(0);
          expect(yield* raw.code('frame_free', ...capability)).toBe(0);
        }
        shared.full = true;
        return yield* forever(raw);
      },
    ]);
    expect(waited).toBeLessThan(300);
  });
});

test('what a family gives away it is not guaranteed any more; what others give it takes nothing from it', () => {
  const world = new World();
  const { slices, families } = world.parts;
  const [giver, taker, late] = [world.born(NO_ENV), world.born(NO_ENV), world.born(NO_ENV)];
  const take = (env: number): boolean => slices.allocate(env, -1) >= 0;
  // The last slice of the giver goes to its accomplice again and again, as far as there are some for all.
  let rounds = 0;
  for (; take(giver); rounds += 1) {
    const [position = -1] = slices.of(giver);
    slices.give(position, taker);
  }
  expect(rounds).toBe(QUOTAS.slices.total - 2 * QUOTAS.slices.minimum);
  expect(families.has('slices', world.family(taker))).toBe(rounds);
  expect(take(taker)).toBe(false);
  expect(take(late)).toBe(true);
  expect(take(world.born(NO_ENV))).toBe(true);
  expect(checkInvariants(world.aegis)).toEqual([]);
});

test('a frame that the last of a family lets go of, and another family holds, is given away: if the family has allocated it', () => {
  const world = new World();
  const { environments, frames, families } = world.parts;
  const [giver, taker] = [world.born(NO_ENV), world.born(NO_ENV)];
  const guaranteed = (env: number): number =>
    families.has('frames', world.family(env)) - families.beyond('frames', world.family(env));
  const child = world.born(giver);
  const ppn = frames.allocate(child, -1);
  for (const env of [giver, taker]) expect(frames.hold(env, ppn, 0)).toBe(0);
  environments.end(child, DEATHS.exit);
  expect(guaranteed(giver)).toBe(QUOTAS.frames.minimum);
  expect(frames.drop(giver, ppn)).toBe(0);
  expect([giver, taker].map(guaranteed)).toEqual([QUOTAS.frames.minimum - 1, QUOTAS.frames.minimum]);
  // What it has from another it only gives back, and so does one that comes by it again.
  expect(frames.hold(giver, ppn, 0)).toBe(0);
  expect(frames.drop(giver, ppn)).toBe(0);
  expect(guaranteed(giver)).toBe(QUOTAS.frames.minimum - 1);
  // What none has of it is no other's.
  expect(frames.drop(taker, ppn)).toBe(0);
  expect(guaranteed(taker)).toBe(QUOTAS.frames.minimum);
  expect(checkInvariants(world.aegis)).toEqual([]);
});

test('the number of a family is free when no member lives and nothing counts for it', () => {
  const world = new World();
  const { environments, registry, frames, families } = world.parts;
  const [first, second] = [world.born(NO_ENV), world.born(NO_ENV)];
  expect([first, second].map((env) => world.family(env))).toEqual([0, 1]);
  const ppn = frames.allocate(first, -1);
  expect(registry.insert(first, ppn, 7, { dirty: true, through: { extent: 0, node: 0 } })).toBe(0);
  const child = world.born(first);
  const grandchild = world.born(child);
  environments.end(first, DEATHS.exit);
  environments.end(child, DEATHS.exit);
  expect(world.family(grandchild)).toBe(0);
  expect(world.family(world.born(NO_ENV))).toBe(2);
  environments.end(grandchild, DEATHS.exit);
  // The dirty block is still there.
  expect(families.has('buffers', 0)).toBe(1);
  expect(world.family(world.born(NO_ENV))).toBe(3);
  expect(registry.remove(7)).toBe(0);
  const next = world.born(NO_ENV);
  expect(world.family(next)).toBe(0);
  expect(families.beyond('rings', 0)).toBe(-QUOTAS.rings.minimum);
  expect(checkInvariants(world.aegis)).toEqual([]);
});

test('the limits of children together are no more than their founder’s, also when it has died', () => {
  const world = new World();
  const { environments, frames, families } = world.parts;
  const founder = world.born(NO_ENV);
  expect(environments.set(founder, ENV.frameLimit, 40)).toBe(0);
  const children = [world.born(founder), world.born(founder), world.born(founder)];
  environments.end(founder, DEATHS.exit);
  const taken = takeAll(world, children, (_, env) => frames.allocate(env, -1) >= 0);
  expect(taken).toBe(40 - 3);
  // What one member holds another may hold too.
  const [one = -1, other = -1] = children;
  const shared = frames.heldBy(one).at(-1) ?? -1;
  expect(frames.hold(other, shared, 0)).toBe(0);
  expect(families.has('frames', world.family(one))).toBe(40);
  frames.drop(one, shared);
  expect(families.has('frames', world.family(one))).toBe(40);
  frames.drop(other, shared);
  expect(families.has('frames', world.family(one))).toBe(39);
  expect(checkInvariants(world.aegis)).toEqual([]);
});

test('what an orphan owes is paid by its family', () => {
  const world = new World();
  const { environments, slices, memory } = world.parts;
  const founder = world.born(NO_ENV);
  const [maker, heir] = [world.born(founder), world.born(founder)];
  const orphan = world.born(maker);
  slices.allocate(heir, -1);
  environments.end(maker, DEATHS.exit);
  memory.setEnv(orphan, ENV.credit, -1000);
  environments.end(orphan, DEATHS.exit);
  expect(memory.get(world.parts.families.creditOf(world.family(heir))) | 0).toBe(-1000);
});
