/**
 * The kernel's tables hold all of its state: whatever was done to it, a second kernel that gets a copy of the memory gives the
 * same answers from then on, and leaves the same words.
 */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  ENV,
  ENV_LIMIT,
  ENV_STATUS,
  EXPOSED,
  FILTER_LIMIT,
  NO_ENV,
  POLICIES,
  REPOSSESSION,
  REPOSSESSION_BYTES,
  REPOSSESSION_STATES,
  RIGHTS,
  RING_LIMIT,
  SLICE_LIMIT,
  DISK,
  type CapabilityWords,
} from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { encodeFilter, type Atom } from '@exokernel/dpf';
import { Machine } from '@exokernel/hardware';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkInvariants, encodePredicate, memoryFor } from '../../testkit/src/index.ts';
import { nodeOf } from '../src/capabilities.ts';
import { Aegis } from '../src/index.ts';
import { KP, PHYSICAL } from '../src/layout.ts';
import { COMPLETIONS, TABLES } from '../src/tables.ts';
import { CPU } from './world.ts';

const BLOCKS = 40;
const QUEUE = { available: PHYSICAL.diskQueue + 0x800, used: PHYSICAL.diskQueue + 0xa00, size: 128 } as const;

const HANDLER = encodeHandler(
  defineHandler('small', { windowBytes: 16 }, (h) => {
    h.code.store(h.window, 4, 'little', 0, h.message.le32(0));
    h.consume();
  }),
);

/** A kernel, and what the programs on it would remember: capabilities that were given. */
class World {
  readonly machine: Machine = new Machine({ ramBytes: memoryFor(400), engine: 'interpreter' });
  readonly aegis: Aegis = new Aegis(this.machine);
  capabilities: CapabilityWords[] = [];
  #served = 0;

  readonly #fresh: Uint8Array;

  constructor() {
    this.aegis.parts.memory.set(PHYSICAL.disk + DISK.blocks, BLOCKS);
    this.#fresh = this.machine.snapshot();
  }

  /** As it was when it was made. */
  reset(): void {
    this.machine.restore(this.#fresh);
    this.capabilities = [];
    this.#served = 0;
  }

  /** Becomes a copy of another. */
  become(other: World): void {
    this.machine.restore(other.machine.snapshot());
    this.capabilities = [...other.capabilities];
    this.#served = other.#served;
  }

  /** Does one thing, which the numbers choose. Returns what came of it. */
  step([what, x, y, z]: Step): unknown {
    const { aegis } = this;
    const { frames, environments, capabilities, rings, filters, predicates, messages, slices, asids } = aegis.parts;
    const { extents, disk, registry, revocation, memory, serial } = aegis.parts;
    const alive = Array.from({ length: ENV_LIMIT }, (_, id) => id).filter((id) => this.#lives(id));
    const pick = <T>(from: readonly T[], n: number): T | undefined => from[n % from.length];
    const env = pick(alive, x);
    if (env === undefined || what === 0) return this.#newcomer(env ?? NO_ENV);
    const other = pick(alive, y) ?? env;
    const ppn = pick(frames.heldBy(env), z);
    const words = pick(this.capabilities, z);
    const ring = pick(
      idsOf(RING_LIMIT, (id) => capabilities.check(rings.capability(id), 'ring', 0)),
      y,
    );
    const filter = pick(
      idsOf(FILTER_LIMIT, (id) => (filters.owner(id) === NO_ENV ? -1 : id)),
      y,
    );
    const extent = pick(
      idsOf(16, (id) => capabilities.check(extents.capability(id), 'extent', 0)),
      y,
    );
    const cached = idsOf(BUFFER_LIMIT, (n) => memory.get(EXPOSED.buffers + BUFFER_BYTES * n + BUFFER.state) - 1);
    const block = pick(
      cached.map((n) => memory.get(EXPOSED.buffers + BUFFER_BYTES * n + BUFFER.block)),
      z,
    );
    switch (what) {
      case 1:
        if (alive.length <= 3) return -1;
        environments.end(env, x & 0xff);
        return env;
      case 2:
        return this.#given(frames.allocate(env, -1), (n) => frames.capability(n));
      case 3:
        return ppn === undefined ? -1 : frames.hold(other, ppn, 0);
      case 4:
        return ppn === undefined ? -1 : frames.drop(env, ppn);
      case 5: {
        const root =
          extent === undefined || (y & 1) === 0
            ? ppn === undefined
              ? undefined
              : frames.capability(ppn)
            : extents.capability(extent);
        const branch = capabilities.branch(
          (y & 2) === 0 ? (root ?? NULL) : (words ?? root ?? NULL),
          RIGHTS.read,
          other,
        );
        if (typeof branch !== 'number') this.capabilities.push(branch);
        return branch;
      }
      case 6: {
        const checked = words === undefined ? -1 : frames.check(words, RIGHTS.read);
        return checked < 0 || words === undefined ? -1 : frames.hold(other, checked, nodeOf(words));
      }
      case 7: {
        if (words === undefined) return -1;
        const name = words[1];
        const root = words[0] >>> 24 === 1 ? frames.capability(name) : extents.capability(name);
        const node = capabilities.revocable(root, nodeOf(words));
        if (node >= 0) capabilities.end(node);
        return node;
      }
      case 8: {
        if (ppn === undefined) return -1;
        const bound = rings.bind(env, ppn, { transmit: (y & 1) === 1, slots: 1 + (y & 3) });
        if (words !== undefined && words[1] === ppn) frames.boundThrough(env, nodeOf(words));
        return bound;
      }
      case 9:
        if (ring === undefined || ppn === undefined) return -1;
        return (x & 1) === 0 || !rings.isReceive(ring) ? rings.extend(ring, ppn) : rings.tap(ring, { ring: 0, net: 0 });
      case 10:
        if (ring !== undefined) rings.free(ring);
        return ring;
      case 11:
      case 12: {
        if (ring === undefined || !rings.isReceive(ring)) return -1;
        const policy = (x >>> 3) % Object.keys(POLICIES).length;
        const bytes = encodeFilter(atoms(z));
        return filters.bind(env, { bytes, ring, node: words === undefined ? 0 : nodeOf(words), policy });
      }
      case 13:
        if (filter === undefined) return -1;
        filters.free(filter);
        return filter;
      case 14:
        return filter === undefined || ppn === undefined ? -1 : filters.handlers.window(filter, ppn, (x & 3) === 1, 0);
      case 15:
        return filter === undefined ? -1 : filters.attach(filter, HANDLER, 0);
      case 16:
        if (ppn === undefined) return predicates.set(env, new Uint8Array(0));
        return predicates.set(env, predicate(ppn, words?.[1] === ppn ? words : frames.capability(ppn)));
      case 17:
        return ppn === undefined || (y & 1) === 1 ? messages.free(env) : messages.bind(env, ppn);
      case 18: {
        const position = z % SLICE_LIMIT;
        if ((y & 3) > 0) return slices.allocate(env, (y & 1) === 0 ? -1 : position);
        return slices.of(env).includes(position) ? slices.free(position) : -1;
      }
      case 19:
        if (memory.env(env, ENV.asid) === 0) asids.give(env);
        return asids.owner(z % 64);
      case 20:
        return extents.allocate(env, (y & 1) === 0 ? -1 : z % BLOCKS, 1 + (x & 7), BLOCKS);
      case 21:
        if (extent !== undefined) extents.free(extent);
        return extent;
      case 22: {
        if (extent === undefined) return -1;
        const list = frames
          .heldBy(env)
          .map((page, i) => ({ ppn: page, node: 0, block: disk.physical(extent, (i * (1 + (z & 1))) % 8) }));
        const possible = list.filter(({ block }) => block >= 0).slice(0, 1 + (z & 15));
        return possible.length === 0
          ? -1
          : disk.transfer(CPU, possible, { env, node: 0, write: (x & 1) === 1, slot: z & 15 });
      }
      case 23: {
        const at = extent === undefined ? -1 : disk.physical(extent, z & 7);
        if (ppn === undefined || extent === undefined || at < 0) return -1;
        const done = { kind: COMPLETIONS.word, operand: 0, slot: y & 15 };
        // Through whatever node of frame or extent there is.
        const node = words !== undefined && extents.check(words, 0) === extent ? nodeOf(words) : 0;
        const frame = { ppn, node: words !== undefined && frames.check(words, 0) === ppn ? nodeOf(words) : 0 };
        return disk.submit(CPU, [{ env, node, block: at, frames: [frame], write: (x & 1) === 1, done }]);
      }
      case 24:
        this.#serve(x, (y & 7) === 0);
        disk.interrupt(CPU);
        return disk.inFlight;
      case 25:
        return registry.read(CPU, env, z % BLOCKS, y & 15);
      case 26: {
        const at = extent === undefined ? -1 : disk.physical(extent, z & 7);
        if (extent === undefined || at < 0) return -1;
        const through = { extent, node: words !== undefined && extents.check(words, 0) === extent ? nodeOf(words) : 0 };
        if ((x & 3) === 0 && ppn !== undefined) return registry.insert(env, ppn, at, { dirty: (y & 1) === 1, through });
        const mapped = registry.map(env, at, RIGHTS.read, through);
        return typeof mapped === 'number' ? mapped : this.#given(mapped[1], () => mapped);
      }
      case 27:
        if (block === undefined) return -1;
        if ((y & 3) === 0) return registry.remove(block);
        return (y & 3) === 1
          ? registry.setDirty(env, block, (x & 1) === 1)
          : registry.write(CPU, env, block, { mayWrite: (x & 1) === 1, slot: y & 15 });
      case 28:
        memory.setKernelPage(KP.tick, memory.kernelPage(KP.tick) + (z & 31));
        revocation.due(CPU);
        return revocation.begin(env);
      case 29:
        if ((y & 3) === 0) return revocation.need(CPU, env);
        if ((y & 3) === 1) return frames.isReserved(env);
        return (y & 3) === 2
          ? revocation.ask(env, (z & 1) as 0 | 1, 1 + (z & 3))
          : revocation.take(CPU, env, (z & 1) as 0 | 1, 1 + (z & 3));
      case 30:
        if (ppn === undefined) return -1;
        if ((y & 1) === 0) frames.setGuard(ppn, (y & 2) === 0 ? 'read' : 'write', [x, z]);
        return environments.map(env, ppn, 0x100000 + 4096 * (z & 7), {
          writable: true,
          pages: [],
          node: 0,
          envNode: 0,
        });
      default:
        if ((y & 1) === 0) return serial.read(env, { line: z & 3, node: 0 });
        return serial.write(
          CPU,
          env,
          { line: z & 3, node: 0 },
          Array.from({ length: x & 31 }, (_, i) => (x + i) & 0xff),
        );
    }
  }

  /** All that can be asked of the kernel. */
  get answers(): unknown {
    const { parts } = this.aegis;
    return {
      environments: this.aegis.environments(),
      free: this.aegis.framesFree,
      held: Array.from({ length: ENV_LIMIT }, (_, env) => parts.frames.heldBy(env)),
      pinned: [parts.registry.pinned, parts.predicates.pinned, parts.filters.handlers.windows, parts.disk.inFlight],
      nodes: parts.capabilities.nodes.used,
      memory: this.machine.fingerprint,
    };
  }

  #lives(id: number): boolean {
    const status = this.aegis.parts.memory.env(id, ENV.status);
    return status === ENV_STATUS.embryo || status === ENV_STATUS.runnable;
  }

  /** An environment with a u-page and a repossession vector, into which it has preloaded store. */
  #newcomer(parent: number): unknown {
    const { environments, frames, extents, memory } = this.aegis.parts;
    const env = environments.allocate(parent, undefined);
    if (env < 0) return env;
    const page = (va: number, pages: readonly number[]): number => {
      const ppn = frames.allocate(env, -1);
      if (ppn >= 0) environments.map(env, ppn, va, { writable: true, pages, node: 0, envNode: 0 });
      return ppn;
    };
    page(0x1000, [ENV.uPage]);
    const vector = page(0x3000, [ENV.repossession]);
    const extent = extents.allocate(env, -1, 4, BLOCKS);
    for (let i = 0; i < 4 && vector >= 0 && extent >= 0; i += 1) {
      const at = 4096 * vector + i * REPOSSESSION_BYTES;
      memory.set(at + REPOSSESSION.state, REPOSSESSION_STATES.preloaded);
      extents.capability(extent).forEach((word, n) => {
        memory.set(at + REPOSSESSION.extent + 4 * n, word);
      });
      memory.set(at + REPOSSESSION.block, i);
    }
    environments.set(env, ENV.prologue, 0x2000);
    environments.set(env, ENV.status, ENV_STATUS.runnable);
    for (let i = 0; i < 6; i += 1) frames.allocate(env, -1);
    return env;
  }

  /** The device finishes one of the requests that it has, any. */
  #serve(n: number, fails: boolean): void {
    const { memory } = this.machine;
    const given = memory.load16(QUEUE.available + 2);
    const waiting = (given - this.#served) & 0xffff;
    if (waiting === 0) return;
    // The one that is finished first goes to the front of those that are not.
    const place = (i: number): number => QUEUE.available + 4 + 2 * ((this.#served + i) % QUEUE.size);
    const first = memory.load16(place(n % waiting));
    memory.store16(place(n % waiting), memory.load16(place(0)));
    const header = memory.load32(PHYSICAL.diskQueue + 16 * first);
    memory.store8(header + 16, fails ? 1 : 0);
    memory.store32(QUEUE.used + 4 + 8 * (this.#served % QUEUE.size), first);
    this.#served = (this.#served + 1) & 0xffff;
    memory.store16(QUEUE.used + 2, this.#served);
  }

  #given(answer: number, capability: (name: number) => CapabilityWords): number {
    if (answer >= 0) this.capabilities = [...this.capabilities.slice(-40), capability(answer)];
    return answer;
  }
}

const NULL: CapabilityWords = [0, 0, 0, 0];

type Step = readonly [what: number, x: number, y: number, z: number];

function idsOf(count: number, id: (n: number) => number): number[] {
  return Array.from({ length: count }, (_, n) => n).filter((n) => id(n) >= 0);
}

/** Filters that overlap, are the same, have several branches. */
function atoms(n: number): Atom[] {
  const all: Atom[] = [
    { kind: 'eq', offset: 12, size: 2, value: 0x9000 + (n & 3) },
    { kind: 'eq', offset: 14 + 4 * ((n >>> 2) & 1), size: 4, value: n & 7 },
    { kind: 'meq', offset: 20, size: 1, mask: 0xf0, value: (n & 3) << 4 },
  ];
  return all.slice((n >>> 5) & 1, 1 + ((n >>> 6) % 3) + ((n >>> 5) & 1));
}

function predicate(ppn: number, capability: CapabilityWords): Uint8Array {
  const left = { physical: 4096 * ppn, capability };
  return encodePredicate([{ tag: 1, terms: [{ left, operator: 'gt', right: 5 }] }]);
}

const [first, second] = [new World(), new World()];

test('a second kernel with a copy of the memory goes on as the first', () => {
  const reached = new Set<number>();
  const steps = fc.array(fc.tuple(fc.nat(31), fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff)), {
    minLength: 60,
    maxLength: 160,
  });
  fc.assert(
    fc.property(fc.noShrink(steps), fc.nat(100), (all, at) => {
      first.reset();
      const split = Math.floor((all.length * at) / 100);
      for (const step of all.slice(0, split)) first.step(step);
      expect(checkInvariants(first.aegis)).toEqual([]);
      second.become(first);
      expect(second.answers).toEqual(first.answers);
      all.slice(split).forEach((step, i) => {
        const answer = first.step(step);
        expect([i, step, second.step(step)]).toEqual([i, step, answer]);
        if (i % 8 === 0) expect(second.machine.fingerprint).toBe(first.machine.fingerprint);
        if (typeof answer === 'number' ? answer >= 0 : answer !== undefined) reached.add(step[0]);
      });
      expect(second.answers).toEqual(first.answers);
      expect(checkInvariants(second.aegis)).toEqual([]);
    }),
    { numRuns: Number(process.env['TABLES_RUNS'] ?? 18), seed: Number(process.env['TABLES_SEED'] ?? 1) },
  );
  // Everything that can be done was done, and succeeded.
  expect(Array.from({ length: 32 }, (_, what) => what).filter((what) => !reached.has(what))).toEqual([]);
});

test('the secret tables lie one behind the other, before the end of memory, and none is a frame', () => {
  const tables = Object.values(TABLES).sort((a, b) => a.at - b.at);
  tables.forEach(({ at, bytes, count }, i) => {
    expect(at + bytes * count).toBeLessThanOrEqual(tables[i + 1]?.at ?? Infinity);
  });
  for (const { bytes, fields } of tables) {
    for (const { at } of Object.values(fields)) expect([at % 4, at < bytes]).toEqual([0, true]);
  }
  const { memory, frames } = first.aegis.parts;
  for (const table of tables) expect(memory.table(table)).toBeGreaterThanOrEqual(4096 * frames.count);
});
