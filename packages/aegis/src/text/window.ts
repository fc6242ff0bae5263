/**
 * A window: an instant in which the kernel lets interrupts in, in the middle of work that takes long. An interrupt that comes in it
 * does not come back to it, but goes on at KP.resume.
 *
 * It is an `rfe` that turns interrupts on, as everywhere, so that the machine's events show each.
 */
import { CP0_STATUS, type Register, type StraightAssembler } from '@exokernel/isa';
import { IDLE_STATUS, KERNEL_STATUS } from '../layout.ts';

/** Emits: interrupts on. The unit must not be usable any more (emitFpuLeft). */
export function emitOpen(a: StraightAssembler, scratch: Register): void {
  a.li(scratch, IDLE_STATUS);
  a.mtc0(scratch, CP0_STATUS);
  a.nop();
  a.rfe();
}

/** Emits a window. */
export function emitWindow(a: StraightAssembler, scratch: Register): void {
  emitOpen(a, scratch);
  a.nop();
  a.li(scratch, KERNEL_STATUS);
  a.mtc0(scratch, CP0_STATUS);
}
