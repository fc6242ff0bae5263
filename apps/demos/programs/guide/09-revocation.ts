/** Step 9: giving frames back. Pages stand for blocks of the disk, so they may go when the kernel asks, and come again when they are touched. */
import { PAGE_BYTES, REVOKE, UKIT } from '@exokernel/libos-kit/assembly/abi';
import { revoke } from '@exokernel/libos-kit/assembly/calls';
import { capabilityAt } from '@exokernel/libos-kit/assembly/capability';
import { clock_sleep } from '@exokernel/libos-kit/assembly/clock';
import { print } from '@exokernel/libos-kit/assembly/console';
import { EXTENT } from '@exokernel/libos-kit/assembly/disk';
import { PageTable } from '@exokernel/libos-kit/assembly/page-table';
import { Pager } from '@exokernel/libos-kit/assembly/pager';
import { giveUpBy, owed } from '@exokernel/libos-kit/assembly/revocation';
import { onFault } from '@exokernel/libos-kit/assembly/upcalls';

const BASE: usize = 0x10000000;
const PAGES = 12;
const table = new PageTable(memory.data(16 * PAGES), BASE, PAGES);
const pager = new Pager(table, EXTENT, 0);
let given = 0;

export function main(): i32 {
  onFault((address, cause) => pager.fault(address, cause));
  giveUpBy((frames) => {
    const count = pager.giveUp(frames);
    given += count;
    return count;
  });
  for (let i = 0; i < PAGES; i++) store<i32>(BASE + i * PAGE_BYTES, 100 + i);
  // Another environment that is short of frames would have the kernel ask. Here it asks itself: mode 0 is a request, with a deadline.
  const code = revoke(capabilityAt(UKIT.self), REVOKE.frames, 5, 0, memory.data(4));
  if (code < 0) return code;
  while (owed() > 0 || given == 0) clock_sleep(1);
  let sum = 0;
  for (let i = 0; i < PAGES; i++) sum += load<i32>(BASE + i * PAGE_BYTES);
  print(`${given} frames given back, the sum is ${sum}\n`);
  return 0;
}
