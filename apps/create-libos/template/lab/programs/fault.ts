/** 64 pages that get their frame when they are touched, by the library's own page table. */
import { PAGE_BYTES } from '@exokernel/libos-kit/assembly/abi';
import { PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

const BASE: usize = 0x10000000;
const table = new PageTable(memory.data(16 * 64), BASE, 64);

export function main(): i32 {
  onFault((address, cause) => table.fault(address, cause));
  table.reserve(BASE, 64);
  for (let i = 0; i < 64; i++) store<i32>(BASE + i * PAGE_BYTES, i);
  return 0;
}
