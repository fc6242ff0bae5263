/**
 * The slice switch: a linear vector of slices taken round robin; an environment chooses when it runs by choosing
 * positions. [SOSP95 §5.1.1]
 *
 * Who leaves has saved what it wants (in its epilogue, or before it yielded); who comes starts at its prologue with every
 * register zero (k0 holds that address, v1 the number of the owner of the slice), HI and LO too: nothing of the previous environment's
 * is left. An environment that was given the slice of another so knows it, and can give it back.
 *
 * Time is cycles. A slice that begins is worth a quantum more, and pays for every cycle of what runs in it: its owner, environments
 * to which it was donated, what the kernel does for them, and an epilogue that takes too long. The clock looks only once a
 * quantum, so payments are rounded: a slice with half a quantum left when the clock ticks runs on, and one that would begin
 * with no more than half is passed over. What a slice is over or short of then stays with it. So a slice that begins late is
 * not shorter for it, and cycles taken from others are given back. What the kernel did for an environment outside its slices
 * (interrupts) is owed, and the next slice that it owns pays.
 *
 * A slice that is passed over forfeits a quantum, but no more than one in a quantum of time, whether others run or the machine
 * idles. When rounds that take no time counted, a thief paid what it took from others in the instant for which they slept.
 */
import {
  A0,
  CP0_COUNT,
  CP0_ENTRYHI,
  CP0_STATUS,
  K0,
  K1,
  RA,
  S0,
  S1,
  S2,
  S3,
  S4,
  S5,
  S6,
  S7,
  T0,
  T1,
  T2,
  T3,
  T5,
  T7,
  T8,
  T9,
  V0,
  V1,
  ZERO,
  register,
  type SlotAssembler,
  type Register,
} from '@exokernel/isa';
import { DEATHS, ENV, ENV_LIMIT, ENV_STATUS, SLICE, SLICE_BYTES, SYSTEM } from '@exokernel/abi';
import {
  KP,
  KSEG0,
  MOST_DEBT,
  NATIVE,
  PHYSICAL,
  SEARCH_CYCLES,
  PREDICATE_FUEL,
  SYSTEM_TABLE,
  USER_STATUS,
} from '../layout.ts';
import { ACTIVATION } from '@exokernel/vcode';
import { emitFpuLeft, emitFpuTaken } from './fpu.ts';
import { emitPay } from './pay.ts';
import { routine } from './routine.ts';
import { emitCount } from './ring.ts';
import { callLabel } from './calls.ts';
import { emitOpen, emitWindow } from './window.ts';
import { ENVIRONMENTS, ENV_SHIFT, emitTransfersPossible } from './transfer.ts';

/** Emits `offset = next position`, a byte offset into the vector of `bytes`; labels need a name of their own. */
export function emitNextPosition(a: SlotAssembler, offset: Register, bytes: Register, scratch: Register): void {
  const wrapped = a.fresh('position');
  a.addiu(offset, offset, SLICE_BYTES);
  a.sltu(scratch, offset, bytes);
  a.bne(scratch, ZERO, wrapped);
  a.move(offset, ZERO);
  a.label(wrapped);
}

/** The number of the owner of the slice that begins. */
const OWNER = V1;
/** What is zero when a slice begins: all but `OWNER`, and k0, which holds where the environment begins. */
const CLEARED: readonly Register[] = Array.from({ length: 31 }, (_, i) => register(i + 1)).filter(
  (r) => r !== K0 && r !== OWNER,
);
/** The scheduler's variables: registers that compiled predicates keep. */
const POSITION = S0;
const VECTOR_BYTES = S1;
const TICK = S2;
const LEFT = S3;
const VECTOR = S4;
export const SLICE_AT: Register = S5;
export const ENV_AT: Register = S6;
const QUANTUM = S7;

/** A slice begins: it pays no debt by being passed over any more. It is counted if another owns it (it was donated). */
export function emitCountBorrowed(a: SlotAssembler, slice: Register, env: Register, t: Register, u: Register): void {
  const own = a.fresh('own');
  a.lw(t, SLICE.owner, slice);
  a.lw(u, ENV.id, env);
  a.sw(ZERO, SLICE.passed, slice);
  a.beq(t, u, own);
  emitCount(a, env, ENV.borrowed, t);
  a.label(own);
}

/** Emits `owner = record of the owner of the slice at slice`; uses `t`. */
export function emitOwner(a: SlotAssembler, owner: Register, slice: Register, t: Register): void {
  a.lw(owner, SLICE.owner, slice);
  a.lui(t, ENVIRONMENTS >>> 16);
  a.sll(owner, owner, ENV_SHIFT);
  a.addu(owner, owner, t);
}

export function emitSchedule(a: SlotAssembler): void {
  routine(
    a,
    'schedule',
    {
      does: 'The slice that ran pays, and the next environment is chosen. [SOSP95 §5.1.1]',
      uses: { quantum: QUANTUM },
      scratch: [T0, T2, T1, T3],
      fast: {
        instructions: 120,
        when: 'if the next position can begin',
        by: ['schedule.position', 'position', 'schedule.begin', 'own', 'fpu.left', 'dispatch.status'],
      },
    },
    () => {
      emitPay(a, T0, T1, T2);
      a.lw(T2, KP.ending, ZERO);
      a.lw(T3, KP.noSlice, ZERO);
      a.bne(T2, ZERO, 'schedule.ended', (slot) => slot.sw(T3, KP.payer, ZERO));
      a.note('it left before its end: what it did not want is not kept for it');
      a.blez(T1, 'schedule.position');
      a.b('schedule.position', (slot) => slot.sw(ZERO, SLICE.credit, T0));
      a.label('schedule.ended');
      a.sw(ZERO, KP.ending, ZERO);
      emitTransfersPossible(a, true, T0);
      a.label('schedule.position');
      a.sw(ZERO, KP.reschedule, ZERO);
      a.lw(QUANTUM, KP.quantum, ZERO);
    },
  );
  routine(
    a,
    'schedule.round',
    {
      does: 'A round of the vector begins behind the position that ran last.',
      uses: { position: POSITION, vectorBytes: VECTOR_BYTES, tick: TICK, left: LEFT, vector: VECTOR },
    },
    () => {
      a.lw(POSITION, KP.position, ZERO);
      a.lw(VECTOR_BYTES, KP.vectorBytes, ZERO);
      a.lw(TICK, KP.tick, ZERO);
      a.move(LEFT, VECTOR_BYTES);
      a.li(VECTOR, KSEG0 + PHYSICAL.slices);
    },
  );
  routine(
    a,
    'schedule.next',
    {
      does: 'The next position: whose is it, and does it have enough of its cycles?',
      uses: { left: LEFT, position: POSITION, slice: SLICE_AT, env: ENV_AT },
      scratch: [T5, T7, T0, T1, T8],
    },
    () => {
      a.blez(LEFT, 'idle', (slot) => slot.addiu(LEFT, LEFT, -SLICE_BYTES));
      emitNextPosition(a, POSITION, VECTOR_BYTES, T5);
      a.addu(SLICE_AT, VECTOR, POSITION);
      a.lw(ENV_AT, SLICE.running, SLICE_AT);
      a.nop();
      a.beq(ENV_AT, ZERO, 'schedule.next');
      a.lw(T7, ENV.asleep, ENV_AT);
      a.nop();
      a.bne(T7, ZERO, 'schedule.asleep', (slot) => {
        slot.label('schedule.awake');
        slot.lw(T0, SLICE.owner, SLICE_AT);
      });
      a.lui(T1, ENVIRONMENTS >>> 16);
      a.sll(T0, T0, ENV_SHIFT);
      a.addu(T0, T0, T1);
      a.lw(T7, SLICE.credit, SLICE_AT);
      a.lw(T1, ENV.credit, T0);
      a.addu(T7, T7, QUANTUM);
      a.sw(ZERO, ENV.credit, T0);
      a.addu(T7, T7, T1);
      a.srl(T8, QUANTUM, 1);
      a.slt(T8, T8, T7);
      a.bne(T8, ZERO, 'schedule.begin', (slot) => slot.sw(T7, SLICE.credit, SLICE_AT));
    },
  );
  routine(
    a,
    'schedule.passed',
    {
      does: 'It owes too much to begin. The quantum pays its debt, but once a quantum: a round that follows sooner does not count.',
      in: { slice: SLICE_AT, credit: T7 },
      scratch: [T0, T8, RA, T7],
    },
    () => {
      a.bal('schedule.forfeits', (slot) => slot.srl(T8, QUANTUM, 1));
      a.addu(T7, T7, T1);
      a.slt(T8, T8, T7);
      a.bne(T8, ZERO, 'schedule.begin', (slot) => slot.sw(T7, SLICE.credit, SLICE_AT));
      a.lui(T8, -MOST_DEBT >>> 16);
      a.subu(T7, T7, QUANTUM);
      a.slt(T0, T7, T8);
      a.beq(T0, ZERO, 'schedule.next', (slot) => slot.sw(T7, SLICE.credit, SLICE_AT));
      a.note('lower than any debt: it is pledged for what its family owes, or never paid');
      a.beq(T1, ZERO, 'schedule.next');
    },
  );
  routine(
    a,
    'schedule.redeem',
    {
      does: 'A slice is pledged: what it is worth pays what its family owes, before it begins.',
      in: { slice: SLICE_AT },
      uses: { record: K1 },
      scratch: [T0, T1, RA],
    },
    ({ slice, record }) => {
      a.move(record, slice);
      a.cop2(NATIVE.redeem);
      a.bne(K0, ZERO, 'schedule.begin', (slot) => slot.lw(T1, KP.paid, ZERO));
      a.mfc0(T0, CP0_COUNT);
      a.nop();
      a.subu(T0, T0, T1);
      a.sltiu(T0, T0, SEARCH_CYCLES);
      a.bne(T0, ZERO, 'schedule.next');
      a.note('this position has had its turn, also when an interrupt comes in between');
      a.bal('schedule.window', (slot) => slot.sw(POSITION, KP.position, ZERO));
      a.b('schedule.next');
    },
  );
  routine(
    a,
    'schedule.forfeits',
    {
      does: 'What a debtor has for an instance of its slice that it forfeits: a quantum, or 0 if none has passed since the last one.',
      in: { slice: SLICE_AT, back: RA },
      out: { cycles: T1 },
      scratch: [T0, T2, T3],
    },
    () => {
      a.lw(T0, SLICE.passed, SLICE_AT);
      a.mfc0(T1, CP0_COUNT);
      a.beq(T0, ZERO, 'schedule.first', (slot) => slot.subu(T3, T1, T0));
      a.note('ticks do not come as evenly as cycles: a 64th less is a quantum too');
      a.srl(T2, QUANTUM, 6);
      a.addu(T3, T3, T2);
      a.sltu(T2, T3, QUANTUM);
      a.bne(T2, ZERO, 'schedule.forfeited', (slot) => slot.srl(T3, T3, 1));
      a.sltu(T2, T3, QUANTUM);
      a.bne(T2, ZERO, 'schedule.rest', (slot) => slot.addu(T0, T0, QUANTUM));
      a.move(T0, T1);
      a.label('schedule.rest');
      a.sw(T0, SLICE.passed, SLICE_AT);
      a.ret((slot) => slot.move(T1, QUANTUM));
      a.label('schedule.first');
      a.sw(T1, SLICE.passed, SLICE_AT);
      a.label('schedule.forfeited');
      a.ret((slot) => slot.move(T1, ZERO));
    },
  );
  routine(
    a,
    'schedule.asleep',
    {
      does: 'Asleep: does an event, its tick or its predicate wake it? [XOK]',
      in: { slice: SLICE_AT, env: ENV_AT },
      out: { tag: V0 },
      scratch: [T7, T8, T9, T0, T1, RA, A0],
    },
    () => {
      a.lw(T7, ENV.pending, ENV_AT);
      a.lw(T8, ENV.wakeTick, ENV_AT);
      a.bne(T7, ZERO, 'schedule.wake', (slot) => slot.move(V0, ZERO));
      a.beq(T8, ZERO, 'schedule.predicate', (slot) => slot.subu(T8, TICK, T8));
      a.bgez(T8, 'schedule.wake');
      a.label('schedule.predicate');
      a.lw(T9, ENV.predicate, ENV_AT);
      a.mfc0(T0, CP0_COUNT);
      a.beq(T9, ZERO, 'schedule.sleeps', (slot) => slot.lw(T1, KP.paid, ZERO));
      a.nop();
      a.subu(T0, T0, T1);
      a.sltiu(T0, T0, SEARCH_CYCLES);
      a.bne(T0, ZERO, 'schedule.evaluate', (slot) => slot.addiu(T0, POSITION, -SLICE_BYTES));
      a.note('this position is looked at first when an interrupt has come in between');
      a.bal('schedule.window', (slot) => slot.sw(T0, KP.position, ZERO));
      a.lw(T9, ENV.predicate, ENV_AT);
      a.label('schedule.evaluate');
      a.lw(A0, ENV.predicateActivation, ENV_AT);
      a.li(T0, PREDICATE_FUEL);
      a.jalr(RA, T9, (slot) => slot.sw(T0, ACTIVATION.fuel, A0));
      a.bne(V1, ZERO, 'schedule.sleeps');
      a.beq(V0, ZERO, 'schedule.sleeps');
      a.label('schedule.wake');
      a.sw(V0, ENV.wakeTag, ENV_AT);
      a.sw(ZERO, ENV.asleep, ENV_AT);
      a.b('schedule.awake', (slot) => slot.sw(ZERO, ENV.pending, ENV_AT));
    },
  );
  routine(
    a,
    'schedule.sleeps',
    {
      does: 'The slice that an environment sleeps through pays what its owner owes, with the time that passes.',
      in: { slice: SLICE_AT },
      scratch: [T7, T8, RA],
    },
    () => {
      emitOwner(a, T7, SLICE_AT, T8);
      a.lw(T8, ENV.credit, T7);
      a.nop();
      a.bgez(T8, 'schedule.next');
      a.bal('schedule.forfeits');
      a.addu(T8, T8, T1);
      a.blez(T8, 'schedule.next', (slot) => slot.sw(T8, ENV.credit, T7));
      a.sw(ZERO, SLICE.passed, SLICE_AT);
      a.b('schedule.next', (slot) => slot.sw(ZERO, ENV.credit, T7));
    },
  );
  routine(
    a,
    'schedule.begin',
    { does: 'The slice begins, and pays from here on.', in: { slice: SLICE_AT, env: ENV_AT }, scratch: [T7, T8] },
    () => {
      emitCount(a, ENV_AT, ENV.slices, T7);
      a.sw(POSITION, KP.position, ZERO);
      emitCountBorrowed(a, SLICE_AT, ENV_AT, T7, T8);
      a.mfc0(T7, CP0_COUNT);
      a.sw(SLICE_AT, KP.payer, ZERO);
      a.sw(T7, KP.paid, ZERO);
    },
  );
  routine(
    a,
    'dispatch',
    {
      does: 'Starts an environment in a slice: v1 its owner, k0 the prologue, every other register zero.',
      in: { slice: SLICE_AT, env: ENV_AT },
      out: { owner: OWNER, entry: K0 },
      scratch: CLEARED,
      fast: { instructions: 57, by: ['fpu.left', 'dispatch.status'] },
    },
    () => {
      emitFpuLeft(a);
      a.lw(T7, ENV.asid, ENV_AT);
      a.lw(T8, KP.tick, ZERO);
      a.sw(SLICE_AT, KP.slice, ZERO);
      a.sw(ENV_AT, KP.env, ZERO);
      a.note('before it is told of anything: it may not begin after all');
      a.beq(T7, ZERO, 'dispatch.asid', (slot) => slot.sw(T8, ENV.dispatched, ENV_AT));
      a.lw(K0, ENV.begin, ENV_AT);
      a.li(T8, DEATHS.noEntry);
      a.beq(K0, ZERO, 'dispatch.begin', (slot) => slot.sw(T8, KP.death, ZERO));
      a.label('dispatch.told');
      a.lw(T9, ENV.fpu, ENV_AT);
      a.lw(V0, KP.fpuOwner, ZERO);
      a.li(T8, USER_STATUS);
      a.beq(T9, ZERO, 'dispatch.status', (slot) => slot.or(T8, T8, T9));
      a.bne(V0, ENV_AT, 'fpu.taken');
      a.label('dispatch.status');
      a.mtc0(T7, CP0_ENTRYHI);
      a.mtc0(T8, CP0_STATUS);
      a.mthi(ZERO);
      a.mtlo(ZERO);
      a.note('whose the slice is; NO_ENV of what is left of another instance');
      a.lw(OWNER, SLICE.owner, SLICE_AT);
      for (const r of CLEARED) a.move(r, ZERO);
      a.jr(K0, (slot) => slot.rfe());
    },
  );
  routine(
    a,
    'dispatch.begin',
    {
      does: 'It has no prologue, or begins where the kernel tells it something.',
      in: { env: ENV_AT },
      uses: { record: K1, now: T8 },
    },
    ({ env, record, now }) => {
      a.mfc0(now, CP0_COUNT);
      a.move(record, env);
      a.cop2(NATIVE.begin);
      a.bne(K0, ZERO, 'dispatch.told');
      a.note('the one that left has let go of the floating-point unit already: its registers are still its own');
      a.j('kill.left');
    },
  );
  routine(
    a,
    'dispatch.asid',
    { does: 'It lost its ASID while others ran. It gets one out of the way, for that takes long.', scratch: [T0] },
    () => {
      a.la(T0, 'asid.wanted');
      a.sw(T0, KP.resume, ZERO);
      a.j('asid.window');

      emitFpuTaken(a, ENV_AT, 'dispatch.status');
    },
  );
  routine(
    a,
    'schedule.window',
    {
      does: 'The search has taken long: interrupts may come. One that does goes back to schedule; else on at ra.',
      in: { back: RA },
      scratch: [T7, T8, T9, T0],
    },
    () => {
      emitFpuLeft(a);
      emitWindow(a, T0);
      a.mfc0(T0, CP0_COUNT);
      a.jr(RA, (slot) => slot.sw(T0, KP.paid, ZERO));
    },
  );
  routine(
    a,
    'idle',
    { does: 'No position of the round can begin. Interrupts come back to schedule.', scratch: [T7, T8, T9, T0, T1] },
    () => {
      a.note('before Status forgets whether the last one had the unit');
      emitFpuLeft(a);
      a.li(T0, SYSTEM_TABLE);
      emitCount(a, T0, SYSTEM.idles, T1);
      emitOpen(a, T1);
      a.label('idle.loop');
      a.b('idle.loop');
    },
  );
}

/** yield(env): gives the rest of the slice to one environment, for which the slice goes on paying, or ends it: -1, or a bad number. */
export function emitYield(a: SlotAssembler): void {
  routine(
    a,
    callLabel('yield'),
    {
      does: 'yield(env): the rest of the slice to one environment, for which it goes on paying; -1 or a bad number: to the next.',
      in: { wanted: A0 },
      out: { slice: SLICE_AT, env: ENV_AT },
      scratch: [K1, T0, T1],
      fast: {
        instructions: 124,
        when: 'if the next position can begin',
        by: ['schedule', 'schedule.position', 'position', 'schedule.begin', 'own', 'fpu.left', 'dispatch.status'],
      },
    },
    () => {
      a.lw(K1, KP.ending, ZERO);
      a.sltiu(T0, A0, ENV_LIMIT);
      a.bne(K1, ZERO, 'schedule', (slot) => slot.sll(ENV_AT, A0, ENV_SHIFT));
      a.beq(T0, ZERO, 'schedule', (slot) => slot.lui(T0, ENVIRONMENTS >>> 16));
      a.addu(ENV_AT, ENV_AT, T0);
      a.lw(T0, ENV.status, ENV_AT);
      a.li(T1, ENV_STATUS.runnable);
      a.bne(T0, T1, 'schedule', (slot) => slot.lw(SLICE_AT, KP.noSlice, ZERO));
      a.b('dispatch', (slot) => slot.sw(ZERO, ENV.asleep, ENV_AT));
    },
  );
}
