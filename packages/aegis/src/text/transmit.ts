/**
 * Transmission: a packet into the controller's next buffer, and the call that empties a transmit ring.
 *
 * The application fills slots of a ring it has bound and calls; no argument names memory. A slot is free again when its length is zero.
 */
import {
  A0,
  A1,
  K0,
  K1,
  RA,
  S0,
  S1,
  S2,
  S3,
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
  type Register,
} from '@exokernel/isa';
import { ENV, PACKET_BYTES_MAX, RING_LIMIT, RING_SLOT } from '@exokernel/abi';
import { KP, KSEG0, NET, PHYSICAL, RING, RING_SHIFT } from '../layout.ts';
import { callLabel } from './calls.ts';
import { emitCopyWords, emitCount } from './receive.ts';

/** Shortest frame on the wire without its check sequence, and shortest that has an Ethernet header. */
const PACKET_BYTES_MIN = 60;
const HEADER_BYTES = 14;
const OWN_STP_ENP = 0x8300;
const CSR0_TDMD_INEA = 0x48;

/** `transmit`: a0 = packet (word-aligned), a1 = its length; v0 = 0, or −1 if every buffer is taken. Uses t0 to t7, a0. */
export function emitTransmit(a: Assembler): void {
  a.label('transmit');
  a.lw(T0, KP.transmitIndex, ZERO);
  a.lui(T1, NET.memory >>> 16);
  a.addu(T1, T1, T0);
  a.lw(T2, NET.transmitRing, T1);
  a.li(V0, -1);
  a.bltz(T2, 'transmit.full');
  a.sll(T2, T2, 8);
  a.srl(T2, T2, 8);
  a.lui(T3, NET.memory >>> 16);
  a.or(T3, T3, T2);
  a.addiu(T4, A1, 3);
  a.srl(T4, T4, 2);
  a.sll(T4, T4, 2);
  a.addu(T4, T4, A0);
  a.move(T5, T3);
  emitCopyWords(a, A0, T4, T5, T6);

  a.addu(T4, T3, A1);
  a.addiu(T5, T3, PACKET_BYTES_MIN);
  a.label('transmit.pad');
  a.sltu(T6, T4, T5);
  a.beq(T6, ZERO, 'transmit.padded');
  a.nop();
  a.sb(ZERO, 0, T4);
  a.b('transmit.pad');
  a.addiu(T4, T4, 1);

  a.label('transmit.padded');
  a.sltiu(T6, A1, PACKET_BYTES_MIN);
  a.subu(T4, ZERO, A1);
  a.beq(T6, ZERO, 'transmit.length');
  a.andi(T4, T4, 0xffff);
  a.li(T4, -PACKET_BYTES_MIN & 0xffff);
  a.label('transmit.length');
  a.sw(T4, NET.transmitRing + 4, T1);
  a.lui(T5, OWN_STP_ENP);
  a.or(T2, T2, T5);
  a.sw(T2, NET.transmitRing, T1);
  a.lui(T7, NET.registers >>> 16);
  a.li(T6, CSR0_TDMD_INEA);
  a.sh(T6, 0, T7);
  a.addiu(T0, T0, 8);
  a.andi(T0, T0, NET.ringBytes - 1);
  a.sw(T0, KP.transmitIndex, ZERO);
  a.move(V0, ZERO);
  a.label('transmit.full');
  a.ret();
  a.nop();
}

const XMIT_REGISTERS: readonly Register[] = [A0, A1, T0, T1, T2, T3, T4, T5, T6, T7, S0, S1, S2, S3, RA];

/** xmit(ring): v1 = packets handed to the controller. Slots with an impossible length are emptied unsent. */
export function emitXmitCall(a: Assembler): void {
  a.label(callLabel('xmit'));
  a.sltiu(K1, A0, RING_LIMIT);
  a.beq(K1, ZERO, 'call.range');
  a.sll(K1, A0, RING_SHIFT);
  a.lui(V0, (KSEG0 + PHYSICAL.rings) >>> 16);
  a.addu(K1, K1, V0);
  a.lw(V1, RING.env, K1);
  a.lw(V0, KP.env, ZERO);
  a.nop();
  a.bne(V0, V1, 'call.capability');
  a.lw(V0, RING.direction, K1);
  a.nop();
  a.beq(V0, ZERO, 'call.range');
  a.lw(V0, KP.lance, ZERO);
  a.nop();
  a.beq(V0, ZERO, 'call.device');
  a.sw(K0, KP.epc, ZERO);
  XMIT_REGISTERS.forEach((r) => {
    a.sw(r, KP.saved + 4 * r, ZERO);
  });
  a.move(S0, K1);
  a.move(S1, ZERO);
  a.move(S2, V1);

  a.label('xmit.next');
  a.lw(T0, RING.index, S0);
  a.nop();
  a.sll(T0, T0, 2);
  a.addu(T0, T0, S0);
  a.lw(S3, RING.slots, T0);
  a.nop();
  a.lw(A1, RING_SLOT.length, S3);
  a.addiu(A0, S3, RING_SLOT.data);
  a.beq(A1, ZERO, 'xmit.done');
  a.addiu(T0, A1, -HEADER_BYTES);
  a.sltiu(T0, T0, PACKET_BYTES_MAX - HEADER_BYTES + 1);
  a.beq(T0, ZERO, 'xmit.empty');
  a.nop();
  a.bal('transmit');
  a.nop();
  a.bltz(V0, 'xmit.full');
  a.addiu(S1, S1, 1);
  emitCount(a, S2, ENV.packetsOut, T0);
  a.label('xmit.empty');
  a.lw(T0, RING.index, S0);
  a.lw(T1, RING.count, S0);
  a.addiu(T0, T0, 1);
  a.bne(T0, T1, 'xmit.advance');
  a.sw(ZERO, RING_SLOT.length, S3);
  a.move(T0, ZERO);
  a.label('xmit.advance');
  a.b('xmit.next');
  a.sw(T0, RING.index, S0);

  a.label('xmit.full');
  a.addiu(S1, S1, -1);
  emitCount(a, S2, ENV.xmitBusy, T0);
  a.label('xmit.done');
  a.move(V1, S1);
  XMIT_REGISTERS.forEach((r) => {
    a.lw(r, KP.saved + 4 * r, ZERO);
  });
  a.lw(K0, KP.epc, ZERO);
  a.b('call.ok');
  a.nop();
}
