/**
 * Packet arrival: the compiled filters say whose packet it is; its handler, if it has one, runs at once; otherwise the packet is
 * copied to the owner's receive ring. Everything here is an access: rights were checked when filter, handler and ring were
 * bound. [SOSP95 §5.5], [DPF96], [ASH96]
 *
 * A packet that nobody claims, that finds its ring full, or that arrived damaged is dropped and counted. One interrupt sees
 * to at most one round of the controller's ring, so that packets cannot keep the clock out; what came meanwhile interrupts
 * again.
 */
import {
  A0,
  A1,
  RA,
  S0,
  S1,
  S2,
  S3,
  S4,
  S5,
  S6,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T9,
  V0,
  V1,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { ENV, PACKET_BYTES_MAX, RING_SLOT } from '@exokernel/abi';
import { FILTER, FILTER_SHIFT, KP, KSEG0, NET, PHYSICAL, RING } from '../layout.ts';

/** Offsets in an activation record of downloaded code: see `@exokernel/vcode`. */
const ACTIVATION = { fuel: 0, status: 4, message: 8, messageLength: 12 } as const;
/** Fuel for one run of the compiled filters, in instructions. They have no loops: this is only a backstop. */
const DEMUX_FUEL = 100_000;
const VERDICT_UPCALL = 2;
/** OWN, ERR, STP, ENP of a descriptor's flags, in its first word [LANCE]. */
const ERR_STP_ENP = 0x4300;
const STP_ENP = 0x0300;
const OWN = 0x8000;
/** CSR0: the status bits, which are cleared by writing them, and INEA. */
const CSR0_STATUS = 0x7f00;
const CSR0_INEA = 0x0040;

/** Emits `counter at offset of base += 1`. */
export function emitCount(a: Assembler, base: Register, offset: number, scratch: Register): void {
  a.lw(scratch, offset, base);
  a.nop();
  a.addiu(scratch, scratch, 1);
  a.sw(scratch, offset, base);
}

/** Emits a copy of whole words from `from` up to `end` (at least one) to `to`; all three and `scratch` are used up. */
export function emitCopyWords(a: Assembler, from: Register, end: Register, to: Register, scratch: Register): void {
  const loop = a.fresh('copy');
  a.label(loop);
  a.lw(scratch, 0, from);
  a.addiu(from, from, 4);
  a.sw(scratch, 0, to);
  a.bne(from, end, loop);
  a.addiu(to, to, 4);
}

/** `receive`: a device routine (returns to ra); see interrupt.ts for the registers it may use. */
export function emitReceive(a: Assembler): void {
  a.label('receive');
  a.move(S6, RA);
  a.lui(T0, NET.registers >>> 16);
  a.lhu(T1, 0, T0);
  a.lw(S2, KP.receiveIndex, ZERO);
  a.andi(T1, T1, CSR0_STATUS);
  a.ori(T1, T1, CSR0_INEA);
  a.sh(T1, 0, T0);

  a.label('receive.next');
  a.lui(S1, NET.memory >>> 16);
  a.addu(S1, S1, S2);
  a.lw(T0, NET.receiveRing, S1);
  a.lui(T1, ERR_STP_ENP);
  a.bltz(T0, 'receive.done');
  a.and(T1, T0, T1);
  a.lui(T2, STP_ENP);
  a.bne(T1, T2, 'receive.release');
  a.lw(T2, NET.receiveRing + 4, S1);
  a.sll(S3, T0, 8);
  a.srl(S3, S3, 8);
  a.lui(T1, NET.memory >>> 16);
  a.or(S3, S3, T1);
  a.srl(S4, T2, 16);
  a.andi(S4, S4, 0xfff);
  a.addiu(S4, S4, -4);

  // Whose is it?
  a.lw(T9, KP.demux, ZERO);
  a.lw(A0, KP.demuxActivation, ZERO);
  a.beq(T9, ZERO, 'receive.unclaimed');
  a.li(T0, DEMUX_FUEL);
  a.sw(T0, ACTIVATION.fuel, A0);
  a.sw(S3, ACTIVATION.message, A0);
  a.jalr(RA, T9);
  a.sw(S4, ACTIVATION.messageLength, A0);
  a.beq(V0, ZERO, 'receive.unclaimed');
  a.addiu(V0, V0, -1);
  a.sll(V0, V0, FILTER_SHIFT);
  a.lui(T0, (KSEG0 + PHYSICAL.filters) >>> 16);
  a.addu(S5, T0, V0);
  emitCount(a, S5, FILTER.accepted, T0);

  // Its handler.
  a.lw(T9, FILTER.handler, S5);
  a.lw(A0, FILTER.activation, S5);
  a.beq(T9, ZERO, 'receive.deliver');
  a.lw(T0, FILTER.fuel, S5);
  a.sw(S3, ACTIVATION.message, A0);
  a.sw(T0, ACTIVATION.fuel, A0);
  a.jalr(RA, T9);
  a.sw(S4, ACTIVATION.messageLength, A0);
  a.bne(V1, ZERO, 'receive.aborted');
  a.andi(S0, V0, 0xffff);
  a.beq(S0, ZERO, 'receive.deliver');
  a.srl(A1, V0, 16);
  a.sltiu(T0, A1, PACKET_BYTES_MAX + 1);
  a.sltiu(T1, S0, VERDICT_UPCALL + 1);
  a.and(T0, T0, T1);
  a.beq(T0, ZERO, 'receive.aborted');
  a.nop();
  emitCount(a, S5, FILTER.consumed, T0);
  a.beq(A1, ZERO, 'receive.replied');
  a.lw(A0, FILTER.reply, S5);
  a.bal('transmit');
  a.nop();
  a.lw(T1, FILTER.env, S5);
  a.bltz(V0, 'receive.busy');
  a.nop();
  emitCount(a, T1, ENV.packetsOut, T0);
  a.b('receive.replied');
  a.nop();
  a.label('receive.busy');
  emitCount(a, T1, ENV.xmitBusy, T0);
  a.label('receive.replied');
  a.li(T0, VERDICT_UPCALL);
  a.beq(S0, T0, 'receive.deliver');
  a.lw(T1, FILTER.env, S5);
  a.nop();
  emitCount(a, T1, ENV.packetsIn, T0);
  a.b('receive.release');
  a.nop();
  a.label('receive.aborted');
  emitCount(a, S5, FILTER.aborted, T0);

  // Its ring.
  a.label('receive.deliver');
  a.lw(T0, FILTER.ring, S5);
  a.lw(T1, FILTER.env, S5);
  a.beq(T0, ZERO, 'receive.dropped');
  a.nop();
  a.lw(T2, RING.index, T0);
  a.nop();
  a.sll(T3, T2, 2);
  a.addu(T3, T3, T0);
  a.lw(T3, RING.slots, T3);
  a.nop();
  a.lw(T4, RING_SLOT.length, T3);
  a.addiu(T5, S4, 3);
  a.bne(T4, ZERO, 'receive.dropped');
  a.srl(T5, T5, 2);
  a.sll(T5, T5, 2);
  a.addu(T5, T5, S3);
  a.addiu(T6, T3, RING_SLOT.data);
  emitCopyWords(a, S3, T5, T6, T4);
  a.lw(T4, FILTER.id, S5);
  a.lw(T5, RING.count, T0);
  a.sw(T4, RING_SLOT.filter, T3);
  a.sw(S4, RING_SLOT.length, T3);
  a.addiu(T2, T2, 1);
  a.bne(T2, T5, 'receive.advance');
  a.nop();
  a.move(T2, ZERO);
  a.label('receive.advance');
  a.sw(T2, RING.index, T0);
  emitCount(a, T1, ENV.packetsIn, T4);
  a.li(T4, 1);
  a.b('receive.release');
  a.sw(T4, ENV.pending, T1);

  a.label('receive.dropped');
  emitCount(a, T1, ENV.packetsDropped, T4);
  a.b('receive.release');
  a.nop();

  a.label('receive.unclaimed');
  emitCount(a, ZERO, KP.unclaimed, T4);

  a.label('receive.release');
  a.lw(T0, NET.receiveRing, S1);
  a.lui(T1, OWN);
  a.sll(T0, T0, 8);
  a.srl(T0, T0, 8);
  a.or(T0, T0, T1);
  a.sw(T0, NET.receiveRing, S1);
  a.lw(T1, KP.receiveIndex, ZERO);
  a.addiu(S2, S2, 8);
  a.andi(S2, S2, NET.ringBytes - 1);
  a.bne(S2, T1, 'receive.next');
  a.nop();

  a.label('receive.done');
  a.jr(S6);
  a.sw(S2, KP.receiveIndex, ZERO);
}
