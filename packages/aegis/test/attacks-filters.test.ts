/** Filters that are bound so that others can bind none: all of them together are one piece of code, of which one run may not take long. */
import { ENV, ENV_STATUS, ERRORS, NO_ENV, POLICIES } from '@exokernel/abi';
import { FilterSet, encodeFilter, udp, type Atom, type OverlapPolicy } from '@exokernel/dpf';
import { Machine } from '@exokernel/hardware';
import { compileMips } from '@exokernel/vcode';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkInvariants } from '../../testkit/src/index.ts';
import { Aegis } from '../src/aegis.ts';
import { QUOTAS } from '../src/families.ts';
import { roomOf } from '../src/filters.ts';
import { FILTER_TIME, PHYSICAL, STEP_CYCLES } from '../src/layout.ts';
import { mostCycles, mostCyclesOf } from '../src/stalls.ts';

class World {
  readonly aegis: Aegis = new Aegis(new Machine());
  readonly #rings = new Map<number, number>();

  /** An environment of a family of its own that has a ring. */
  born(): number {
    const { environments, frames, rings } = this.aegis.parts;
    const env = environments.allocate(NO_ENV, undefined);
    const ppn = frames.allocate(env, -1);
    environments.map(env, ppn, 0x1000, { writable: true, pages: [ENV.uPage], node: 0, envNode: 0 });
    expect(environments.set(env, ENV.prologue, 0x2000)).toBe(0);
    expect(environments.set(env, ENV.status, ENV_STATUS.runnable)).toBe(0);
    this.#rings.set(env, rings.bind(env, ppn, { transmit: false, slots: 1 }));
    return env;
  }

  bind(env: number, atoms: readonly Atom[], policy: OverlapPolicy): number {
    const request = { bytes: encodeFilter(atoms), ring: this.#rings.get(env) ?? 0, node: 0, policy: POLICIES[policy] };
    return this.aegis.parts.filters.bind(env, request);
  }

  /** Binds filters of so many fields that no other has, until none is accepted. Returns them. */
  bindAll(env: number, fields: number, policy: OverlapPolicy): number[] {
    const bound: number[] = [];
    for (let n = 0; n < 36; n += 1) {
      const atoms = Array.from({ length: fields }, (_, k): Atom => ({
        kind: 'eq',
        offset: 40 + 36 * n + 4 * k,
        size: 4,
        value: 0x12345600 + fields,
      }));
      const id = this.bind(env, atoms, policy);
      if (id < 0) break;
      bound.push(id);
    }
    return bound;
  }
}

/** Bytes of code that there is room for, for each that is counted. */
const ROOM_FOR_CODE = (PHYSICAL.demuxActivation - PHYSICAL.demux) / QUOTAS.filterBytes.total;

const endpoint = (port: number): Atom[] => udp({ dstIp: '10.0.0.2', dstPort: port });

test.each(['specific', 'all', 'first'] as const)(
  'two families bind all that they can (%s): each other one still binds what it is guaranteed',
  (policy) => {
    const world = new World();
    const [one, other, early] = [world.born(), world.born(), world.born()];
    const taken = [
      ...world.bindAll(one, 8, policy),
      ...world.bindAll(other, 8, policy),
      ...world.bindAll(one, 1, policy),
    ];
    expect(taken.length).toBeGreaterThan(10);
    expect(world.bind(one, endpoint(1), policy)).toBe(ERRORS.E_NONE);
    for (const env of [early, world.born()])
      expect(world.bind(env, endpoint(env), 'specific')).toBeGreaterThanOrEqual(0);
    expect(checkInvariants(world.aegis)).toEqual([]);
    // What one gives up the other can have.
    world.aegis.parts.filters.free(...taken);
    expect(world.bindAll(other, 8, policy).length).toBeGreaterThan(5);
    expect(checkInvariants(world.aegis)).toEqual([]);
  },
);

test('a guaranteed filter that lies in the way of others is given up for one that does not: no third pays', () => {
  const world = new World();
  const [one, other, bystander] = [world.born(), world.born(), world.born()];
  // Within its guarantee, and on the way of another's: it takes no time now.
  const [first] = world.bindAll(one, 4, 'specific');
  world.bindAll(other, 8, 'specific');
  world.aegis.parts.filters.free(first ?? -1);
  world.bindAll(one, 1, 'all');
  expect(world.bind(bystander, endpoint(7), 'specific')).toBeGreaterThanOrEqual(0);
  expect(checkInvariants(world.aegis)).toEqual([]);
});

const atom: fc.Arbitrary<Atom> = fc
  .record({
    size: fc.constantFrom(1, 2, 4),
    offset: fc.oneof(fc.nat(40), fc.nat(1400)),
    value: fc.nat(),
    mask: fc.nat(),
    kind: fc.constantFrom('eq', 'meq', 'shift'),
  })
  .map(({ size, offset, value, mask, kind }): Atom => {
    const [full, s] = [2 ** (8 * size) - 1, size];
    const some = mask % full || 1;
    if (kind === 'eq') return { kind, offset, size: s, value: value % full };
    if (kind === 'meq') return { kind, offset, size: s, mask: some, value: (value & some) >>> 0 };
    return { kind: 'shift', offset, size: s, mask: 15, shift: 2 };
  });

test('a filter adds no more than its own weight, takes nothing with it, and the code takes no more cycles than are counted', () => {
  const set = fc.array(
    fc.record({
      atoms: fc.array(atom, { minLength: 1, maxLength: 6 }),
      policy: fc.constantFrom('specific', 'first', 'all', 'refuse'),
    }),
    { minLength: 1, maxLength: 10 },
  );
  fc.assert(
    fc.property(set, (filters) => {
      const merged = new FilterSet();
      const bound: number[] = [];
      const all = (): boolean => true;
      for (const { atoms, policy } of filters) {
        const before = merged.weight(mostCyclesOf, all);
        let id = -1;
        try {
          id = merged.insert(atoms, policy);
        } catch {
          continue;
        }
        bound.push(id);
        expect(merged.weight(mostCyclesOf, all) - before).toBeLessThanOrEqual(merged.weightOf(id, mostCyclesOf));
      }
      const around = STEP_CYCLES - FILTER_TIME.unit * FILTER_TIME.total;
      for (const program of [merged.program({ align: 4 }), merged.copiesProgram({ align: 4 })]) {
        const cycles = mostCycles(compileMips(program, 0x80000000));
        expect(cycles).toBeLessThanOrEqual(merged.weight(mostCyclesOf, all) + around);
      }
      for (const id of bound) {
        const before = merged.weight(mostCyclesOf, all);
        const without = merged.weight(mostCyclesOf, (one) => one !== id);
        merged.delete(id);
        expect(merged.weight(mostCyclesOf, all)).toBe(without);
        expect(without).toBeLessThanOrEqual(before);
      }
    }),
    { numRuns: 60 },
  );
});

// Filters of 32 shifts had filled the room for code with two thirds of what they may have: others could bind none.
test('code of filters has no more bytes than the room that is counted for it', () => {
  const branch = fc.oneof(
    fc.array(atom, { minLength: 1, maxLength: 12 }),
    fc.array(
      atom.filter(({ kind }) => kind === 'shift'),
      { minLength: 24, maxLength: 32 },
    ),
  );
  fc.assert(
    fc.property(fc.array(branch, { minLength: 1, maxLength: 12 }), (filters) => {
      const merged = new FilterSet();
      let room = 0;
      filters.forEach((atoms, n) => {
        const all: Atom[] = [{ kind: 'eq', offset: 12, size: 2, value: n >> 1 }, ...atoms];
        merged.insert(all, 'all');
        room += roomOf(encodeFilter(all));
      });
      const words = compileMips(merged.copiesProgram({ align: 4 }), 0x80000000).words.length;
      expect(4 * words).toBeLessThanOrEqual(ROOM_FOR_CODE * room + 400);
    }),
    { numRuns: 40 },
  );
});
