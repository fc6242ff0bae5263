/**
 * Memory taken eagerly: the entry point memory_allocate for library operating systems that never want a page to fault.
 */
import { CALLS, ENTRYLO } from '@exokernel/abi';
import { A0, A1, A2, A3, T3, T4, T5, T6, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { pageTableEntry } from './image.ts';
import { PAGED_BASE, PAGE_TABLE, PTE, PTE_BYTES } from './layout.ts';

/**
 * Emits memory_allocate(bytes): frames at once, at the next free pages below `end`; −1 if there are not enough, and then
 * none is taken. `heap` is the address of the word that holds the page-table offset of the first entry not used yet.
 */
export function emitEagerAllocate(a: Assembler, heap: number, end: number): void {
  a.label('memory_allocate');
  a.addiu(T3, A0, 4095);
  a.srl(T3, T3, 12);
  a.sll(T3, T3, 4);
  // So many bytes that the rounding went round.
  a.bltz(A0, 'memory_allocate.none');
  a.lw(T4, heap, ZERO);
  a.li(T6, pageTableEntry(end) - PAGE_TABLE);
  a.addu(T3, T3, T4);
  a.sltu(T6, T6, T3);
  a.bne(T6, ZERO, 'memory_allocate.none');
  a.move(T6, T4);
  a.label('memory_allocate.next');
  a.beq(T4, T3, 'memory_allocate.done');
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.bltz(V0, 'memory_allocate.undo');
  a.sll(T5, V1, 12);
  a.ori(T5, T5, ENTRYLO.valid | ENTRYLO.dirty);
  a.sw(T5, PAGE_TABLE + PTE.entryLo, T4);
  a.sw(A0, PAGE_TABLE + PTE.head, T4);
  a.sw(A2, PAGE_TABLE + PTE.mac0, T4);
  a.sw(A3, PAGE_TABLE + PTE.mac1, T4);
  a.addiu(T4, T4, PTE_BYTES);
  a.b('memory_allocate.next');
  a.sw(T4, heap, ZERO);
  a.label('memory_allocate.done');
  a.sll(T6, T6, 8);
  a.lui(V0, PAGED_BASE >>> 16);
  a.ret();
  a.addu(V0, V0, T6);
  // Frames ran out on the way: those that were taken go back.
  a.label('memory_allocate.undo');
  a.beq(T4, T6, 'memory_allocate.none');
  a.addiu(T4, T4, -PTE_BYTES);
  a.lw(A1, PAGE_TABLE + PTE.entryLo, T4);
  a.lw(A0, PAGE_TABLE + PTE.head, T4);
  a.lw(A2, PAGE_TABLE + PTE.mac0, T4);
  a.lw(A3, PAGE_TABLE + PTE.mac1, T4);
  a.srl(A1, A1, 12);
  a.sw(ZERO, PAGE_TABLE + PTE.entryLo, T4);
  a.li(V0, CALLS.frame_free.number);
  a.syscall(0);
  a.b('memory_allocate.undo');
  a.sw(T6, heap, ZERO);
  a.label('memory_allocate.none');
  a.ret();
  a.li(V0, -1);
}
