/**
 * Calls that need a stack: the kernel's, to which they switch. [SOSP95 §5.1]
 *
 * What such a call does is a routine: arguments where the caller left them, k0 and k1 free, `sp` the kernel's stack with
 * interrupts off; it keeps s0 to s7, gp and fp, may change a0 to a3 and t0 to t9 (the caller gave them up, as at a
 * procedure call), and returns to `ra` with v0 and v1 set. There is one stack, because nothing waits in the kernel.
 */
import { K0, K1, RA, SP, V0, ZERO, type Assembler } from '@exokernel/isa';
import { CALLS, type CallName } from '@exokernel/abi';
import { KERNEL_STACK_TOP, KP } from '../layout.ts';
import { callLabel } from './calls.ts';

/** Label of the routine of a call that needs a stack. */
export function routineLabel(name: CallName): string {
  return `routine.${name}`;
}

/** The entries of all calls whose path is `stack`, and the way back. */
export function emitStackCalls(a: Assembler): void {
  for (const name of Object.keys(CALLS) as CallName[]) {
    if (CALLS[name].path !== 'stack') continue;
    a.label(callLabel(name));
    a.sw(RA, KP.userRa, ZERO);
    a.la(RA, 'stack.done');
    a.sw(SP, KP.userSp, ZERO);
    a.li(SP, KERNEL_STACK_TOP);
    a.j(routineLabel(name));
    a.sw(K0, KP.epc, ZERO);
  }
  a.label('stack.done');
  a.lw(K0, KP.epc, ZERO);
  a.lw(SP, KP.userSp, ZERO);
  a.lw(RA, KP.userRa, ZERO);
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0);
  a.rfe();

  // The null call of this path: a routine that makes its frame and takes it away again, as compiled code does.
  a.label(routineLabel('null_stack'));
  a.addiu(SP, SP, -24);
  a.sw(RA, 20, SP);
  a.move(V0, ZERO);
  a.lw(RA, 20, SP);
  a.addiu(SP, SP, 24);
  a.ret();
  a.nop();
}
