/**
 * Giving the processor to another process: the rest of the slice, by an asynchronous transfer, which clears no registers and
 * looks at no vector. [SOSP95 §5.1.1, §5.2]
 *
 * The process that gives it away keeps its registers itself, and notes where it wants to go on. It goes on when it is given the
 * processor, or when its own slice comes. So a directed yield may return for no reason, and a process that waits looks again.
 */
import { CALLS } from '@exokernel/abi';
import { A0, FP, GP, RA, SP, T0, V0, V1, ZERO, register, type Assembler, type Register } from '@exokernel/isa';
import { UEXOS } from './layout.ts';

/** What survives a call, RA last: the register that is wanted first when they are loaded again. */
export const CALLEE_SAVED: readonly Register[] = [...[16, 17, 18, 19, 20, 21, 22, 23].map(register), GP, FP, SP, RA];

/**
 * Emits the routine process_yield(a0 = environment), which returns 0. One that has no entry for transfers is yielded to through
 * the kernel.
 */
export function emitDirectedYield(a: Assembler): void {
  a.label('process_yield');
  CALLEE_SAVED.forEach((r, i) => {
    a.sw(r, UEXOS.yieldSave + 4 * i, ZERO);
  });
  a.la(T0, 'exos.yielded');
  a.sw(T0, UEXOS.waiting, ZERO);
  a.move(V1, A0);
  a.li(V0, CALLS.acall.number);
  a.syscall(0);
  // Refused, and no register changed but v0.
  a.j('kit.yield');
  a.sw(ZERO, UEXOS.waiting, ZERO);
  a.label('exos.yielded');
  a.sw(ZERO, UEXOS.waiting, ZERO);
  CALLEE_SAVED.forEach((r, i) => {
    a.lw(r, UEXOS.yieldSave + 4 * i, ZERO);
  });
  a.move(V0, ZERO);
  a.ret();
  a.nop();
}

/**
 * Emits the same inline: gives the processor to the environment in `to`, and keeps only `live` and sp. If it is refused, the
 * program goes on at once. Changes every other register.
 */
export function emitGive(a: Assembler, to: Register, live: readonly Register[]): void {
  const [resume, on] = [a.fresh('give.resume'), a.fresh('give.on')];
  const bytes = 4 * live.length;
  a.addiu(SP, SP, -bytes);
  live.forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
  a.la(T0, resume);
  a.sw(SP, UEXOS.waitingSp, ZERO);
  a.sw(T0, UEXOS.waiting, ZERO);
  a.move(V1, to);
  a.li(V0, CALLS.acall.number);
  a.syscall(0);
  a.b(on);
  a.sw(ZERO, UEXOS.waiting, ZERO);
  a.label(resume);
  a.lw(SP, UEXOS.waitingSp, ZERO);
  a.sw(ZERO, UEXOS.waiting, ZERO);
  live.forEach((r, i) => {
    a.lw(r, 4 * i, SP);
  });
  a.label(on);
  a.addiu(SP, SP, bytes);
}
