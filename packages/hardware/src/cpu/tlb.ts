/**
 * The translation lookaside buffer: 64 entries of EntryHi and EntryLo, software-managed.
 *
 * It keeps the flat page tables true: whatever changes an entry or the current address space goes through here. When
 * several entries match, the one with the lowest index wins.
 *
 * Deviation: the R3000 shuts its TLB down (Status.TS) at a lookup that matches twice; here the *write* that makes such a
 * lookup possible reports it, and the TLB goes on working.
 *
 * Source: [KANE92 §6].
 */
import { HardwareError } from '../error.ts';
import type { PageTables } from '../page-tables.ts';
import { HI_ASID, LO_D, LO_G, LO_N, LO_V, TLB_HI, TLB_LO } from './state.ts';

const ENTRIES = 64;
/** An EntryHi in kseg0, which no lookup reaches. */
const UNREACHABLE = 0x80000000 | 0;

/** True for pages that the TLB translates: all but those of kseg0 and kseg1. */
function isMapped(page: number): boolean {
  return page < 0x80000 || page >= 0xc0000;
}

/** The 64 entries. Host programs may read and write them between runs and in native functions of the kernel. */
export class Tlb {
  readonly #hi: Int32Array;
  readonly #lo: Int32Array;
  readonly #tables: PageTables;
  #asid = 0;

  constructor(state: Int32Array, tables: PageTables) {
    this.#hi = state.subarray(TLB_HI, TLB_HI + ENTRIES).fill(UNREACHABLE);
    this.#lo = state.subarray(TLB_LO, TLB_LO + ENTRIES);
    this.#tables = tables;
  }

  /** EntryHi of entry `index` (0 to 63), unsigned. Throws `tlb-index`. */
  hi(index: number): number {
    return at(this.#hi, index) >>> 0;
  }

  /** EntryLo of entry `index` (0 to 63), unsigned. Throws `tlb-index`. */
  lo(index: number): number {
    return at(this.#lo, index) >>> 0;
  }

  /**
   * Writes entry `index`. Returns whether another entry could now match together with it (the CPU's TS bit).
   * Throws `tlb-index`.
   */
  write(index: number, hi: number, lo: number): boolean {
    const before = at(this.#hi, index) >>> 12;
    const page = hi >>> 12;
    const newHi = hi & 0xffffffc0;
    this.#hi[index] = newHi;
    this.#lo[index] = lo & 0xffffff00;
    if (before !== page) this.#refresh(before);
    this.#refresh(page);
    if (!isMapped(page)) return false;
    for (let i = 0; i < ENTRIES; i += 1) {
      const difference = at(this.#hi, i) ^ newHi;
      if (i !== index && difference >>> 12 === 0 && (difference === 0 || ((at(this.#lo, i) | lo) & LO_G) !== 0)) {
        return true;
      }
    }
    return false;
  }

  /** Index of the first entry that matches EntryHi `hi` (its page and address space); -1 if none does. */
  probe(hi: number): number {
    for (let i = 0; i < ENTRIES; i += 1) {
      const difference = at(this.#hi, i) ^ hi;
      if (difference >>> 12 === 0 && ((difference & HI_ASID) === 0 || (at(this.#lo, i) & LO_G) !== 0)) return i;
    }
    return -1;
  }

  /** Index of the first entry that matches `va` in the current address space; -1 if none does. */
  find(va: number): number {
    return this.probe((va & 0xfffff000) | this.#asid);
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
    for (let i = ENTRIES - 1; i >= 0; i -= 1) {
      const hi = at(this.#hi, i);
      if (((hi & HI_ASID) === asid || (at(this.#lo, i) & LO_G) !== 0) && isMapped(hi >>> 12)) this.#show(hi >>> 12, i);
    }
  }

  /** Shows every page that is mapped to a frame again, after it has become one of code or ceased to be one. */
  refreshFrame(frame: number): void {
    for (let i = 0; i < ENTRIES; i += 1) if (at(this.#lo, i) >>> 12 === frame) this.#refresh(at(this.#hi, i) >>> 12);
    this.#tables.refreshSegments(frame);
  }

  #refresh(page: number): void {
    if (!isMapped(page)) return;
    const index = this.probe((page << 12) | this.#asid);
    if (index < 0) this.#tables.hide(page);
    else this.#show(page, index);
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
