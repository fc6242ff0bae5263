/**
 * Binding a page to a frame: the system calls tlbwr and tlbvad.
 *
 * The right to the frame is checked here, once; translation afterwards costs nothing. The capability's MAC is compared,
 * in constant time, with those the kernel keeps for the frame's present generation: one for reading and writing, one for
 * reading, both of the root. What is neither may be a capability of another node, or with other words in the guard: TypeScript
 * checks it whole. [SOSP95 §3.1, §5.4]
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_ENTRYHI,
  CP0_ENTRYLO,
  CP0_EPC,
  CP0_INDEX,
  K0,
  K1,
  RA,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  V0,
  V1,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { ENTRYLO, ERRORS } from '@exokernel/abi';
import { KP, KSEG0, NATIVE, PHYSICAL } from '../layout.ts';
import { callLabel } from './calls.ts';
import { routineLabel } from './stack.ts';
import { STLB_BASE, emitStlbSlot } from './vectors.ts';

/** EntryLo bits that an application chooses: frame, N, D, V; never G. */
const ENTRYLO_MASK = -0x1000 | ENTRYLO.noncached | ENTRYLO.dirty | ENTRYLO.valid;

/** The most pages of one call, so that the clock is not kept out for longer than about a millisecond. */
const TLBVAD_PAGES_MAX = 1024;

/** Emits v1 = EntryHi of the page at a0 in the caller's address space; uses k1, v0. */
function emitEntryHi(a: Assembler): void {
  a.mfc0(K1, CP0_ENTRYHI);
  a.srl(V1, A0, 12);
  a.andi(K1, K1, 0xfc0);
  a.sll(V1, V1, 12);
  a.or(V1, V1, K1);
}

export function emitTlbCalls(a: Assembler): void {
  a.label(callLabel('tlbwr'));
  // A refusal changes v0 alone: until it is certain that there is none, k0 is a scratch register, and EPC has what it was.
  a.lw(K1, KP.frames, ZERO);
  a.bltz(A0, 'call.range');
  a.srl(K0, A1, 12);
  a.sltu(K1, K0, K1);
  a.beq(K1, ZERO, 'call.range');
  a.sll(K0, K0, 4);
  a.lui(K1, (KSEG0 + PHYSICAL.frameAuth) >>> 16);
  a.addu(K0, K0, K1);
  a.lw(K1, 0, K0);
  a.lw(V0, 4, K0);
  a.xor(K1, K1, A2);
  a.xor(V0, V0, A3);
  a.or(K1, K1, V0);
  a.beq(K1, ZERO, 'tlbwr.granted');
  a.andi(V0, A1, ENTRYLO.dirty);
  a.bne(V0, ZERO, 'tlbwr.slow');
  a.lw(K1, 8, K0);
  a.lw(V0, 12, K0);
  a.xor(K1, K1, A2);
  a.xor(V0, V0, A3);
  a.or(K1, K1, V0);
  a.bne(K1, ZERO, 'tlbwr.slow');
  a.nop();

  a.label('tlbwr.granted');
  emitEntryHi(a);
  a.mtc0(V1, CP0_ENTRYHI);
  a.addiu(K1, ZERO, ENTRYLO_MASK);
  a.tlbp();
  a.and(V0, A1, K1);
  a.mtc0(V0, CP0_ENTRYLO);
  emitStlbSlot(a, K1, V1, K0);
  a.sw(V1, 0, K1);
  a.sw(V0, 4, K1);
  a.mfc0(K1, CP0_INDEX);
  a.nop();
  a.bltz(K1, 'tlbwr.random');
  a.mfc0(K0, CP0_EPC);
  a.tlbwi();
  a.b('call.ok');
  a.addiu(K0, K0, 4);
  a.label('tlbwr.random');
  a.tlbwr();
  a.b('call.ok');
  a.addiu(K0, K0, 4);

  a.label('tlbwr.slow');
  a.cop2(NATIVE.tlbwr);
  a.beq(V0, ZERO, 'tlbwr.granted');
  a.nop();
  a.b('call.capability');
  a.nop();

  a.label(callLabel('tlbvad'));
  a.bltz(A0, 'call.range');
  a.nop();
  emitEntryHi(a);
  a.mtc0(V1, CP0_ENTRYHI);
  a.sw(K0, KP.epc, ZERO);
  a.tlbp();
  emitStlbSlot(a, K1, V1, K0);
  a.sw(ZERO, 0, K1);
  a.mfc0(K1, CP0_INDEX);
  a.lw(K0, KP.epc, ZERO);
  a.bltz(K1, 'call.ok');
  a.lui(V0, KSEG0 >>> 16);
  a.mtc0(V0, CP0_ENTRYHI);
  a.mtc0(ZERO, CP0_ENTRYLO);
  a.nop();
  a.tlbwi();
  a.mtc0(V1, CP0_ENTRYHI);
  a.b('call.ok');
  a.nop();
}

/**
 * tlbvad_range(va, pages): a loop over the pages, 13 instructions for one that is not in the TLB, 16 for one that is. An entry of
 * the STLB is emptied whatever page it holds: it is a cache, and comparing costs more than it saves.
 */
export function emitTlbRange(a: Assembler): void {
  a.label(routineLabel('tlbvad_range'));
  // A refusal changes v0 alone.
  a.bltz(A0, 'range.refused');
  a.sltiu(K1, A1, TLBVAD_PAGES_MAX + 1);
  a.beq(K1, ZERO, 'range.refused');
  a.sll(K1, A1, 12);
  a.beq(A1, ZERO, 'range.empty');
  a.addu(K1, K1, A0);
  a.addiu(K1, K1, -1);
  a.bltz(K1, 'range.refused');
  a.srl(K1, A0, 12);
  a.mfc0(V1, CP0_ENTRYHI);
  a.sll(T0, K1, 12);
  a.andi(T1, V1, 0xfc0);
  a.or(T0, T0, T1);
  a.li(T4, STLB_BASE);
  a.li(T6, 0x1000);
  a.lui(T7, KSEG0 >>> 16);
  a.label('range.next');
  a.mtc0(T0, CP0_ENTRYHI);
  a.srl(T2, T0, 9);
  a.sll(T3, T0, 3);
  a.tlbp();
  a.xor(T2, T2, T3);
  a.andi(T2, T2, 0x7ff8);
  a.mfc0(T5, CP0_INDEX);
  a.addu(T2, T2, T4);
  a.sw(ZERO, 0, T2);
  a.bltz(T5, 'range.absent');
  a.addiu(A1, A1, -1);
  a.mtc0(T7, CP0_ENTRYHI);
  a.mtc0(ZERO, CP0_ENTRYLO);
  a.nop();
  a.tlbwi();
  a.label('range.absent');
  a.bne(A1, ZERO, 'range.next');
  a.addu(T0, T0, T6);
  a.mtc0(V1, CP0_ENTRYHI);
  a.label('range.empty');
  a.jr(RA);
  a.move(V0, ZERO);
  a.label('range.refused');
  a.jr(RA);
  a.li(V0, ERRORS.E_RANGE);
}
