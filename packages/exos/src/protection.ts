/**
 * Memory protection for programs that want to know of accesses: collectors, checkpoints, distributed memory. [SOSP95 §6.2]
 *
 * A protected page keeps its frame and its entry; TLB and STLB hold it as invalid (one page) or not at all (a range), and
 * what touches it gets the program's handler, which the kernel does not know of. Unprotecting a range only changes the
 * page table: a stale entry of the TLB faults once, and is mended. A *clean* page may be written, but is mapped for reading until
 * it is: then it is dirty.
 */
import { CALLS, ENTRYLO, EXCEPTIONS, PAGE_BYTES } from '@exokernel/abi';
import { A0, A1, A2, A3, RA, T0, T1, T2, V0, V1, ZERO, type Assembler, type Register } from '@exokernel/isa';
import {
  PAGED_END,
  PAGED_PAGES,
  PAGE_TABLE,
  PTE,
  PTE_SOFT,
  UKIT,
  exceptionSave,
  type ResumePoint,
} from '@exokernel/libos-kit';
import { CLEAN, UEXOS } from './layout.ts';
import type { PageTable } from './page-table.ts';

/** How the program goes on after its handler. */
export const HOOK_RESUME: ResumePoint = { label: 'exos.hook.resume', registers: UEXOS.hookSave, pc: UEXOS.hookPc };

/** What is saved for the handler, behind t0, t1, t2. */
const SAVED: readonly Register[] = [V0, V1, A0, A1, A2, A3, RA];
const SAVED_AT: number = UEXOS.hookSave + 12;

/** log2 of the distance from ENTRYLO.dirty to CLEAN. */
const DIRTY_TO_CLEAN: number = Math.log2(ENTRYLO.dirty / CLEAN);

/** The labels of FaultPolicy.protected. */
export function protectedLabel(kind: 'tlbl' | 'tlbs'): string {
  return `exos.protected.${kind}`;
}

/**
 * Emits what FaultPolicy.protected does: calls the handler with a0 = the address, and tries the access again when it returns.
 * The handler may change v0, v1, a0 to a3, t0 to t2 and ra, and has the program's stack. Everything is moved out of the way
 * of further faults; only a protected page ends the process while the handler runs, and when there is none.
 */
export function emitProtected(a: Assembler): void {
  for (const kind of ['tlbl', 'tlbs'] as const) {
    const code = EXCEPTIONS[kind];
    a.label(protectedLabel(kind));
    a.lw(T2, UEXOS.hook, ZERO);
    a.lw(T0, UKIT.epc + 4 * code, ZERO);
    a.beq(T2, ZERO, 'exos.bad');
    a.sw(ZERO, UEXOS.hook, ZERO);
    a.sw(T0, UEXOS.hookPc, ZERO);
    SAVED.forEach((r, i) => {
      a.sw(r, SAVED_AT + 4 * i, ZERO);
    });
    for (const [i, r] of [V0, V1, A1].entries()) a.lw(r, exceptionSave(code) + 4 * i, ZERO);
    a.move(A0, T1);
    a.sw(V0, UEXOS.hookSave, ZERO);
    a.sw(V1, UEXOS.hookSave + 4, ZERO);
    if (kind === 'tlbl') a.b('exos.protected.call');
    a.sw(A1, UEXOS.hookSave + 8, ZERO);
  }
  a.label('exos.protected.call');
  a.jalr(RA, T2);
  a.nop();
  a.lw(T0, UEXOS.hookKept, ZERO);
  SAVED.forEach((r, i) => {
    a.lw(r, SAVED_AT + 4 * i, ZERO);
  });
  a.j(HOOK_RESUME.label);
  a.sw(T0, UEXOS.hook, ZERO);
}

/** Emits the routines vm_protect, vm_unprotect, vm_clean, vm_dirty and vm_handler, which change no more than a handler may. */
export function emitProtection(a: Assembler, table: PageTable): void {
  // vm_protect(va, pages): 0, or −1 if these are not all pages of the region.
  a.label('vm_protect');
  a.addiu(V0, A1, -1);
  a.bne(V0, ZERO, 'vm_protect.range');
  a.move(T1, A0);
  emitEntry(a, table);
  a.ori(T2, T2, PTE_SOFT.protected);
  a.sw(T2, PAGE_TABLE + PTE.entryLo, T0);
  a.xori(A1, T2, ENTRYLO.valid);
  emitBind(a, 'vm_protect.done');
  a.label('vm_protect.range');
  emitRange(a, table, {
    prepare: () => a.nop(),
    change: () => a.ori(T2, T2, PTE_SOFT.protected),
  });
  emitForget(a);

  // vm_unprotect(va, pages): the same.
  a.label('vm_unprotect');
  a.addiu(V0, A1, -1);
  a.bne(V0, ZERO, 'vm_unprotect.range');
  a.move(T1, A0);
  emitEntry(a, table);
  a.li(V0, ~PTE_SOFT.protected);
  a.and(T2, T2, V0);
  a.sw(T2, PAGE_TABLE + PTE.entryLo, T0);
  a.move(A1, T2);
  emitBind(a, 'vm_unprotect.done');
  a.label('vm_unprotect.range');
  emitRange(a, table, {
    prepare: () => a.li(V0, ~PTE_SOFT.protected),
    change: () => a.and(T2, T2, V0),
  });
  a.ret();
  a.move(V0, ZERO);

  // vm_clean(va, pages): no longer dirty. The same.
  a.label('vm_clean');
  emitRange(a, table, {
    prepare: () => a.nop(),
    change: () => {
      a.andi(V0, T2, ENTRYLO.dirty);
      a.subu(T2, T2, V0);
      a.srl(V0, V0, DIRTY_TO_CLEAN);
      a.or(T2, T2, V0);
    },
  });
  emitForget(a);

  // vm_dirty(va): 1 if it may have been written since it was cleaned or given its frame, 0 if not, −1 if it has no entry.
  a.label('vm_dirty');
  a.move(T1, A0);
  emitEntry(a, table);
  a.srl(V0, T2, Math.log2(ENTRYLO.dirty));
  a.ret();
  a.andi(V0, V0, 1);

  // vm_handler(address or 0): sets the handler of accesses to protected pages. 0.
  a.label('vm_handler');
  a.sw(A0, UEXOS.hook, ZERO);
  a.sw(A0, UEXOS.hookKept, ZERO);
  a.ret();
  a.move(V0, ZERO);

  a.label('vm.bad');
  a.ret();
  a.li(V0, -1);
}

/** Emits t0 = offset of the entry of the address in t1, t2 = its first word, which is not 0. */
function emitEntry(a: Assembler, table: PageTable): void {
  table.find(a, 'vm.bad');
  a.lw(T2, PAGE_TABLE + PTE.entryLo, T0);
  a.nop();
  a.beq(T2, ZERO, 'vm.bad');
  a.nop();
}

/** Emits: hands EntryLo a1 for the page at a0 with the entry at t0 (first word t2) to the kernel, if it has a frame; returns 0. */
function emitBind(a: Assembler, done: string): void {
  a.andi(V0, T2, ENTRYLO.valid);
  a.beq(V0, ZERO, done);
  a.lw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.lw(A3, PAGE_TABLE + PTE.mac1, T0);
  a.li(V0, CALLS.tlbwr.number);
  a.syscall(0);
  a.label(done);
  a.ret();
  a.move(V0, ZERO);
}

/** Emits a change of the entries of a1 pages from a0 on; then a3 = the first page. */
function emitRange(
  a: Assembler,
  table: PageTable,
  { prepare, change }: { readonly prepare: () => void; readonly change: () => void },
): void {
  a.srl(A0, A0, 12);
  a.sll(A0, A0, 12);
  a.sltiu(V0, A1, PAGED_PAGES + 1);
  a.beq(V0, ZERO, 'vm.bad');
  a.sll(A2, A1, 12);
  a.beq(A1, ZERO, 'vm.bad');
  a.addu(A2, A2, A0);
  a.li(V0, PAGED_END);
  a.sltu(V0, V0, A2);
  a.bne(V0, ZERO, 'vm.bad');
  a.sltu(V0, A0, A2);
  a.beq(V0, ZERO, 'vm.bad');
  a.srl(V0, A0, Math.log2(PAGED_PAGES * PAGE_BYTES));
  a.beq(V0, ZERO, 'vm.bad');
  a.move(A3, A0);
  table.each(a, prepare, change);
}

/** Emits: removes the mappings of the a1 pages from a3 on; returns its code. */
function emitForget(a: Assembler): void {
  a.move(A0, A3);
  a.li(V0, CALLS.tlbvad_range.number);
  a.syscall(0);
  a.ret();
  a.nop();
}
