/**
 * Calls that need a stack: the kernel's, to which they switch. [SOSP95 §5.1]
 *
 * What such a call does is a routine: arguments where the caller left them, k0 and k1 free, `sp` the kernel's stack with
 * interrupts off; it keeps s0 to s7, gp and fp, may change a0 to a3 and t0 to t9 (the caller gave them up, as at a
 * procedure call), and returns to `ra` with v0 and v1 set. There is one stack, because nothing waits in the kernel.
 */
import { K0, K1, RA, SP, V0, ZERO, type SlotAssembler } from '@exokernel/isa';
import { CALLS, type CallName } from '@exokernel/abi';
import { KERNEL_STACK_TOP, KP } from '../layout.ts';
import { callLabel } from './calls.ts';
import { emitReturn, routine } from './routine.ts';

/** Label of the routine of a call that needs a stack. */
export function routineLabel(name: CallName): string {
  return `routine.${name}`;
}

/** The entries of all calls whose path is `stack`, and the way back. */
export function emitStackCalls(a: SlotAssembler): void {
  for (const name of Object.keys(CALLS) as CallName[]) {
    if (CALLS[name].path !== 'stack') continue;
    routine(
      a,
      callLabel(name),
      { does: `${name}: goes on as a routine, on the kernel's stack.`, in: { next: K0 }, out: { back: RA, stack: SP } },
      ({ next, back, stack }) => {
        a.sw(RA, KP.userRa, ZERO);
        a.la(back, 'stack.done');
        a.sw(SP, KP.userSp, ZERO);
        a.li(stack, KERNEL_STACK_TOP);
        a.j(routineLabel(name), (slot) => slot.sw(next, KP.epc, ZERO));
      },
    );
  }
  routine(
    a,
    'stack.done',
    { does: "The way back: the caller's stack and return address.", out: { next: K0, sp: SP, ra: RA, restored: K1 } },
    ({ next, sp, ra }) => {
      a.lw(next, KP.epc, ZERO);
      a.lw(sp, KP.userSp, ZERO);
      a.lw(ra, KP.userRa, ZERO);
      emitReturn(a);
    },
  );

  routine(
    a,
    routineLabel('null_stack'),
    {
      does: 'The null call of this path: makes its frame and takes it away again, as compiled code does. [SOSP95 T2]',
      in: { back: RA },
      out: { error: V0 },
      uses: { sp: SP, ra: RA },
      fast: { instructions: 7 },
    },
    ({ back, error, sp }) => {
      a.addiu(sp, sp, -24);
      a.sw(back, 20, sp);
      a.move(error, ZERO);
      a.lw(back, 20, sp);
      a.addiu(sp, sp, 24);
      a.ret();
    },
  );
}
