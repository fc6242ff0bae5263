/**
 * What comes in the way of an interrupt that may not wait, behind the other text: the rest of a call that took longer than it was
 * estimated, a window after an interrupt of the kernel itself, and the end of an environment that ran on in its epilogue.
 */
import { CP0_EPC, CP0_STATUS, K0, K1, T0, T1, T2, T7, T8, T9, ZERO, type SlotAssembler } from '@exokernel/isa';
import { ENV } from '@exokernel/abi';
import { EXCESS_LIMIT, KP, NATIVE } from '../layout.ts';
import { emitFpuLeft } from './fpu.ts';
import { emitPay } from './pay.ts';
import { routine } from './routine.ts';
import { ENV_AT, SLICE_AT } from './schedule.ts';
import { emitWindow } from './window.ts';

/** What the caller has in registers, where it is kept while the rest is paid, and where an interrupt would have saved it. */
const KEPT = [
  [T0, KP.restT0, KP.t0],
  [T1, KP.restT1, KP.t1],
  [T2, KP.restT2, KP.t2],
  [K1, KP.restK1, KP.k1],
] as const;

export function emitRest(a: SlotAssembler): void {
  routine(
    a,
    'native.more',
    {
      does: 'The caller cannot go on, or the call took longer than it was estimated: the rest is paid in pieces, with a window before each.',
      uses: { restored: K1, status: T0 },
      scratch: [T0],
    },
    ({ restored, status }) => {
      a.lw(K1, KP.rest, ZERO);
      a.nop();
      a.beq(K1, ZERO, 'native.ended', (slot) => slot.lw(restored, KP.k1, ZERO));
      a.note('what interrupts in windows overwrite');
      for (const [r, field] of KEPT) a.sw(r, field, ZERO);
      a.mfc0(status, CP0_STATUS);
      a.nop();
      a.sw(status, KP.restStatus, ZERO);
      a.la(T0, 'native.rest');
      a.sw(T0, KP.resume, ZERO);
    },
  );
  routine(
    a,
    'native.rest',
    {
      does: 'One piece of the rest; an interrupt in the window comes back to this.',
      scratch: [T0, T1, T2, K0, K1],
    },
    () => {
      emitWindow(a, T0);
      a.cop2(NATIVE.rest);
      a.lw(K0, KP.rest, ZERO);
      a.la(T0, 'schedule');
      a.bne(K0, ZERO, 'native.rest');
      a.sw(T0, KP.resume, ZERO);
      a.lw(T0, KP.restStatus, ZERO);
      a.lw(K0, KP.reschedule, ZERO);
      a.mtc0(T0, CP0_STATUS);
      a.andi(K0, K0, 1);
      a.bne(K0, ZERO, 'native.ended');
      a.sw(ZERO, KP.reschedule, ZERO);
      a.note('the clock may have ticked in a window: back as from its interrupt, which sees whether the slice is over');
      for (const [r, field] of KEPT) a.lw(r, field, ZERO);
      a.lw(K0, KP.epc, ZERO);
      for (const [r, , saved] of KEPT) a.sw(r, saved, ZERO);
      a.mtc0(K0, CP0_EPC);
      a.j('clock.kept');
    },
  );
  routine(
    a,
    'native.ended',
    {
      does: 'The caller has ended: an instant for interrupts, for that may have taken long, and so may what follows.',
      uses: { status: T0, usable: T7, owner: T8, env: T9 },
    },
    ({ status }) => {
      emitFpuLeft(a, true);
      emitWindow(a, status);
      a.j('schedule');
    },
  );
  routine(
    a,
    'asid.window',
    {
      does: 'The environment that begins needs an ASID. An instant for interrupts first: the search for it may have taken long, too.',
      scratch: [T0],
    },
    () => {
      emitWindow(a, T0);
    },
  );
  routine(
    a,
    'asid.wanted',
    {
      does: 'It gets one, and begins anew: an interrupt in the window may have had something to tell it, or have taken its slice.',
      out: { slice: SLICE_AT, env: ENV_AT },
      scratch: [T0, K1, T1],
    },
    () => {
      a.note('for whichever it is that begins, no interrupt comes back to this any more');
      a.la(T0, 'schedule');
      a.sw(T0, KP.resume, ZERO);
      a.lw(K1, KP.env, ZERO);
      a.lw(T0, KP.tick, ZERO);
      a.lw(T1, ENV.dispatched, K1);
      a.nop();
      a.bne(T0, T1, 'asid.late');
      a.label('asid.given');
      a.cop2(NATIVE.asid);
      a.lw(SLICE_AT, KP.slice, ZERO);
      a.lw(ENV_AT, KP.env, ZERO);
      a.j('dispatch');
    },
  );
  routine(
    a,
    'asid.late',
    {
      does: 'The clock has ticked in the window: with less than half of the slice left it does not begin, as at the clock’s own interrupt.',
      uses: { slice: T0, credit: T1 },
      scratch: [T0, T1, T2],
    },
    ({ slice, credit }) => {
      emitPay(a, slice, credit, T2);
      a.lw(T2, KP.quantum, ZERO);
      a.nop();
      a.srl(T2, T2, 1);
      a.slt(T2, credit, T2);
      a.beq(T2, ZERO, 'asid.given', (slot) => slot.lw(T0, KP.noSlice, ZERO));
      a.b('schedule.position', (slot) => slot.sw(T0, KP.payer, ZERO));
    },
  );
  routine(
    a,
    'interrupt.window',
    {
      does: 'The kernel itself was interrupted: an instant for others, for the work of this one may have been long.',
      scratch: [T0],
    },
    () => {
      emitWindow(a, T0);
      a.j('interrupt.kernel');
    },
  );
  routine(
    a,
    'clock.excess',
    {
      does: 'The slice owes much. Did the environment itself go on for so many ticks? It may have come to a slice that owed. [SOSP95 §5.1.1]',
      scratch: [T0, T2],
    },
    () => {
      a.lw(T0, KP.ending, ZERO);
      a.lw(T2, KP.tick, ZERO);
      a.nop();
      a.subu(T0, T2, T0);
      a.sltiu(T0, T0, EXCESS_LIMIT);
      a.bne(T0, ZERO, 'interrupt.return');
      a.j('kill');
    },
  );
}
