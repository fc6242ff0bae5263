/**
 * Paging in again what the kernel has taken by force and saved: in front of the library, whose own text and memory it may be. [SOSP95 §3.4]
 *
 * An entry of the page table whose frame the kernel refuses is looked for in the repossession vector. If its contents were saved, the page gets a new
 * frame, which is filled from the block, and the entry of the vector is preloaded again. All that this touches are guaranteed mappings, which the
 * kernel takes last. The environment computes while it waits for the disk: nothing else of it could run.
 */
import { CALLS, ERRORS, PAGE_BYTES, REPOSSESSION, REPOSSESSION_BYTES, REPOSSESSION_STATES, U } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  V0,
  V1,
  ZERO,
  withSlots,
  type Assembler,
  type SlotAssembler,
} from '@exokernel/isa';
import { PAGE_TABLE, PTE, UKIT, U_PAGE, VECTOR } from './layout.ts';

const KEPT = [T0, T1, T3, T4, T5] as const;
const RETRY = UKIT.backingSave + 4 * KEPT.length;
const ENTRY = RETRY + 4;

/**
 * Emits `back.tlbl` and `back.tlbs`, for `FaultPolicy.refused`: registers are saved as for `absent`. What was not saved goes on at
 * `upcall.tlbl.absent`, `upcall.tlbs.absent`.
 */
export function emitBacking(plain: Assembler): void {
  const a = withSlots(plain);
  for (const kind of ['tlbl', 'tlbs'] as const) {
    a.label(`back.${kind}`);
    a.lw(V1, UKIT.backing, ZERO);
    a.la(T2, `fault.${kind}.retry`);
    a.beq(V1, ZERO, `upcall.${kind}.absent`, (slot) => slot.sw(T2, RETRY, ZERO));
    if (kind === 'tlbl') a.j('back.find');
  }
  emitFind(a);
  emitFill(a);
  a.label('back.failed');
  emitRestore(a);
  a.la(V0, 'fault.tlbl.retry');
  a.beq(V0, T2, 'upcall.tlbl.absent');
  a.j('upcall.tlbs.absent');
}

/** t4 = the entry of the vector that says where the contents of the page are. */
function emitFind(a: SlotAssembler): void {
  a.label('back.find');
  KEPT.forEach((r, i) => {
    a.sw(r, UKIT.backingSave + 4 * i, ZERO);
  });
  a.lw(T3, PAGE_TABLE + PTE.entryLo, T0);
  a.li(T4, VECTOR);
  a.srl(T3, T3, 12);
  a.li(T5, VECTOR + PAGE_BYTES);
  a.label('back.look');
  a.lw(A0, REPOSSESSION.state, T4);
  a.lw(A1, REPOSSESSION.name, T4);
  a.lw(A2, REPOSSESSION.kind, T4);
  a.bne(A1, T3, 'back.next');
  a.bne(A2, ZERO, 'back.next');
  a.note('while it is being saved, it is looked at again');
  a.addiu(A1, A0, -REPOSSESSION_STATES.saving);
  a.beq(A1, ZERO, 'back.look');
  a.addiu(A1, A0, -REPOSSESSION_STATES.saved);
  a.beq(A1, ZERO, 'back.found');
  a.label('back.next');
  a.addiu(T4, T4, REPOSSESSION_BYTES);
  a.bne(T4, T5, 'back.look');
  a.j('back.failed');
}

function emitFill(a: SlotAssembler): void {
  a.label('back.found');
  a.sw(T4, ENTRY, ZERO);
  a.label('back.frame');
  a.li(V0, CALLS.frame_alloc.number);
  a.li(A0, -1);
  a.syscall(0);
  a.addiu(T2, V0, -ERRORS.E_AGAIN);
  a.beq(T2, ZERO, 'back.frame');
  a.bltz(V0, 'back.failed');
  a.note('the software bits stay');
  a.lw(T0, UKIT.backingSave, ZERO);
  a.sll(V1, V1, 12);
  a.lw(T3, PAGE_TABLE + PTE.entryLo, T0);
  a.nop();
  a.andi(T3, T3, PAGE_BYTES - 1);
  a.or(V1, V1, T3);
  a.sw(V1, PAGE_TABLE + PTE.entryLo, T0);
  a.sw(A0, PAGE_TABLE + PTE.head, T0);
  a.sw(A2, PAGE_TABLE + PTE.mac0, T0);
  a.sw(A3, PAGE_TABLE + PTE.mac1, T0);

  a.note('the extent in a0 to a3, the frame in t0 to t3, block, completion word');
  a.label('back.read');
  a.lw(V1, UKIT.backingSave, ZERO);
  a.lw(T4, ENTRY, ZERO);
  a.lw(T1, PAGE_TABLE + PTE.entryLo, V1);
  a.lw(T0, PAGE_TABLE + PTE.head, V1);
  a.lw(T2, PAGE_TABLE + PTE.mac0, V1);
  a.lw(T3, PAGE_TABLE + PTE.mac1, V1);
  a.srl(T1, T1, 12);
  [A0, A1, A2, A3].forEach((r, i) => {
    a.lw(r, REPOSSESSION.extent + 4 * i, T4);
  });
  a.lw(T4, REPOSSESSION.block, T4);
  a.lw(T5, UKIT.backing, ZERO);
  a.li(V0, CALLS.disk_read.number);
  a.addiu(T5, T5, -1);
  a.syscall(0);
  a.addiu(T2, V0, -ERRORS.E_BUSY);
  a.beq(T2, ZERO, 'back.read');
  a.bltz(V0, 'back.failed');
  a.lw(V1, UKIT.backing, ZERO);
  a.nop();
  a.sll(V1, V1, 2);
  a.label('back.wait');
  a.lw(A0, U_PAGE + U.completion - 4, V1);
  a.nop();
  a.beq(A0, ZERO, 'back.wait');
  a.bltz(A0, 'back.failed');
  a.lw(T4, ENTRY, ZERO);
  a.li(A0, REPOSSESSION_STATES.preloaded);
  a.sw(A0, REPOSSESSION.state, T4);
  emitRestore(a);
  a.jr(T2);
}

/** Puts back what `emitFind` has kept; t2 = where it goes on. */
function emitRestore(a: SlotAssembler): void {
  KEPT.forEach((r, i) => {
    a.lw(r, UKIT.backingSave + 4 * i, ZERO);
  });
  a.lw(T2, RETRY, ZERO);
  a.nop();
}
