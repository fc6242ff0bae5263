/**
 * An extent of the disk as fibers use it: blocks to and from pages of the paged region. A request counts its blocks
 * down in a completion word of the u-page, and its end is an event: it ends a sleep. [SOSP95 §3]
 *
 * Two requests at a time keep the disk busy: it knows what comes next, and the platter does not turn in vain.
 */
import { DISK, ERRORS, PAGE_BYTES, TRANSFER_LIMIT, U, type CapabilityWords } from '@exokernel/abi';
import type { Assembly } from '@exokernel/isa';
import { loadCapability, presentCapability } from './capabilities.ts';
import { loadExposed } from './exposed.ts';
import type { Fiber, Fibers } from './fiber.ts';
import { address, pageTableEntry } from './image.ts';
import type { Memory } from './interfaces.ts';
import { UKIT, U_PAGE } from './layout.ts';

/** How an extent is used. */
export interface DiskExtentOptions {
  /** The environment's runtime, for its `kit.sleep`. */
  readonly runtime: Assembly;
  /** The extent; the one that the image was granted by default. */
  readonly extent?: CapabilityWords;
  /** Two completion slots, 0 to 15, that nothing else uses; 0 and 1 by default. */
  readonly slots?: readonly [number, number];
  /** Address of the page-table entry of a page; the linear table's by default. */
  readonly entryOf?: (va: number) => number;
}

/** An extent, for one fiber at a time. */
export class DiskExtent {
  readonly #fibers: Fibers;
  readonly #extent: CapabilityWords;
  readonly #sleep: number;
  readonly #slots: readonly [number, number];
  readonly #entryOf: (va: number) => number;
  /** Address of the page in which requests name their frames. */
  readonly #list: number;
  readonly #listFrame: CapabilityWords;

  private constructor(
    fibers: Fibers,
    options: Required<Omit<DiskExtentOptions, 'runtime'>> & { readonly sleep: number },
    list: { readonly va: number; readonly frame: CapabilityWords },
  ) {
    this.#fibers = fibers;
    this.#extent = options.extent;
    this.#sleep = options.sleep;
    this.#slots = options.slots;
    this.#entryOf = options.entryOf;
    this.#list = list.va;
    this.#listFrame = list.frame;
  }

  /** Takes a page of `memory`. Returns what that answers if it has none: a negative number. */
  static *open(
    fibers: Fibers,
    memory: Memory,
    { runtime, extent, slots = [0, 1], entryOf = pageTableEntry }: DiskExtentOptions,
  ): Fiber<DiskExtent | number> {
    const va = yield* memory.allocate(PAGE_BYTES);
    if (va < 0) return va;
    const frame = yield* presentCapability(fibers, va, { write: true, entryOf });
    const granted = extent ?? (yield* loadCapability(fibers, UKIT.extent));
    const sleep = address(runtime, 'kit.sleep');
    return new DiskExtent(fibers, { extent: granted, slots, entryOf, sleep }, { va, frame });
  }

  /** Reads blocks of the extent, in this order, to pages from `va` on, and waits. 0, or a negative error: then some may have been read. */
  read(blocks: readonly number[], va: number): Fiber<number> {
    return this.#transfer(false, blocks, va);
  }

  /** Writes pages from `va` on to blocks of the extent and waits. 0: all are on the disk, or in its cache. */
  write(blocks: readonly number[], va: number): Fiber<number> {
    return this.#transfer(true, blocks, va);
  }

  /**
   * Begins to read or write up to 64 blocks, and does not wait for them. `slot` must have no request under way, and be none that `read` and
   * `write` use meanwhile. While the queue of the disk is full it sleeps a tick at a time. 0, or a negative error.
   */
  *start(slot: number, write: boolean, blocks: readonly number[], va: number): Fiber<number> {
    const fibers = this.#fibers;
    if (blocks.length < 1 || blocks.length > TRANSFER_LIMIT || va % PAGE_BYTES !== 0) return ERRORS.E_RANGE;
    if (blocks.some((block) => block !== block >>> 0)) return ERRORS.E_RANGE;
    const words = new Uint32Array(5 * blocks.length);
    for (const [i, block] of blocks.entries()) {
      const page = { write: !write, entryOf: this.#entryOf };
      words.set([...(yield* presentCapability(fibers, va + i * PAGE_BYTES, page)), block], 5 * i);
    }
    yield* fibers.write(this.#list, new Uint8Array(words.buffer));
    for (;;) {
      const frames = [...this.#listFrame, blocks.length] as const;
      const code = yield* fibers.syscall('disk_request', ...this.#extent, ...frames, write ? 1 : 0, slot);
      if (code !== ERRORS.E_BUSY) return code;
      // Others have all the disk's attention: their requests end, and nothing tells us of it.
      yield* fibers.syscall('tick');
      yield* fibers.call(this.#sleep, fibers.results('tick').tick + 1);
    }
  }

  /** How many blocks of the last request of a slot are still to come; 0: it is done; negative: it has failed. */
  left(slot: number): Fiber<number> {
    return this.#fibers.load(U_PAGE + U.completion + 4 * slot);
  }

  /** Sleeps until the last request of a slot is done: 0, or has failed: a negative error. */
  *wait(slot: number): Fiber<number> {
    for (;;) {
      const left = yield* this.left(slot);
      if (left <= 0) return left;
      yield* this.#fibers.call(this.#sleep, 0);
    }
  }

  /** The cylinder that the arm is at or moves to, as of the last request or completion. */
  arm(): Fiber<number> {
    return loadExposed(this.#fibers, 'disk', DISK.arm);
  }

  *#transfer(write: boolean, blocks: readonly number[], va: number): Fiber<number> {
    let failed: number = ERRORS.E_OK;
    const under: number[] = [];
    for (let i = 0; i < blocks.length && failed === ERRORS.E_OK; i += TRANSFER_LIMIT) {
      const slot = this.#slots[(i / TRANSFER_LIMIT) % 2 === 0 ? 0 : 1];
      if (under.length === 2) failed = yield* this.wait(under.shift() ?? slot);
      if (failed !== ERRORS.E_OK) break;
      failed = yield* this.start(slot, write, blocks.slice(i, i + TRANSFER_LIMIT), va + i * PAGE_BYTES);
      if (failed === ERRORS.E_OK) under.push(slot);
    }
    // What is under way reads or writes these pages: it is waited for, whatever became of the others.
    for (const slot of under) {
      const code = yield* this.wait(slot);
      if (failed === ERRORS.E_OK) failed = code;
    }
    return failed;
  }
}
