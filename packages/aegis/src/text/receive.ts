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
  type SlotAssembler,
  type Register,
} from '@exokernel/isa';
import { ENV, FILTER, PACKET_BYTES_MAX, RING, SLICE, SYSTEM, TAP } from '@exokernel/abi';
import { FILTER_SHIFT, INTERRUPT, KP, KSEG0, LOOPS_MAX, NET, PHYSICAL, PIECE_CYCLES, SYSTEM_TABLE } from '../layout.ts';
import { ACTIVATION } from '@exokernel/vcode';
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

/** Throughout: the descriptor (its address less NET.receiveRing), its byte offset in the ring, the packet under way, the way back. */
const DESCRIPTOR = S1;
const INDEX = S2;
const PACKET = S3;
const LENGTH = S4;
const BACK = S6;
/** Two registers have several roles: the next tap, the handler's answer, the end of the list of copies; */
const TAP_AT = S0;
const ANSWER = S0;
const LAST = S0;
/** the filter that claims the packet, the place in the list of copies. */
const CLAIMED = S5;
const COPY = S5;

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
    { does: 'Dropped unseen; a quiet controller keeps what it has until it is listened to again.', in: { first: T0 } },
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

/** Emits: nothing waits for the next interrupt. */
function emitForget(a: SlotAssembler): void {
  a.mtc0(ZERO, CP0_CAUSE);
  a.sw(ZERO, KP.packetResume, ZERO);
}

/** Emits a pause, if this interrupt has taken long enough. Uses t0, t1 and ra; of the others only those of KEPT survive. */
function emitPause(a: SlotAssembler): void {
  a.lw(T1, KP.interrupted, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.addiu(T1, T1, PIECE_CYCLES);
  a.subu(T0, T0, T1);
  a.bgezal(T0, 'receive.pause');
}

/** Emits: the packet goes to the tap s0 and to those after it, marked as `mark`. */
function emitTaps(a: SlotAssembler, label: string, mark: number): void {
  const next = a.fresh('tapped');
  const indebted = a.fresh('tap.indebted');
  a.label(label);
  a.lw(T1, RING.env, TAP_AT);
  a.nop();
  emitIndebted(a, T1, indebted);
  a.move(A0, TAP_AT);
  a.move(A1, PACKET);
  a.move(A2, LENGTH);
  a.bal('ring.put', (slot) => slot.li(A3, mark));
  a.lw(T1, RING.env, TAP_AT);
  a.bal('packet.charge', (slot) => slot.addiu(T1, T1, ENV.credit));
  a.b(next);
  a.label(indebted);
  emitCount(a, T1, ENV.packetsDropped, T0);
  a.label(next);
  a.lw(TAP_AT, RING.nextTap, TAP_AT);
  emitPause(a);
  a.bne(TAP_AT, ZERO, label);
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

/** Emits: to `indebted` if the environment at `env` owes more than a quantum. Uses t0 and t2. */
function emitIndebted(a: SlotAssembler, env: Register, indebted: string): void {
  a.lw(T2, KP.quantum, ZERO);
  a.lw(T0, ENV.credit, env);
  a.nop();
  a.addu(T0, T0, T2);
  a.slt(T0, T0, ZERO);
  a.bne(T0, ZERO, indebted);
}

/** Those that get copies, and the end. */
function emitCopies(a: SlotAssembler): void {
  routine(a, 'packet.copies', { does: 'Filters that only read along.', in: { packet: PACKET, length: LENGTH } }, () => {
    a.lw(T9, KP.copies, ZERO);
    a.lw(T1, KP.claimant, ZERO);
    a.bne(T9, ZERO, 'packet.find');
    a.bal('packet.charge');
  });
  routine(
    a,
    'packet.end',
    {
      does: 'The packet has been seen to. Whose descriptor is to be released?',
      in: { descriptor: DESCRIPTOR },
      out: { first: T0 },
    },
    () => {
      a.lw(T1, KP.sender, ZERO);
      a.nop();
      a.beq(T1, ZERO, 'receive.release', (slot) => slot.lw(T0, NET.receiveRing, DESCRIPTOR));
      a.b('own.done');
    },
  );
  routine(a, 'packet.nowhere', { does: 'The filter has no ring: counted, and gone.', in: { filter: CLAIMED } }, () => {
    a.lw(T1, FILTER.env, CLAIMED);
    a.nop();
    emitCount(a, T1, ENV.packetsDropped, T0);
    a.b('packet.copies');
  });
  routine(
    a,
    'packet.indebted',
    { does: 'The owner owes more than a quantum: the packet is gone.', in: { env: T1 } },
    () => {
      emitCount(a, T1, ENV.packetsDropped, T0);
      a.b('packet.unpayable');
    },
  );
  routine(a, 'packet.unclaimed', { does: 'No filter claims it: the unpayable part of the tick pays.' }, () => {
    a.li(T1, SYSTEM_TABLE);
    emitCount(a, T1, SYSTEM.unclaimed, T0);
    a.label('packet.unpayable');
    a.addiu(T1, ZERO, KP.unpayable);
    a.b('packet.copies', (slot) => slot.sw(T1, KP.claimant, ZERO));
  });
  routine(
    a,
    'packet.charge',
    {
      does: 'What has been done since the last charge is charged to the word at t1, or to the sender.',
      in: { payer: T1, back: RA },
      out: { now: T0 },
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

/** A packet that was sent here, and is wanted here too. */
function emitOwn(a: SlotAssembler): void {
  routine(
    a,
    'own.sent',
    {
      does: 'A packet that was sent here, and is wanted here too: taps first.',
      out: { packet: PACKET, length: LENGTH },
      uses: { tap: TAP_AT, kept: S5 },
    },
    () => {
      a.sw(ZERO, KP.loops, ZERO);
      a.label('own');
      emitForget(a);
      a.lw(PACKET, KP.ownPacket, ZERO);
      a.lw(LENGTH, KP.ownLength, ZERO);
      a.lw(TAP_AT, KP.ownTap, ZERO);
      a.sw(ZERO, KP.ownLength, ZERO);
      a.sw(ZERO, KP.claimant, ZERO);
      a.beq(TAP_AT, ZERO, 'own.tapped', (slot) => slot.move(S5, PACKET));
      emitTaps(a, 'own.tap', TAP.out);
    },
  );
  routine(a, 'own.tapped', { does: 'Is it for this station? Its sender pays.' }, () => {
    a.lw(T0, KP.ownHere, ZERO);
    a.lw(T1, KP.ownSender, ZERO);
    a.beq(T0, ZERO, 'receive.more', (slot) => slot.lw(T3, KP.loops, ZERO));
    emitIndebted(a, T1, 'own.dropped');
    a.sltiu(T0, T3, LOOPS_MAX);
    a.beq(T0, ZERO, 'own.dropped', (slot) => slot.addiu(T3, T3, 1));
    a.sw(T3, KP.loops, ZERO);
    a.sw(T1, KP.sender, ZERO);
    a.bal('packet.payer');
    a.b('packet');
  });
  routine(a, 'own.dropped', { does: 'Too many came back, or the sender is in debt.' }, () => {
    emitCount(a, ZERO, KP.loopsDropped, T0);
    a.b('receive.more');
  });
  routine(a, 'own.done', { does: 'A packet from here has been seen to.' }, () => {
    a.sw(ZERO, KP.sender, ZERO);
    a.b('receive.more', (slot) => slot.sw(ZERO, KP.senderPays, ZERO));
  });
  routine(
    a,
    'packet.payer',
    {
      does: 'The sender at t1 pays: the slice that it runs in, or its credit. A slice at its end is not to overrun for it.',
      in: { sender: T1, back: RA },
    },
    () => {
      a.lw(T2, KP.env, ZERO);
      a.lw(T0, KP.payer, ZERO);
      a.bne(T1, T2, 'packet.debtor', (slot) => slot.lw(T2, KP.noSlice, ZERO));
      a.nop();
      a.beq(T0, T2, 'packet.debtor', (slot) => slot.lw(T2, KP.ending, ZERO));
      a.nop();
      a.bne(T2, ZERO, 'packet.debtor', (slot) => slot.addiu(T0, T0, SLICE.credit));
      a.jr(RA, (slot) => slot.sw(T0, KP.senderPays, ZERO));
      a.label('packet.debtor');
      a.addiu(T0, T1, ENV.credit);
      a.jr(RA, (slot) => slot.sw(T0, KP.senderPays, ZERO));
    },
  );
}
