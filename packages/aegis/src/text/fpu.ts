/**
 * The floating-point unit: one set of registers, which one environment has at a time. [SOSP95 T3]
 *
 * `fpu_mod` makes it usable for the caller. Its registers are the environment's to save, at the end of a slice, like the
 * others: when an environment that uses it begins and another has used it meanwhile, all registers are zero. Who
 * does not use it pays seven instructions at the begin of a slice, nothing else. A protected control transfer leaves it alone, usable or not: registers are the
 * message. What the callee has in them when its slice ends is not for the caller any more.
 *
 * The R3010 reports exceptions by an interrupt, which comes again until its cause is cleared. The kernel clears it and delivers
 * ExcCode 15, with FCR31 as it was in t1.
 */
import { A0, CP0_STATUS, T0, T1, T2, T7, T8, T9, V0, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { DEATHS, ENV, EXCEPTIONS } from '@exokernel/abi';
import { FPU_STATUS, KP, STATUS } from '../layout.ts';
import { exceptionLabel } from './exception.ts';
import { routineLabel } from './stack.ts';

/** FCR31: control and status. Bits 12 to 17: the cause of the exception. */
const CONTROL = 31;
const CAUSE_BITS = 0x3f000;
const FLOAT_REGISTERS = 32;

/** Emits: the environment at `env` gets the unit with all registers zero. It must be usable in Status already. */
function emitClear(a: Assembler, env: Register): void {
  a.nop();
  a.ctc1(ZERO, CONTROL);
  for (let r = 0; r < FLOAT_REGISTERS; r += 1) a.mtc1(ZERO, r);
  a.sw(env, KP.fpuOwner, ZERO);
}

/**
 * For the scheduler, when the running environment leaves, while KP.env and Status still say who that is: if it had the unit by a
 * transfer, or has ended, its values are not for whose unit it was, and its exception is not seen pending. Uses t7 to t9. `ends`: it is
 * about to end, so that the unit is taken from it in any case.
 */
export function emitFpuLeft(a: Assembler, ends = false): void {
  const left = a.fresh('fpu.left');
  a.mfc0(T7, CP0_STATUS);
  a.lw(T8, KP.fpuOwner, ZERO);
  // CU1 becomes the sign.
  a.sll(T7, T7, Math.clz32(STATUS.cu1));
  a.bgez(T7, left);
  a.lw(T9, KP.env, ZERO);
  a.nop();
  if (!ends) {
    a.beq(T8, T9, left);
    a.nop();
  }
  a.ctc1(ZERO, CONTROL);
  a.sw(ZERO, KP.fpuOwner, ZERO);
  a.label(left);
}

/** For the scheduler: environment `env` uses the unit, and t8 is the Status that it will have; another had it meanwhile. */
export function emitFpuTaken(a: Assembler, env: Register, back: string): void {
  a.label('fpu.taken');
  a.mfc0(T0, CP0_STATUS);
  a.li(T1, FPU_STATUS);
  a.or(T0, T0, T1);
  a.mtc0(T0, CP0_STATUS);
  a.nop();
  emitClear(a, env);
  a.j(back);
  a.nop();
}

/** fpu_mod(on), on the kernel's stack. */
export function emitFpuCall(a: Assembler): void {
  a.label(routineLabel('fpu_mod'));
  a.mfc0(T0, CP0_STATUS);
  a.li(T1, FPU_STATUS);
  a.lw(T2, KP.env, ZERO);
  a.beq(A0, ZERO, 'fpu_mod.off');
  a.or(T0, T0, T1);
  a.mtc0(T0, CP0_STATUS);
  a.sw(T1, ENV.fpu, T2);
  a.lw(T8, KP.fpuOwner, ZERO);
  a.nop();
  a.beq(T8, T2, 'fpu_mod.done');
  a.nop();
  emitClear(a, T2);
  a.label('fpu_mod.done');
  a.ret();
  a.move(V0, ZERO);
  a.label('fpu_mod.off');
  // FPU_STATUS is set now: this takes it away.
  a.xor(T0, T0, T1);
  a.mtc0(T0, CP0_STATUS);
  a.lw(T8, KP.fpuOwner, ZERO);
  a.sw(ZERO, ENV.fpu, T2);
  a.beq(T8, T2, 'fpu_mod.kept');
  a.nop();
  // It may have had the unit by a transfer: see emitFpuLeft.
  a.sw(ZERO, KP.fpuOwner, ZERO);
  a.label('fpu_mod.kept');
  a.ret();
  a.move(V0, ZERO);
}

/** An exception of the unit: entered with k0 = EPC + 4 and t0 to t2 in the kernel page, as an interrupt of it. */
export function emitFpuInterrupt(a: Assembler): void {
  const code = EXCEPTIONS.floatingPoint;
  a.label('interrupt.fpu');
  a.cfc1(T0, CONTROL);
  a.li(T1, ~CAUSE_BITS);
  a.and(T1, T0, T1);
  a.ctc1(T1, CONTROL);
  a.sw(T0, KP.fpuControl, ZERO);
  a.lw(T0, KP.t0, ZERO);
  a.lw(T1, KP.t1, ZERO);
  a.lw(T2, KP.t2, ZERO);
  a.j(exceptionLabel(code));
  a.nop();

  a.label('fpu.unhandled');
  a.li(T2, DEATHS.unhandled | (code << 8));
  a.b('kill');
  a.sw(T2, KP.death, ZERO);
}
