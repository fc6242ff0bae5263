/**
 * Frames as the other parts of the kernel see them: names, holds and their nodes, guards, what goes with a hold, and what that costs
 * at most. The environments do not run. [SOSP95 §3.1]
 */
import { DEATHS, DISK, ENV, ENV_LIMIT, ERRORS, FRAME, NO_ENV, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import { Machine } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';
import { checkInvariants, encodePredicate, FIRST_FREE_FRAME as FIRST, memoryFor } from '../../testkit/src/index.ts';
import { nodeOf } from '../src/capabilities.ts';
import { COSTS } from '../src/costs.ts';
import { Aegis } from '../src/index.ts';
import { PHYSICAL } from '../src/layout.ts';
import { COST_OF_FLUSH } from '../src/tlb-keeper.ts';

const { E_BUSY, E_CAP, E_NONE, E_RANGE } = ERRORS;
const READ = RIGHTS.read;
const BLOCKS = 64;
/** Pages of the environments: one that is bound, and two that are mapped for good. */
const [BOUND, MAPPED, BESIDE] = [0x300000, 0x200000, 0x400000];

/** A kernel with three environments, of two families. */
class World {
  readonly machine: Machine = new Machine({ ramBytes: memoryFor(80), engine: 'interpreter' });
  readonly aegis: Aegis = new Aegis(this.machine);
  readonly parts: Aegis['parts'] = this.aegis.parts;
  readonly a: number = this.#born(NO_ENV);
  readonly b: number = this.#born(NO_ENV);
  /** Of the family of `b`. */
  readonly c: number = this.#born(this.b);
  #entries = 8;

  constructor() {
    this.parts.memory.set(PHYSICAL.disk + DISK.blocks, BLOCKS);
  }

  #born(parent: number): number {
    const env = this.parts.environments.allocate(parent, undefined);
    this.parts.asids.give(env);
    return env;
  }

  /** A frame of an environment. */
  frame(env = this.a): number {
    return this.parts.frames.allocate(env, -1);
  }

  /** A capability of a branch of a frame's root, by its first holder. */
  branch(ppn: number): CapabilityWords {
    const words = this.parts.capabilities.branch(this.parts.frames.capability(ppn), READ, this.a);
    if (typeof words === 'number') throw new Error(`no branch of ${ppn}: ${words}`);
    return words;
  }

  /** The TLB has a translation of an environment to a frame, as `tlbwr` writes it. */
  bind(env: number, ppn: number): void {
    this.#entries += 1;
    this.machine.cpu.tlb.write(this.#entries, BOUND | this.parts.memory.env(env, ENV.asid), (ppn << 12) | 0x200);
  }

  /** Which of these environments have a translation to a frame. */
  bound(ppn: number): number[] {
    const { memory } = this.parts;
    const { tlb } = this.machine.cpu;
    const has = (env: number, i: number): boolean =>
      tlb.hi(i) === (BOUND | memory.env(env, ENV.asid)) && tlb.lo(i) >>> 12 === ppn;
    return [this.a, this.b, this.c].filter((env) =>
      Array.from({ length: 56 }, (_, i) => 8 + i).some((i) => has(env, i)),
    );
  }

  map(env: number, ppn: number, va: number, node = 0): number {
    return this.parts.environments.map(env, ppn, va, { writable: false, pages: [], node, envNode: 0 });
  }

  /** The pages that an environment has mapped for good. */
  mapped(env: number): number[] {
    const slots = [0, 1, 2].map((slot) => this.parts.memory.env(env, ENV.guaranteed + 8 * slot));
    return slots.filter((hi) => hi !== 0).map((hi) => hi & -4096);
  }

  /** A transmit ring of an environment in a frame. */
  ring(env: number, ppn: number): number {
    return this.parts.rings.bind(env, ppn, { transmit: true, slots: 1 });
  }

  hasRing(ring: number): boolean {
    return this.parts.rings.check(this.parts.rings.capability(ring), RIGHTS.control) === ring;
  }

  /** The words that tlbwr compares, for writing and for reading. */
  guard(ppn: number): number[] {
    return [0, 4, 8, 12].map((i) => this.parts.memory.get(PHYSICAL.frameAuth + 16 * ppn + i));
  }

  /** A frame of an environment becomes that of a cached block, which is not dirty. */
  cache(env: number, ppn: number, block: number): number {
    return this.parts.registry.insert(env, ppn, block, { dirty: false, through: { extent: 0, node: 0 } });
  }

  isFree(ppn: number): boolean {
    return this.parts.memory.frame(ppn, FRAME.owner) === NO_ENV;
  }

  /** The cycles that something costs. */
  work(does: () => void): number {
    const before = this.parts.memory.work;
    does();
    return this.parts.memory.work - before;
  }

  check(): void {
    expect(checkInvariants(this.aegis)).toEqual([]);
  }
}

describe('names', () => {
  test('from the first frame behind the kernel to the last, and none beside', () => {
    const { a, parts } = new World();
    const { frames, memory } = parts;
    expect([FIRST - 1, FIRST, frames.count - 1, frames.count].map((ppn) => frames.allocate(a, ppn))).toEqual([
      E_RANGE,
      FIRST,
      frames.count - 1,
      E_RANGE,
    ]);
    expect(memory.frame(frames.count, FRAME.generation)).toBe(0);
  });

  test('the search goes on behind the frame that was found last; after the last frame comes the first', () => {
    const { a, parts } = new World();
    const { frames } = parts;
    const seen: number[] = [];
    while (seen.at(-1) !== frames.count - 1) {
      seen.push(frames.allocate(a, -1));
      frames.drop(a, seen.at(-1) ?? 0);
    }
    expect(seen).toEqual(Array.from(seen, (_, i) => (seen[0] ?? 0) + i));
    expect(seen.length).toBeGreaterThan(10);
    expect(frames.allocate(a, -1)).toBe(FIRST);
  });

  test('a frame that only a cached block keeps is given to a caller that names it, or when no other is free', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames } = parts;
    const [first, second] = [world.frame(), world.frame()];
    for (const ppn of [first, second]) {
      expect(world.cache(a, ppn, ppn % BLOCKS)).toBe(0);
      frames.drop(a, ppn);
    }
    expect(world.isFree(first)).toBe(false);
    expect(frames.allocate(b, first)).toBe(first);
    expect(frames.allocate(b, first)).toBe(E_BUSY);
    while (frames.free > 0) frames.allocate(b, -1);
    expect(frames.allocate(b, -1)).toBe(second);
    expect(frames.allocate(b, -1)).toBe(E_NONE);
    expect(frames.allocatePinned(b)).toBe(E_NONE);
    expect(frames.free).toBe(0);
    world.check();
  });

  test('no capability authenticates for a frame that is free or does not exist', () => {
    const { parts } = new World();
    const { frames } = parts;
    for (const ppn of [FIRST + 1, frames.count, 0xffffffff]) {
      const [head] = frames.capability(FIRST);
      expect(frames.check(ppn < frames.count ? frames.capability(ppn) : [head, ppn, 0, 0], READ)).toBe(E_CAP);
    }
  });
});

describe('the holders of a frame', () => {
  test('hold it through the root, a node, or both', () => {
    const world = new World();
    const { a, b, c, parts } = world;
    const { frames } = parts;
    const [ppn, other] = [world.frame(), world.frame()];
    const [node, unused, ofOther] = [ppn, ppn, other].map((one) => nodeOf(world.branch(one)));
    if (node === undefined || unused === undefined || ofOther === undefined) throw new Error('no nodes');
    expect(frames.hold(b, ppn, node)).toBe(0);
    expect(frames.hold(b, other, ofOther)).toBe(0);
    const through = (env: number): boolean[] =>
      [0, node, unused, ofOther].map((one) => frames.isHeldThrough(env, ppn, one));
    expect(through(a)).toEqual([true, false, false, false]);
    expect(through(b)).toEqual([false, true, false, false]);
    expect(through(c)).toEqual([false, false, false, false]);
    expect([a, b, c].map((env) => frames.holdNode(env, ppn))).toEqual([0, node, 0]);
    // Twice, and it counts once.
    expect(frames.hold(b, ppn, 0)).toBe(0);
    expect(through(b)).toEqual([true, true, false, false]);
    expect(frames.holdNode(b, ppn)).toBe(0);
    expect(parts.memory.frame(ppn, FRAME.holders)).toBe(2);
    expect(parts.memory.env(b, ENV.frames)).toBe(2);
    world.check();
  });

  test('an environment is alone if it holds it through the root, and no other holds it', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames } = parts;
    const ppn = world.frame();
    expect([a, b].map((env) => frames.isAlone(env, ppn))).toEqual([true, false]);
    const node = nodeOf(world.branch(ppn));
    frames.hold(b, ppn, node);
    expect([a, b].map((env) => frames.isAlone(env, ppn))).toEqual([false, false]);
    frames.drop(a, ppn);
    expect(parts.memory.frame(ppn, FRAME.holders)).toBe(1);
    expect(frames.isAlone(b, ppn)).toBe(false);
    world.check();
  });

  test('all that an environment holds, each once, however it holds them', () => {
    const world = new World();
    const { b, parts } = world;
    const [one, two] = [world.frame(), world.frame()];
    const mine = world.frame(b);
    parts.frames.hold(b, one, nodeOf(world.branch(one)));
    parts.frames.hold(b, two, nodeOf(world.branch(two)));
    parts.frames.hold(b, two, 0);
    expect(parts.frames.heldBy(b).toSorted((x, y) => x - y)).toEqual([one, two, mine].toSorted((x, y) => x - y));
  });

  test('beyond its limit an environment holds no frame more, but again what it holds', () => {
    const world = new World();
    const { b, parts } = world;
    const { frames, memory } = parts;
    const [ppn, mine] = [world.frame(), world.frame(b)];
    expect(frames.mayHold(b, ppn)).toBe(true);
    memory.setEnv(b, ENV.frameLimit, 1);
    expect([ppn, mine].map((one) => frames.mayHold(b, one))).toEqual([false, true]);
    expect(frames.hold(b, ppn, 0)).toBe(E_NONE);
    expect(frames.hold(b, mine, nodeOf(world.branch(mine)))).toBe(0);
    expect(frames.allocate(b, -1)).toBe(E_NONE);
    expect(frames.allocate(b, ppn)).toBe(E_BUSY);
    world.check();
  });
});

describe('by which words a frame may be read', () => {
  test('a capability, by its node; the words of its guard; and no others', () => {
    const world = new World();
    const { parts } = world;
    const { frames } = parts;
    world.frame();
    const ppn = world.frame();
    const root = frames.capability(ppn);
    const branch = world.branch(ppn);
    expect(frames.readBy(root)).toEqual({ node: 0 });
    expect(frames.readBy(branch)).toEqual({ node: nodeOf(branch) });
    const [low, high] = [11, 12];
    expect(frames.readBy([0, ppn, low, high])).toBeUndefined();
    frames.setGuard(ppn, 'read', [low, high]);
    expect(frames.readBy([0, ppn, low, high])).toBe('guard');
    for (const [l, h] of [
      [low, high + 1],
      [low + 1, high],
      [high, low],
    ] as const) {
      expect(frames.readBy([0, ppn, l, h])).toBeUndefined();
    }
    expect(frames.readBy([0, ppn - 1, low, high])).toBeUndefined();
  });

  test('a name of no frame opens no words behind the table', () => {
    const { parts } = new World();
    const { frames, memory } = parts;
    for (const ppn of [frames.count, frames.count + 1]) {
      const at = PHYSICAL.frameAuth + 16 * ppn + 8;
      expect(frames.readBy([0, ppn, memory.get(at), memory.get(at + 4)])).toBeUndefined();
    }
  });
});

describe('a guard', () => {
  test('its words stand for reading or for writing, until it is reset; what the old ones bound is gone', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames } = parts;
    const ppn = world.frame();
    const before = world.guard(ppn);
    world.bind(b, ppn);
    frames.setGuard(ppn, 'write', [11, 12]);
    expect(world.guard(ppn)).toEqual([11, 12, ...before.slice(2)]);
    expect(world.bound(ppn)).toEqual([]);
    frames.setGuard(ppn, 'read', [13, 14]);
    expect(world.guard(ppn)).toEqual([11, 12, 13, 14]);
    expect(frames.isGuardChosen(ppn)).toBe(true);
    // Another holder changes nothing.
    expect(frames.hold(b, ppn, 0)).toBe(0);
    expect(world.guard(ppn)).toEqual([11, 12, 13, 14]);
    parts.environments.map(a, ppn, MAPPED, { writable: true, pages: [ENV.publicPage], node: 0, envNode: 0 });
    frames.resetGuard(parts.memory.env(a, ENV.publicPage));
    expect(world.guard(ppn)).toEqual([11, 12, ...before.slice(2)]);
    world.check();
  });

  test('a predicate that reads by its words goes with other ones for reading, not for writing', () => {
    const world = new World();
    const { b, parts } = world;
    const { frames, predicates } = parts;
    const ppn = world.frame();
    frames.setGuard(ppn, 'read', [11, 12]);
    const variable = { physical: 4096 * ppn, capability: [0, ppn, 11, 12] as const };
    const bytes = encodePredicate([{ tag: 1, terms: [{ left: variable, operator: 'eq', right: 1 }] }]);
    expect(predicates.set(b, bytes)).toBeGreaterThan(0);
    frames.setGuard(ppn, 'write', [13, 14]);
    expect(predicates.pinned).toEqual([ppn]);
    frames.setGuard(ppn, 'read', [13, 14]);
    expect(predicates.pinned).toEqual([]);
    world.check();
  });
});

describe('what goes with a hold', () => {
  test('that is dropped: what its environment has of the frame through another resource', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames, capabilities } = parts;
    const { nodes } = capabilities;
    const ppn = world.frame();
    const extent = nodes.make(0, { kind: 2, name: 0 }, a);
    const words = capabilities.under(extent, 'frame', READ, ppn, b);
    if (typeof words === 'number') throw new Error(`no node: ${words}`);
    expect(frames.hold(b, ppn, nodeOf(words))).toBe(0);
    expect(frames.check(words, READ)).toBe(ppn);
    expect(frames.drop(b, ppn)).toBe(0);
    expect(frames.check(words, READ)).toBe(E_CAP);
    expect(nodes.generation(extent)).toBeDefined();
    nodes.end([extent]);
    world.check();
  });

  test('of an environment that ends: its bits in the nodes of others', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames, environments } = parts;
    const { nodes } = parts.capabilities;
    const ppn = world.frame();
    const node = nodeOf(world.branch(ppn));
    frames.hold(b, ppn, node);
    frames.boundThrough(b, node);
    frames.boundThrough(b, 0);
    expect([nodes.holds, nodes.bindings].map((sets) => sets.members(node))).toEqual([[b], [b]]);
    expect(nodes.bindings.members(0)).toEqual([]);
    environments.end(b, DEATHS.exit);
    expect([nodes.holds, nodes.bindings].map((sets) => sets.members(node))).toEqual([[], []]);
    expect([...frames.holders(ppn)]).toEqual([a]);
  });

  test('through a node that ends: mappings, translations, rings that were bound through it; and nothing else', () => {
    const world = new World();
    const { a, b, c, parts } = world;
    const { frames, capabilities, families } = parts;
    const [ppn, other] = [world.frame(), world.frame(b)];
    const [node, kept] = [world.branch(ppn), world.branch(ppn)].map((words) => nodeOf(words));
    if (node === undefined || kept === undefined) throw new Error('no nodes');
    expect(world.map(b, ppn, MAPPED, node)).toBe(0);
    expect(world.map(b, ppn, BESIDE, kept)).toBe(0);
    expect(world.map(b, other, BOUND)).toBe(0);
    expect(frames.hold(c, ppn, node)).toBe(0);
    for (const env of [a, b, c]) world.bind(env, ppn);
    expect(world.bound(ppn)).toEqual([a, b, c]);
    const rings = [a, b, c].map((env) => world.ring(env, ppn));
    frames.boundThrough(a, node);
    const family = families.of(b);
    expect(families.has('frames', family)).toBe(2);
    capabilities.end(node);
    expect(world.mapped(b)).toEqual([BESIDE, BOUND]);
    expect(world.bound(ppn)).toEqual([]);
    // The first is told by what it bound, the last because it lost its hold; the second has another.
    expect(rings.map((ring) => world.hasRing(ring))).toEqual([false, true, false]);
    expect([...frames.holders(ppn)]).toEqual([a, b]);
    expect(families.has('frames', family)).toBe(2);
    world.check();
  });

  test.each(['with another’s hold', 'with the last hold'] as const)('through a node that ends, %s', (way) => {
    const world = new World();
    const { a, b, c, parts } = world;
    const { frames, capabilities, families } = parts;
    const ppn = world.frame();
    const node = nodeOf(world.branch(ppn));
    // Two of one family: it loses the frame once.
    for (const env of [b, c]) expect(frames.hold(env, ppn, node)).toBe(0);
    const isLast = way === 'with the last hold';
    if (isLast) expect(frames.drop(a, ppn)).toBe(0);
    for (const env of [a, b]) world.bind(env, ppn);
    expect(families.has('frames', families.of(b))).toBe(1);
    const cost = world.work(() => {
      capabilities.end(node);
    });
    expect(families.has('frames', families.of(b))).toBe(0);
    expect([b, c].map((env) => parts.memory.env(env, ENV.frames))).toEqual([0, 0]);
    expect(world.isFree(ppn)).toBe(isLast);
    expect(world.bound(ppn)).toEqual([]);
    // The translations are looked for once.
    expect(cost).toBeLessThan(2 * COST_OF_FLUSH);
    world.check();
  });
});

describe('a frame that is taken by force', () => {
  test('from one of two that hold it: it loses its mappings, translations and rings; the other loses nothing', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames } = parts;
    const [ppn, other] = [world.frame(), world.frame(b)];
    for (const env of [a, b]) {
      expect(world.map(env, ppn, MAPPED)).toBe(0);
      world.bind(env, ppn);
    }
    expect(world.map(b, other, BESIDE)).toBe(0);
    const rings = [a, b].map((env) => world.ring(env, ppn));
    frames.repossess(b, [ppn]);
    expect([a, b].map((env) => world.mapped(env))).toEqual([[MAPPED], [BESIDE]]);
    expect(world.bound(ppn)).toEqual([a]);
    expect(rings.map((ring) => world.hasRing(ring))).toEqual([true, false]);
    expect(frames.heldBy(b)).toEqual([other]);
    world.check();
  });

  test('from all: each loses what it has of it, a cached block goes, and it is free', () => {
    const world = new World();
    const { a, b, parts } = world;
    const [ppn, other] = [world.frame(), world.frame(b)];
    for (const env of [a, b]) {
      expect(world.map(env, ppn, MAPPED)).toBe(0);
      world.bind(env, ppn);
    }
    expect(world.map(b, other, BESIDE)).toBe(0);
    expect(world.cache(a, ppn, 5)).toBe(0);
    parts.frames.repossessFromAll(ppn);
    expect([a, b].map((env) => world.mapped(env))).toEqual([[], [BESIDE]]);
    expect(world.bound(ppn)).toEqual([]);
    expect(world.isFree(ppn)).toBe(true);
    world.check();
  });
});

describe('what it costs at most', () => {
  /** What dropping a frame was estimated to cost, and what it took. */
  function drop(pins: number, branches: number): { readonly estimate: number; readonly taken: number } {
    const world = new World();
    const { a, b, parts } = world;
    const ppn = world.frame();
    for (let i = 0; i < pins; i += 1) expect(world.ring(i % 2 === 0 ? a : b, ppn)).toBeGreaterThanOrEqual(0);
    for (let i = 0; i < branches; i += 1) world.branch(ppn);
    const estimate = parts.frames.costOfDropping(ppn);
    const taken = world.work(() => parts.frames.drop(a, ppn));
    expect(world.isFree(ppn)).toBe(true);
    return { estimate, taken };
  }

  test('to drop a frame: nothing to be paid before without branches and pins, else no less than it takes', () => {
    expect(drop(0, 0).estimate).toBe(0);
    for (const [pins, branches] of [
      [1, 0],
      [4, 0],
      [0, 1],
      [0, 6],
      [3, 2],
    ] as const) {
      const { estimate, taken } = drop(pins, branches);
      expect(estimate, `${pins} pins, ${branches} branches`).toBeGreaterThanOrEqual(taken);
    }
    const [one, six] = [drop(1, 0), drop(6, 0)];
    expect(six.estimate - one.estimate).toBeGreaterThanOrEqual(six.taken - one.taken);
  });

  test('to let go of frames: nothing for none, else no less than it takes', () => {
    expect(new World().parts.frames.costOfLetting(0)).toBe(0);
    for (const count of [1, 2, 8, 40]) {
      const world = new World();
      const { a, b, parts } = world;
      const { frames } = parts;
      const ppns = Array.from({ length: count }, () => world.frame(b));
      for (const ppn of ppns.slice(0, count / 2)) frames.hold(a, ppn, 0);
      const estimate = frames.costOfLetting(count);
      const taken = world.work(() => {
        frames.repossess(b, ppns);
      });
      expect(estimate, String(count)).toBeGreaterThanOrEqual(taken);
    }
  });

  test('no MAC is made for a second holder, no other is looked for with the first, and a frame is flushed once', () => {
    const world = new World();
    const { a, b, parts } = world;
    const { frames } = parts;
    const ppn = world.frame();
    expect(world.work(() => frames.hold(b, ppn, 0))).toBeLessThan(COSTS.mac);
    expect(world.work(() => frames.repossess(b, [ppn]))).toBeLessThan(2 * COST_OF_FLUSH);
    expect(world.work(() => frames.repossess(a, [ppn]))).toBeLessThan(2 * COST_OF_FLUSH);
    // The registry's frame, which only the kernel has.
    const kept = frames.allocatePinned(a);
    expect(world.work(() => frames.hold(b, kept, 0))).toBeLessThan(2 * COSTS.mac + ENV_LIMIT * COSTS.word);
    expect(frames.drop(b, kept)).toBe(0);
    frames.unpin(kept);
    expect(world.isFree(kept)).toBe(true);
    world.check();
  });
});
