/**
 * A packet ring in an environment's own memory: a page of slots, and a buffer of half a page for each, with which a slot
 * begins. Where packets lie elsewhere (a file that is sent from its cache), further pages are bound and named by slots.
 *
 * The kernel reads and writes the slots only in `xmit` and when packets arrive; a full receive slot and an empty transmit
 * slot are the application's. [SOSP95 §5.5] A packet that arrives is an event: it ends a sleep of the ring's owner.
 */
import { PAGE_BYTES, RING_BUFFERS, RING_SLOT, RING_SLOT_BYTES, type CapabilityWords } from '@exokernel/abi';
import { presentCapability } from './capabilities.ts';
import { LibosError } from './error.ts';
import type { Fiber, Fibers } from './fiber.ts';
import { pageTableEntry } from './image.ts';
import type { Memory } from './interfaces.ts';
import type { PredicateSide } from './predicate.ts';

/** Bytes of the buffer that a slot of its own has: more than the longest packet. */
export const RING_BUFFER_BYTES: number = PAGE_BYTES / 2;

/** Why there is no ring: the call and its error code; −1 for memory. */
export interface RingFailure {
  readonly call: 'frame_alloc' | 'ring_bind' | 'ring_extend';
  readonly code: number;
}

/** What a ring is made of. */
export interface RingOptions {
  readonly transmit: boolean;
  /** 1 to 32. */
  readonly slots: number;
  /** Address of the page-table entry of a page; the linear table's by default. */
  readonly entryOf?: (va: number) => number;
}

/** A piece of a packet to be sent: its place in the ring and its length. */
export interface RingPiece {
  readonly at: number;
  readonly length: number;
}

/** A ring and where it lies. Bind it once; it lives as long as its environment. */
export class PacketRing {
  /** What `xmit` takes. */
  readonly ring: number;
  /** What `filter_bind` and `ring_extend` take. */
  readonly capability: CapabilityWords;
  readonly slots: number;
  readonly #fibers: Fibers;
  readonly #slots: number;
  readonly #buffers: number;
  readonly #frame: CapabilityWords;
  readonly #entryOf: (va: number) => number;
  readonly #places = new Map<number, number>();

  private constructor(
    fibers: Fibers,
    bound: { readonly ring: number; readonly capability: CapabilityWords },
    where: {
      readonly count: number;
      readonly slots: number;
      readonly frame: CapabilityWords;
      readonly entryOf: (va: number) => number;
    },
  ) {
    this.#fibers = fibers;
    this.ring = bound.ring;
    this.capability = bound.capability;
    this.slots = where.count;
    this.#slots = where.slots;
    this.#buffers = where.slots + PAGE_BYTES;
    this.#frame = where.frame;
    this.#entryOf = where.entryOf;
  }

  /**
   * A new ring with `slots` slots, each with its own buffer. Pages that `memory` gives frames only when they are touched get them
   * here: the kernel pins them.
   */
  static *bind(
    fibers: Fibers,
    memory: Memory,
    { transmit, slots, entryOf = pageTableEntry }: RingOptions,
  ): Fiber<PacketRing | RingFailure> {
    const bytes = PAGE_BYTES + Math.ceil((slots * RING_BUFFER_BYTES) / PAGE_BYTES) * PAGE_BYTES;
    const base = yield* memory.allocate(bytes);
    if (base < 0) return { call: 'frame_alloc', code: base };
    const frame = yield* presentCapability(fibers, base, { write: true, entryOf });
    const code = yield* fibers.syscall('ring_bind', ...frame, transmit ? 1 : 0, slots);
    if (code < 0) return { call: 'ring_bind', code };
    const bound = fibers.results('ring_bind');
    const ring = new PacketRing(fibers, bound, { count: slots, slots: base, frame, entryOf });
    for (let va = base + PAGE_BYTES; va < base + bytes; va += PAGE_BYTES) {
      const at = yield* ring.#place(va, true);
      if (at < 0) return { call: 'ring_extend', code: at };
    }
    for (let i = 0; i < slots; i += 1) {
      yield* ring.#describe(i, 0, { at: PAGE_BYTES + i * RING_BUFFER_BYTES, length: RING_BUFFER_BYTES });
    }
    return ring;
  }

  /** The word of a slot that holds the length of its packet, 0 if there is none: for wakeup predicates. Throws `LibosError` `predicate`. */
  slotAddress(slot: number): PredicateSide {
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.slots) {
      throw new LibosError('predicate', `slot ${slot} of a ring of ${this.slots}`, { slot, slots: this.slots });
    }
    const physical = this.#frame[1] * PAGE_BYTES + slot * RING_SLOT_BYTES + RING_SLOT.length;
    return { physical, capability: this.#frame };
  }

  /** Address of a slot's own buffer. */
  buffer(slot: number): number {
    return this.#buffers + slot * RING_BUFFER_BYTES;
  }

  /** Length of the packet in a slot; 0: empty. */
  length(slot: number): Fiber<number> {
    return this.#fibers.load(this.#slot(slot) + RING_SLOT.length);
  }

  /** Makes a slot the kernel's: an empty one to receive into, a full one of `length` bytes to send. */
  give(slot: number, length: number): Fiber<void> {
    return this.#fibers.store(this.#slot(slot) + RING_SLOT.length, length);
  }

  /**
   * The place of a page of the environment in the ring, which is bound to it if it is not yet. Negative: the error of
   * ring_extend, if it has no room for another.
   */
  place(va: number): Fiber<number> {
    return this.#place(va, false);
  }

  *#place(va: number, write: boolean): Fiber<number> {
    const known = this.#places.get(va);
    if (known !== undefined) return known;
    const frame = yield* presentCapability(this.#fibers, va, { write, entryOf: this.#entryOf });
    const code = yield* this.#fibers.syscall('ring_extend', ...this.capability, ...frame);
    if (code < 0) return code;
    const at = this.#fibers.results('ring_extend').at;
    this.#places.set(va, at);
    return at;
  }

  /** Makes a slot of the first `own` bytes of its own buffer and of up to three pieces more. */
  *compose(slot: number, own: number, pieces: readonly RingPiece[]): Fiber<void> {
    yield* this.#describe(slot, 0, { at: PAGE_BYTES + slot * RING_BUFFER_BYTES, length: own });
    for (let i = 1; i < RING_BUFFERS; i += 1) yield* this.#describe(slot, i, pieces[i - 1] ?? { at: 0, length: 0 });
  }

  *#describe(slot: number, i: number, { at, length }: RingPiece): Fiber<void> {
    const buffer = this.#slot(slot) + RING_SLOT.buffers + 8 * i;
    yield* this.#fibers.store(buffer, at);
    yield* this.#fibers.store(buffer + 4, length);
  }

  #slot(slot: number): number {
    return this.#slots + slot * RING_SLOT_BYTES;
  }
}
