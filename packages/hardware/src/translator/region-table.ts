/**
 * The regions in use: their functions, where they can be entered, and which must go when there is no more room.
 *
 * Translated code looks an address up in the jump cache; what that does not know is looked up here and noted there. A note is
 * also how the table learns which regions are used: when it is full, the jump cache is emptied, and regions that were not
 * noted since it was emptied last are evicted (second chance). Translated code pays nothing for it.
 */
import { JUMP_CACHE, JUMP_CACHE_ENTRIES, JUMP_ENTRY_BYTES, jumpEntry } from './layout.ts';
import type { Translated } from './code-page.ts';
import { WebAssembly, type Table } from '../memory/webassembly.ts';

/** Most regions at a time. Assumption: at some 20 KB of the host's memory each, all that a host should be asked for. */
const MAX_REGIONS = 16_384;
/** Room that a machine begins with; it doubles. */
const FIRST_REGIONS = 256;
/** Of regions that are all in use, one in so many is evicted, the oldest first. */
const OLDEST = 8;

/** An address at which a region can be entered: the region's function takes the number. */
export interface Entry {
  readonly region: Translated;
  readonly number: number;
}

export class RegionTable {
  readonly functions: Table = new WebAssembly.Table({ element: 'anyfunc', initial: FIRST_REGIONS });
  readonly #words: Int32Array;
  readonly #all = new Set<Translated>();
  readonly #entries = new Map<number, Entry>();
  /** Places that were used, and the first one that never was. */
  readonly #free: number[] = [];
  #fresh = 0;
  /** How many have been removed. */
  dropped = 0;

  /** `words` is the whole memory of the machine. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Whether there is room for so many regions. */
  hasRoom(count: number): boolean {
    return this.#free.length + MAX_REGIONS - this.#fresh >= count;
  }

  /** Adds a region for which there is room, and its function; `numbers` are those of its entries. */
  add(run: unknown, numbers: readonly number[], made: Omit<Translated, 'slot' | 'isUsed'>): void {
    const slot = this.#free.pop() ?? this.#fresh;
    if (slot === this.#fresh) this.#fresh += 1;
    if (slot === this.functions.length) this.functions.grow(slot);
    const region = { ...made, slot, isUsed: true };
    this.functions.set(slot, run);
    this.#all.add(region);
    region.entries.forEach(([key], i) => this.#entries.set(key, { region, number: numbers[i] ?? 0 }));
    region.page.regions.add(region);
  }

  find(key: number): Entry | undefined {
    return this.#entries.get(key);
  }

  /** Makes the jump cache know that `entry` is at `pc`, as long as the page-table entry of its page is this one. */
  note(pc: number, pageEntry: number, { region, number }: Entry): void {
    const at = jumpEntry(pc, region.mode) >>> 2;
    this.#words[at] = pc;
    this.#words[at + 1] = pageEntry;
    this.#words[at + 2] = region.slot;
    this.#words[at + 3] = number;
    region.isUsed = true;
  }

  remove(region: Translated): void {
    this.dropped += 1;
    const { page, slot, entries, mode } = region;
    for (const [key, pc] of entries) {
      if (this.#entries.get(key)?.region === region) this.#entries.delete(key);
      const at = jumpEntry(pc, mode) >>> 2;
      if (this.#words[at + 2] === slot) this.#words.fill(0, at, at + (JUMP_ENTRY_BYTES >>> 2));
    }
    this.functions.set(slot, null);
    this.#free.push(slot);
    this.#all.delete(region);
    page.regions.delete(region);
  }

  /** The regions that must go to make room: those out of use, or if there are none, the oldest. */
  victims(): Translated[] {
    const unused = [...this.#all].filter((region) => !region.isUsed);
    for (const region of this.#all) region.isUsed = false;
    this.#words.fill(0, JUMP_CACHE >>> 2, (JUMP_CACHE + JUMP_CACHE_ENTRIES * JUMP_ENTRY_BYTES) >>> 2);
    return unused.length > 0 ? unused : [...this.#all].slice(0, Math.ceil(this.#all.size / OLDEST));
  }
}
