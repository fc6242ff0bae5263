/**
 * The slice switch: a linear vector of slices taken round robin; an environment chooses when it runs by choosing
 * positions. [SOSP95 §5.1.1]
 *
 * Who leaves has saved what it wants (in its epilogue, or before it yielded); who comes starts at its prologue with every
 * register zero (k0 holds that address), HI and LO too: nothing of the previous environment's is left. An environment that
 * overran a slice forfeits one for it.
 */
import {
  A0,
  CP0_ENTRYHI,
  CP0_STATUS,
  K0,
  K1,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  T8,
  ZERO,
  register,
  type Assembler,
} from '@exokernel/isa';
import { DEATHS, ENV, ENV_LIMIT, ENV_STATUS, SLICE, SLICE_BYTES } from '@exokernel/abi';
import { IDLE_STATUS, KP, KSEG0, NATIVE, PHYSICAL, USER_STATUS } from '../layout.ts';
import { callLabel } from './calls.ts';
import { ENVIRONMENTS, ENV_SHIFT, emitTransfersPossible } from './transfer.ts';

/** Emits `offset = next position`, a byte offset into the vector of `bytes`; labels need a name of their own. */
export function emitNextPosition(a: Assembler, offset: typeof T0, bytes: typeof T0, scratch: typeof T0): void {
  const wrapped = a.fresh('position');
  a.addiu(offset, offset, SLICE_BYTES);
  a.sltu(scratch, offset, bytes);
  a.bne(scratch, ZERO, wrapped);
  a.nop();
  a.move(offset, ZERO);
  a.label(wrapped);
}

export function emitSchedule(a: Assembler): void {
  a.label('schedule');
  a.lw(T0, KP.ending, ZERO);
  a.nop();
  a.beq(T0, ZERO, 'schedule.position');
  a.sw(ZERO, KP.ending, ZERO);
  emitTransfersPossible(a, true, T0);
  a.label('schedule.position');
  a.sw(ZERO, KP.reschedule, ZERO);
  a.lw(T0, KP.position, ZERO);
  a.lw(T1, KP.vectorBytes, ZERO);
  a.lw(T2, KP.tick, ZERO);
  a.move(T3, T1);
  a.li(T4, KSEG0 + PHYSICAL.slices);

  a.label('schedule.next');
  a.blez(T3, 'idle');
  a.addiu(T3, T3, -SLICE_BYTES);
  emitNextPosition(a, T0, T1, T5);
  a.addu(T5, T4, T0);
  a.lw(T6, SLICE.running, T5);
  a.nop();
  a.beq(T6, ZERO, 'schedule.next');
  a.nop();
  a.lw(T7, ENV.asleep, T6);
  a.nop();
  a.beq(T7, ZERO, 'schedule.awake');
  a.lw(T7, ENV.pending, T6);
  a.lw(T8, ENV.wakeTick, T6);
  a.bne(T7, ZERO, 'schedule.wake');
  a.nop();
  a.beq(T8, ZERO, 'schedule.next');
  a.subu(T8, T2, T8);
  a.bltz(T8, 'schedule.next');
  a.nop();
  a.label('schedule.wake');
  a.sw(ZERO, ENV.asleep, T6);
  a.sw(ZERO, ENV.pending, T6);

  a.label('schedule.awake');
  a.lw(T7, ENV.excess, T6);
  a.nop();
  a.beq(T7, ZERO, 'schedule.begin');
  a.addiu(T7, T7, -1);
  a.b('schedule.next');
  a.sw(T7, ENV.excess, T6);

  a.label('schedule.begin');
  a.lw(T7, ENV.slices, T6);
  a.sw(T0, KP.position, ZERO);
  a.addiu(T7, T7, 1);
  a.sw(T7, ENV.slices, T6);

  // Starts environment t6 in the slice t5.
  a.label('dispatch');
  a.lw(K0, ENV.prologue, T6);
  a.lw(T8, KP.tick, ZERO);
  a.sw(T5, KP.slice, ZERO);
  a.sw(T6, KP.env, ZERO);
  a.sw(T8, ENV.dispatched, T6);
  a.li(T7, DEATHS.noEntry);
  a.beq(K0, ZERO, 'kill');
  a.sw(T7, KP.death, ZERO);
  a.lw(T7, ENV.asid, T6);
  a.li(T8, USER_STATUS);
  a.beq(T7, ZERO, 'dispatch.asid');
  a.label('dispatch.space');
  a.mtc0(T7, CP0_ENTRYHI);
  a.mtc0(T8, CP0_STATUS);
  a.mthi(ZERO);
  a.mtlo(ZERO);
  for (let r = 1; r < 32; r += 1) if (r !== K0) a.move(register(r), ZERO);
  a.jr(K0);
  a.rfe();

  // It lost its ASID while others ran.
  a.label('dispatch.asid');
  a.move(K1, T6);
  a.cop2(NATIVE.asid);
  a.lw(T7, ENV.asid, T6);
  a.b('dispatch.space');
  a.nop();

  // Nobody wants to run. Interrupts come back to `schedule`.
  a.label('idle');
  a.lw(T0, KP.idles, ZERO);
  a.li(T1, IDLE_STATUS);
  a.addiu(T0, T0, 1);
  a.sw(T0, KP.idles, ZERO);
  a.mtc0(T1, CP0_STATUS);
  a.label('idle.loop');
  a.b('idle.loop');
  a.nop();
}

/** yield(env): the rest of the slice to one environment, or to whoever is next. A bad name counts as whoever is next. */
export function emitYield(a: Assembler): void {
  a.label(callLabel('yield'));
  a.lw(K1, KP.ending, ZERO);
  a.sltiu(T0, A0, ENV_LIMIT);
  a.bne(K1, ZERO, 'schedule');
  a.sll(T6, A0, ENV_SHIFT);
  a.beq(T0, ZERO, 'schedule');
  a.lui(T0, ENVIRONMENTS >>> 16);
  a.addu(T6, T6, T0);
  a.lw(T0, ENV.status, T6);
  a.li(T1, ENV_STATUS.runnable);
  a.bne(T0, T1, 'schedule');
  a.lw(T0, ENV.excess, T6);
  a.lw(T5, KP.noSlice, ZERO);
  a.bne(T0, ZERO, 'schedule');
  a.nop();
  a.b('dispatch');
  a.sw(ZERO, ENV.asleep, T6);
}
