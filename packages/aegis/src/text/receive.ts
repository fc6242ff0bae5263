/**
 * Packet arrival: the compiled filters say whose packet it is; its handler, if it has one, runs at once; otherwise the packet is
 * put into the receive ring of its filter. Everything here is an access: rights were checked when filter, handler and ring
 * were bound. [SOSP95 §5.5], [DPF96], [ASH96]
 *
 * A packet that nobody claims, that finds its ring full, or that arrived damaged is dropped and counted. One interrupt sees
 * to at most one round of the controller's ring, so that packets cannot keep the clock out; what came meanwhile interrupts
 * again. A handler's reply to this machine itself is delivered next, and so is the reply to that, up to LOOPS_MAX of them.
 *
 * An arrival is paid by its cause: the environment of the filter that claims it, of its credit (schedule.ts), and each that gets a
 * copy for the copy. An environment that owes more than a quantum loses its packets. For these, and for those that no filter claims,
 * there is a part of each tick; when it is used up, packets are dropped unseen, and the controller is quiet until the next tick.
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_COUNT,
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
  T9,
  V0,
  V1,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { ENV, FILTER, PACKET_BYTES_MAX, RING, SYSTEM, TAP } from '@exokernel/abi';
import { CSR0_INEA, FILTER_SHIFT, KP, KSEG0, LOOPS_MAX, NET, PHYSICAL, SYSTEM_TABLE } from '../layout.ts';
import { emitCount } from './ring.ts';

/** Offsets in an activation record of downloaded code: see `@exokernel/vcode`. */
const ACTIVATION = { fuel: 0, status: 4, message: 8, messageLength: 12 } as const;
/** Fuel for one run of the compiled filters, in instructions. They have no loops: this is only a backstop. */
const DEMUX_FUEL = 100_000;
const VERDICT_UPCALL = 2;
/** OWN, ERR, STP, ENP of a descriptor's flags, in its first word [LANCE]. */
const ERR_STP_ENP = 0x4300;
const STP_ENP = 0x0300;
const OWN = 0x8000;
/** CSR0: the status bits, which are cleared by writing them. */
const CSR0_STATUS = 0x7f00;

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
  a.lw(T2, KP.interrupted, ZERO);
  a.sw(ZERO, KP.loops, ZERO);
  a.sw(T2, KP.charged, ZERO);

  a.label('receive.next');
  a.lui(S1, NET.memory >>> 16);
  a.addu(S1, S1, S2);
  a.lw(T0, NET.receiveRing, S1);
  a.lw(T1, KP.unpayable, ZERO);
  a.bltz(T0, 'receive.done');
  a.nop();
  a.bltz(T1, 'receive.unseen');
  a.lui(T1, ERR_STP_ENP);
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
  a.lw(A0, KP.tap, ZERO);
  a.addiu(S4, S4, -4);
  a.bne(A0, ZERO, 'receive.tap');
  a.nop();
  a.label('receive.demux');
  a.bal('packet');
  a.nop();

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
  a.sw(ZERO, KP.charged, ZERO);
  a.sw(ZERO, KP.claimant, ZERO);
  a.lw(T1, KP.unpayable, ZERO);
  a.lui(T0, NET.registers >>> 16);
  a.bgez(T1, 'receive.end');
  a.nop();
  a.sw(ZERO, KP.inea, ZERO);
  a.sh(ZERO, 0, T0);
  a.label('receive.end');
  a.jr(S6);
  a.sw(S2, KP.receiveIndex, ZERO);

  a.label('receive.unseen');
  a.li(T1, SYSTEM_TABLE);
  emitCount(a, T1, SYSTEM.unseen, T0);
  a.b('receive.release');
  a.nop();

  a.label('receive.tap');
  a.move(A1, S3);
  a.move(A2, S4);
  a.bal('ring.put');
  a.li(A3, TAP.in);
  a.lw(T1, RING.env, A0);
  a.bal('packet.charge');
  a.addiu(T1, T1, ENV.credit);
  a.lw(A0, RING.nextTap, A0);
  a.nop();
  a.bne(A0, ZERO, 'receive.tap');
  a.nop();
  a.b('receive.demux');
  a.nop();

  emitPacket(a);
}

/** Emits `record = record of the filter with the number in id`; uses id. */
function emitFilter(a: Assembler, record: Register, id: Register): void {
  a.sll(id, id, FILTER_SHIFT);
  a.lui(record, (KSEG0 + PHYSICAL.filters) >>> 16);
  a.addu(record, record, id);
}

/** Emits the call of the downloaded code at t9 for the packet, with the activation record at a0; t0 = its fuel. */
function emitDownloaded(a: Assembler): void {
  a.sw(S3, ACTIVATION.message, A0);
  a.sw(T0, ACTIVATION.fuel, A0);
  a.jalr(RA, T9);
  a.sw(S4, ACTIVATION.messageLength, A0);
}

/**
 * `packet`: sees to the packet at s3 (word-aligned, s4 bytes), and to those that its handlers send here. Uses what a device
 * routine may, but keeps s1, s2 and s6.
 */
function emitPacket(a: Assembler): void {
  a.label('packet');
  a.sw(RA, KP.packetReturn, ZERO);

  // Whose is it?
  a.label('packet.demux');
  a.lw(T9, KP.demux, ZERO);
  a.lw(A0, KP.demuxActivation, ZERO);
  a.beq(T9, ZERO, 'packet.unclaimed');
  a.li(T0, DEMUX_FUEL);
  emitDownloaded(a);
  a.beq(V0, ZERO, 'packet.unclaimed');
  a.addiu(V0, V0, -1);
  emitFilter(a, S5, V0);
  a.lw(T1, FILTER.env, S5);
  emitIndebted(a, T1, 'packet.indebted');
  a.addiu(T1, T1, ENV.credit);
  a.sw(T1, KP.claimant, ZERO);
  emitCount(a, S5, FILTER.accepted, T0);

  // Its handler.
  a.lw(T9, FILTER.handler, S5);
  a.lw(A0, FILTER.activation, S5);
  a.beq(T9, ZERO, 'packet.deliver');
  a.lw(T0, FILTER.fuel, S5);
  emitDownloaded(a);
  a.bne(V1, ZERO, 'packet.aborted');
  a.andi(S0, V0, 0xffff);
  a.beq(S0, ZERO, 'packet.deliver');
  a.srl(A1, V0, 16);
  a.sltiu(T0, A1, PACKET_BYTES_MAX + 1);
  a.sltiu(T1, S0, VERDICT_UPCALL + 1);
  a.and(T0, T0, T1);
  a.beq(T0, ZERO, 'packet.aborted');
  a.nop();
  emitCount(a, S5, FILTER.consumed, T0);
  a.beq(A1, ZERO, 'packet.replied');
  a.lw(A0, FILTER.reply, S5);
  a.bal('transmit.send');
  a.nop();
  a.lw(T1, FILTER.env, S5);
  a.bltz(V0, 'packet.busy');
  a.nop();
  emitCount(a, T1, ENV.packetsOut, T0);
  a.b('packet.replied');
  a.nop();
  a.label('packet.busy');
  emitCount(a, T1, ENV.xmitBusy, T0);
  a.label('packet.replied');
  a.li(T0, VERDICT_UPCALL);
  a.beq(S0, T0, 'packet.deliver');
  a.lw(T1, FILTER.env, S5);
  a.nop();
  emitCount(a, T1, ENV.packetsIn, T0);
  a.b('packet.copies');
  a.nop();
  a.label('packet.aborted');
  emitCount(a, S5, FILTER.aborted, T0);

  // Its ring.
  a.label('packet.deliver');
  a.lw(A0, FILTER.ring, S5);
  a.lw(A3, FILTER.id, S5);
  a.beq(A0, ZERO, 'packet.nowhere');
  a.move(A1, S3);
  a.bal('ring.put');
  a.move(A2, S4);

  emitCopies(a);

  a.label('packet.nowhere');
  a.lw(T1, FILTER.env, S5);
  a.nop();
  emitCount(a, T1, ENV.packetsDropped, T0);
  a.b('packet.copies');
  a.nop();

  a.label('packet.indebted');
  emitCount(a, T1, ENV.packetsDropped, T0);
  a.b('packet.unpayable');
  a.nop();
  a.label('packet.unclaimed');
  a.li(T1, SYSTEM_TABLE);
  emitCount(a, T1, SYSTEM.unclaimed, T0);
  a.label('packet.unpayable');
  a.addiu(T1, ZERO, KP.unpayable);
  a.b('packet.copies');
  a.sw(T1, KP.claimant, ZERO);

  // charge: what has been done since the last charge is charged to the word at t1. Uses t0, t2, t3.
  a.label('packet.charge');
  a.lw(T2, KP.charged, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.beq(T2, ZERO, 'packet.charged');
  a.lw(T3, 0, T1);
  a.subu(T2, T0, T2);
  a.subu(T3, T3, T2);
  a.sw(T3, 0, T1);
  a.sw(T0, KP.charged, ZERO);
  a.label('packet.charged');
  a.ret();
  a.nop();
}

/** Emits: to `indebted` if the environment at `env` owes more than a quantum. Uses t0 and t2. */
function emitIndebted(a: Assembler, env: Register, indebted: string): void {
  a.lw(T2, KP.quantum, ZERO);
  a.lw(T0, ENV.credit, env);
  a.nop();
  a.addu(T0, T0, T2);
  a.slt(T0, T0, ZERO);
  a.bne(T0, ZERO, indebted);
  a.nop();
}

/** Those that get copies, and the end: unless a handler has sent a packet to this machine, which is the next. */
function emitCopies(a: Assembler): void {
  a.label('packet.copies');
  a.lw(T9, KP.copies, ZERO);
  a.nop();
  a.bne(T9, ZERO, 'packet.find');
  a.li(T0, DEMUX_FUEL);
  a.lw(T1, KP.claimant, ZERO);
  a.bal('packet.charge');
  a.nop();
  a.label('packet.end');
  a.lw(S4, KP.loopLength, ZERO);
  a.lw(RA, KP.packetReturn, ZERO);
  a.bne(S4, ZERO, 'packet.again');
  a.lw(S3, KP.loopPacket, ZERO);
  a.ret();
  a.nop();

  // Entered by xmit: the packet at s3 has come back.
  a.label('packet.loop');
  a.sw(RA, KP.packetReturn, ZERO);
  a.label('packet.again');
  a.lw(T0, KP.loops, ZERO);
  a.sw(ZERO, KP.loopLength, ZERO);
  a.sltiu(T1, T0, LOOPS_MAX);
  a.beq(T1, ZERO, 'packet.enough');
  a.addiu(T0, T0, 1);
  a.b('packet.demux');
  a.sw(T0, KP.loops, ZERO);
  a.label('packet.enough');
  emitCount(a, ZERO, KP.loopsDropped, T0);
  a.ret();
  a.nop();

  a.label('packet.find');
  a.li(A0, KSEG0 + PHYSICAL.copiesActivation);
  emitDownloaded(a);
  a.lw(T1, KP.claimant, ZERO);
  a.bal('packet.charge');
  a.nop();
  a.bne(V1, ZERO, 'packet.end');
  a.li(S5, KSEG0 + PHYSICAL.copies);
  a.sll(V0, V0, 2);
  a.addu(S0, S5, V0);
  a.label('packet.copy');
  a.beq(S5, S0, 'packet.end');
  a.nop();
  a.lw(V0, 0, S5);
  a.addiu(S5, S5, 4);
  emitFilter(a, T1, V0);
  a.lw(A1, FILTER.env, T1);
  emitIndebted(a, A1, 'packet.copy');
  emitCount(a, T1, FILTER.accepted, T0);
  a.lw(A0, FILTER.ring, T1);
  a.lw(A3, FILTER.id, T1);
  a.beq(A0, ZERO, 'packet.copy');
  a.addiu(A1, A1, ENV.credit);
  a.sw(A1, KP.claimant, ZERO);
  a.move(A1, S3);
  a.bal('ring.put');
  a.move(A2, S4);
  a.lw(T1, KP.claimant, ZERO);
  a.bal('packet.charge');
  a.nop();
  a.b('packet.copy');
  a.nop();
}
