/**
 * Application-level virtual memory: a linear page table in the environment's own memory, and the fault handler that walks it, in
 * machine code. [SOSP95 §6.2]
 *
 * A TLB miss that the kernel's STLB cannot answer comes here: an entry that is present is handed to `tlbwr` with its frame's
 * capability, and the program goes on. What is not present, or not writable, is the library operating system's policy:
 * it supplies the routines at the two labels below.
 */
import { CALLS, ENTRYLO, EXCEPTIONS } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, T2, V0, V1, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { PAGED_BASE, PAGE_TABLE, PTE, PTE_SOFT, UKIT } from './layout.ts';
import { resumeLabel } from './runtime.ts';

/** What a handler needs for itself and for tlbwr; saved in this order. */
const SAVED: readonly Register[] = [V0, V1, A0, A1, A2, A3];

/** What to do about a page that the page table does not answer for. */
export interface FaultPolicy {
  /**
   * Label of a routine for a page without a frame: t0 = byte offset of its entry in the page table, t1 = the address;
   * v0, v1, a0–a3 are saved and free. It leaves by jumping to `retry` (with t0, t1 intact) or ends the program.
   */
  readonly absent: string;
  /** Label for an address that has no entry. Nothing but t0, t1, t2 is saved. */
  readonly outside: string;
  /**
   * Label for an entry that the kernel has refused: its frame is not this environment's any more. Registers are saved as for `absent`; as given
   * nothing: `outside`.
   */
  readonly refused?: string;
  /** Label for a page that the program has protected (PTE_SOFT.protected): t0, t1 as above, nothing else saved. */
  readonly protected?: string;
}

/**
 * Emits the way from an address to its entry: t0 = byte offset of the entry in the page table for the address in t1, or a
 * branch to `outside`. May use t2.
 */
export type FindEntry = (a: Assembler, outside: string) => void;

/** The way of the linear page table. */
export const findLinear: FindEntry = (a, outside) => {
  a.lui(T2, PAGED_BASE >>> 16);
  a.subu(T0, T1, T2);
  a.srl(T2, T0, 22);
  a.bne(T2, ZERO, outside);
  a.srl(T0, T0, 12);
  a.sll(T0, T0, 4);
};

/** Emits the handler for TLB misses and invalid entries of one kind; its entry is `fault.tlbl` or `fault.tlbs`. */
export function emitFaultHandler(
  a: Assembler,
  kind: 'tlbl' | 'tlbs',
  policy: FaultPolicy,
  find: FindEntry = findLinear,
): void {
  const code = EXCEPTIONS[kind];
  const name = `fault.${kind}`;
  a.label(name);
  a.sw(T0, UKIT.epc + 4 * code, ZERO);
  find(a, `${name}.outside`);
  if (policy.protected !== undefined) {
    a.lw(T2, PAGE_TABLE + PTE.entryLo, T0);
    a.nop();
    a.sll(T2, T2, 31 - Math.log2(PTE_SOFT.protected));
    a.bltz(T2, policy.protected);
    a.nop();
  }
  emitFaultSave(a);

  a.label(`${name}.retry`);
  a.lw(T2, PAGE_TABLE + PTE.entryLo, T0);
  a.nop();
  a.andi(A1, T2, ENTRYLO.valid);
  a.beq(A1, ZERO, `${name}.absent`);
  a.nop();
  emitInstall(a, policy.refused ?? `${name}.outside`);
  emitFaultReturn(a, code);

  a.label(`${name}.absent`);
  a.la(T2, `${name}.retry`);
  a.j(policy.absent);
  a.nop();
  a.label(`${name}.outside`);
  a.j(policy.outside);
  a.nop();
}

/** Emits: saves v0, v1, a0–a3 in six words at `save`, which handlers that may interrupt each other must not share. */
export function emitFaultSave(a: Assembler, save: number = UKIT.faultSave): void {
  SAVED.forEach((r, i) => {
    a.sw(r, save + 4 * i, ZERO);
  });
}

/**
 * Emits: hand the entry at t0 (EntryLo in t2) for address t1 to the kernel; a branch to `refused` if it does not take it: the
 * frame is not this environment's any more.
 */
export function emitInstall(a: Assembler, refused: string): void {
  a.lw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.lw(A3, PAGE_TABLE + PTE.mac1, T0);
  a.move(A0, T1);
  a.move(A1, T2);
  a.li(V0, CALLS.tlbwr.number);
  a.syscall(0);
  a.bltz(V0, refused);
  a.nop();
}

/** Emits: restore what `emitFaultSave` saved and resume. */
export function emitFaultReturn(a: Assembler, code: number, save: number = UKIT.faultSave): void {
  SAVED.forEach((r, i) => {
    a.lw(r, save + 4 * i, ZERO);
  });
  a.j(resumeLabel(code));
  a.nop();
}

/**
 * Emits, at `label`, a policy for `absent`: an entry marked PTE_SOFT.zeroFill gets a frame, which is zero. Others, and all when there is no frame
 * to be had, go on at `failed`, with t0 and t1 as they were.
 */
export function emitZeroFill(a: Assembler, label: string, failed: string): void {
  a.label(label);
  a.lw(A0, PAGE_TABLE + PTE.entryLo, T0);
  a.nop();
  a.andi(A0, A0, PTE_SOFT.zeroFill);
  a.beq(A0, ZERO, failed);
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.bltz(V0, failed);
  a.nop();
  emitFillEntry(a);
  a.jr(T2);
  a.nop();
}

/**
 * Emits: fills in the entry at t0 with the frame that frame_alloc has just given (v1, a0, a2, a3), readable and writable, with
 * these software bits. Changes v1.
 */
export function emitFillEntry(a: Assembler, soft = 0): void {
  a.sll(V1, V1, 12);
  a.ori(V1, V1, ENTRYLO.valid | ENTRYLO.dirty | soft);
  a.sw(V1, PAGE_TABLE + PTE.entryLo, T0);
  a.sw(A0, PAGE_TABLE + PTE.head, T0);
  a.sw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.sw(A3, PAGE_TABLE + PTE.mac1, T0);
}

/** Emits the routine page_entry(address), at `label`: the address of the page's entry in the page table, or 0. */
export function emitPageEntry(a: Assembler, label: string, find: FindEntry = findLinear): void {
  a.label(label);
  a.srl(T1, A0, 12);
  a.sll(T1, T1, 12);
  find(a, `${label}.none`);
  a.ret();
  a.addiu(V0, T0, PAGE_TABLE);
  a.label(`${label}.none`);
  a.ret();
  a.move(V0, ZERO);
}

/** EntryLo word of a page-table entry: of a frame, or of none. */
export function pageEntry(ppn: number, how: { readonly writable: boolean; readonly copyOnWrite?: boolean }): number {
  const soft = how.copyOnWrite === true ? PTE_SOFT.copyOnWrite : 0;
  return ((ppn << 12) | ENTRYLO.valid | (how.writable ? ENTRYLO.dirty : 0) | soft) >>> 0;
}
