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
  type Register,
  type SlotAssembler,
  type StraightAssembler,
} from '@exokernel/isa';
import { ENV, EXCEPTIONS } from '@exokernel/abi';
import { KP, KSEG0, PHYSICAL } from '../layout.ts';
import { exceptionLabel } from './exception.ts';
import { routine } from './routine.ts';

export const STLB_BASE: number = KSEG0 + PHYSICAL.stlb;

/**
 * STLB slot of `entryHi`, a byte offset: VPN and ASID folded together. The same hash as that of the machine code
 * below, for readers of the table.
 */
export function stlbOffset(entryHi: number): number {
  return ((entryHi >>> 9) ^ (entryHi << 3)) & 0x7ff8;
}

/** Emits `slot = address of the STLB slot of entryHi`, by way of `scratch`. */
export function emitStlbSlot(a: StraightAssembler, slot: Register, entryHi: Register, scratch: Register): void {
  a.srl(slot, entryHi, 9);
  a.sll(scratch, entryHi, 3);
  a.xor(slot, slot, scratch);
  a.andi(slot, slot, 0x7ff8);
  a.lui(scratch, STLB_BASE >>> 16);
  a.or(slot, slot, scratch);
}

/** The refill vector, at 0x80000000; must fit in 32 instructions. */
export function emitRefillVector(a: SlotAssembler): void {
  routine(
    a,
    'refill',
    {
      does: 'A TLB miss of kuseg: the STLB has the entry, or another one in its slot. [SOSP95 §5.4]',
      out: { epc: K0 },
      uses: { wanted: K0, place: K1, entryLo: K0, held: K1 },
      fast: { instructions: 19, when: 'on a hit' },
    },
    ({ epc, wanted, place, entryLo, held }) => {
      a.mfc0(wanted, CP0_ENTRYHI);
      a.sw(K1, KP.k1, ZERO);
      emitStlbSlot(a, place, wanted, wanted);
      a.lw(entryLo, 4, place);
      a.lw(held, 0, place);
      a.note('what is wanted is not known any more: k0 and k1 are all that the vector has');
      a.mtc0(entryLo, CP0_ENTRYLO);
      a.mfc0(wanted, CP0_ENTRYHI);
      a.nop();
      a.bne(wanted, held, 'refill.miss', (slot) => slot.mfc0(epc, CP0_EPC));
      a.lw(K1, KP.k1, ZERO);
      a.note('Random never names the first eight entries: the kernel page is in one of them');
      a.tlbwr();
      a.jr(epc, (slot) => slot.rfe());
    },
  );
}

/**
 * The general vector, at 0x80000080. Handlers start with k0 = EPC + 4, k1 free, and what it was in KP.k1: a call returns to
 * k0, an exception steps back.
 */
export function emitGeneralVector(a: SlotAssembler): void {
  routine(
    a,
    'general',
    {
      does: 'Everything but a TLB miss of kuseg: each cause has a handler of its own.',
      out: { next: K0 },
      uses: { cause: K0, handler: K1 },
      fast: { instructions: 7 },
    },
    ({ next, cause, handler }) => {
      a.mfc0(cause, CP0_CAUSE);
      a.sw(K1, KP.k1, ZERO);
      a.note('ExcCode stands in the register as the offset of a word');
      a.andi(cause, cause, 0x7c);
      a.lw(handler, KP.exceptions, cause);
      a.mfc0(next, CP0_EPC);
      a.jr(handler, (slot) => {
        slot.note('behind the syscall, if it is one');
        slot.addiu(next, next, 4);
      });
    },
  );
}

/**
 * The STLB missed: looks among the environment's guaranteed mappings, which it promotes to the STLB, and failing these
 * tells the application. [SOSP95 §5.4]
 */
export function emitRefillMiss(a: SlotAssembler): void {
  routine(
    a,
    'refill.miss',
    {
      does: 'The STLB has not the entry: a guaranteed mapping of the environment, or its handler. [SOSP95 §5.4]',
      in: { epc: K0 },
      uses: {
        env: K1,
        misses: T0,
        wanted: K0,
        guaranteed: K1,
        page: T0,
        entryLo: T1,
        place: K1,
        scratch: T0,
        resume: K0,
      },
      fast: { instructions: 30, when: 'if it is the first guaranteed mapping' },
    },
    ({ epc, env, misses, wanted, guaranteed, page, entryLo, place, scratch, resume }) => {
      a.sw(T0, KP.t0, ZERO);
      a.sw(epc, KP.epc, ZERO);
      a.lw(env, KP.env, ZERO);
      a.sw(T1, KP.t1, ZERO);
      a.note('exposed, so that a libOS can see what its page table costs it');
      a.lw(misses, ENV.stlbMisses, env);
      a.mfc0(wanted, CP0_ENTRYHI);
      a.addiu(misses, misses, 1);
      a.sw(misses, ENV.stlbMisses, env);

      a.label('refill.guaranteed');
      a.note('without these an application could not have the code of its own TLB handler');
      a.lw(page, ENV.guaranteed, guaranteed);
      a.lw(entryLo, ENV.guaranteed + 4, guaranteed);
      a.beq(page, ZERO, 'refill.upcall');
      a.bne(page, wanted, 'refill.guaranteed', (slot) => slot.addiu(guaranteed, guaranteed, 8));

      a.mtc0(entryLo, CP0_ENTRYLO);
      emitStlbSlot(a, place, wanted, scratch);
      a.sw(wanted, 0, place);
      a.sw(entryLo, 4, place);
      a.lw(resume, KP.epc, ZERO);
      a.lw(T0, KP.t0, ZERO);
      a.lw(T1, KP.t1, ZERO);
      a.lw(K1, KP.k1, ZERO);
      a.tlbwr();
      a.jr(resume, (slot) => slot.rfe());
    },
  );

  routine(
    a,
    'refill.upcall',
    {
      does: 'The miss is an exception of the application, like any other.',
      out: { next: K0 },
      uses: { env: K1, cause: K0, upcalls: T0, kept: T1, isStore: K1 },
    },
    ({ next, env, cause, upcalls, kept, isStore }) => {
      a.lw(env, KP.env, ZERO);
      a.mfc0(cause, CP0_CAUSE);
      a.lw(upcalls, ENV.tlbUpcalls, env);
      a.lw(kept, KP.t1, ZERO);
      a.addiu(upcalls, upcalls, 1);
      a.sw(upcalls, ENV.tlbUpcalls, env);
      a.lw(T0, KP.t0, ZERO);
      a.note("bit 2 of a TLB miss's cause tells a store (TLBS) from a load");
      a.andi(isStore, cause, 4);
      a.lw(next, KP.epc, ZERO);
      a.bne(isStore, ZERO, exceptionLabel(EXCEPTIONS.tlbs), (slot) => slot.addiu(next, next, 4));
      a.b(exceptionLabel(EXCEPTIONS.tlbl));
    },
  );
}
