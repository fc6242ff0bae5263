/** The pages that a program brings along. */
import { PAGE_BYTES } from '@exokernel/abi';
import { PAGED_BASE } from './layout.ts';

/** Consecutive pages of the paged region with the same rights. */
export interface Pages {
  /** Page-aligned. */
  readonly va: number;
  readonly bytes: Uint8Array;
  readonly writable: boolean;
}

/** How many pages of the paged region lie before what is free. */
export function usedPages(pages: readonly Pages[]): number {
  const end = pages.reduce((most, { va, bytes }) => Math.max(most, va + bytes.length), PAGED_BASE);
  return Math.ceil((end - PAGED_BASE) / PAGE_BYTES);
}

/** The bytes of instruction words in memory order. */
export function wordBytes(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return bytes;
}
