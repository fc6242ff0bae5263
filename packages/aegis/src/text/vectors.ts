/**
 * The two exception vectors: the TLB refill that the STLB answers, and the dispatch of everything else.
 *
 * The kernel owns `k0`; it preserves every other register of whatever it interrupts, `k1` included, so an application may
 * resume itself with `jr k1`. The refill is 19 instructions on a hit; the original's was 18 [SOSP95 §5.4].
 */
import {
  CP0_CAUSE,
  CP0_ENTRYHI,
  CP0_ENTRYLO,
  CP0_EPC,
  K0,
  K1,
  T0,
  T1,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { ENV, EXCEPTIONS } from '@exokernel/abi';
import { KP, KSEG0, PHYSICAL } from '../layout.ts';
import { exceptionLabel } from './exception.ts';

export const STLB_BASE: number = KSEG0 + PHYSICAL.stlb;

/**
 * STLB slot of `entryHi`, a byte offset: VPN and ASID folded together. The hash of the machine code below, for those who
 * read the table.
 */
export function stlbOffset(entryHi: number): number {
  return ((entryHi >>> 9) ^ (entryHi << 3)) & 0x7ff8;
}

/** Emits `slot = address of the STLB slot of entryHi`, by way of `scratch`. */
export function emitStlbSlot(a: Assembler, slot: Register, entryHi: Register, scratch: Register): void {
  a.srl(slot, entryHi, 9);
  a.sll(scratch, entryHi, 3);
  a.xor(slot, slot, scratch);
  a.andi(slot, slot, 0x7ff8);
  a.lui(scratch, STLB_BASE >>> 16);
  a.or(slot, slot, scratch);
}

/** The refill vector, at 0x80000000; must fit in 32 instructions. */
export function emitRefillVector(a: Assembler): void {
  a.label('refill');
  a.mfc0(K0, CP0_ENTRYHI);
  a.sw(K1, KP.k1, ZERO);
  emitStlbSlot(a, K1, K0, K0);
  a.lw(K0, 4, K1);
  a.lw(K1, 0, K1);
  a.mtc0(K0, CP0_ENTRYLO);
  a.mfc0(K0, CP0_ENTRYHI);
  a.nop();
  a.bne(K0, K1, 'refill.miss');
  a.mfc0(K0, CP0_EPC);
  a.lw(K1, KP.k1, ZERO);
  a.tlbwr();
  a.jr(K0);
  a.rfe();
}

/**
 * The general vector, at 0x80000080. Handlers start with k0 = EPC + 4, k1 free, and what it was in KP.k1: a call returns to
 * k0, an exception steps back.
 */
export function emitGeneralVector(a: Assembler): void {
  a.label('general');
  a.mfc0(K0, CP0_CAUSE);
  a.sw(K1, KP.k1, ZERO);
  a.andi(K0, K0, 0x7c);
  a.lw(K1, KP.exceptions, K0);
  a.mfc0(K0, CP0_EPC);
  a.jr(K1);
  a.addiu(K0, K0, 4);
}

/**
 * The STLB missed: looks among the environment's guaranteed mappings, which it promotes to the STLB, and failing these
 * tells the application. [SOSP95 §5.4]
 */
export function emitRefillMiss(a: Assembler): void {
  a.label('refill.miss');
  a.sw(T0, KP.t0, ZERO);
  a.sw(K0, KP.epc, ZERO);
  a.lw(K1, KP.env, ZERO);
  a.sw(T1, KP.t1, ZERO);
  a.lw(T0, ENV.stlbMisses, K1);
  a.mfc0(K0, CP0_ENTRYHI);
  a.addiu(T0, T0, 1);
  a.sw(T0, ENV.stlbMisses, K1);

  a.label('refill.guaranteed');
  a.lw(T0, ENV.guaranteed, K1);
  a.lw(T1, ENV.guaranteed + 4, K1);
  a.beq(T0, ZERO, 'refill.upcall');
  a.nop();
  a.bne(T0, K0, 'refill.guaranteed');
  a.addiu(K1, K1, 8);

  a.mtc0(T1, CP0_ENTRYLO);
  emitStlbSlot(a, K1, K0, T0);
  a.sw(K0, 0, K1);
  a.sw(T1, 4, K1);
  a.lw(K0, KP.epc, ZERO);
  a.lw(T0, KP.t0, ZERO);
  a.lw(T1, KP.t1, ZERO);
  a.lw(K1, KP.k1, ZERO);
  a.tlbwr();
  a.jr(K0);
  a.rfe();

  a.label('refill.upcall');
  a.lw(K1, KP.env, ZERO);
  a.mfc0(K0, CP0_CAUSE);
  a.lw(T0, ENV.tlbUpcalls, K1);
  a.lw(T1, KP.t1, ZERO);
  a.addiu(T0, T0, 1);
  a.sw(T0, ENV.tlbUpcalls, K1);
  a.lw(T0, KP.t0, ZERO);
  // Bit 2 of a TLB miss's cause tells a store (TLBS) from a load.
  a.andi(K1, K0, 4);
  a.lw(K0, KP.epc, ZERO);
  a.bne(K1, ZERO, exceptionLabel(EXCEPTIONS.tlbs));
  a.addiu(K0, K0, 4);
  a.b(exceptionLabel(EXCEPTIONS.tlbl));
  a.nop();
}
