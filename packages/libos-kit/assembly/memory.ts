/**
 * Interface `memory`: export this function to provide it. Pages come from the kit's own table, behind what the program has; each gets its frame when it is
 * touched. They are never given back.
 */
import { PAGE_BYTES, PLACE } from './abi';
import { KIT_TABLE } from './page-table';

/** Where the pages begin that are not taken; 0: not known yet. */
let next: usize = 0;

/** The address of so many bytes, zero, at the begin of a page. −1: there are not as many. */
export function memory_allocate(bytes: i32): i32 {
  if (next == 0) {
    next = PLACE.libraryText;
    while (next > <usize>PLACE.paged && load<u32>(KIT_TABLE.entryOf(next - PAGE_BYTES)) == 0) next -= PAGE_BYTES;
  }
  const room = <i32>(PLACE.libraryText - next);
  if (bytes < 0 || bytes > room) return -1;
  const address = <i32>next;
  const pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
  KIT_TABLE.reserve(address, pages);
  next += pages * PAGE_BYTES;
  return address;
}
