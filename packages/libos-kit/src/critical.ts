/**
 * Critical sections without a system call and without a lock. [XOK]
 *
 * There is one processor, and an environment is the last to hear that its slice is over: inside a section its epilogue
 * notes that and goes on; leaving the outermost section yields then. Nothing is held when an environment dies, so nothing
 * is to be recovered; and a section that does not end is excess time, which the kernel punishes.
 *
 *     enter:      ++depth
 *     epilogue:   depth > 0 ? interrupted = 1, go on : save everything, yield
 *     leave:      --depth; if depth is 0 and interrupted: interrupted = 0, yield
 *
 * Between environments that share memory this is mutual exclusion: while one is in a section no other runs, unless it
 * yields itself or transfers control.
 */
import { A0, T0, T1, T2, ZERO, withSlots, type Assembler, type Register, type SlotAssembler } from '@exokernel/isa';
import { U } from '@exokernel/abi';
import { UKIT, U_PAGE } from './layout.ts';

/** Emits the entry into a section; sections nest. Changes `scratch`. */
export function emitCriticalEnter(a: Assembler, scratch: Register = T0): void {
  a.lw(scratch, UKIT.criticalDepth, ZERO);
  a.nop();
  a.addiu(scratch, scratch, 1);
  a.sw(scratch, UKIT.criticalDepth, ZERO);
}

/**
 * Emits the way out of a section. If the slice has ended inside the outermost one it yields: as a call of `kit.yield` does
 * it then keeps s0 to s7, gp, sp and fp only, and changes `ra`.
 */
export function emitCriticalLeave(a: Assembler): void {
  const s = withSlots(a);
  const out = s.fresh('critical');
  s.lw(T0, UKIT.criticalDepth, ZERO);
  s.nop();
  s.addiu(T0, T0, -1);
  s.bne(T0, ZERO, out, (slot) => slot.sw(T0, UKIT.criticalDepth, ZERO));
  // Looked at when the section is over: an end of slice from here on is none of it.
  s.lw(T1, UKIT.criticalInterrupted, ZERO);
  s.li(A0, -1);
  s.beq(T1, ZERO, out);
  s.bal('kit.yield', (slot) => slot.sw(ZERO, UKIT.criticalInterrupted, ZERO));
  s.label(out);
}

/**
 * Emits, for the epilogue: t0 is where the environment was. Inside a section: note the end of the slice and go on there; else
 * falls through with t0 as it was and t1 changed.
 */
export function emitCriticalEpilogue(a: SlotAssembler, k1: Register): void {
  const outside = a.fresh('outside');
  a.lw(T1, UKIT.criticalDepth, ZERO);
  a.nop();
  a.beq(T1, ZERO, outside);
  a.move(k1, T0);
  a.li(T0, 1);
  a.sw(T0, UKIT.criticalInterrupted, ZERO);
  [T0, T1, T2].forEach((r, i) => {
    a.lw(r, U_PAGE + U.interruptSave + 4 * i, ZERO);
  });
  a.jr(k1);
  a.label(outside);
}
