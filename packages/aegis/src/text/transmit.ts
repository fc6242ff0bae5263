/**
 * Transmission: a packet into the controller's next buffer, and the call that empties a transmit ring.
 *
 * The application fills slots of a ring it has bound and calls; no argument names memory. A slot is free again when its
 * length is zero. What is sent to this station's own address or to all is delivered here too (receive.ts), as no
 * controller hears itself; and whoever taps the network gets a copy.
 */
import {
  A0,
  A1,
  A2,
  A3,
  AT,
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
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  T8,
  T9,
  V0,
  V1,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { ENV, ERRORS, PACKET_BYTES_MAX, RING, RING_LIMIT, RING_SLOT, TAP } from '@exokernel/abi';
import { KP, KSEG0, LOOPS_MAX, NET, PHYSICAL, RING_SHIFT } from '../layout.ts';
import { emitAdvance, emitCopyWords, emitCount, emitGather, emitSlot } from './ring.ts';
import { routineLabel } from './stack.ts';

/** Shortest frame on the wire without its check sequence, and shortest that has an Ethernet header. */
const PACKET_BYTES_MIN = 60;
const HEADER_BYTES = 14;
const OWN_STP_ENP = 0x8300;
const CSR0_TDMD = 0x08;

export function emitTransmit(a: Assembler): void {
  // reserve: v0 = address of the next buffer, or 0 if every one is taken. Uses t0, t1.
  a.label('transmit.reserve');
  a.lw(T0, KP.transmitIndex, ZERO);
  a.lui(T1, NET.memory >>> 16);
  a.addu(T0, T0, T1);
  a.lw(T0, NET.transmitRing, T0);
  a.move(V0, ZERO);
  a.bltz(T0, 'transmit.full');
  a.sll(T0, T0, 8);
  a.srl(T0, T0, 8);
  a.or(V0, T0, T1);
  a.label('transmit.full');
  a.ret();
  a.nop();

  emitCommit(a);

  // send: the packet at a0 (word-aligned, a1 bytes); v0 = 0, or −1 if every buffer is taken. Keeps s0 to s7.
  a.label('transmit.send');
  a.sw(RA, KP.sendReturn, ZERO);
  a.bal('transmit.reserve');
  a.nop();
  a.beq(V0, ZERO, 'transmit.unsent');
  a.addiu(T4, A1, 3);
  a.srl(T4, T4, 2);
  a.sll(T4, T4, 2);
  a.addu(T4, T4, A0);
  emitCopyWords(a, A0, T4, V0, T6);
  a.bal('transmit.commit');
  a.nop();
  a.lw(RA, KP.sendReturn, ZERO);
  a.move(V0, ZERO);
  a.ret();
  a.nop();
  a.label('transmit.unsent');
  a.lw(RA, KP.sendReturn, ZERO);
  a.li(V0, -1);
  a.ret();
  a.nop();
}

/** `commit`: hands the reserved buffer, which holds a1 bytes, to the controller. Uses a0 to a3, t0 to t9, v0, v1. */
function emitCommit(a: Assembler): void {
  a.label('transmit.commit');
  a.lw(T0, KP.transmitIndex, ZERO);
  a.lui(T1, NET.memory >>> 16);
  a.addu(T1, T1, T0);
  a.lw(T2, NET.transmitRing, T1);
  a.lui(T3, NET.memory >>> 16);
  a.sll(T2, T2, 8);
  a.srl(T2, T2, 8);
  a.or(T3, T3, T2);
  a.sltiu(T6, A1, PACKET_BYTES_MIN);
  a.beq(T6, ZERO, 'transmit.padded');
  a.addu(T4, T3, A1);
  a.addiu(T5, T3, PACKET_BYTES_MIN);
  a.label('transmit.pad');
  a.sb(ZERO, 0, T4);
  a.addiu(T4, T4, 1);
  a.bne(T4, T5, 'transmit.pad');
  a.nop();
  a.li(A1, PACKET_BYTES_MIN);

  a.label('transmit.padded');
  a.subu(T4, ZERO, A1);
  a.andi(T4, T4, 0xffff);
  a.sw(T4, NET.transmitRing + 4, T1);
  a.lui(T5, OWN_STP_ENP);
  a.or(T2, T2, T5);
  a.sw(T2, NET.transmitRing, T1);
  a.lw(T6, KP.inea, ZERO);
  a.lui(T7, NET.registers >>> 16);
  a.ori(T6, T6, CSR0_TDMD);
  a.sh(T6, 0, T7);
  a.addiu(T0, T0, 8);
  a.andi(T0, T0, NET.ringBytes - 1);
  a.sw(T0, KP.transmitIndex, ZERO);

  // Does anybody here want it too? The buffer stays as it is until all the others have been used.
  a.move(A2, A1);
  a.move(A1, T3);
  a.lw(A0, KP.tap, ZERO);
  a.lw(T0, 0, A1);
  a.bne(A0, ZERO, 'transmit.taps');
  a.lhu(T1, 4, A1);
  a.label('transmit.loop');
  a.lw(T2, KP.station, ZERO);
  a.lw(T3, KP.station + 4, ZERO);
  a.bne(T0, T2, 'transmit.broadcast');
  a.li(T4, -1);
  a.beq(T1, T3, 'transmit.here');
  a.nop();
  a.label('transmit.broadcast');
  a.bne(T0, T4, 'transmit.away');
  a.li(T4, 0xffff);
  a.bne(T1, T4, 'transmit.away');
  a.nop();
  a.label('transmit.here');
  emitClearEnd(a);
  a.sw(A1, KP.loopPacket, ZERO);
  a.sw(A2, KP.loopLength, ZERO);
  a.label('transmit.away');
  a.ret();
  a.nop();

  a.label('transmit.taps');
  a.sw(RA, KP.commitReturn, ZERO);
  emitClearEnd(a);
  a.label('transmit.tap');
  a.bal('ring.put');
  a.li(A3, TAP.out);
  a.lw(A0, RING.nextTap, A0);
  a.nop();
  a.bne(A0, ZERO, 'transmit.tap');
  a.lw(RA, KP.commitReturn, ZERO);
  a.lw(T0, 0, A1);
  a.b('transmit.loop');
  a.lhu(T1, 4, A1);
}

/** Emits: zeroes up to the word's end behind the packet at a1 (a2 bytes), since rings take whole words. Uses t2. */
function emitClearEnd(a: Assembler): void {
  a.addu(T2, A1, A2);
  for (let i = 0; i < 3; i += 1) a.sb(ZERO, i, T2);
}

const KEPT = [S0, S1, S2, S3, S4, S5, S6, S7, RA];
/** Registers that downloaded code changes, and that the caller gave up: a0 to a3, t0 to t9. */
const LOST = [A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7, T8, T9];
const FRAME = { at: 4 * KEPT.length, hi: 4 * KEPT.length + 4, lo: 4 * KEPT.length + 8, bytes: 4 * KEPT.length + 16 };

/**
 * xmit(ring): v1 = packets handed to the controller. Slots that make no sense are emptied unsent. Each slot is looked at once, for a
 * tap may write what is a slot, so that the ring would never be empty.
 */
export function emitXmitCall(a: Assembler): void {
  a.label(routineLabel('xmit'));
  // A refusal changes v0 alone: until it is certain that there is none, k0 and k1 have to do.
  a.sltiu(K1, A0, RING_LIMIT);
  a.beq(K1, ZERO, 'xmit.range');
  a.lw(K0, KP.env, ZERO);
  a.sll(K1, A0, RING_SHIFT);
  a.lui(V0, (KSEG0 + PHYSICAL.rings) >>> 16);
  a.addu(K1, K1, V0);
  a.lw(V0, RING.env, K1);
  a.nop();
  a.bne(V0, K0, 'xmit.capability');
  a.lw(K0, RING.direction, K1);
  a.nop();
  a.beq(K0, ZERO, 'xmit.range');
  a.lw(K0, KP.lance, ZERO);
  a.li(V0, ERRORS.E_DEVICE);
  a.bne(K0, ZERO, 'xmit.begin');
  a.nop();
  a.ret();
  a.nop();
  a.label('xmit.range');
  a.ret();
  a.li(V0, ERRORS.E_RANGE);
  a.label('xmit.capability');
  a.ret();
  a.li(V0, ERRORS.E_CAP);

  a.label('xmit.begin');
  a.addiu(SP, SP, -FRAME.bytes);
  KEPT.forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
  a.move(S1, K1);
  a.lw(S7, RING.slots, K1);
  a.move(S2, ZERO);
  a.sw(ZERO, KP.loops, ZERO);

  a.label('xmit.next');
  emitSlot(a, S6, S1, T1);
  a.lw(A1, RING_SLOT.length, S6);
  a.lw(T1, KP.loops, ZERO);
  a.beq(A1, ZERO, 'xmit.done');
  a.sltiu(T1, T1, LOOPS_MAX);
  a.beq(T1, ZERO, 'xmit.done');
  a.addiu(T0, A1, -HEADER_BYTES);
  a.sltiu(T0, T0, PACKET_BYTES_MAX - HEADER_BYTES + 1);
  a.beq(T0, ZERO, 'xmit.refused');
  a.nop();
  a.bal('transmit.reserve');
  a.nop();
  a.beq(V0, ZERO, 'xmit.full');
  a.nop();
  emitGather(a, S1, S6, 'xmit.refused');
  a.bal('transmit.commit');
  a.addiu(S2, S2, 1);
  a.lw(T1, RING.env, S1);
  emitCount(a, S1, RING.packets, T0);
  emitCount(a, T1, ENV.packetsOut, T0);
  a.lw(S4, KP.loopLength, ZERO);
  a.lw(S3, KP.loopPacket, ZERO);
  a.bne(S4, ZERO, 'xmit.loop');
  a.nop();

  a.label('xmit.empty');
  a.lw(T0, RING_SLOT.completion, S6);
  a.sw(ZERO, RING_SLOT.length, S6);
  a.andi(T1, T0, 0xffc);
  a.beq(T0, ZERO, 'xmit.advance');
  a.lw(T2, RING.frame, S1);
  a.bne(T0, T1, 'xmit.advance');
  a.addu(T2, T2, T0);
  a.lw(T0, 0, T2);
  a.nop();
  a.addiu(T0, T0, -1);
  a.sw(T0, 0, T2);
  a.label('xmit.advance');
  a.lw(T0, RING.index, S1);
  a.addiu(S7, S7, -1);
  emitAdvance(a, S1, T0, T1);
  a.bne(S7, ZERO, 'xmit.next');
  a.nop();
  a.b('xmit.done');
  a.nop();

  a.label('xmit.refused');
  emitCount(a, S1, RING.refused, T0);
  a.b('xmit.empty');
  a.nop();

  // It is for somebody here: the compiled filters use registers that the caller keeps.
  a.label('xmit.loop');
  a.mfhi(T0);
  a.mflo(T1);
  a.sw(T0, FRAME.hi, SP);
  a.sw(T1, FRAME.lo, SP);
  a.bal('packet.loop');
  a.sw(AT, FRAME.at, SP);
  a.lw(T0, FRAME.hi, SP);
  a.lw(T1, FRAME.lo, SP);
  a.mthi(T0);
  a.mtlo(T1);
  a.lw(AT, FRAME.at, SP);
  // What others' filters and handlers computed is not the caller's to see.
  for (const r of LOST) a.move(r, ZERO);
  a.b('xmit.empty');
  a.nop();

  a.label('xmit.full');
  a.lw(T1, RING.env, S1);
  a.nop();
  emitCount(a, T1, ENV.xmitBusy, T0);
  a.label('xmit.done');
  a.move(V1, S2);
  KEPT.forEach((r, i) => {
    a.lw(r, 4 * i, SP);
  });
  a.addiu(SP, SP, FRAME.bytes);
  a.jr(RA);
  a.move(V0, ZERO);
}
