/**
 * Packet arrival: the compiled filters say whose packet it is; its handler, if it has one, runs at once; otherwise the packet is
 * put into the receive ring of its filter. Everything here is an access: rights were checked when filter, handler and ring
 * were bound. [SOSP95 §5.5], [DPF96], [ASH96]
 *
 * The work is done in steps: one run of the filters or of a handler, one copy to a ring or to a tap. When an interrupt has taken
 * PIECE_CYCLES, it pauses between two steps: it notes in the kernel page where it is, sets the software interrupt IP0, and
 * returns. So the clock and the other devices get in, and no environment: the next interrupt goes on before any instruction
 * of a user. What is freed meanwhile, by the death of an environment, is taken out of the note (pending-packet.ts).
 *
 * A packet that no filter claims, that finds its ring full, or that arrived damaged is dropped and counted. What is sent from
 * here and wanted here too, by taps or by this machine itself, comes the same way (`own`), after the packet under way. A handler's
 * reply to this machine is delivered next, and so is the reply to that, up to LOOPS_MAX of them.
 *
 * An arrival is paid by its cause: the environment of the filter that claims it, of its credit (schedule.ts), and each that gets a
 * copy for the copy. What comes from this machine is paid by its sender: by the slice that it runs in, if it does. An
 * environment that owes more than a quantum loses its packets. For these, and for those that no filter claims,
 * there is a part of each tick; when it is used up, packets are dropped unseen, and the controller is quiet until the next tick.
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_CAUSE,
  CP0_COUNT,
  RA,
  S0,
  S3,
  S4,
  S5,
  T0,
  T1,
  T2,
  T3,
  T9,
  V0,
  V1,
  ZERO,
  type SlotAssembler,
  type Register,
} from '@exokernel/isa';
import { ENV, FILTER, PACKET_BYTES_MAX, SYSTEM, TAP } from '@exokernel/abi';
import { FILTER_SHIFT, INTERRUPT, KP, KSEG0, NET, PHYSICAL, PIECE_CYCLES, SYSTEM_TABLE } from '../layout.ts';
import { ACTIVATION } from '@exokernel/vcode';
import { emitOwn } from './own.ts';
import {
  ANSWER,
  BACK,
  CLAIMED,
  COPY,
  DESCRIPTOR,
  INDEX,
  LAST,
  LENGTH,
  PACKET,
  TAP_AT,
  emitForget,
  emitIndebted,
  emitPause,
  emitTaps,
} from './packet-steps.ts';
import { emitCount } from './ring.ts';
import { routine } from './routine.ts';

/** Fuel for one run of the compiled filters, in instructions. They have no loops: this is only a backstop. */
const DEMUX_FUEL = 0x7fff;
const VERDICT_UPCALL = 2;
/** OWN, ERR, STP, ENP of a descriptor's flags, in its first word [LANCE]. */
const ERR_STP_ENP = 0x4300;
const STP_ENP = 0x0300;
const OWN = 0x8000;
/** CSR0: the status bits, which are cleared by writing them. */
const CSR0_STATUS = 0x7f00;

/** What is kept from one interrupt to the next. */
const KEPT = [
  [S0, KP.packetS0],
  [S3, KP.packetS3],
  [S4, KP.packetS4],
  [S5, KP.packetS5],
] as const;

/**
 * `receive`: a device routine (returns to ra); see interrupt.ts for the registers it may use. Throughout: s1 the descriptor
 * (its address less NET.receiveRing), s2 its byte offset in the ring, s3 and s4 the packet under way and its length, s6 the
 * return address. s0 and s5: the next tap and nothing; the handler's answer and the filter that claims the packet; the end of
 * the list of copies and the place in it.
 */
export function emitReceive(a: SlotAssembler): void {
  routine(
    a,
    'receive',
    {
      does: 'The network interrupts: acknowledged; then a new packet, or on where the last interrupt stopped.',
      in: { back: RA },
      out: { descriptor: DESCRIPTOR, index: INDEX },
      uses: { to: BACK },
      scratch: [T0, T1, T2, T3],
    },
    () => {
      a.move(BACK, RA);
      a.lui(T0, NET.registers >>> 16);
      a.lhu(T1, 0, T0);
      a.lw(T2, KP.inea, ZERO);
      a.lw(INDEX, KP.receiveIndex, ZERO);
      a.andi(T1, T1, CSR0_STATUS);
      a.or(T1, T1, T2);
      a.sh(T1, 0, T0);
      a.lw(T2, KP.interrupted, ZERO);
      a.lw(T3, KP.packetResume, ZERO);
      a.sw(T2, KP.charged, ZERO);
      a.bne(T3, ZERO, 'receive.resume', (slot) => slot.lui(DESCRIPTOR, NET.memory >>> 16));
    },
  );
  routine(
    a,
    'receive.next',
    {
      does: 'The next descriptor of the controller: if it holds a packet, that is the packet under way.',
      in: { index: INDEX },
      out: { packet: PACKET, length: LENGTH },
      uses: { descriptor: DESCRIPTOR, tap: TAP_AT, kept: S5 },
      scratch: [T0, T1, T2, T3, A0, A1, A2, RA, A3],
    },
    () => {
      a.addu(DESCRIPTOR, DESCRIPTOR, INDEX);
      a.lw(T0, NET.receiveRing, DESCRIPTOR);
      a.lw(T1, KP.unpayable, ZERO);
      a.bltz(T0, 'receive.done', (slot) => slot.lw(T2, NET.receiveRing + 4, DESCRIPTOR));
      a.bltz(T1, 'receive.unseen', (slot) => slot.lui(T1, ERR_STP_ENP));
      a.and(T1, T0, T1);
      a.lui(T3, STP_ENP);
      a.bne(T1, T3, 'receive.release', (slot) => slot.sll(PACKET, T0, 8));
      a.srl(PACKET, PACKET, 8);
      a.lui(T1, NET.memory >>> 16);
      a.or(PACKET, PACKET, T1);
      a.srl(LENGTH, T2, 16);
      a.andi(LENGTH, LENGTH, 0xfff);
      a.lw(TAP_AT, KP.tap, ZERO);
      a.addiu(LENGTH, LENGTH, -4);
      a.beq(TAP_AT, ZERO, 'packet', (slot) => slot.sw(ZERO, KP.loops, ZERO));
      a.move(S5, PACKET);
      emitTaps(a, 'receive.tap', TAP.in);

      emitPacket(a);
    },
  );
  routine(
    a,
    'receive.release',
    {
      does: "The packet under way is done with: its descriptor is the controller's again.",
      in: { first: T0, descriptor: DESCRIPTOR },
      out: { index: INDEX },
      scratch: [T1, T0],
    },
    () => {
      a.lui(T1, OWN);
      a.sll(T0, T0, 8);
      a.srl(T0, T0, 8);
      a.or(T0, T0, T1);
      a.sw(T0, NET.receiveRing, DESCRIPTOR);
      a.addiu(INDEX, INDEX, 8);
      a.andi(INDEX, INDEX, NET.ringBytes - 1);
    },
  );
  routine(
    a,
    'receive.more',
    {
      does: 'The next packet, unless this interrupt has taken long enough.',
      in: { index: INDEX },
      out: { length: LENGTH, descriptor: DESCRIPTOR },
      scratch: [T1, T0],
    },
    () => {
      a.lw(T1, KP.interrupted, ZERO);
      a.mfc0(T0, CP0_COUNT);
      a.addiu(T1, T1, PIECE_CYCLES);
      a.lw(LENGTH, KP.ownLength, ZERO);
      a.subu(T0, T0, T1);
      a.bgez(T0, 'receive.rest', (slot) => slot.lui(DESCRIPTOR, NET.memory >>> 16));
      a.beq(LENGTH, ZERO, 'receive.next');
      a.b('own');
    },
  );
  routine(
    a,
    'receive.done',
    {
      does: 'No packet is left. A controller that has used up the unpayable part of the tick is not listened to.',
      in: { index: INDEX, back: BACK },
      scratch: [T1, T0],
      fast: { instructions: 6, by: ['receive.end'] },
    },
    () => {
      a.lw(T1, KP.unpayable, ZERO);
      a.sw(ZERO, KP.claimant, ZERO);
      a.bgez(T1, 'receive.end', (slot) => slot.lui(T0, NET.registers >>> 16));
      a.sw(ZERO, KP.inea, ZERO);
      a.sh(ZERO, 0, T0);
      a.label('receive.end');
      a.jr(BACK, (slot) => slot.sw(INDEX, KP.receiveIndex, ZERO));
    },
  );
  routine(
    a,
    'receive.unseen',
    {
      does: 'Dropped unseen; a quiet controller keeps what it has until it is listened to again.',
      in: { first: T0 },
      scratch: [T2, T1],
    },
    () => {
      a.lw(T2, KP.inea, ZERO);
      a.li(T1, SYSTEM_TABLE);
      a.beq(T2, ZERO, 'receive.done');
      emitCount(a, T1, SYSTEM.unseen, T2);
      a.b('receive.release');
    },
  );
  routine(
    a,
    'receive.rest',
    {
      does: 'Long enough. Is there more to do at all?',
      in: { index: INDEX, descriptor: DESCRIPTOR, length: LENGTH },
      out: { back: RA },
      uses: { hasFilter: S5 },
      scratch: [DESCRIPTOR, T0],
    },
    () => {
      a.li(S5, 1);
      a.la(RA, 'receive.more');
      a.bne(LENGTH, ZERO, 'receive.pause', (slot) => slot.addu(DESCRIPTOR, DESCRIPTOR, INDEX));
      a.lw(T0, NET.receiveRing, DESCRIPTOR);
      a.nop();
      a.bltz(T0, 'receive.done');
    },
  );
  routine(
    a,
    'receive.pause',
    {
      does: 'Goes on at ra in the next interrupt, which comes when this one has returned. What has been done is paid.',
      in: { next: RA, index: INDEX },
      scratch: [T1, RA, T0],
    },
    () => {
      a.sw(RA, KP.packetResume, ZERO);
      for (const [register, field] of KEPT) a.sw(register, field, ZERO);
      a.lw(T1, KP.claimant, ZERO);
      a.nop();
      a.sw(T1, KP.packetClaimant, ZERO);
      a.beq(T1, ZERO, 'receive.paused');
      a.bal('packet.charge');
      a.label('receive.paused');
      a.sw(ZERO, KP.claimant, ZERO);
      a.li(T0, INTERRUPT.packets);
      a.mtc0(T0, CP0_CAUSE);
      a.b('receive.end');
    },
  );
  routine(
    a,
    'receive.resume',
    {
      does: 'Goes on where an interrupt before has stopped, or with a packet from here that xmit has left.',
      in: { next: T3, index: INDEX, descriptor: DESCRIPTOR },
      out: { packet: PACKET, length: LENGTH, answer: S0, filter: CLAIMED },
      scratch: [T1, DESCRIPTOR, RA],
    },
    () => {
      emitForget(a);
      for (const [register, field] of KEPT) a.lw(register, field, ZERO);
      a.lw(T1, KP.packetClaimant, ZERO);
      a.nop();
      a.sw(T1, KP.claimant, ZERO);
      a.lw(T1, KP.sender, ZERO);
      a.addu(DESCRIPTOR, DESCRIPTOR, INDEX);
      a.beq(T1, ZERO, 'receive.resumed');
      a.bal('packet.payer');
      a.label('receive.resumed');
      a.beq(S5, ZERO, 'packet.copies');
      a.jr(T3);

      emitOwn(a);
    },
  );
}

/** Emits `record = record of the filter with the number in id`; uses id. */
function emitFilter(a: SlotAssembler, record: Register, id: Register): void {
  a.sll(id, id, FILTER_SHIFT);
  a.lui(record, (KSEG0 + PHYSICAL.filters) >>> 16);
  a.addu(record, record, id);
}

/** Emits the call of the downloaded code at t9 for the packet, with the activation record at a0; t0 = its fuel. */
function emitDownloaded(a: SlotAssembler): void {
  a.sw(PACKET, ACTIVATION.base, A0);
  a.sw(T0, ACTIVATION.fuel, A0);
  a.jalr(RA, T9, (slot) => slot.sw(LENGTH, ACTIVATION.length, A0));
}

/** `packet`: sees to the packet at s3 (word-aligned, s4 bytes). Falls into `receive.release`, or goes to `own.done`. */
function emitPacket(a: SlotAssembler): void {
  routine(
    a,
    'packet',
    {
      does: 'Whose is the packet? One run of the filters of all environments. [DPF96]',
      in: { packet: PACKET, length: LENGTH },
      out: { filter: CLAIMED },
      scratch: [T9, A0, T0, RA, V0, T1, T2, S0, A1, A3],
    },
    () => {
      a.lw(T9, KP.demux, ZERO);
      a.lw(A0, KP.demuxActivation, ZERO);
      a.beq(T9, ZERO, 'packet.unclaimed', (slot) => slot.li(T0, DEMUX_FUEL));
      emitDownloaded(a);
      a.beq(V0, ZERO, 'packet.unclaimed', (slot) => slot.addiu(V0, V0, -1));
      emitFilter(a, CLAIMED, V0);
      a.lw(T1, FILTER.env, CLAIMED);
      emitIndebted(a, T1, 'packet.indebted');
      a.addiu(T1, T1, ENV.credit);
      a.sw(T1, KP.claimant, ZERO);
      emitCount(a, CLAIMED, FILTER.accepted, T0);
      emitPause(a);

      a.note('its handler');
      a.lw(T9, FILTER.handler, CLAIMED);
      a.lw(A0, FILTER.activation, CLAIMED);
      a.beq(T9, ZERO, 'packet.deliver', (slot) => slot.lw(T0, FILTER.fuel, CLAIMED));
      emitDownloaded(a);
      a.bne(V1, ZERO, 'packet.aborted', (slot) => slot.move(ANSWER, V0));
      emitPause(a);
      a.andi(T1, ANSWER, 0xffff);
      a.beq(T1, ZERO, 'packet.deliver', (slot) => slot.srl(A1, ANSWER, 16));
      a.sltiu(T0, A1, PACKET_BYTES_MAX + 1);
      a.sltiu(T1, T1, VERDICT_UPCALL + 1);
      a.and(T0, T0, T1);
      a.beq(T0, ZERO, 'packet.aborted');
      emitCount(a, CLAIMED, FILTER.consumed, T0);
      a.beq(A1, ZERO, 'packet.replied', (slot) => slot.lw(A0, FILTER.reply, CLAIMED));
      a.bal('transmit.send', (slot) => slot.lw(A3, FILTER.env, CLAIMED));
      a.lw(T1, FILTER.env, CLAIMED);
      a.bltz(V0, 'packet.busy');
      emitCount(a, T1, ENV.packetsOut, T0);
      a.b('packet.replied');
      a.label('packet.busy');
      emitCount(a, T1, ENV.xmitBusy, T0);
      a.label('packet.replied');
      a.andi(T1, ANSWER, 0xffff);
      a.li(T0, VERDICT_UPCALL);
      a.beq(T0, T1, 'packet.deliver', (slot) => slot.lw(T1, FILTER.env, CLAIMED));
      a.nop();
      emitCount(a, T1, ENV.packetsIn, T0);
      a.b('packet.copies');
      a.label('packet.aborted');
      emitCount(a, CLAIMED, FILTER.aborted, T0);
      emitPause(a);
    },
  );
  routine(
    a,
    'packet.deliver',
    {
      does: 'The packet to the ring of its filter. [SOSP95 §5.5]',
      in: { filter: CLAIMED, packet: PACKET, length: LENGTH },
      out: { ring: A0, from: A1, bytes: A2, id: A3 },
      scratch: [RA],
    },
    () => {
      a.lw(A0, FILTER.ring, CLAIMED);
      a.lw(A3, FILTER.id, CLAIMED);
      a.beq(A0, ZERO, 'packet.nowhere', (slot) => slot.move(A1, PACKET));
      a.bal('ring.put', (slot) => slot.move(A2, LENGTH));

      emitCopies(a);
    },
  );
}

/** Those that get copies, and the end. */
function emitCopies(a: SlotAssembler): void {
  routine(
    a,
    'packet.copies',
    { does: 'Filters that only read along.', in: { packet: PACKET, length: LENGTH }, scratch: [T9, T1, RA] },
    () => {
      a.lw(T9, KP.copies, ZERO);
      a.lw(T1, KP.claimant, ZERO);
      a.bne(T9, ZERO, 'packet.find');
      a.bal('packet.charge');
    },
  );
  routine(
    a,
    'packet.end',
    {
      does: 'The packet has been seen to. Whose descriptor is to be released?',
      in: { descriptor: DESCRIPTOR },
      out: { first: T0 },
      scratch: [T1],
    },
    () => {
      a.lw(T1, KP.sender, ZERO);
      a.nop();
      a.beq(T1, ZERO, 'receive.release', (slot) => slot.lw(T0, NET.receiveRing, DESCRIPTOR));
      a.b('own.done');
    },
  );
  routine(
    a,
    'packet.nowhere',
    { does: 'The filter has no ring: counted, and gone.', in: { filter: CLAIMED }, scratch: [T1, T0] },
    () => {
      a.lw(T1, FILTER.env, CLAIMED);
      a.nop();
      emitCount(a, T1, ENV.packetsDropped, T0);
      a.b('packet.copies');
    },
  );
  routine(
    a,
    'packet.indebted',
    { does: 'The owner owes more than a quantum: the packet is gone.', in: { env: T1 }, scratch: [T0] },
    () => {
      emitCount(a, T1, ENV.packetsDropped, T0);
      a.b('packet.unpayable');
    },
  );
  routine(
    a,
    'packet.unclaimed',
    { does: 'No filter claims it: the unpayable part of the tick pays.', scratch: [T1, T0] },
    () => {
      a.li(T1, SYSTEM_TABLE);
      emitCount(a, T1, SYSTEM.unclaimed, T0);
      a.label('packet.unpayable');
      a.addiu(T1, ZERO, KP.unpayable);
      a.b('packet.copies', (slot) => slot.sw(T1, KP.claimant, ZERO));
    },
  );
  routine(
    a,
    'packet.charge',
    {
      does: 'What has been done since the last charge is charged to the word at t1, or to the sender.',
      in: { payer: T1, back: RA },
      out: { now: T0 },
      scratch: [T2, T3, T1],
      fast: { instructions: 11, by: ['packet.charged'] },
    },
    () => {
      a.lw(T2, KP.charged, ZERO);
      a.mfc0(T0, CP0_COUNT);
      a.lw(T3, KP.senderPays, ZERO);
      a.subu(T2, T0, T2);
      a.beq(T3, ZERO, 'packet.charged', (slot) => slot.sw(T0, KP.charged, ZERO));
      a.move(T1, T3);
      a.label('packet.charged');
      a.lw(T3, 0, T1);
      a.nop();
      a.subu(T3, T3, T2);
      a.jr(RA, (slot) => slot.sw(T3, 0, T1));
    },
  );
  routine(
    a,
    'packet.find',
    {
      does: 'Which filters get copies, and a copy for each.',
      in: { packet: PACKET, length: LENGTH },
      uses: { copy: COPY, last: LAST },
      scratch: [T1, T0, RA, T9, A0, V0, A1, T2, A3, A2],
    },
    () => {
      a.li(COPY, KSEG0 + PHYSICAL.copies);
      emitPause(a);
      a.lw(T9, KP.copies, ZERO);
      a.li(A0, KSEG0 + PHYSICAL.copiesActivation);
      a.beq(T9, ZERO, 'packet.end', (slot) => slot.li(T0, DEMUX_FUEL));
      emitDownloaded(a);
      a.lw(T1, KP.claimant, ZERO);
      a.bal('packet.charge');
      a.bne(V1, ZERO, 'packet.end', (slot) => slot.sll(V0, V0, 2));
      a.addu(LAST, COPY, V0);
      a.label('packet.copy');
      emitPause(a);
      a.beq(COPY, LAST, 'packet.end');
      a.lw(V0, 0, COPY);
      a.addiu(COPY, COPY, 4);
      emitFilter(a, T1, V0);
      a.lw(A1, FILTER.env, T1);
      emitIndebted(a, A1, 'packet.copy');
      emitCount(a, T1, FILTER.accepted, T0);
      a.lw(A0, FILTER.ring, T1);
      a.lw(A3, FILTER.id, T1);
      a.beq(A0, ZERO, 'packet.copy', (slot) => slot.addiu(A1, A1, ENV.credit));
      a.sw(A1, KP.claimant, ZERO);
      a.move(A1, PACKET);
      a.bal('ring.put', (slot) => slot.move(A2, LENGTH));
      a.lw(T1, KP.claimant, ZERO);
      a.bal('packet.charge');
      a.b('packet.copy');
    },
  );
}
