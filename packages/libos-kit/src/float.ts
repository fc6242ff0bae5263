/**
 * Floating-point registers, saved for programs that use them: from the first use on, with the other registers. [SOSP95 §5.1.1]
 *
 * The unit is off at first, so its first instruction comes to the handler of the exception. From then on UKIT.float is not zero, and what is
 * saved at the end of a slice, at a yield and at a sleep includes the unit's registers.
 */
import { CALLS } from '@exokernel/abi';
import { A0, T0, T1, T2, V0, ZERO, type SlotAssembler } from '@exokernel/isa';
import { UKIT } from './layout.ts';

const REGISTERS = 32;
const FCR31 = 31;
/** Cause bits of FCR31: written with the bits that enable them they would be an exception at once [KANE92 §8]. */
const NO_CAUSE = 0xfffc0fff;

/** Emits: saves the unit's registers if it is used. Changes t1 and t2. */
export function emitFloatSave(a: SlotAssembler): void {
  const out = a.fresh('float.saved');
  a.lw(T1, UKIT.float, ZERO);
  a.la(T2, 'kit.float.save');
  a.beq(T1, ZERO, out);
  a.jalr(T1, T2);
  a.label(out);
}

/** Emits what `emitFloatSave` jumps to, which returns to t1. */
export function emitFloatSaveRoutine(a: SlotAssembler): void {
  a.label('kit.float.save');
  for (let f = 0; f < REGISTERS; f += 1) a.swc1(f, UKIT.floatSave + 4 * f, ZERO);
  a.cfc1(T2, FCR31);
  a.nop();
  a.sw(T2, UKIT.floatSave + 4 * REGISTERS, ZERO);
  a.jr(T1);
}

/** Emits: loads them if it is used. Changes t0, t1 and t2. */
export function emitFloatLoad(a: SlotAssembler): void {
  const out = a.fresh('float.loaded');
  a.lw(T1, UKIT.float, ZERO);
  a.nop();
  a.beq(T1, ZERO, out);
  emitFloatRegisters(a);
  a.label(out);
}

/** Emits: loads them. The unit must be on. Changes t0, t1 and t2. */
export function emitFloatRegisters(a: SlotAssembler): void {
  a.la(T2, 'kit.float.load');
  a.jalr(T1, T2);
}

/** Emits what `emitFloatRegisters` jumps to, which returns to t1. */
export function emitFloatLoadRoutine(a: SlotAssembler): void {
  a.label('kit.float.load');
  for (let f = 0; f < REGISTERS; f += 1) a.lwc1(f, UKIT.floatSave + 4 * f, ZERO);
  a.lw(T0, UKIT.floatSave + 4 * REGISTERS, ZERO);
  a.li(T2, NO_CAUSE);
  a.and(T0, T0, T2);
  a.ctc1(T0, FCR31);
  a.jr(T1);
}

/** Emits `float.use`, to which an upcall goes on when the unit was not usable: now it is, with what was saved of it. */
export function emitFloatUse(a: SlotAssembler): void {
  a.label('float.use');
  a.li(V0, CALLS.fpu_mod.number);
  a.li(A0, 1);
  a.syscall(0);
  a.li(T1, 1);
  a.sw(T1, UKIT.float, ZERO);
  emitFloatRegisters(a);
  a.j('upcall.return', (slot) => slot.move(T0, ZERO));
}
