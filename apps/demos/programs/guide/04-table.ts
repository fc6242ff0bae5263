/** Step 4: a page table of its own. Pages come when they are touched; a checkpoint says which were written since; a guard calls the program. */
import { PAGE_BYTES, PTE_SOFT } from '@exokernel/libos-kit/assembly/abi';
import { print } from '@exokernel/libos-kit/assembly/console';
import { PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

const BASE: usize = 0x10000000;
const PAGES = 16;
const table = new PageTable(memory.data(16 * PAGES), BASE, PAGES);
let guarded = 0;

function pageAt(i: i32): usize {
  return BASE + i * PAGE_BYTES;
}

function fault(address: usize, cause: i32): bool {
  if (table.fault(address, cause)) return true;
  const entry = table.entryOf(address);
  if (entry == 0 || (load<u32>(entry) & PTE_SOFT.guarded) == 0) return false;
  guarded++;
  table.guard(address, false);
  return true;
}

function dirtyPages(): i32 {
  let count = 0;
  for (let i = 0; i < PAGES; i++) if (table.isDirty(pageAt(i))) count++;
  return count;
}

export function main(): i32 {
  onFault(fault);
  table.reserve(BASE, PAGES);
  for (let i = 0; i < 10; i++) store<i32>(pageAt(i), i);
  print(`${dirtyPages()} pages written\n`);
  for (let i = 0; i < PAGES; i++) table.clean(pageAt(i));
  store<i32>(pageAt(3), 33);
  print(`${dirtyPages()} since the checkpoint\n`);
  table.guard(pageAt(5), true);
  const value = load<i32>(pageAt(5));
  print(`page 5 holds ${value}, ${guarded} guarded access\n`);
  return 0;
}
