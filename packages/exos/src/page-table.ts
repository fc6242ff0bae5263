/**
 * What the rest of ExOS asks of a page table, whichever its structure: where the entry of a page is, and one for a new page.
 * Structures are chosen when an image is composed (`exos`, `exosInverted`). [SOSP95 §6.2, §7.2]
 *
 * In both an entry is the kit's, 16 bytes (PTE), in the pages at PAGE_TABLE; machine code passes it on as its byte offset there.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { A0, A2, T0, T1, T2, type Assembler } from '@exokernel/isa';
import {
  LIBRARY_TEXT,
  PAGED_BASE,
  PAGED_PAGES,
  PAGE_TABLE,
  PTE,
  PTE_BYTES,
  findLinear,
  pageTableEntry,
  type Fiber,
  type Fibers,
  type FindEntry,
} from '@exokernel/libos-kit';
import { ENVIRONMENT_PAGES, WINDOWS } from './layout.ts';

/** One structure. */
export interface PageTable {
  readonly name: string;
  /** The heap ends here. */
  readonly heapEnd: number;
  /** Emits: t0 = offset of the entry of the address in t1, or a branch; uses t2. Its PTE may be of a page without a frame. */
  readonly find: FindEntry;
  /** Emits: t0 = offset of a new entry for the page at t1, which has none and lies below `heapEnd`; uses t2. */
  readonly claim: (a: Assembler) => void;
  /**
   * Emits a loop over the pages from a0 to a2 (not included, a0 ≠ a2): `change` is to change t2, an entry's first word, and may
   * use v0, which `prepare` has set. A page without an entry is passed over. Uses a0, a3, t0, t1, t2, v1.
   */
  readonly each: (a: Assembler, prepare: () => void, change: () => void) => void;
  /** Slots of entries, and the page of one, or 0: for walks over all of them. */
  readonly slots: number;
  readonly page: (fibers: Fibers, slot: number) => Fiber<number>;
  /** The entries of one image that is being composed. */
  readonly compose: () => Composition;
}

/** The entries that an image starts with. */
export interface Composition {
  /** Address of the entry of a page: the same each time. */
  readonly entry: (va: number) => number;
  /** What else the structure keeps in memory of those that were asked for: words by address. */
  readonly words: () => ReadonlyMap<number, number>;
}

/** Address of an entry of a window: the same in every image, because windows come first. */
export function windowEntry(table: PageTable, va: number): number {
  const { entry } = composeWindows(table);
  return entry(va);
}

/** A composition that has the windows. */
export function composeWindows(table: PageTable): Composition {
  const composition = table.compose();
  for (const va of WINDOW_PAGES) composition.entry(va);
  return composition;
}

const WINDOW_PAGES: readonly number[] = [
  WINDOWS.copy,
  WINDOWS.child,
  ...Array.from({ length: ENVIRONMENT_PAGES }, (_, i) => WINDOWS.environments + i * PAGE_BYTES),
];

/** A linear table: an entry for every page of the region, at its number. */
export const linearTable: PageTable = {
  name: 'linear',
  heapEnd: LIBRARY_TEXT,
  find: findLinear,
  claim: (a) => {
    a.lui(T2, PAGED_BASE >>> 16);
    a.subu(T0, T1, T2);
    a.srl(T0, T0, 12);
    a.sll(T0, T0, 4);
  },
  each: (a, prepare, change) => {
    const next = a.fresh('each');
    a.lui(T2, PAGED_BASE >>> 16);
    a.subu(T0, A0, T2);
    a.subu(T1, A2, T2);
    a.srl(T0, T0, 12);
    a.sll(T0, T0, 4);
    a.srl(T1, T1, 12);
    a.sll(T1, T1, 4);
    prepare();
    a.label(next);
    a.lw(T2, PAGE_TABLE + PTE.entryLo, T0);
    a.addiu(T0, T0, PTE_BYTES);
    change();
    a.bne(T0, T1, next);
    a.sw(T2, PAGE_TABLE + PTE.entryLo - PTE_BYTES, T0);
  },
  slots: PAGED_PAGES,
  *page(_fibers, slot) {
    return PAGED_BASE + slot * PAGE_BYTES;
  },
  compose: () => ({ entry: pageTableEntry, words: () => new Map() }),
};
