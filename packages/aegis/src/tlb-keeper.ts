/**
 * Breaks bindings by force: removes translations from the TLB, the STLB and the guaranteed mappings when a frame or an
 * environment goes away.
 *
 * This is bind-time work and slow on purpose: it looks at every entry. Access-time changes are machine code (text/tlb.ts).
 */
import { STLB_ENTRIES, ENV, GUARANTEED_LIMIT } from '@exokernel/abi';
import { COSTS } from './costs.ts';
import { KSEG0, PHYSICAL } from './layout.ts';
import type { KernelMemory } from './memory.ts';
import { stlbOffset } from './text/vectors.ts';

/** What the kernel uses of the machine's TLB. */
export interface Tlb {
  /** EntryHi and EntryLo of an entry, 0 to 63. */
  hi(index: number): number;
  lo(index: number): number;
  write(index: number, hi: number, lo: number): unknown;
}

/** A guaranteed mapping: its frame, and the nodes of the capabilities through which it was made, for frame and environment. */
export interface GuaranteedMapping {
  readonly ppn: number;
  readonly node: number;
  readonly envNode: number;
}

/** An ASID in EntryHi position. */
const ASID_MASK = 0xfc0;
/** TLB entries below this are wired, and the kernel's. */
const WIRED = 8;
const TLB_ENTRIES = 64;

/**
 * What it costs to flush the translations of an environment, or those to one frame; and those to a set of frames: at most, but for entries
 * that are cleared. Most often these are few; who has a flush made pays for them when it is known how many there were.
 */
export const COST_OF_FLUSH: number = STLB_ENTRIES * COSTS.stlbEntry + TLB_ENTRIES * COSTS.tlbEntry;
export const COST_OF_SET_FLUSH: number = STLB_ENTRIES * COSTS.stlbEntrySet + TLB_ENTRIES * COSTS.tlbEntry;

export class TlbKeeper {
  readonly #memory: KernelMemory;
  readonly #tlb: Tlb;

  constructor(memory: KernelMemory, tlb: Tlb) {
    this.#memory = memory;
    this.#tlb = tlb;
  }

  /** Removes every translation to these frames. */
  flushFrames(ppns: ReadonlySet<number>): void {
    if (ppns.size > 0)
      this.#flush(ppns.size === 1 ? COSTS.stlbEntry : COSTS.stlbEntrySet, (_, lo) => ppns.has(lo >>> 12));
  }

  /** Removes the translations of one environment to these frames. */
  flushFramesOf(env: number, ppns: ReadonlySet<number>): void {
    const asid = this.#memory.env(env, ENV.asid);
    if (asid === 0 || ppns.size === 0) return;
    this.#flush(COSTS.stlbEntry, (hi, lo) => (hi & ASID_MASK) === asid && ppns.has(lo >>> 12));
  }

  /** Removes the translation of one page: `hi` is its EntryHi. It has one place in the STLB. */
  flushPage(hi: number): void {
    this.#flushTlb((other) => other === hi);
    const at = PHYSICAL.stlb + stlbOffset(hi);
    if (this.#memory.get(at) === hi) this.#memory.set(at, 0);
  }

  /** Removes every translation of an address space. Returns the cycles of those that were there, beside the look at all. */
  flushEnv(env: number): number {
    const asid = this.#memory.env(env, ENV.asid);
    return asid === 0 ? 0 : this.#flush(COSTS.stlbEntry, (hi) => (hi & ASID_MASK) === asid);
  }

  /** Removes the guaranteed mappings of an environment that are `doomed`, and returns their frames. The translations stay. */
  removeGuaranteed(env: number, doomed: (mapping: GuaranteedMapping) => boolean): ReadonlySet<number> {
    const removed = new Set<number>();
    const at = (slot: number): number => ENV.guaranteed + 8 * slot;
    const word = (slot: number): number => ENV.guaranteedNode + 4 * slot;
    let kept = 0;
    // The gaps are closed: a zero EntryHi ends the list.
    for (let slot = 0; slot < GUARANTEED_LIMIT; slot += 1) {
      const [hi, lo] = [this.#memory.env(env, at(slot)), this.#memory.env(env, at(slot) + 4)];
      const nodes = this.#memory.env(env, word(slot));
      this.#memory.setEnv(env, at(slot), 0);
      this.#memory.setEnv(env, at(slot) + 4, 0);
      this.#memory.setEnv(env, word(slot), 0);
      if (hi === 0) continue;
      if (doomed({ ppn: lo >>> 12, node: nodes & 0xffff, envNode: nodes >>> 16 })) {
        removed.add(lo >>> 12);
        continue;
      }
      this.#memory.setEnv(env, at(kept), hi);
      this.#memory.setEnv(env, at(kept) + 4, lo);
      this.#memory.setEnv(env, word(kept), nodes);
      kept += 1;
    }
    return removed;
  }

  /** Looks at every entry, for this price each. Returns the cycles of clearing those of the STLB. */
  #flush(price: number, doomed: (hi: number, lo: number) => boolean): number {
    this.#flushTlb(doomed);
    this.#memory.charge(STLB_ENTRIES, price);
    // At once: 4096 reads through the port took five times as long.
    const stlb = this.#memory.words(PHYSICAL.stlb, 2 * STLB_ENTRIES);
    let cleared = 0;
    for (let i = 0; i < stlb.length; i += 2) {
      const hi = stlb[i] ?? 0;
      if (hi === 0 || !doomed(hi, stlb[i + 1] ?? 0)) continue;
      this.#memory.zero(PHYSICAL.stlb + 4 * i, 4);
      cleared += 1;
    }
    return cleared * COSTS.clearedWord;
  }

  #flushTlb(doomed: (hi: number, lo: number) => boolean): void {
    this.#memory.charge(TLB_ENTRIES - WIRED, COSTS.tlbEntry);
    for (let i = WIRED; i < TLB_ENTRIES; i += 1) {
      if (doomed(this.#tlb.hi(i), this.#tlb.lo(i))) this.#tlb.write(i, KSEG0, 0);
    }
  }
}
