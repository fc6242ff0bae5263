/**
 * ExOS's memory policy, in machine code: pages filled with zeros on demand, copied on write, refused otherwise. [SOSP95 §6.2]
 *
 * The kernel knows none of this: it sees frames allocated and bound. A bad access ends the process (`exos.bad`).
 */
import { CALLS, ENTRYLO, EXCEPTIONS, PAGE_BYTES } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, T2, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { PAGE_TABLE, PTE, PTE_SOFT, UKIT, emitFaultReturn, emitFaultSave, emitInstall } from '@exokernel/libos-kit';
import { CLEAN, UEXOS, WINDOWS } from './layout.ts';
import { windowEntry, type PageTable } from './page-table.ts';

const READ_WRITE = ENTRYLO.valid | ENTRYLO.dirty;

/** Emits frame_alloc(any): v1 = frame, a0 to a3 its capability. First word may stand in a delay slot. */
function emitAllocateFrame(a: Assembler, failed: string): void {
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.bltz(V0, failed);
  a.nop();
}

/** The handler for a store to a page that is mapped read-only: it is copied, or has been clean, or may not be written. */
export function emitCopyOnWrite(a: Assembler, table: PageTable): void {
  const code = EXCEPTIONS.mod;
  const window = windowEntry(table, WINDOWS.copy);
  a.label('exos.mod');
  a.sw(T0, UKIT.epc + 4 * code, ZERO);
  table.find(a, 'exos.bad');
  emitFaultSave(a, UEXOS.modSave);
  a.lw(T2, PAGE_TABLE + PTE.entryLo, T0);
  a.nop();
  a.andi(V0, T2, CLEAN);
  a.beq(V0, ZERO, 'exos.mod.copy-on-write');
  a.andi(V0, T2, PTE_SOFT.copyOnWrite);
  a.xori(T2, T2, CLEAN | ENTRYLO.dirty);
  a.sw(T2, PAGE_TABLE + PTE.entryLo, T0);
  emitInstall(a, 'exos.bad');
  emitFaultReturn(a, code, UEXOS.modSave);
  a.label('exos.mod.copy-on-write');
  a.beq(V0, ZERO, 'exos.bad');
  emitAllocateFrame(a, 'exos.bad');

  // Map the new frame in the window and copy.
  a.sll(V1, V1, 12);
  a.ori(V1, V1, READ_WRITE);
  a.sw(V1, window + PTE.entryLo, ZERO);
  a.sw(A0, window + PTE.head, ZERO);
  a.sw(A2, window + PTE.mac0, ZERO);
  a.sw(A3, window + PTE.mac1, ZERO);
  a.move(A1, V1);
  a.li(A0, WINDOWS.copy);
  a.li(V0, CALLS.tlbwr.number);
  a.syscall(0);
  a.srl(A0, T1, 12);
  a.sll(A0, A0, 12);
  a.li(A1, WINDOWS.copy);
  a.addiu(V0, A0, PAGE_BYTES);
  a.label('exos.mod.copy');
  a.lw(A2, 0, A0);
  a.lw(A3, 4, A0);
  a.addiu(A0, A0, 8);
  a.sw(A2, 0, A1);
  a.sw(A3, 4, A1);
  a.bne(A0, V0, 'exos.mod.copy');
  a.addiu(A1, A1, 8);

  // The old frame goes back, the new one takes its place.
  a.lw(A0, PAGE_TABLE + PTE.head, T0);
  a.srl(A1, T2, 12);
  a.lw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.lw(A3, PAGE_TABLE + PTE.mac1, T0);
  a.li(V0, CALLS.frame_free.number);
  a.syscall(0);
  for (const word of [PTE.head, PTE.mac0, PTE.mac1, PTE.entryLo]) {
    a.lw(T2, window + word, ZERO);
    a.nop();
    a.sw(T2, PAGE_TABLE + word, T0);
  }
  a.sw(ZERO, window + PTE.entryLo, ZERO);
  a.li(A0, WINDOWS.copy);
  a.li(V0, CALLS.tlbvad.number);
  a.syscall(0);
  emitInstall(a, 'exos.bad');
  emitFaultReturn(a, code, UEXOS.modSave);
}

/** memory_allocate(bytes): pages that get their frames when they are touched. */
export function emitAllocate(a: Assembler, table: PageTable): void {
  a.label('memory_allocate');
  // So many bytes that the rounding would go round.
  a.bltz(A0, 'memory_allocate.none');
  a.lw(T1, UEXOS.heap, ZERO);
  a.addiu(A1, A0, PAGE_BYTES - 1);
  a.srl(A1, A1, 12);
  a.sll(A1, A1, 12);
  a.addu(A1, A1, T1);
  a.li(T2, table.heapEnd);
  a.sltu(T2, T2, A1);
  a.bne(T2, ZERO, 'memory_allocate.none');
  a.move(V0, T1);
  a.sw(A1, UEXOS.heap, ZERO);
  a.li(A0, PTE_SOFT.zeroFill);
  a.label('memory_allocate.next');
  a.beq(T1, A1, 'memory_allocate.done');
  a.nop();
  table.claim(a);
  a.sw(A0, PAGE_TABLE + PTE.entryLo, T0);
  a.b('memory_allocate.next');
  a.addiu(T1, T1, PAGE_BYTES);
  a.label('memory_allocate.done');
  a.ret();
  a.nop();
  a.label('memory_allocate.none');
  a.ret();
  a.li(V0, -1);
}
