/** For tests of the disk and the registry: machines with a small one, runs to the end, what everyone sees of a cached block. */
import {
  BUFFER,
  BUFFER_BYTES,
  BUFFER_LIMIT,
  BUFFER_STATES,
  EXPOSED,
  PAGE_BYTES,
  U,
  type CapabilityWords,
} from '@exokernel/abi';
import { memoryStore, type BlockStore } from '@exokernel/hardware';
import { expect } from 'vitest';
import {
  boot,
  type Booted,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  rawImage,
  type RawOptions,
} from '../../testkit/src/index.ts';

export const BLOCKS = 64;
export const NONE: CapabilityWords = [0, 0, 0, 0];
/** The machine that was run last, or runs. */
export const kernel: { booted?: Booted } = {};

/** A disk whose block n holds the byte n. */
export function numbered(): Uint8Array {
  return Uint8Array.from({ length: BLOCKS * PAGE_BYTES }, (_, i) => Math.floor(i / PAGE_BYTES));
}

/** Runs environments until all have ended, and looks whether nothing is left but what is cached. */
export function runOnDisk(
  mains: readonly Pick<RawOptions, 'main' | 'extent'>[],
  store: BlockStore = memoryStore(numbered()),
  ramBytes?: number,
): Booted {
  const booted = boot(mains.map(rawImage), { disk: { store }, ...(ramBytes === undefined ? {} : { ramBytes }) });
  kernel.booted = booted;
  const isDead = (env: number): boolean => booted.aegis.environment(env).status === 'dead';
  booted.runUntil(() => booted.machine.native.lastError !== undefined || mains.every((_, env) => isDead(env)));
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  mains.forEach((_, env) => {
    expect(booted.aegis.environment(env)).toMatchObject({ status: 'dead', exit: 0 });
  });
  booted.runUntil(() => booted.aegis.parts.disk.inFlight.length === 0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  const cached = [...booted.aegis.parts.registry.pinned].length;
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME - cached);
  return booted;
}

/** The registry's entry of a block, as everyone sees it. */
export function entry(block: number): Record<keyof typeof BUFFER, number> | undefined {
  const memory = kernel.booted?.machine.memory;
  for (let i = 0; i < BUFFER_LIMIT; i += 1) {
    const word = (field: number): number => memory?.load32(EXPOSED.buffers + BUFFER_BYTES * i + field) ?? 0;
    if (word(BUFFER.state) === BUFFER_STATES.empty || word(BUFFER.block) !== block) continue;
    return Object.fromEntries(Object.entries(BUFFER).map(([name, at]) => [name, word(at)])) as never;
  }
  return undefined;
}

/** A new extent, which must be there: from `start` on if that is not negative. */
export function* extent(raw: Raw, start: number, blocks: number): Fiber<CapabilityWords> {
  const { code, value, capability } = yield* raw.call('extent_alloc', start, blocks);
  expect(code).toBe(0);
  if (start >= 0) expect(value).toBe(start);
  return capability;
}

/** Waits for the completion in slot 0. */
export function* complete(raw: Raw): Fiber<number> {
  for (;;) {
    const result = yield* raw.fibers.load(0x1000 + U.completion);
    if (result !== 0) return result;
    yield* raw.routine('kit.sleep', 0);
  }
}
