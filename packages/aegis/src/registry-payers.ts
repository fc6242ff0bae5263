/**
 * For which family a block of the registry counts: the one that inserted it, had it read or said last that it differs from the disk; and
 * where no member of that family holds it, the next one that maps it. Otherwise others could hold all that a family is guaranteed.
 */
import { BUFFER, FRAME } from '@exokernel/abi';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import type { KernelMemory, Records } from './memory.ts';
import { BUFFER_STATE } from './tables.ts';

export class Payers {
  readonly #memory: KernelMemory;
  readonly #families: Families;
  readonly #frames: Frames;
  readonly #buffers: Records;
  readonly #state: Records;

  constructor(
    memory: KernelMemory,
    parts: {
      readonly families: Families;
      readonly frames: Frames;
      readonly buffers: Records;
      readonly state: Records;
    },
  ) {
    this.#memory = memory;
    this.#families = parts.families;
    this.#frames = parts.frames;
    this.#buffers = parts.buffers;
    this.#state = parts.state;
  }

  of(i: number): number {
    return this.#state.get(i, BUFFER_STATE.family);
  }

  /** A block counts for another family from now on. Returns whether that has room for it. */
  move(i: number, family: number): boolean {
    const payer = this.of(i);
    if (payer === family) return true;
    if (!this.#families.take('buffers', family)) return false;
    this.#families.give('buffers', payer);
    this.#state.set(i, BUFFER_STATE.family, family);
    return true;
  }

  /** A family has mapped a block: it counts for that if the one for which it counts does not hold it. */
  mapped(i: number, family: number): void {
    if (this.of(i) !== family && this.strangers(i).size > 0) this.move(i, family);
  }

  /** A block that only others hold counts for one of them from now on. Returns whether one of them has room for it. */
  moveToHolder(i: number): boolean {
    for (const family of this.strangers(i)) if (this.move(i, family)) return true;
    return false;
  }

  /** The families that hold the frame of a block, if the one for which it counts does not. */
  strangers(i: number): ReadonlySet<number> {
    const ppn = this.#buffers.get(i, BUFFER.ppn);
    if (this.#memory.frame(ppn, FRAME.holders) === 0) return new Set();
    const families = new Set([...this.#frames.holders(ppn)].map((env) => this.#families.of(env)));
    return families.has(this.of(i)) ? new Set() : families;
  }
}
