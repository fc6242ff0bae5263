/**
 * Memory that a process shares with the children it forks: frames that fork does not copy on write. [SOSP95 §6.1]
 *
 * Two processes that talk through a word of it and give each other the processor (directed-yield.ts) are the fastest there
 * can be without a call. Nothing protects them from each other.
 */
import { CALLS, PAGE_BYTES } from '@exokernel/abi';
import { A0, T0, T1, V0, ZERO, type Assembler } from '@exokernel/isa';
import { PTE_SOFT, emitFillEntry } from '@exokernel/libos-kit';
import { UEXOS } from './layout.ts';
import type { PageTable } from './page-table.ts';

/** Emits the routine shared_allocate(): the address of a page, zero, shared with children to come; −1 if there is none. */
export function emitSharedMemory(a: Assembler, table: PageTable): void {
  a.label('shared_allocate');
  a.lw(T1, UEXOS.heap, ZERO);
  a.li(T0, table.heapEnd);
  a.beq(T1, T0, 'shared_allocate.none');
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.bltz(V0, 'shared_allocate.none');
  a.nop();
  table.claim(a);
  emitFillEntry(a, PTE_SOFT.shared);
  a.move(V0, T1);
  a.addiu(T1, T1, PAGE_BYTES);
  a.ret();
  a.sw(T1, UEXOS.heap, ZERO);
  a.label('shared_allocate.none');
  a.ret();
  a.li(V0, -1);
}
