/**
 * The secret table `frameAuth`: of each frame the two pairs of words that `tlbwr` compares, for writing and for reading. They are the MACs of the
 * frame's capabilities, unless its guard was set to others. [SOSP95 §3.1]
 */
import { PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';

/** A MAC, or the words of a guard. */
export type Pair = readonly [low: number, high: number];

const BYTES = 16;
const OFFSETS = { write: 0, read: 8 } as const;

export class FrameAuth {
  readonly #memory: KernelMemory;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
  }

  /** What `tlbwr` accepts for one of both from now on. Translations that exist are the caller's concern. */
  accept(ppn: number, which: keyof typeof OFFSETS, [low, high]: Pair): void {
    const at = this.#at(ppn, which);
    this.#memory.set(at, low);
    this.#memory.set(at + 4, high);
  }

  /** Whether these are the words of one of both. */
  accepts(ppn: number, which: keyof typeof OFFSETS, [low, high]: Pair): boolean {
    const at = this.#at(ppn, which);
    return ((this.#memory.get(at) ^ low) | (this.#memory.get(at + 4) ^ high)) === 0;
  }

  #at(ppn: number, which: keyof typeof OFFSETS): number {
    return PHYSICAL.frameAuth + BYTES * ppn + OFFSETS[which];
  }
}
