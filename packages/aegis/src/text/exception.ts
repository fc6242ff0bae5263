/**
 * Exceptions, delivered to the application: three scratch registers to its save area, cause, EPC and bad address into
 * them, and a jump to its handler. The application resumes itself; the kernel does not hear of it again. [SOSP95 §5.3]
 *
 * The handler starts in user mode with t0 = EPC, t1 = BadVAddr (0 if the cause has no address), t2 = Cause. The registers'
 * values are in the save area of that ExcCode, U.exceptionSave + 16 × code in its u-page. The kernel destroys an environment
 * that has no handler for the cause, and one whose handler's first instruction takes the exception that it is to handle:
 * nothing could come of it (double fault).
 */
import { CP0_BADVADDR, CP0_CAUSE, CP0_STATUS, K0, K1, T0, T1, T2, ZERO, type Assembler } from '@exokernel/isa';
import { DEATHS, ENV, EXCEPTIONS, U } from '@exokernel/abi';
import { KP, NATIVE, STATUS } from '../layout.ts';
import { emitFpuLeft } from './fpu.ts';
import { emitPay } from './pay.ts';
import { emitWindow } from './window.ts';

/** The causes that have an address: of others BadVAddr tells nothing, not even of bus errors [KANE92 §6]. */
const ADDRESSED: readonly number[] = [
  EXCEPTIONS.mod,
  EXCEPTIONS.tlbl,
  EXCEPTIONS.tlbs,
  EXCEPTIONS.adel,
  EXCEPTIONS.ades,
];

/** Label of the handler of an exception: each cause has one of its own, which knows its save area. */
export function exceptionLabel(code: number): string {
  return `exception.${code}`;
}

/** The handlers: entered with k0 = EPC + 4, `k1` of the application in the kernel page. */
export function emitExceptions(a: Assembler): void {
  for (let code = 0; code < 16; code += 1) {
    if (code !== EXCEPTIONS.interrupt && code !== EXCEPTIONS.syscall) emitException(a, code);
  }

  for (const [label, death] of [
    ['exception.unhandled', DEATHS.unhandled],
    ['exception.double', DEATHS.double],
  ] as const) {
    a.label(label);
    a.mfc0(T2, CP0_CAUSE);
    a.li(T1, death);
    a.andi(T2, T2, 0x7c);
    a.sll(T2, T2, 6);
    a.or(T2, T2, T1);
    a.b('kill');
    a.sw(T2, KP.death, ZERO);
  }

  // Ends the running environment: nothing of its registers is needed any more. Its slice has paid when it goes. If that takes
  // longer than a stretch it pays first, piece by piece, with an instant for interrupts after each.
  a.label('kill');
  // Before Status forgets whether it had the unit.
  emitFpuLeft(a, true);
  a.la(T0, 'kill.piece');
  a.sw(T0, KP.resume, ZERO);
  a.label('kill.piece');
  emitPay(a, T0, T1, T2);
  a.cop2(NATIVE.kill);
  a.lw(T1, KP.again, ZERO);
  a.la(T0, 'schedule');
  a.beq(T1, ZERO, 'kill.done');
  a.nop();
  emitWindow(a, T1);
  a.b('kill.piece');
  a.nop();
  a.label('kill.done');
  a.j('schedule');
  a.sw(T0, KP.resume, ZERO);

  // An exception of the kernel itself: a bug of the kernel, never of a guest.
  a.label('panic');
  a.cop2(NATIVE.panic);
  a.b('panic');
  a.nop();
}

function emitException(a: Assembler, code: number): void {
  const save = U.exceptionSave + 16 * code;
  const isFloat = code === EXCEPTIONS.floatingPoint;
  a.label(exceptionLabel(code));
  a.lw(K1, KP.env, ZERO);
  a.nop();
  a.lw(K1, ENV.uPage, K1);
  a.addiu(K0, K0, -4);
  a.sw(T0, save, K1);
  a.mfc0(T0, CP0_STATUS);
  a.sw(T1, save + 4, K1);
  a.andi(T0, T0, STATUS.kup);
  a.beq(T0, ZERO, 'panic');
  a.sw(T2, save + 8, K1);
  a.lw(T1, KP.env, ZERO);
  a.mfc0(T2, CP0_CAUSE);
  a.lw(K1, ENV.exceptionPc + 4 * code, T1);
  a.move(T0, K0);
  a.beq(K1, ZERO, isFloat ? 'fpu.unhandled' : 'exception.unhandled');
  if (isFloat) a.lw(T1, KP.fpuControl, ZERO);
  else if (ADDRESSED.includes(code)) a.mfc0(T1, CP0_BADVADDR);
  // The register may hold the address of another environment's TLB miss.
  else a.move(T1, ZERO);
  a.beq(K1, T0, 'exception.double');
  a.move(K0, K1);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();
}
