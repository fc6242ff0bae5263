/**
 * Giving the processor to another process: the rest of the slice, by an asynchronous transfer, which clears no registers and
 * looks at no vector. [SOSP95 §5.1.1, §5.2]
 *
 * The process that gives it away keeps its registers itself, and notes where it wants to go on. It goes on when it is given the
 * processor, or when its own slice comes. So a directed yield may return for no reason, and a process that waits looks again.
 *
 * The transfer takes a number, and shows every register. So it is made only to the life that is meant: `exos.give` compares the name
 * right before it, and an end of slice in between begins the comparison again.
 */
import { CALLS, ENV, ENV_BYTES, ENV_LIMIT } from '@exokernel/abi';
import {
  A0,
  FP,
  GP,
  RA,
  S0,
  S1,
  SP,
  T0,
  T1,
  T2,
  T3,
  T9,
  V0,
  V1,
  ZERO,
  register,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { UKIT, type Restartable } from '@exokernel/libos-kit';
import { UEXOS, WINDOWS } from './layout.ts';

/** What survives a call, RA last: the register that is wanted first when they are loaded again. */
export const CALLEE_SAVED: readonly Register[] = [...[16, 17, 18, 19, 20, 21, 22, 23].map(register), GP, FP, SP, RA];

/** Bits of a word above the number in a name. */
const ABOVE_NUMBER: number = 32 - Math.log2(ENV_LIMIT);

/**
 * Gives the rest of the slice to the environment of the name in t0, whose record (`emitRecord`) is at t1; if it does not live or has no
 * entry, yields to the environment t3 (a number; any other: to the next position), which shows no register. Does not return.
 */
export const GIVE: Restartable = {
  label: 'exos.give',
  emit: (a) => {
    a.lw(T2, ENV.name, T1);
    a.li(V0, CALLS.acall.number);
    a.bne(T2, T0, 'exos.give.not');
    a.andi(V1, T0, ENV_LIMIT - 1);
    a.syscall(0);
    a.label('exos.give.not');
    a.move(A0, T3);
    a.li(V0, CALLS.yield.number);
    a.syscall(0);
  },
};

/** Emits t1 = address of the record of the environment of the name in `name`, but for the addition of t2, which is left for a delay slot. */
export function emitRecord(a: Assembler, name: Register): void {
  a.sll(T1, name, ABOVE_NUMBER);
  a.srl(T1, T1, ABOVE_NUMBER - Math.log2(ENV_BYTES));
  a.lui(T2, WINDOWS.environments >>> 16);
}

/**
 * Emits the routine process_yield(a0 = name or number), which returns 0, and for the rest of ExOS `exos.yield`, with t3 as for `exos.give`.
 * A number is the name of the first life that has it; a process of a later life is yielded to through the kernel.
 */
export function emitDirectedYield(a: Assembler): void {
  a.label('process_yield');
  a.move(T3, A0);
  a.label('exos.yield');
  a.lw(T0, UKIT.float, ZERO);
  CALLEE_SAVED.forEach((r, i) => {
    if (r === RA) a.bne(T0, ZERO, 'exos.yield.float');
    a.sw(r, UEXOS.yieldSave + 4 * i, ZERO);
  });
  a.label('exos.yield.on');
  a.la(T0, 'exos.yielded');
  a.sw(T0, UEXOS.waiting, ZERO);
  a.move(T0, A0);
  emitRecord(a, T0);
  a.j(GIVE.label);
  a.addu(T1, T1, T2);
  a.label('exos.yielded');
  a.sw(ZERO, UEXOS.waiting, ZERO);
  CALLEE_SAVED.forEach((r, i) => {
    a.lw(r, UEXOS.yieldSave + 4 * i, ZERO);
  });
  a.move(V0, ZERO);
  a.ret();
  a.nop();
  a.label('exos.yield.float');
  a.move(S0, A0);
  a.bal('exos.float.away');
  a.move(S1, T3);
  a.move(A0, S0);
  a.b('exos.yield.on');
  a.move(T3, S1);
}

/**
 * Emits the same inline: gives the processor to the environment of the name in `to`, and keeps only `live` and sp. Changes every other
 * register, those of the floating-point unit too, which it shows.
 */
export function emitGive(a: Assembler, to: Register, live: readonly Register[]): void {
  const resume = a.fresh('give.resume');
  const bytes = 4 * live.length;
  a.addiu(SP, SP, -bytes);
  live.forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
  a.la(T0, resume);
  a.sw(SP, UEXOS.waitingSp, ZERO);
  a.sw(T0, UEXOS.waiting, ZERO);
  a.move(T0, to);
  a.lw(T9, UEXOS.give, ZERO);
  emitRecord(a, T0);
  a.li(T3, -1);
  a.jr(T9);
  a.addu(T1, T1, T2);
  a.label(resume);
  a.lw(SP, UEXOS.waitingSp, ZERO);
  a.sw(ZERO, UEXOS.waiting, ZERO);
  live.forEach((r, i) => {
    a.lw(r, 4 * i, SP);
  });
  a.addiu(SP, SP, bytes);
}
