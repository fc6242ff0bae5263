/**
 * Packet rings: frames of an environment, pinned, into which the kernel puts packets or from which it sends them.
 *
 * Binding checks the capability once; the machine code of arrival and transmission then knows the slots by physical address.
 */
import { ERRORS, NO_ENV, PAGE_BYTES, RING_LIMIT, RING_SLOT_BYTES, RING_SLOT_LIMIT } from '@exokernel/abi';
import type { Frames } from './frames.ts';
import { KSEG0, PHYSICAL, RING, RING_SHIFT } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';

const SLOTS_PER_FRAME = PAGE_BYTES / RING_SLOT_BYTES;

export class Rings {
  readonly #memory: KernelMemory;
  readonly #frames: Frames;
  readonly #freed: (ring: number) => void;
  readonly #owners: number[] = Array.from({ length: RING_LIMIT }, () => NO_ENV);

  /** `freed` is told of every ring that is gone. */
  constructor(memory: KernelMemory, frames: Frames, freed: (ring: number) => void) {
    this.#memory = memory;
    this.#frames = frames;
    this.#freed = freed;
  }

  /** A new ring of the two slots of a frame that `env` may write. Returns its number or E_NONE. */
  bind(env: number, ppn: number, transmit: boolean): number {
    const ring = this.#owners.indexOf(NO_ENV);
    if (ring === -1) return ERRORS.E_NONE;
    this.#owners[ring] = env;
    const at = ringPhysical(ring);
    this.#memory.set(at + RING.env, envAddress(env));
    this.#memory.set(at + RING.direction, transmit ? 1 : 0);
    this.#memory.set(at + RING.count, 0);
    this.#memory.set(at + RING.index, 0);
    this.extend(env, ppn, ring);
    return ring;
  }

  /** Two more slots. Returns how many the ring has, or an error. */
  extend(env: number, ppn: number, ring: number): number {
    if (!this.owns(env, ring)) return ERRORS.E_CAP;
    const at = ringPhysical(ring);
    const count = this.#memory.get(at + RING.count);
    if (count + SLOTS_PER_FRAME > RING_SLOT_LIMIT) return ERRORS.E_RANGE;
    for (let i = 0; i < SLOTS_PER_FRAME; i += 1) {
      const slot = KSEG0 + ppn * PAGE_BYTES + i * RING_SLOT_BYTES;
      this.#memory.set(at + RING.slots + 4 * (count + i), slot);
    }
    this.#memory.set(at + RING.count, count + SLOTS_PER_FRAME);
    this.#frames.pin(ppn);
    return count + SLOTS_PER_FRAME;
  }

  owns(env: number, ring: number): boolean {
    return env !== NO_ENV && this.#owners[ring] === env;
  }

  isReceive(ring: number): boolean {
    return this.#memory.get(ringPhysical(ring) + RING.direction) === 0;
  }

  free(env: number, ring: number): number {
    if (!this.owns(env, ring)) return ERRORS.E_CAP;
    const at = ringPhysical(ring);
    this.#owners[ring] = NO_ENV;
    this.#freed(ring);
    this.#memory.set(at + RING.env, 0);
    for (let i = 0; i < this.#memory.get(at + RING.count); i += SLOTS_PER_FRAME) {
      this.#frames.unpin((this.#memory.get(at + RING.slots + 4 * i) - KSEG0) / PAGE_BYTES);
    }
    return ERRORS.E_OK;
  }

  release(env: number): void {
    this.#owners.forEach((owner, ring) => {
      if (owner === env) this.free(env, ring);
    });
  }
}

/** Physical address of a ring's record. */
export function ringPhysical(ring: number): number {
  return PHYSICAL.rings + (ring << RING_SHIFT);
}
