/**
 * Transmission: a packet into the controller's next buffer, and the call that empties a transmit ring.
 *
 * The application fills slots of a ring it has bound and calls; no argument names memory. A slot is free again when its
 * length is zero. What is sent to this station's own address or to all is delivered here too, as no controller hears itself,
 * and taps get copies: by the interrupt that follows (receive.ts), so that the call stays short.
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_CAUSE,
  CP0_COUNT,
  K0,
  K1,
  RA,
  S1,
  S2,
  S3,
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
  V0,
  V1,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { CALLS, ENV, ERRORS, PACKET_BYTES_MAX, RING, RING_LIMIT, RING_SLOT } from '@exokernel/abi';
import { INTERRUPT, KP, KSEG0, NET, PHYSICAL, PIECE_CYCLES, RING_SHIFT } from '../layout.ts';
import { emitAdvance, emitCopyWords, emitCount, emitGather, emitSlot } from './ring.ts';
import { routineLabel } from './stack.ts';

/** Shortest frame on the wire without its check sequence, and shortest that has an Ethernet header. */
const PACKET_BYTES_MIN = 60;
const HEADER_BYTES = 14;
const RINGS = KSEG0 + PHYSICAL.rings;
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

  // send: the packet at a0 (word-aligned, a1 bytes), for the environment at a3; v0 = 0, or −1 if every buffer is taken. Keeps s0 to s7.
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

/** `commit`: hands the reserved buffer, which holds a1 bytes, to the controller, for the environment at a3. Uses a0 to a3, t0 to t9, v0, v1. */
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

  // Is it wanted here too? The buffer stays as it is until all the others have been used.
  a.move(A2, A1);
  a.move(A1, T3);
  a.lw(A0, KP.tap, ZERO);
  a.lw(T0, 0, A1);
  a.lhu(T1, 4, A1);
  a.lw(T2, KP.station, ZERO);
  a.lw(T3, KP.station + 4, ZERO);
  a.bne(T0, T2, 'transmit.broadcast');
  a.li(T4, -1);
  a.beq(T1, T3, 'transmit.own');
  a.li(T5, 1);
  a.label('transmit.broadcast');
  a.bne(T0, T4, 'transmit.away');
  a.li(T4, 0xffff);
  a.beq(T1, T4, 'transmit.own');
  a.li(T5, 1);
  a.label('transmit.away');
  a.bne(A0, ZERO, 'transmit.own');
  a.move(T5, ZERO);
  a.ret();
  a.nop();

  // It is left to the interrupt that follows (receive.ts).
  a.label('transmit.own');
  emitClearEnd(a);
  a.sw(A1, KP.ownPacket, ZERO);
  a.sw(A2, KP.ownLength, ZERO);
  a.sw(T5, KP.ownHere, ZERO);
  a.sw(A0, KP.ownTap, ZERO);
  a.sw(A3, KP.ownSender, ZERO);
  a.la(T0, 'own.sent');
  a.sw(T0, KP.packetResume, ZERO);
  a.sw(A1, KP.packetS5, ZERO);
  a.li(T0, INTERRUPT.packets);
  a.mtc0(T0, CP0_CAUSE);
  a.ret();
  a.nop();
}

/** Emits: zeroes up to the word's end behind the packet at a1 (a2 bytes), since rings take whole words. Uses t2. */
function emitClearEnd(a: Assembler): void {
  a.addu(T2, A1, A2);
  for (let i = 0; i < 3; i += 1) a.sb(ZERO, i, T2);
}

const KEPT = [S1, S2, S3, S6, S7, RA];
const FRAME_BYTES = 4 * KEPT.length;

/**
 * xmit(ring): v1 = packets handed to the controller. Slots that make no sense are emptied unsent. A call looks at each slot once.
 *
 * A call does not go on for long with interrupts off. When a packet is wanted here too, or PIECE_CYCLES have passed, it notes in the
 * ring's record how many it has sent and how many slots are left, and is executed again: it returns to the `syscall`. The
 * interrupts that wait come first.
 */
export function emitXmitCall(a: Assembler): void {
  a.label(routineLabel('xmit'));
  // A refusal changes v0 alone: until it is certain that there is none, k0 and k1 have to do.
  a.sltiu(K1, A0, RING_LIMIT);
  a.beq(K1, ZERO, 'xmit.range');
  a.lw(K0, KP.env, ZERO);
  a.sll(K1, A0, RING_SHIFT);
  a.lui(V0, RINGS >>> 16);
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
  a.addiu(SP, SP, -FRAME_BYTES);
  KEPT.forEach((r, i) => {
    a.sw(r, 4 * i, SP);
  });
  a.move(S1, K1);
  a.mfc0(S3, CP0_COUNT);
  a.lw(S7, RING.left, K1);
  a.lw(T0, RING.slots, K1);
  a.bne(S7, ZERO, 'xmit.continued');
  a.move(S2, ZERO);
  a.move(S7, T0);

  a.label('xmit.next');
  emitSlot(a, S6, S1, T1);
  a.lw(A1, RING_SLOT.length, S6);
  a.lw(T1, KP.ownLength, ZERO);
  a.beq(A1, ZERO, 'xmit.done');
  a.mfc0(T0, CP0_COUNT);
  a.bne(T1, ZERO, 'xmit.again');
  a.subu(T0, T0, S3);
  a.sltiu(T0, T0, PIECE_CYCLES);
  a.beq(T0, ZERO, 'xmit.again');
  a.addiu(T0, A1, -HEADER_BYTES);
  a.sltiu(T0, T0, PACKET_BYTES_MAX - HEADER_BYTES + 1);
  a.beq(T0, ZERO, 'xmit.refused');
  a.nop();
  a.bal('transmit.reserve');
  a.nop();
  a.beq(V0, ZERO, 'xmit.full');
  a.nop();
  emitGather(a, S1, S6, 'xmit.refused');
  a.lw(A3, RING.env, S1);
  a.bal('transmit.commit');
  a.addiu(S2, S2, 1);
  a.lw(T1, RING.env, S1);
  emitCount(a, S1, RING.packets, T0);
  emitCount(a, T1, ENV.packetsOut, T0);

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

  // In a delay slot the place after the `syscall`'s branch is the `syscall` itself: there it is executed again in any case.
  a.label('xmit.again');
  a.sw(S2, RING.sent, S1);
  a.mfc0(T0, CP0_CAUSE);
  a.lw(T1, KP.epc, ZERO);
  a.bltz(T0, 'xmit.slot');
  a.sw(S7, RING.left, S1);
  a.addiu(T1, T1, -4);
  a.sw(T1, KP.epc, ZERO);
  a.label('xmit.slot');
  a.lui(A0, RINGS >>> 16);
  a.subu(A0, S1, A0);
  a.srl(A0, A0, RING_SHIFT);
  a.b('xmit.return');
  a.li(V0, CALLS.xmit.number);

  a.label('xmit.continued');
  a.b('xmit.next');
  a.lw(S2, RING.sent, S1);

  a.label('xmit.full');
  a.lw(T1, RING.env, S1);
  a.nop();
  emitCount(a, T1, ENV.xmitBusy, T0);
  a.label('xmit.done');
  a.sw(ZERO, RING.left, S1);
  a.move(V1, S2);
  a.move(V0, ZERO);
  a.label('xmit.return');
  KEPT.forEach((r, i) => {
    a.lw(r, 4 * i, SP);
  });
  a.addiu(SP, SP, FRAME_BYTES);
  a.ret();
  a.nop();
}
