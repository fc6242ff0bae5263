/**
 * The floating-point unit for processes. A process that does not use it pays nothing for it, but for a look where it gives the processor away.
 *
 * The first instruction of the unit is an exception, whose handler makes the unit usable (`exos.float`). From then on UEXOS.floatUsed is not 0, and
 * the process is entered by transfers at `exos.given.float` and `exos.sync.float`: a transfer leaves the unit as the giver had it, so there it
 * is made what the process had, with the process's own registers. While UKIT.float is not 0 the unit is on, and an end of slice saves its
 * registers. Before the process gives the processor away, `exos.float.away` saves them and turns the unit off: the other sees none of them, and the
 * next use is an exception again, whose handler loads them.
 *
 * The first use is no exception in the rest of an instance that a stranger with the unit has given. So a program says before that it will use
 * the unit: `emitFloatUse`.
 */
import { CALLS, ENV, EXCEPTIONS } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  RA,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  T8,
  T9,
  V0,
  V1,
  ZERO,
  withSlots,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import {
  UKIT,
  emitCriticalEnter,
  emitCriticalLeave,
  emitFloatRegisters,
  emitFloatSave,
  resumeLabel,
} from '@exokernel/libos-kit';
import { UEXOS } from './layout.ts';

const CODE = EXCEPTIONS.coprocessor;
/** What the handler's calls of the kernel change, and the end of a critical section, beside t0 to t2. */
const CHANGED: readonly Register[] = [V0, V1, A0, A1, A2, A3, T3, T4, T5, T6, T7, T8, T9, RA];

/**
 * Emits `exos.float`, `exos.float.away`, and `exos.float.prologue`. Without `room` for them in the text the unit cannot be used: the process ends
 * at `exos.float`, and nothing comes to the others.
 */
export function emitFloat(a: Assembler, room: boolean): void {
  if (room) {
    emitUse(a);
    emitAway(a);
    emitFloatPrologue(a);
    return;
  }
  for (const label of ['exos.float', 'exos.float.away', 'exos.float.prologue']) a.label(label);
  a.j('exos.bad');
  a.nop();
}

/**
 * Emits: from here on the program uses the floating-point unit, whose registers are then saved and loaded with the others. Changes a0 to a3, v0, v1 and
 * t0 to t9.
 */
export function emitFloatUse(a: Assembler): void {
  const [again, used] = [a.fresh('float.use'), a.fresh('float.used')];
  a.label(again);
  a.lw(T1, UEXOS.floatUsed, ZERO);
  a.nop();
  a.bne(T1, ZERO, used);
  a.nop();
  a.li(V0, CALLS.fpu_mod.number);
  a.move(A0, ZERO);
  a.syscall(0);
  // An exception, unless a stranger has given the processor in between.
  a.mfc1(T0, 0);
  a.b(again);
  a.nop();
  a.label(used);
}

/** The handler: t0 = PC, t2 = Cause, whose bits 28 and 29 say which coprocessor it is. */
function emitUse(a: Assembler): void {
  a.label('exos.float');
  a.sw(T0, UKIT.epc + 4 * CODE, ZERO);
  a.srl(T2, T2, 28);
  a.andi(T2, T2, 3);
  a.addiu(T2, T2, -1);
  a.bne(T2, ZERO, 'exos.bad');
  a.nop();
  CHANGED.forEach((r, i) => {
    a.sw(r, UEXOS.floatKept + 4 * i, ZERO);
  });
  // An end of slice must not save registers that are loaded in part.
  emitCriticalEnter(a);
  a.li(V0, CALLS.fpu_mod.number);
  a.li(A0, 1);
  a.syscall(0);
  a.lw(T0, UEXOS.floatUsed, ZERO);
  a.nop();
  a.bne(T0, ZERO, 'exos.float.again');
  a.nop();
  // For the first time: the registers are zero, or what a program that has turned the unit on itself has in them.
  emitEntry(a, ENV.asyncEntry, 'exos.transferred.float');
  a.lw(T0, UEXOS.bound, ZERO);
  a.nop();
  a.beq(T0, ZERO, 'exos.float.unbound');
  a.nop();
  emitEntry(a, ENV.syncEntry, 'exos.sync.float');
  a.label('exos.float.unbound');
  a.li(T0, 1);
  a.b('exos.float.used');
  a.sw(T0, UEXOS.floatUsed, ZERO);
  a.label('exos.float.again');
  emitFloatRegisters(withSlots(a));
  a.label('exos.float.used');
  a.li(T0, 1);
  a.sw(T0, UKIT.float, ZERO);
  emitCriticalLeave(a);
  CHANGED.forEach((r, i) => {
    a.lw(r, UEXOS.floatKept + 4 * i, ZERO);
  });
  a.j(resumeLabel(CODE));
  a.nop();
}

/** Emits: sets an entry point of this process. */
function emitEntry(a: Assembler, field: number, label: string): void {
  for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
  a.li(T0, field);
  a.la(T1, label);
  a.li(V0, CALLS.env_set.number);
  a.syscall(0);
}

/** A routine: saves the unit's registers if it is used, and turns it off. Keeps s0 to s7, gp, sp and fp. */
function emitAway(a: Assembler): void {
  a.label('exos.float.away');
  emitFloatSave(withSlots(a));
  a.sw(ZERO, UKIT.float, ZERO);
  a.li(V0, CALLS.fpu_mod.number);
  a.move(A0, ZERO);
  a.syscall(0);
  a.ret();
  a.nop();
}

/** Where the context, which waits, is gone on with: the unit is whatever the giver had. */
function emitFloatPrologue(a: Assembler): void {
  a.label('exos.float.prologue');
  a.lw(A0, UKIT.float, ZERO);
  a.li(V0, CALLS.fpu_mod.number);
  a.syscall(0);
  a.j('kit.prologue');
  a.nop();
}
