/**
 * A capability of an earlier life stays dead however often its name is used again: generations have two words. One word would come
 * round in weeks; here it comes round because the test writes it.
 */
import {
  ENV,
  ENV_BYTES,
  ERRORS,
  EXPOSED,
  EXTENT,
  EXTENT_BYTES,
  FILTER,
  FILTER_BYTES,
  FRAME,
  FRAME_BYTES,
  NODE,
  NODE_BYTES,
  NO_ENV,
  POLICIES,
  RIGHTS,
  RING,
  RING_BYTES,
  SLICE,
  SLICE_BYTES,
  type CapabilityWords,
} from '@exokernel/abi';
import { encodeFilter } from '@exokernel/dpf';
import { Machine } from '@exokernel/hardware';
import { expect, test } from 'vitest';
import { checkInvariants, memoryFor } from '../../testkit/src/index.ts';
import { nodeOf } from '../src/capabilities.ts';
import { COSTS } from '../src/costs.ts';
import { Aegis } from '../src/index.ts';

/** A kernel with one environment that holds a frame and has a ring. */
class World {
  readonly aegis: Aegis = new Aegis(new Machine({ ramBytes: memoryFor(400), engine: 'interpreter' }));
  readonly parts: Aegis['parts'] = this.aegis.parts;
  readonly owner: number = this.parts.environments.allocate(NO_ENV, undefined);
  readonly frame: number = this.parts.frames.allocate(this.owner, -1);
  readonly ring: number = this.parts.rings.bind(this.owner, this.frame, { transmit: false, slots: 1 });
}

/** One kind of resource: always the same one of it is made and ended. */
interface Kind {
  readonly make: (world: World) => CapabilityWords;
  readonly end: (world: World, words: CapabilityWords) => void;
  /** What a check of the capability answers: its name, or E_CAP. */
  readonly check: (world: World, words: CapabilityWords) => number;
  /** Where the low word of the generation lies, and what it is the generation of. */
  readonly low: { readonly table: number; readonly bytes: number; readonly field: number };
  readonly name?: (words: CapabilityWords) => number;
}

const FILTER_CODE = encodeFilter([{ kind: 'eq', offset: 12, size: 2, value: 0x9000 }]);

const KINDS: readonly (readonly [string, Kind])[] = [
  [
    'frames',
    {
      make: ({ parts: { frames }, owner, frame }) => frames.capability(frames.allocate(owner, frame + 1)),
      end: ({ parts, owner }, [, ppn]) => void parts.frames.drop(owner, ppn),
      check: ({ parts }, words) => parts.frames.check(words, RIGHTS.read),
      low: { table: EXPOSED.frames, bytes: FRAME_BYTES, field: FRAME.generation },
    },
  ],
  [
    'nodes',
    {
      make: ({ parts: { capabilities, frames }, owner, frame }) => {
        const words = capabilities.branch(frames.capability(frame), RIGHTS.read, owner);
        return typeof words === 'number' ? [0, 0, 0, 0] : words;
      },
      end: ({ parts: { capabilities } }, words) => {
        capabilities.end(nodeOf(words));
      },
      check: ({ parts }, words) => parts.frames.check(words, RIGHTS.read),
      low: { table: EXPOSED.nodes, bytes: NODE_BYTES, field: NODE.generation },
      name: nodeOf,
    },
  ],
  [
    'environments',
    {
      make: ({ parts: { environments } }) => {
        // Of all records one is left.
        let last = 0;
        for (let env = 0; env >= 0; env = environments.allocate(NO_ENV, undefined)) last = env;
        return environments.capability(last);
      },
      end: ({ parts }, [, env]) => parts.environments.end(env, 1),
      check: ({ parts }, words) => parts.environments.check(words, 0),
      low: { table: EXPOSED.environments, bytes: ENV_BYTES, field: ENV.generation },
    },
  ],
  [
    'slices',
    {
      make: ({ parts: { slices }, owner }) => slices.capability(slices.allocate(owner, 5)),
      end: ({ parts }, [, position]) => {
        parts.slices.free(position);
      },
      check: ({ parts }, words) => parts.capabilities.check(words, 'slice', RIGHTS.control),
      low: { table: EXPOSED.slices, bytes: SLICE_BYTES, field: SLICE.generation },
    },
  ],
  [
    'rings',
    {
      make: ({ parts: { rings }, owner, frame }) =>
        rings.capability(rings.bind(owner, frame, { transmit: true, slots: 1 })),
      end: ({ parts }, [, ring]) => {
        parts.rings.free(ring);
      },
      check: ({ parts }, words) => parts.rings.check(words, RIGHTS.control),
      low: { table: EXPOSED.rings, bytes: RING_BYTES, field: RING.generation },
    },
  ],
  [
    'filters',
    {
      make: ({ parts: { filters }, owner, ring }) =>
        filters.capability(filters.bind(owner, { bytes: FILTER_CODE, ring, node: 0, policy: POLICIES.first })),
      end: ({ parts }, [, filter]) => {
        parts.filters.free(filter);
      },
      check: ({ parts }, words) => parts.filters.check(words, RIGHTS.control),
      low: { table: EXPOSED.filters, bytes: FILTER_BYTES, field: FILTER.generation },
    },
  ],
  [
    'extents',
    {
      make: ({ parts: { extents }, owner }) => extents.capability(extents.grant(owner, { start: 0, blocks: 1 })),
      end: ({ parts }, [, extent]) => {
        parts.extents.free(extent);
      },
      check: ({ parts }, words) => parts.extents.check(words, RIGHTS.read),
      low: { table: EXPOSED.extents, bytes: EXTENT_BYTES, field: EXTENT.generation },
    },
  ],
];

const E_CAP = ERRORS.E_CAP;

test.each(KINDS)('%s: the low word of the generation comes round, and an old capability stays dead', (_, kind) => {
  const world = new World();
  const { memory } = world.parts;
  const old = kind.make(world);
  const name = kind.name ?? ((words: CapabilityWords): number => words[1]);
  const low = kind.low.table + kind.low.bytes * name(old) + kind.low.field;
  const generation = memory.get(low);
  expect(kind.check(world, old)).toBe(old[1]);
  kind.end(world, old);
  expect(kind.check(world, old)).toBe(E_CAP);

  memory.set(low, 0xffffffff);
  const lives: number[] = [];
  for (let i = 0; i < 16; i += 1) {
    const words = kind.make(world);
    expect([name(words), kind.check(world, words)]).toEqual([name(old), words[1]]);
    lives.push(memory.get(low));
    expect(kind.check(world, old)).toBe(E_CAP);
    kind.end(world, words);
    expect(kind.check(world, words)).toBe(E_CAP);
  }
  // One of these had the low word that the old one had.
  expect(lives).toContain(generation);
  expect(checkInvariants(world.aegis)).toEqual([]);
});

test('a node of a frame’s earlier life is none of its later one, when the low word of the frame’s generation has come round', () => {
  const world = new World();
  const { memory, frames, capabilities } = world.parts;
  const ppn = frames.allocate(world.owner, -1);
  const low = EXPOSED.frames + FRAME_BYTES * ppn + FRAME.generation;
  const generation = memory.get(low);
  const branch = capabilities.branch(frames.capability(ppn), RIGHTS.read, world.owner);
  if (typeof branch === 'number') throw new Error(`no branch: ${branch}`);
  frames.drop(world.owner, ppn);
  memory.set(low, 0xffffffff);
  for (let i = 0; memory.get(low) !== generation; i += 1) {
    expect(i).toBeLessThan(16);
    frames.allocate(world.owner, ppn);
    frames.drop(world.owner, ppn);
  }
  expect(frames.allocate(world.owner, ppn)).toBe(ppn);
  expect(frames.check(branch, RIGHTS.read)).toBe(E_CAP);
  expect(capabilities.revocable(frames.capability(ppn), nodeOf(branch))).toBe(E_CAP);
  expect(frames.isHeldThrough(world.owner, ppn, nodeOf(branch))).toBe(false);
  // One of the later life is.
  const later = capabilities.branch(frames.capability(ppn), RIGHTS.read, world.owner);
  if (typeof later === 'number') throw new Error(`no branch: ${later}`);
  expect(frames.check(later, RIGHTS.read)).toBe(ppn);
  expect(frames.hold(world.owner, ppn, nodeOf(later))).toBe(0);
  expect(frames.isHeldThrough(world.owner, ppn, nodeOf(later))).toBe(true);
  expect(capabilities.revocable(frames.capability(ppn), nodeOf(later))).toBe(nodeOf(later));
});

test('how long it takes to bring one word round, in days of a machine of 25 MHz', () => {
  const days = KINDS.map(([name, kind]) => {
    const world = new World();
    // The first of an environment takes what others were.
    kind.end(world, kind.make(world));
    world.parts.memory.spent();
    kind.end(world, kind.make(world));
    const cycles = 2 * COSTS.call + world.parts.memory.spent();
    return [name, Math.round((cycles * 2 ** 32) / 25e6 / 86400)];
  });
  expect(Object.fromEntries(days)).toMatchInlineSnapshot(`
    {
      "environments": 31,
      "extents": 11,
      "filters": 32,
      "frames": 43,
      "nodes": 39,
      "rings": 6,
      "slices": 5,
    }
  `);
});
