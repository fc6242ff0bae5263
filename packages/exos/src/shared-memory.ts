/**
 * Memory that a process shares with the children it forks: frames that fork does not copy on write. [SOSP95 §6.1]
 *
 * Two processes that talk through a word of it and give each other the processor (directed-yield.ts) are the fastest there
 * can be without a call. Nothing protects them from each other.
 */
import { CALLS, ENTRYLO } from '@exokernel/abi';
import { A0, A2, A3, T0, T1, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { PAGED_BASE, PAGE_TABLE, PTE, PTE_BYTES, pageTableEntry } from '@exokernel/libos-kit';
import { HEAP_END, SHARED, UEXOS } from './layout.ts';

/** Emits the routine shared_allocate(): the address of a page, zero, shared with children to come; −1 if there is none. */
export function emitSharedMemory(a: Assembler): void {
  a.label('shared_allocate');
  a.lw(T0, UEXOS.heap, ZERO);
  a.li(T1, pageTableEntry(HEAP_END) - PAGE_TABLE);
  a.beq(T0, T1, 'shared_allocate.none');
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.bltz(V0, 'shared_allocate.none');
  a.sll(V1, V1, 12);
  a.ori(V1, V1, ENTRYLO.valid | ENTRYLO.dirty | SHARED);
  a.sw(V1, PAGE_TABLE + PTE.entryLo, T0);
  a.sw(A0, PAGE_TABLE + PTE.head, T0);
  a.sw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.sw(A3, PAGE_TABLE + PTE.mac1, T0);
  a.sll(V0, T0, 8);
  a.lui(T1, PAGED_BASE >>> 16);
  a.addu(V0, V0, T1);
  a.addiu(T0, T0, PTE_BYTES);
  a.ret();
  a.sw(T0, UEXOS.heap, ZERO);
  a.label('shared_allocate.none');
  a.ret();
  a.li(V0, -1);
}
