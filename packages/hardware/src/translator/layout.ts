/**
 * Where the translator's tables lie in the machine's memory, in bytes.
 *
 * The jump cache has one entry of four words for a hash of a guest address and the mode:
 *
 *     +0  guest address                                              +8   index in the table of regions
 *     +4  page-table entry of its page that the code was made for    +12  number of the region's entry
 *
 * An entry is right exactly when the page table still says what it said: a change of a mapping changes nothing here.
 * One of zeros is empty: no page table says 0 for the page of address 0. The address stands there as it is, so that one
 * that is no instruction's is never found; code of user mode has other places than the kernel's at the same addresses.
 *
 * The hash is a multiplication, because functions are aligned: the low bits of their addresses would leave most entries empty.
 */
import { TRANSLATOR_HOST } from '../memory/places.ts';

const JUMP_CACHE_LOG2 = 16;
export const JUMP_CACHE: number = TRANSLATOR_HOST;
export const JUMP_CACHE_ENTRIES: number = 1 << JUMP_CACHE_LOG2;
export const JUMP_ENTRY_BYTES = 16;
/** A factor by which 8,192 functions at any distance from each other that was tried, 4 bytes to 4 KB, have places of their own. */
export const JUMP_FACTOR = 0x045d9f3b;
/** What is left of the product is the number of the entry. */
export const JUMP_SHIFT: number = 32 - JUMP_CACHE_LOG2;

/** Flags of the blocks, where there is an instruction cache (`residency.ts`). */
export const FLAGS: number = JUMP_CACHE + JUMP_CACHE_ENTRIES * JUMP_ENTRY_BYTES;
export const FLAGS_END: number = TRANSLATOR_HOST + 0x1ff000;

/** Words that a region and its caller exchange: cycles left of the stretch, those stalled, the low word of its end. */
export const LEFT: number = TRANSLATOR_HOST + 0x1ff000;
export const STALLS: number = LEFT + 4;
export const END: number = LEFT + 8;
/** The word that a device was asked for, and whether what the device did ends the stretch. */
export const DEVICE_WORD: number = LEFT + 12;
export const IS_OVER: number = LEFT + 16;

/** Why translated code stopped. */
export const REASON = {
  /** It goes on at PC, for which the jump cache has no entry. */
  jump: 0,
  /** The instruction at PC is the interpreter's to execute. */
  slow: 1,
  /** Too little of the stretch is left for the block at PC, or it is not in the instruction cache. */
  budget: 2,
  /** A device has done something that comes before the next instruction: an event, an interrupt, other code. */
  over: 3,
} as const;

/** Byte offset of the jump-cache entry of an address in a mode (1: user). Addresses of instructions are even. */
export function jumpEntry(pc: number, mode: number): number {
  return JUMP_CACHE + (Math.imul(pc | mode, JUMP_FACTOR) >>> JUMP_SHIFT) * JUMP_ENTRY_BYTES;
}
