/**
 * The floating-point unit: one set of registers, which one environment has at a time. [SOSP95 T3]
 *
 * `fpu_mod` makes it usable for the caller. An environment saves its registers at the end of a slice, like the others: when it begins
 * and another has used the unit meanwhile, all registers are zero. An environment that does not use it pays seven instructions when a
 * slice begins, nothing else. A protected control transfer leaves the unit alone, usable or not: registers are the message. What the
 * callee has in them when its slice ends is not for the caller any more.
 *
 * The R3010 reports exceptions by an interrupt, which comes again until its cause is cleared. The kernel clears it and delivers
 * ExcCode 15, with FCR31 as it was in t1.
 */
import {
  A0,
  CP0_STATUS,
  T0,
  T1,
  T2,
  T7,
  T8,
  T9,
  V0,
  ZERO,
  type Register,
  type SlotAssembler,
  type StraightAssembler,
  RA,
} from '@exokernel/isa';
import { DEATHS, ENV, EXCEPTIONS } from '@exokernel/abi';
import { FPU_STATUS, KP, STATUS } from '../layout.ts';
import { exceptionLabel } from './exception.ts';
import { routine } from './routine.ts';
import { routineLabel } from './stack.ts';

/** FCR31: control and status. Bits 12 to 17: the cause of the exception. */
const CONTROL = 31;
const CAUSE_BITS = 0x3f000;
const FLOAT_REGISTERS = 32;

/** Emits: the environment at `env` gets the unit with all registers zero. It must be usable in Status already. */
function emitClear(a: StraightAssembler, env: Register): void {
  a.nop();
  a.ctc1(ZERO, CONTROL);
  for (let r = 0; r < FLOAT_REGISTERS; r += 1) a.mtc1(ZERO, r);
  a.sw(env, KP.fpuOwner, ZERO);
}

/**
 * Emits, for an environment that leaves, while KP.env and Status still say which it is. Uses t7 to t9. If it had the unit by a transfer,
 * its values are not for the environment that owns the unit, and its exception is not seen pending. `ends`: it is about to end, so the
 * unit is taken from it in any case.
 */
export function emitFpuLeft(a: SlotAssembler, ends = false): void {
  const [usable, owner, env] = [T7, T8, T9];
  const left = a.fresh('fpu.left');
  a.mfc0(usable, CP0_STATUS);
  a.lw(owner, KP.fpuOwner, ZERO);
  a.note('CU1 becomes the sign');
  a.sll(usable, usable, Math.clz32(STATUS.cu1));
  a.bgez(usable, left, (slot) => slot.lw(env, KP.env, ZERO));
  a.nop();
  if (!ends) {
    a.note('the unit was used by another than its owner: its values are for neither');
    a.beq(owner, env, left);
  }
  a.ctc1(ZERO, CONTROL);
  a.sw(ZERO, KP.fpuOwner, ZERO);
  a.label(left);
}

/** For the scheduler: environment `env` uses the unit, and t8 is the Status that it will have; another had it meanwhile. */
export function emitFpuTaken(a: SlotAssembler, env: Register, back: string): void {
  routine(
    a,
    'fpu.taken',
    {
      does: 'The unit goes to the environment that begins, with all registers zero. [SOSP95 T3]',
      in: { env },
      uses: { status: T0, usable: T1 },
    },
    ({ status, usable }) => {
      a.mfc0(status, CP0_STATUS);
      a.li(usable, FPU_STATUS);
      a.or(status, status, usable);
      a.mtc0(status, CP0_STATUS);
      a.nop();
      emitClear(a, env);
      a.j(back);
    },
  );
}

/** fpu_mod(on), on the kernel's stack. */
export function emitFpuCall(a: SlotAssembler): void {
  routine(
    a,
    routineLabel('fpu_mod'),
    {
      does: 'fpu_mod(on): the floating-point unit becomes usable for the caller, or not usable.',
      in: { on: A0, back: RA },
      out: { error: V0 },
      uses: { status: T0, usable: T1, env: T2, owner: T8 },
      fast: { instructions: 14, when: 'if the caller has it already', by: ['fpu_mod.done'] },
    },
    ({ on, error, status, usable, env, owner }) => {
      a.mfc0(status, CP0_STATUS);
      a.li(usable, FPU_STATUS);
      a.lw(env, KP.env, ZERO);
      a.beq(on, ZERO, 'fpu_mod.off', (slot) => slot.or(status, status, usable));
      a.mtc0(status, CP0_STATUS);
      a.sw(usable, ENV.fpu, env);
      a.lw(owner, KP.fpuOwner, ZERO);
      a.nop();
      a.beq(owner, env, 'fpu_mod.done');
      a.note("another environment's values");
      emitClear(a, env);
      a.label('fpu_mod.done');
      a.ret((slot) => slot.move(error, ZERO));

      a.label('fpu_mod.off');
      a.note('FPU_STATUS is set: this takes it away');
      a.xor(status, status, usable);
      a.mtc0(status, CP0_STATUS);
      a.lw(owner, KP.fpuOwner, ZERO);
      a.sw(ZERO, ENV.fpu, env);
      a.beq(owner, env, 'fpu_mod.kept');
      a.note('it may have had the unit by a transfer, and left values in it');
      a.sw(ZERO, KP.fpuOwner, ZERO);
      a.label('fpu_mod.kept');
      a.ret((slot) => slot.move(error, ZERO));
    },
  );
}

/** An exception of the unit: entered with k0 = EPC + 4 and t0 to t2 in the kernel page, as an interrupt of it. */
export function emitFpuInterrupt(a: SlotAssembler): void {
  const code = EXCEPTIONS.floatingPoint;
  routine(
    a,
    'interrupt.fpu',
    {
      does: `An exception of the unit, which the R3010 reports as an interrupt: ExcCode ${code} of the application.`,
      uses: { control: T0, cleared: T1, t0: T0, t1: T1, t2: T2 },
    },
    ({ control, cleared, t0, t1, t2 }) => {
      a.cfc1(control, CONTROL);
      a.note('the interrupt comes again until its cause is cleared');
      a.li(cleared, ~CAUSE_BITS);
      a.and(cleared, control, cleared);
      a.ctc1(cleared, CONTROL);
      a.sw(control, KP.fpuControl, ZERO);
      a.lw(t0, KP.t0, ZERO);
      a.lw(t1, KP.t1, ZERO);
      a.lw(t2, KP.t2, ZERO);
      a.j(exceptionLabel(code));
    },
  );

  routine(
    a,
    'fpu.unhandled',
    { does: 'The environment has no handler for it: it is ended.', uses: { death: T2 } },
    ({ death }) => {
      a.li(death, DEATHS.unhandled | (code << 8));
      a.b('kill', (slot) => slot.sw(death, KP.death, ZERO));
    },
  );
}
