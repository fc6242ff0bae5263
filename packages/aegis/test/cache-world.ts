/** A kernel whose environments do not run, with a disk that does one request when it is told to: for tests of the registry. */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  ENV,
  NO_ENV,
  PAGE_BYTES,
  RIGHTS,
  U,
  type CapabilityWords,
} from '@exokernel/abi';
import { expect } from 'vitest';
import { checkInvariants } from '../../testkit/src/index.ts';
import { nodeOf } from '../src/capabilities.ts';
import { uPagePhysical } from '../src/environments.ts';
import { PHYSICAL } from '../src/layout.ts';
import type { QuotaKind } from '../src/tables.ts';
import { CPU, World } from './world.ts';

/** The device's queue, as virtio-blk.ts lays it out. */
const QUEUE_SIZE = 128;
const DESCRIPTORS = PHYSICAL.diskQueue;
const AVAILABLE = PHYSICAL.diskQueue + 16 * QUEUE_SIZE;
const USED = PHYSICAL.diskQueue + 0xa00;
/** What the device reads, whatever the block. */
export const ON_DISK = 0xd15c;
export const SLOT = 3;

export class Cache extends World {
  /** What the device has written: blocks, and the first word of each. */
  readonly written: (readonly [block: number, word: number])[] = [];
  #done = 0;

  constructor() {
    super(80);
  }

  /** A block in the registry whose frame no environment holds. Returns the frame. */
  cache(env: number, block: number, how: { dirty?: boolean; extent?: number; node?: number } = {}): number {
    const { frames } = this.parts;
    const ppn = this.hold(env, block, how);
    expect(frames.drop(env, ppn)).toBe(0);
    return ppn;
  }

  /** The same, but `env` holds the frame. */
  hold(env: number, block: number, how: { dirty?: boolean; extent?: number; node?: number } = {}): number {
    const { dirty = false, extent = 0, node = 0 } = how;
    const { frames, memory, registry } = this.parts;
    const ppn = frames.allocate(env, -1);
    memory.set(ppn * PAGE_BYTES, block);
    expect(registry.insert(env, ppn, block, { dirty, through: { extent, node } })).toBe(0);
    return ppn;
  }

  read(env: number, block: number): number {
    this.parts.memory.spent();
    return this.parts.registry.read(CPU, env, block, SLOT);
  }

  write(env: number, block: number): number {
    this.parts.memory.spent();
    return this.parts.registry.write(CPU, env, block, { mayWrite: true, slot: SLOT });
  }

  evict(env: number, count: number): number {
    this.parts.memory.spent();
    return this.parts.registry.evict(CPU, env, count);
  }

  /** The device does the oldest request that it has, or fails; the kernel has its interrupt. */
  answer(ok = true): void {
    const { disk, memory } = this.parts;
    const { port } = memory;
    expect(port.load16(AVAILABLE + 2)).toBeGreaterThan(this.#done);
    const place = this.#done % QUEUE_SIZE;
    const head = port.load16(AVAILABLE + 4 + 2 * place);
    const header = port.load32(DESCRIPTORS + 16 * head);
    const page = port.load32(DESCRIPTORS + 16 * (port.load32(DESCRIPTORS + 16 * head + 12) >>> 16));
    if (port.load32(header) === 1) this.written.push([port.load32(header + 8) / 8, port.load32(page)]);
    else port.store32(page, ON_DISK);
    port.store32(header + 16, ok ? 0 : 1);
    port.store32(USED + 4 + 8 * place, head);
    this.#done += 1;
    port.store16(USED + 2, this.#done);
    memory.spent();
    disk.interrupt(CPU);
  }

  /** How many requests wait for the device or are with it. */
  get requests(): number {
    return this.parts.families.used('requests');
  }

  extent(env: number, start = 8, blocks = 8): number {
    return this.parts.extents.grant(env, { start, blocks });
  }

  /** A branch of an extent's capability that `env` makes. Returns its node. */
  branch(env: number, extent: number): number {
    const { capabilities, extents } = this.parts;
    const words = capabilities.branch(extents.capability(extent), RIGHTS.read | RIGHTS.write, env);
    return typeof words === 'number' ? words : nodeOf(words);
  }

  map(env: number, block: number, extent: number, node = 0): CapabilityWords | number {
    return this.parts.registry.map(env, block, RIGHTS.read, { extent, node });
  }

  /** What everyone sees of a block. */
  entry(block: number): Readonly<Record<keyof typeof BUFFER, number>> | undefined {
    return this.#buffers().find((one) => one.state !== BUFFER_STATES.empty && one.block === block);
  }

  /** The cached blocks, in order. */
  get blocks(): number[] {
    const used = this.#buffers().filter((one) => one.state !== BUFFER_STATES.empty);
    return used.map((one) => one.block).sort((a, b) => a - b);
  }

  /** Of the places that have no block, how many seem to belong to an environment. */
  get leftovers(): number {
    return this.#buffers().filter((one) => one.state === BUFFER_STATES.empty && one.owner !== NO_ENV).length;
  }

  #buffers(): Record<keyof typeof BUFFER, number>[] {
    const { port } = this.parts.memory;
    return Array.from({ length: BUFFER_LIMIT }, (_, i) => {
      const word = (at: number): number => port.load32(PHYSICAL.buffers + BUFFER_BYTES * i + at);
      return Object.fromEntries(Object.entries(BUFFER).map(([name, at]) => [name, word(at)])) as never;
    });
  }

  /** The first word of a cached block. */
  word(block: number): number {
    return this.parts.memory.get((this.entry(block)?.ppn ?? 0) * PAGE_BYTES);
  }

  /** The completion word of an environment, and whether it counts as an event. It is cleared. */
  told(env: number): readonly [word: number, event: number] {
    const { memory } = this.parts;
    const at = uPagePhysical(memory, env) + U.completion + 4 * SLOT;
    const told = [memory.get(at) | 0, memory.env(env, ENV.pending)] as const;
    memory.set(at, 0x77);
    memory.setEnv(env, ENV.pending, 0);
    return told;
  }

  /** The blocks that are given up for want of a frame. */
  goes(): number[] {
    const before = this.blocks;
    this.parts.frames.reclaim(-1);
    return before.filter((block) => !this.blocks.includes(block));
  }

  /** An environment takes every frame that it gets. */
  takeFrames(env: number): void {
    while (this.parts.frames.allocate(env, -1) >= 0);
  }

  /** The family of an environment has taken so many of a kind, or all that it may. Returns what gives them back. */
  take(kind: QuotaKind, env: number, count = Infinity): () => void {
    const { families } = this.parts;
    let taken = 0;
    while (taken < count && families.take(kind, this.family(env))) taken += 1;
    return () => {
      families.give(kind, this.family(env), taken);
    };
  }

  has(env: number): number {
    return this.parts.families.has('buffers', this.family(env));
  }

  check(): void {
    expect(checkInvariants(this.aegis)).toEqual([]);
  }
}

/** A kernel with two environments, of a family each. */
export function setting(): { cache: Cache; parts: Cache['parts']; env: number; other: number } {
  const cache = new Cache();
  return { cache, parts: cache.parts, env: cache.born(NO_ENV), other: cache.born(NO_ENV) };
}
