/**
 * Exceptions, delivered to the application: three scratch registers to its save area, cause, EPC and bad address into
 * them, and a jump to its handler. The application resumes itself; the kernel does not hear of it again. [SOSP95 §5.3]
 *
 * The handler starts in user mode with t0 = EPC, t1 = BadVAddr, t2 = Cause; the registers' values are in the save area of
 * that ExcCode, U.exceptionSave + 16 × code in its u-page. An environment without a handler for the cause is destroyed.
 */
import { CP0_BADVADDR, CP0_CAUSE, CP0_EPC, CP0_STATUS, K0, K1, T0, T1, T2, ZERO, type Assembler } from '@exokernel/isa';
import { DEATHS, ENV, U } from '@exokernel/abi';
import { KP, NATIVE, STATUS } from '../layout.ts';

/** Entered with k0 = 4 × ExcCode and k1 = environment (one instruction late), `k1` of the application in the kernel page. */
export function emitException(a: Assembler): void {
  a.label('exception');
  a.sll(K0, K0, 2);
  a.lw(K1, ENV.uPage, K1);
  a.nop();
  a.addu(K1, K1, K0);
  a.sw(T0, U.exceptionSave, K1);
  a.mfc0(T0, CP0_STATUS);
  a.sw(T1, U.exceptionSave + 4, K1);
  a.andi(T0, T0, STATUS.kup);
  a.beq(T0, ZERO, 'panic');
  a.sw(T2, U.exceptionSave + 8, K1);
  a.lw(T1, KP.env, ZERO);
  a.srl(K0, K0, 2);
  a.addu(T1, T1, K0);
  a.lw(K0, ENV.exceptionPc, T1);
  a.mfc0(T2, CP0_CAUSE);
  a.beq(K0, ZERO, 'exception.unhandled');
  a.mfc0(T0, CP0_EPC);
  a.lw(K1, KP.k1, ZERO);
  a.mfc0(T1, CP0_BADVADDR);
  a.jr(K0);
  a.rfe();

  a.label('exception.unhandled');
  a.andi(T2, T2, 0x7c);
  a.sll(T2, T2, 6);
  a.ori(T2, T2, DEATHS.unhandled);
  a.b('kill');
  a.sw(T2, KP.death, ZERO);

  // Ends the running environment: nothing of its registers is needed any more.
  a.label('kill');
  a.cop2(NATIVE.kill);
  a.j('schedule');
  a.nop();

  // An exception of the kernel itself: a bug of the kernel, never of a guest.
  a.label('panic');
  a.cop2(NATIVE.panic);
  a.b('panic');
  a.nop();
}
