/**
 * Where the translator's tables lie in the machine's memory, in bytes.
 *
 * The jump cache has one entry of four words for the low bits of a guest address:
 *
 *     +0  guest address                                              +8   index in the table of regions
 *     +4  page-table entry of its page that the code was made for    +12  number of the region's entry
 *
 * An entry is right exactly when the page table still says what it said: whoever changes a mapping has nothing to do here.
 * One of zeros is empty: no page table says 0 for the page of address 0. The address stands there as it is, so that one
 * that is no instruction's is never found; code of user mode has other places than the kernel's at the same addresses.
 */
import { TRANSLATOR_HOST } from '../memory.ts';

export const JUMP_CACHE: number = TRANSLATOR_HOST;
export const JUMP_CACHE_ENTRIES = 4096;
export const JUMP_ENTRY_BYTES = 16;

/** Flags of the blocks, where there is an instruction cache (`residency.ts`). */
export const FLAGS: number = TRANSLATOR_HOST + 0x10000;
export const FLAGS_END: number = TRANSLATOR_HOST + 0x1f000;

/** Words that a region and its caller exchange: cycles left of the stretch, those stalled, the low word of its end. */
export const LEFT: number = TRANSLATOR_HOST + 0x1f000;
export const STALLS: number = LEFT + 4;
export const END: number = LEFT + 8;

/** Why translated code stopped. */
export const REASON = {
  /** It goes on at PC, for which the jump cache has no entry. */
  jump: 0,
  /** The instruction at PC is the interpreter's to execute. */
  slow: 1,
  /** Too little of the stretch is left for the block at PC, or it is not in the instruction cache. */
  budget: 2,
} as const;

/** In user mode, this bit of an entry's number is inverted: by a shift of the mode, 0 or 1. */
export const JUMP_MODE_SHIFT = 11;

/** Byte offset of the jump-cache entry of an address in a mode. */
export function jumpEntry(pc: number, mode: number): number {
  const number = ((pc >>> 2) ^ (mode << JUMP_MODE_SHIFT)) & (JUMP_CACHE_ENTRIES - 1);
  return JUMP_CACHE + number * JUMP_ENTRY_BYTES;
}
