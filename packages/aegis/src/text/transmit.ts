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
  T8,
  T9,
  V0,
  V1,
  ZERO,
  type SlotAssembler,
} from '@exokernel/isa';
import { CALLS, ENV, ERRORS, PACKET_BYTES_MAX, RING, RING_LIMIT, RING_SLOT } from '@exokernel/abi';
import { INTERRUPT, KP, KSEG0, NET, PHYSICAL, PIECE_CYCLES, RING_SHIFT, SENT_CYCLES } from '../layout.ts';
import { emitIndebted } from './packet-steps.ts';
import { emitAdvance, emitCopyWords, emitCount, emitGather, emitSlot } from './ring.ts';
import { routine } from './routine.ts';
import { routineLabel } from './stack.ts';

/** Shortest frame on the wire without its check sequence, and shortest that has an Ethernet header. */
const PACKET_BYTES_MIN = 60;
const HEADER_BYTES = 14;
const RINGS = KSEG0 + PHYSICAL.rings;
const OWN_STP_ENP = 0x8300;
const CSR0_TDMD = 0x08;
const DESCRIPTOR_BYTES = 8;

export function emitTransmit(a: SlotAssembler): void {
  routine(
    a,
    'transmit.reserve',
    {
      does: 'The next buffer of the controller, or 0 if every one is taken, or the family of the environment at v1 has its part. [LANCE]',
      in: { owner: V1, back: RA },
      out: { buffer: V0 },
      scratch: [T0, T1, T2],
      fast: { instructions: 15 },
    },
    () => {
      a.lw(T0, KP.transmitIndex, ZERO);
      a.lui(T1, NET.memory >>> 16);
      a.addiu(T2, T0, NET.ringBytes / 2 - DESCRIPTOR_BYTES);
      a.andi(T2, T2, NET.ringBytes - 1);
      a.addu(T2, T2, T1);
      a.lw(T2, NET.transmitRing, T2);
      a.addu(T0, T0, T1);
      a.lw(T0, NET.transmitRing, T0);
      a.note('are fewer than half of them free?');
      a.bltz(T2, 'transmit.share', (slot) => slot.move(V0, ZERO));
      a.label('transmit.free');
      a.sll(T0, T0, 8);
      a.srl(T0, T0, 8);
      a.or(V0, T0, T1);
      a.label('transmit.full');
      a.ret();

      emitShare(a);
      emitCommit(a);
    },
  );
  routine(
    a,
    'transmit.send',
    {
      does: 'Sends a packet of the kernel, such as the reply of a handler: v0 = 0, or -1 if every buffer is taken.',
      in: { packet: A0, bytes: A1, owner: V1, env: A3, back: RA },
      out: { result: V0 },
      scratch: [RA, T4, T6, A0],
    },
    () => {
      a.sw(RA, KP.sendReturn, ZERO);
      a.bal('transmit.reserve');
      a.beq(V0, ZERO, 'transmit.unsent', (slot) => slot.addiu(T4, A1, 3));
      a.srl(T4, T4, 2);
      a.sll(T4, T4, 2);
      a.addu(T4, T4, A0);
      emitCopyWords(a, A0, T4, V0, T6);
      a.bal('transmit.commit');
      a.lw(RA, KP.sendReturn, ZERO);
      a.move(V0, ZERO);
      a.ret();
      a.label('transmit.unsent');
      a.lw(RA, KP.sendReturn, ZERO);
      a.li(V0, -1);
      a.ret();
    },
  );
}

/** Otherwise one sender without end would have all of them whenever another would send. */
function emitShare(a: SlotAssembler): void {
  routine(
    a,
    'transmit.share',
    {
      does: 'Few buffers are free: a family gets one only while it has fewer than twice as many as are free.',
      in: { owner: V1, descriptor: T0, memory: T1, back: RA },
      scratch: [T2, T3, T4, T5, T6],
    },
    () => {
      a.bltz(T0, 'transmit.full', (slot) => slot.lw(T2, ENV.family, V1));
      a.li(T3, NET.ringBytes - DESCRIPTOR_BYTES);
      a.move(T6, ZERO);
      a.label('transmit.counted');
      a.addu(T4, T3, T1);
      a.lw(T4, NET.transmitRing, T4);
      a.srl(T5, T3, 1);
      a.bgez(T4, 'transmit.idle', (slot) => slot.lw(T5, KP.transmitFamilies, T5));
      a.nop();
      a.bne(T5, T2, 'transmit.others');
      a.b('transmit.others', (slot) => slot.addiu(T6, T6, 1));
      a.label('transmit.idle');
      a.addiu(T6, T6, -2);
      a.label('transmit.others');
      a.bgtz(T3, 'transmit.counted', (slot) => slot.addiu(T3, T3, -DESCRIPTOR_BYTES));
      a.bltz(T6, 'transmit.free');
      a.ret();
    },
  );
}

/** `commit`: hands the reserved buffer, which holds a1 bytes, to the controller, for the environment at v1; a3: the sender, if it is also for here. Uses a0 to a3, t0 to t9, v0. */
function emitCommit(a: SlotAssembler): void {
  routine(
    a,
    'transmit.commit',
    {
      does: 'Hands the reserved buffer, which holds a1 bytes of the environment at v1, to the controller. [LANCE]',
      in: { bytes: A1, owner: V1, env: A3, back: RA },
      scratch: [T0, T1, T2, T3, T6, T4, T5, A1, T7, A2, A0],
    },
    () => {
      a.lw(T0, KP.transmitIndex, ZERO);
      a.lw(T4, ENV.family, V1);
      a.lui(T1, NET.memory >>> 16);
      a.srl(T2, T0, 1);
      a.sw(T4, KP.transmitFamilies, T2);
      a.addu(T1, T1, T0);
      a.lw(T2, NET.transmitRing, T1);
      a.lui(T3, NET.memory >>> 16);
      a.sll(T2, T2, 8);
      a.srl(T2, T2, 8);
      a.or(T3, T3, T2);
      a.sltiu(T6, A1, PACKET_BYTES_MIN);
      a.beq(T6, ZERO, 'transmit.padded', (slot) => slot.addu(T4, T3, A1));
      a.addiu(T5, T3, PACKET_BYTES_MIN);
      a.label('transmit.pad');
      a.sb(ZERO, 0, T4);
      a.addiu(T4, T4, 1);
      a.bne(T4, T5, 'transmit.pad');
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

      a.note('is it wanted here too? The buffer stays as it is until all the others have been used');
      a.move(A2, A1);
      a.move(A1, T3);
      a.lw(A0, KP.tap, ZERO);
      a.lw(T0, 0, A1);
      a.lhu(T1, 4, A1);
      a.lw(T2, KP.station, ZERO);
      a.lw(T3, KP.station + 4, ZERO);
      a.bne(T0, T2, 'transmit.broadcast', (slot) => slot.li(T4, -1));
      a.beq(T1, T3, 'transmit.own', (slot) => slot.li(T5, 1));
      a.label('transmit.broadcast');
      a.bne(T0, T4, 'transmit.away', (slot) => slot.li(T4, 0xffff));
      a.beq(T1, T4, 'transmit.own', (slot) => slot.li(T5, 1));
      a.label('transmit.away');
      a.bne(A0, ZERO, 'transmit.wanted', (slot) => slot.move(T5, ZERO));
      a.ret();
    },
  );
  routine(
    a,
    'transmit.own',
    {
      does: 'It is for this station, too. Of a debtor, which might never pay for that, it is not.',
      in: { tap: A0, env: A3 },
      scratch: [T2, T0],
    },
    () => {
      a.note('an answer to what came from outside is for outside');
      a.beq(A3, ZERO, 'transmit.refused');
      emitIndebted(a, A3, 'transmit.refused');
    },
  );
  routine(
    a,
    'transmit.wanted',
    {
      does: 'It is wanted here too. That is left to the interrupt that follows (receive.ts).',
      in: { tap: A0, packet: A1, bytes: A2, env: A3, isHere: T5, back: RA },
      scratch: [T2, T0],
    },
    () => {
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
    },
  );
  routine(
    a,
    'transmit.refused',
    {
      does: 'It is not delivered here. Who pays for the call pays for that too; taps see it.',
      in: { tap: A0, back: RA },
      out: { isHere: T5 },
      scratch: [T0],
    },
    () => {
      emitCount(a, ZERO, KP.loopsDropped, T0);
      a.bne(A0, ZERO, 'transmit.wanted', (slot) => slot.move(T5, ZERO));
      a.ret();
    },
  );
}

/** Emits: zeroes up to the word's end behind the packet at a1 (a2 bytes), since rings take whole words. Uses t2. */
function emitClearEnd(a: SlotAssembler): void {
  a.addu(T2, A1, A2);
  for (let i = 0; i < 3; i += 1) a.sb(ZERO, i, T2);
}

/** Of `xmit`: the record of the ring, packets sent, the cycle in which the call began, the slot, and how many slots are left. */
const RING_AT = S1;
const SENT = S2;
const BEGUN = S3;
const SLOT_AT = S6;
const LEFT = S7;
const KEPT = [S1, S2, S3, S6, S7, RA];
const FRAME_BYTES = 4 * KEPT.length;

/**
 * xmit(ring): v1 = packets handed to the controller. Slots that make no sense are emptied unsent. A call looks at each slot once.
 *
 * A call does not go on for long with interrupts off. When a packet is wanted here too, or PIECE_CYCLES have passed, it notes in the
 * ring's record how many it has sent and how many slots are left, and is executed again: it returns to the `syscall`. The
 * interrupts that wait come first.
 */
export function emitXmitCall(a: SlotAssembler): void {
  routine(
    a,
    routineLabel('xmit'),
    {
      does: 'xmit(ring): may the caller send from this ring?',
      in: { ring: A0, back: RA },
      out: { error: V0 },
      uses: { record: K1 },
      scratch: [K0],
    },
    () => {
      a.note('a refusal changes v0 alone: until it is certain that there is none, k0 and k1 have to do');
      a.sltiu(K1, A0, RING_LIMIT);
      a.beq(K1, ZERO, 'xmit.range', (slot) => slot.lw(K0, KP.env, ZERO));
      a.sll(K1, A0, RING_SHIFT);
      a.lui(V0, RINGS >>> 16);
      a.addu(K1, K1, V0);
      a.lw(V0, RING.env, K1);
      a.nop();
      a.bne(V0, K0, 'xmit.capability', (slot) => slot.lw(K0, RING.direction, K1));
      a.nop();
      a.beq(K0, ZERO, 'xmit.range', (slot) => slot.lw(K0, KP.lance, ZERO));
      a.li(V0, ERRORS.E_DEVICE);
      a.bne(K0, ZERO, 'xmit.begin');
      a.ret();
      a.label('xmit.range');
      a.ret((slot) => slot.li(V0, ERRORS.E_RANGE));
      a.label('xmit.capability');
      a.ret((slot) => slot.li(V0, ERRORS.E_CAP));
    },
  );
  routine(
    a,
    'xmit.begin',
    {
      does: 'Empties a transmit ring. A call looks at each slot once, and does not go on for long.',
      in: { record: K1 },
      uses: { sp: SP, ring: RING_AT, sent: SENT, begun: BEGUN, slot: SLOT_AT, left: LEFT },
      scratch: [T0, T1, A1, RA, T3, T4, T5, T6, T7, T8, V0, V1, T2, T9, A0, A3],
    },
    () => {
      a.addiu(SP, SP, -FRAME_BYTES);
      KEPT.forEach((r, i) => {
        a.sw(r, 4 * i, SP);
      });
      a.move(RING_AT, K1);
      a.mfc0(BEGUN, CP0_COUNT);
      a.lw(LEFT, RING.left, K1);
      a.lw(T0, RING.slots, K1);
      a.bne(LEFT, ZERO, 'xmit.continued', (slot) => slot.move(SENT, ZERO));
      a.move(LEFT, T0);

      a.label('xmit.next');
      emitSlot(a, SLOT_AT, RING_AT, T1);
      a.lw(A1, RING_SLOT.length, SLOT_AT);
      a.lw(T1, KP.ownLength, ZERO);
      a.beq(A1, ZERO, 'xmit.done', (slot) => slot.mfc0(T0, CP0_COUNT));
      a.bne(T1, ZERO, 'xmit.again', (slot) => slot.subu(T0, T0, BEGUN));
      a.sltiu(T0, T0, PIECE_CYCLES);
      a.beq(T0, ZERO, 'xmit.again', (slot) => slot.addiu(T0, A1, -HEADER_BYTES));
      a.sltiu(T0, T0, PACKET_BYTES_MAX - HEADER_BYTES + 1);
      a.beq(T0, ZERO, 'xmit.refused');
      a.bal('transmit.reserve', (slot) => slot.lw(V1, RING.env, RING_AT));
      a.beq(V0, ZERO, 'xmit.full');
      emitGather(a, RING_AT, SLOT_AT, 'xmit.refused');
      a.lw(V1, RING.env, RING_AT);
      a.nop();
      a.move(A3, V1);
      a.bal('transmit.commit', (slot) => slot.addiu(SENT, SENT, 1));
      a.note('the interrupt that tells that it is sent comes when it likes: the slice pays now');
      a.lw(T0, KP.paid, ZERO);
      a.lw(T1, RING.env, RING_AT);
      a.addiu(T0, T0, -SENT_CYCLES);
      a.sw(T0, KP.paid, ZERO);
      emitCount(a, RING_AT, RING.packets, T0);
      emitCount(a, T1, ENV.packetsOut, T0);

      a.label('xmit.empty');
      a.lw(T0, RING_SLOT.completion, SLOT_AT);
      a.sw(ZERO, RING_SLOT.length, SLOT_AT);
      a.andi(T1, T0, 0xffc);
      a.beq(T0, ZERO, 'xmit.advance', (slot) => slot.lw(T2, RING.frame, RING_AT));
      a.bne(T0, T1, 'xmit.advance', (slot) => slot.addu(T2, T2, T0));
      a.lw(T0, 0, T2);
      a.nop();
      a.addiu(T0, T0, -1);
      a.sw(T0, 0, T2);
      a.label('xmit.advance');
      a.lw(T0, RING.index, RING_AT);
      a.addiu(LEFT, LEFT, -1);
      emitAdvance(a, RING_AT, T0, T1);
      a.bne(LEFT, ZERO, 'xmit.next');
      a.b('xmit.done');

      a.label('xmit.refused');
      emitCount(a, RING_AT, RING.refused, T0);
      a.b('xmit.empty');
    },
  );
  routine(
    a,
    'xmit.again',
    {
      does: 'Long enough: the call is executed again. The interrupts that wait come first.',
      in: { ring: RING_AT },
      out: { record: A0, number: V0 },
      scratch: [T0, T1],
    },
    () => {
      a.lw(T1, RING.env, RING_AT);
      a.sw(SENT, RING.sent, RING_AT);
      emitCount(a, T1, ENV.repeated, T0);
      a.mfc0(T0, CP0_CAUSE);
      a.lw(T1, KP.epc, ZERO);
      a.bltz(T0, 'xmit.slot', (slot) => slot.sw(LEFT, RING.left, RING_AT));
      a.addiu(T1, T1, -4);
      a.sw(T1, KP.epc, ZERO);
      a.label('xmit.slot');
      a.lui(A0, RINGS >>> 16);
      a.subu(A0, RING_AT, A0);
      a.srl(A0, A0, RING_SHIFT);
      a.b('xmit.return', (slot) => slot.li(V0, CALLS.xmit.number));
    },
  );
  routine(
    a,
    'xmit.continued',
    { does: 'A call that is executed again goes on counting.', in: { ring: RING_AT }, out: { sent: SENT } },
    () => {
      a.b('xmit.next', (slot) => slot.lw(SENT, RING.sent, RING_AT));
    },
  );
  routine(
    a,
    'xmit.full',
    {
      does: 'Every buffer of the controller is taken: the slots stay as they are.',
      in: { ring: RING_AT },
      scratch: [T1, T0],
    },
    () => {
      a.lw(T1, RING.env, RING_AT);
      a.nop();
      emitCount(a, T1, ENV.xmitBusy, T0);
    },
  );
  routine(
    a,
    'xmit.done',
    {
      does: 'The answer, and the way back.',
      in: { ring: RING_AT, sent: SENT },
      out: { error: V0, count: V1 },
      scratch: [S1, S2, S3, S6, S7, RA, SP],
    },
    () => {
      a.sw(ZERO, RING.left, RING_AT);
      a.move(V1, SENT);
      a.move(V0, ZERO);
      a.label('xmit.return');
      KEPT.forEach((r, i) => {
        a.lw(r, 4 * i, SP);
      });
      a.addiu(SP, SP, FRAME_BYTES);
      a.ret();
    },
  );
}
