/**
 * Who pays for the processor: the slice that runs, cycle by cycle, but for interrupts, which are their claimant's. The kernel reads
 * the cycle counter where slices change and where interrupts begin and end; what is bought with it is schedule.ts's.
 *
 * `KP.payer` is the slice that pays, and `KP.paid` the cycle up to which it has. An environment that runs on in a slice that is no longer
 * its own pays for itself: the payer then lies where `ENV.credit` is the credit.
 */
import { CP0_COUNT, ZERO, type Register, type SlotAssembler, type StraightAssembler } from '@exokernel/isa';
import { SLICE } from '@exokernel/abi';
import { KP } from '../layout.ts';

/** Emits: the slice that pays pays up to now. `slice` is its address then, `credit` what it has left; `t` is used. */
export function emitPay(a: StraightAssembler, slice: Register, credit: Register, t: Register): void {
  a.lw(slice, KP.payer, ZERO);
  a.mfc0(t, CP0_COUNT);
  a.lw(credit, KP.paid, ZERO);
  a.sw(t, KP.paid, ZERO);
  a.subu(t, t, credit);
  a.lw(credit, SLICE.credit, slice);
  a.nop();
  a.subu(credit, credit, t);
  a.sw(credit, SLICE.credit, slice);
}

/**
 * Emits: what has passed since cycle `from` is not paid by the slice that runs, but by the claimant, if there is one; of a device's interrupt
 * (`charged`), what has passed since the last charge. Uses `t` and `u`, and `from`.
 */
export function emitNotPaid(a: SlotAssembler, from: Register, t: Register, u: Register, charged = false): void {
  const unclaimed = a.fresh('unclaimed');
  a.mfc0(t, CP0_COUNT);
  a.lw(u, KP.paid, ZERO);
  a.subu(from, t, from);
  a.addu(u, u, from);
  a.sw(u, KP.paid, ZERO);
  if (charged) a.lw(from, KP.charged, ZERO);
  a.lw(u, KP.claimant, ZERO);
  if (charged) a.subu(from, t, from);
  else a.nop();
  a.beq(u, ZERO, unclaimed);
  a.lw(t, 0, u);
  a.nop();
  a.subu(t, t, from);
  a.sw(t, 0, u);
  a.label(unclaimed);
}
