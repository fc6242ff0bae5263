/** Step 9, by force: what the kernel takes is saved to the disk, and comes back when it is touched. What may be forgotten begins anew. */
import { E, PAGE_BYTES, PTE_SOFT, REVOKE, UKIT } from '@exokernel/libos-kit/assembly/abi';
import { backBy } from '@exokernel/libos-kit/assembly/backing';
import { revoke } from '@exokernel/libos-kit/assembly/calls';
import { capabilityAt, NONE } from '@exokernel/libos-kit/assembly/capability';
import { print } from '@exokernel/libos-kit/assembly/console';
import { EXTENT, extentBlocks } from '@exokernel/libos-kit/assembly/disk';
import { KIT_TABLE, PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { lost } from '@exokernel/libos-kit/assembly/revocation';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

/** Pages of the kit's own table, which come back; and of a table of the program's, which begin anew. */
const KEPT: usize = 0x600000;
const CACHE: usize = 0x10000000;
const PAGES = 8;
const cache = new PageTable(memory.data(16 * PAGES), CACHE, PAGES);
let forgotten = 0;

function fault(address: usize, cause: i32): bool {
  if (cache.fault(address, cause)) return true;
  if (!cache.forget(address, PTE_SOFT.zeroFill)) return false;
  forgotten++;
  return cache.fault(address, cause);
}

function sum(from: usize): i32 {
  let total = 0;
  for (let i = 0; i < PAGES; i++) total += load<i32>(from + i * PAGE_BYTES);
  return total;
}

export function main(): i32 {
  onFault(fault);
  if (backBy(NONE, 0, 32) != E.CAP || backBy(EXTENT, extentBlocks(), 32) != E.RANGE) return 1;
  let code = backBy(EXTENT, 0, 64);
  if (code < 0) return code;
  KIT_TABLE.reserve(KEPT, PAGES);
  cache.reserve(CACHE, PAGES);
  for (let i = 0; i < PAGES; i++) {
    store<i32>(KEPT + i * PAGE_BYTES, 100 + i);
    store<i32>(CACHE + i * PAGE_BYTES, 100 + i);
  }
  // Mode 1: at once, and without asking. As many as there are, but eight.
  code = revoke(capabilityAt(UKIT.self), REVOKE.frames, 1000, 1, memory.data(4));
  if (code < 0) return code;
  print(lost() > 2 * PAGES ? 'all but eight frames are gone\n' : 'too few are gone\n');
  print(`the kit's pages: ${sum(KEPT)}\n`);
  print(`the cache: ${sum(CACHE)}, ${forgotten} pages forgotten\n`);
  return 0;
}
