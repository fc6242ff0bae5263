/**
 * The translation lookaside buffer: 64 entries of EntryHi and EntryLo, software-managed.
 *
 * It keeps the flat page tables true: every change of an entry or of the current address space goes through here.
 *
 * A lookup that matches twice would let two entries drive one bus: the TLB shuts down (Status.TS). From then on it finds
 * nothing, until the machine is switched off; entries can still be read and written. Pages with two entries are hidden from
 * the page tables, so that the slow path sees each such lookup.
 *
 * Source: [KANE92 §6].
 */
import { HardwareError } from '../error.ts';
import type { PageTables } from '../memory/page-tables.ts';
import { HI_ASID, LO_D, LO_G, LO_N, LO_V, STATUS, STATUS_TS, TLB_HI, TLB_LO } from '../memory/cpu-state.ts';

const ENTRIES = 64;
/** An EntryHi in kseg0, which no lookup reaches. */
const UNREACHABLE = 0x80000000 | 0;

/** What a lookup finds other than an entry: nothing, or more than one. */
const NO_ENTRY = -1;
export const TWO_ENTRIES = -2;

/** True for pages that the TLB translates: all but those of kseg0 and kseg1. */
function isMapped(page: number): boolean {
  return page < 0x80000 || page >= 0xc0000;
}

/** The 64 entries. Host programs may read and write them between runs and in native functions of the kernel. */
export class Tlb {
  readonly #hi: Int32Array;
  readonly #lo: Int32Array;
  readonly #tables: PageTables;
  readonly #state: Int32Array;
  #asid = 0;
  /** Whether two entries ever were such that one lookup could match both. */
  #crowded = false;

  constructor(state: Int32Array, tables: PageTables) {
    this.#hi = state.subarray(TLB_HI, TLB_HI + ENTRIES).fill(UNREACHABLE);
    this.#lo = state.subarray(TLB_LO, TLB_LO + ENTRIES);
    this.#tables = tables;
    this.#state = state;
  }

  /** Hides everything, before other words are put in place of the entries; `rebuild` shows those. */
  hideAll(): void {
    for (let i = 0; i < ENTRIES; i += 1) this.write(i, UNREACHABLE, 0);
    this.#crowded = false;
  }

  /** The entries' words, and EntryHi, have been replaced. */
  rebuild(asid: number): void {
    this.#asid = asid;
    for (let i = 0; i < ENTRIES; i += 1) this.write(i, at(this.#hi, i), at(this.#lo, i));
  }

  /** EntryHi of entry `index` (0 to 63), unsigned. Throws `tlb-index`. */
  hi(index: number): number {
    return at(this.#hi, index) >>> 0;
  }

  /** EntryLo of entry `index` (0 to 63), unsigned. Throws `tlb-index`. */
  lo(index: number): number {
    return at(this.#lo, index) >>> 0;
  }

  /** Writes entry `index`. Throws `tlb-index`. */
  write(index: number, hi: number, lo: number): void {
    const before = at(this.#hi, index) >>> 12;
    const page = hi >>> 12;
    this.#hi[index] = hi & 0xffffffc0;
    this.#lo[index] = lo & 0xffffff00;
    this.#crowded ||= this.#hasRival(index);
    if (before !== page) this.#refresh(before);
    this.#refresh(page);
  }

  /** The only entry that matches EntryHi `hi` (its page and address space), else NO_ENTRY or TWO_ENTRIES. Changes nothing. */
  lookup(hi: number): number {
    let found = NO_ENTRY;
    if ((at(this.#state, STATUS) & STATUS_TS) !== 0) return NO_ENTRY;
    for (let i = 0; i < ENTRIES; i += 1) {
      const difference = at(this.#hi, i) ^ hi;
      if (difference >>> 12 === 0 && ((difference & HI_ASID) === 0 || (at(this.#lo, i) & LO_G) !== 0)) {
        if (found !== NO_ENTRY) return TWO_ENTRIES;
        found = i;
      }
    }
    return found;
  }

  /** The same for `va` in the current address space. */
  find(va: number): number {
    return this.lookup((va & 0xfffff000) | this.#asid);
  }

  /** What a lookup that found TWO_ENTRIES does to the TLB. */
  shutDown(): void {
    this.#state[STATUS] = at(this.#state, STATUS) | STATUS_TS;
    for (let i = 0; i < ENTRIES; i += 1) this.#refresh(at(this.#hi, i) >>> 12);
  }

  /** Makes `asid` (in EntryHi's place, bits 11 to 6) the current address space. */
  switchTo(asid: number): void {
    if (asid === this.#asid) return;
    for (let i = 0; i < ENTRIES; i += 1) {
      const hi = at(this.#hi, i);
      if ((hi & HI_ASID) === this.#asid && (at(this.#lo, i) & LO_G) === 0 && isMapped(hi >>> 12)) {
        this.#tables.hide(hi >>> 12);
      }
    }
    this.#asid = asid;
    for (let i = 0; i < ENTRIES; i += 1) {
      const hi = at(this.#hi, i);
      if ((hi & HI_ASID) !== asid && (at(this.#lo, i) & LO_G) === 0) continue;
      if (this.#crowded) this.#refresh(hi >>> 12);
      else if (isMapped(hi >>> 12)) this.#show(hi >>> 12, i);
    }
  }

  /** Shows every page that is mapped to a frame again, after it has become one of code or ceased to be one. */
  refreshFrame(frame: number): void {
    for (let i = 0; i < ENTRIES; i += 1) if (at(this.#lo, i) >>> 12 === frame) this.#refresh(at(this.#hi, i) >>> 12);
    this.#tables.refreshSegments(frame);
  }

  #refresh(page: number): void {
    if (!isMapped(page)) return;
    const index = this.find(page << 12);
    if (index < 0) this.#tables.hide(page);
    else this.#show(page, index);
  }

  /** Whether a lookup could match entry `index` and another. */
  #hasRival(index: number): boolean {
    const hi = at(this.#hi, index);
    if (!isMapped(hi >>> 12)) return false;
    for (let i = 0; i < ENTRIES; i += 1) {
      const difference = at(this.#hi, i) ^ hi;
      if (i === index || difference >>> 12 !== 0) continue;
      if (difference === 0 || ((at(this.#lo, i) | at(this.#lo, index)) & LO_G) !== 0) return true;
    }
    return false;
  }

  #show(page: number, index: number): void {
    const lo = at(this.#lo, index);
    if ((lo & LO_V) === 0 || ((lo & LO_N) !== 0 && this.#tables.hasCaches)) this.#tables.hide(page);
    else this.#tables.show(page, (lo & 0xfffff000) >>> 0, (lo & LO_D) !== 0);
  }
}

function at(entries: Int32Array, index: number): number {
  const value = entries[index];
  if (value === undefined) throw new HardwareError('tlb-index', `no TLB entry ${index}: use 0 to 63`, { index });
  return value;
}
