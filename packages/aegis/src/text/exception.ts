/**
 * Exceptions, delivered to the application: three scratch registers to its save area, cause, EPC and bad address into
 * them, and a jump to its handler. The application resumes itself; the kernel does not hear of it again. [SOSP95 §5.3]
 *
 * The handler starts in user mode with t0 = EPC, t1 = BadVAddr (0 if the cause has no address), t2 = Cause. The registers'
 * values are in the save area of that ExcCode, U.exceptionSave + 16 × code in its u-page. The kernel destroys an environment
 * that has no handler for the cause, and one whose handler's first instruction takes the exception that it is to handle:
 * nothing could come of it (double fault).
 */
import {
  CP0_BADVADDR,
  CP0_CAUSE,
  CP0_STATUS,
  K0,
  K1,
  T0,
  T1,
  T2,
  T7,
  T8,
  T9,
  ZERO,
  type SlotAssembler,
} from '@exokernel/isa';
import { DEATHS, ENV, EXCEPTIONS, U } from '@exokernel/abi';
import { KP, NATIVE, STATUS } from '../layout.ts';
import { emitFpuLeft } from './fpu.ts';
import { emitPay } from './pay.ts';
import { emitReturn, exceptionLabel, routine } from './routine.ts';
import { emitWindow } from './window.ts';

/** The causes that have an address: of others BadVAddr tells nothing, not even of bus errors [KANE92 §6]. */
const ADDRESSED: readonly number[] = [
  EXCEPTIONS.mod,
  EXCEPTIONS.tlbl,
  EXCEPTIONS.tlbs,
  EXCEPTIONS.adel,
  EXCEPTIONS.ades,
];

/** The handlers: entered with k0 = EPC + 4, `k1` of the application in the kernel page. */
export function emitExceptions(a: SlotAssembler): void {
  for (let code = 0; code < 16; code += 1) {
    if (code !== EXCEPTIONS.interrupt && code !== EXCEPTIONS.syscall) emitException(a, code);
  }
  emitDeath(a, 'exception.unhandled', DEATHS.unhandled, 'The environment has no handler for the cause: it is ended.');
  emitDeath(a, 'exception.double', DEATHS.double, 'The first instruction of the handler took its own exception.');

  routine(
    a,
    'kill',
    {
      does: 'Ends the running environment, for the reason in KP.death. Nothing of its registers is needed any more.',
      uses: { resume: T0, slice: T0, credit: T1, scratch: T2, again: T1, status: T1, usable: T7, owner: T8, env: T9 },
    },
    ({ resume, slice, credit, scratch, again, status }) => {
      a.note('before Status forgets whether it had the floating-point unit');
      emitFpuLeft(a, true);
      a.label('kill.left');
      a.la(resume, 'kill.piece');
      a.sw(resume, KP.resume, ZERO);
      a.label('kill.piece');
      a.note('what came before may have taken long: an instant for interrupts before each piece, and after the last');
      emitWindow(a, status);
      a.note('its slice pays now: when the environment is gone, its slices are too');
      emitPay(a, slice, credit, scratch);
      a.cop2(NATIVE.kill);
      a.lw(again, KP.again, ZERO);
      a.la(resume, 'schedule');
      a.bne(again, ZERO, 'kill.piece');
      a.note('the slice that is next may begin with the end of its environment, too');
      a.sw(resume, KP.resume, ZERO);
      emitWindow(a, status);
      a.j('schedule');
    },
  );

  routine(a, 'panic', { does: 'An exception of the kernel itself: a bug of the kernel, never of a guest.' }, () => {
    a.cop2(NATIVE.panic);
    a.b('panic');
  });
}

function emitException(a: SlotAssembler, code: number): void {
  const save = U.exceptionSave + 16 * code;
  const isFloat = code === EXCEPTIONS.floatingPoint;
  const name = Object.entries(EXCEPTIONS).find(([, number]) => number === code)?.[0] ?? 'a cause that never comes';
  routine(
    a,
    exceptionLabel(code),
    {
      does: `ExcCode ${code}, ${name}: t0 to t2 to the save area, then the handler of the application. [SOSP95 §5.3]`,
      in: { next: K0 },
      out: { pc: T0, address: T1, cause: T2 },
      uses: { uPage: K1, epc: K0, wasUser: T0, env: T1, handler: K1, entry: K0 },
      fast: { instructions: 21 },
    },
    ({ next, pc, address, cause, uPage, epc, wasUser, env, handler, entry }) => {
      a.lw(uPage, KP.env, ZERO);
      a.nop();
      a.note('a physical address, which the kernel reaches without the TLB: nothing here can fault');
      a.lw(uPage, ENV.uPage, uPage);
      a.addiu(epc, next, -4);
      a.sw(T0, save, uPage);
      a.mfc0(wasUser, CP0_STATUS);
      a.sw(T1, save + 4, uPage);
      a.andi(wasUser, wasUser, STATUS.kup);
      a.beq(wasUser, ZERO, 'panic', (slot) => slot.sw(T2, save + 8, uPage));
      a.lw(env, KP.env, ZERO);
      a.mfc0(cause, CP0_CAUSE);
      a.lw(handler, ENV.exceptionPc + 4 * code, env);
      a.move(pc, epc);
      a.beq(handler, ZERO, isFloat ? 'fpu.unhandled' : 'exception.unhandled', (slot) => {
        if (isFloat) slot.lw(address, KP.fpuControl, ZERO);
        else if (ADDRESSED.includes(code)) slot.mfc0(address, CP0_BADVADDR);
        else {
          slot.note("BadVAddr may hold the address of another environment's TLB miss");
          slot.move(address, ZERO);
        }
      });
      a.note('a handler that cannot begin will never handle anything');
      a.beq(handler, pc, 'exception.double', (slot) => slot.move(entry, handler));
      emitReturn(a);
    },
  );
}

function emitDeath(a: SlotAssembler, label: string, death: number, does: string): void {
  routine(a, label, { does, uses: { reason: T1, cause: T2 } }, ({ reason, cause }) => {
    a.mfc0(cause, CP0_CAUSE);
    a.li(reason, death);
    a.andi(cause, cause, 0x7c);
    a.sll(cause, cause, 6);
    a.or(cause, cause, reason);
    a.b('kill', (slot) => slot.sw(cause, KP.death, ZERO));
  });
}
