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
  ZERO,
  type SlotAssembler,
} from '@exokernel/isa';
import { SYSTEM, TAP } from '@exokernel/abi';
import { INTERRUPT, KP, NET, PIECE_CYCLES, SYSTEM_TABLE } from '../layout.ts';
import { emitOwn } from './own.ts';
import { emitPacket } from './packet.ts';
import { BACK, CLAIMED, DESCRIPTOR, INDEX, LENGTH, PACKET, TAP_AT, emitForget, emitTaps } from './packet-steps.ts';
import { emitCount } from './ring.ts';
import { routine } from './routine.ts';

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
 * Emits: what this interrupt has taken counts for arrivals, if the packet is from outside. When they have taken half of a tick, nothing more
 * is heard until the next: the slice that runs does not pay for them, but it must not wait for long either. Uses t0 to t3.
 */
function emitArrivals(a: SlotAssembler): void {
  const [taken, tick, scratch, used] = [T0, T1, T2, T3];
  const isHere = a.fresh('arrivals.here');
  const isSame = a.fresh('arrivals.same');
  a.li(scratch, NET.memory + NET.transmitBuffers);
  a.sltu(scratch, PACKET, scratch);
  a.mfc0(taken, CP0_COUNT);
  a.beq(scratch, ZERO, isHere, (slot) => slot.lw(scratch, KP.interrupted, ZERO));
  a.lw(tick, KP.due, ZERO);
  a.subu(taken, taken, scratch);
  a.lw(scratch, KP.arrivalsTick, ZERO);
  a.lw(used, KP.arrivals, ZERO);
  a.beq(tick, scratch, isSame);
  a.move(used, ZERO);
  a.sw(tick, KP.arrivalsTick, ZERO);
  a.label(isSame);
  a.lw(scratch, KP.quantum, ZERO);
  a.addu(used, used, taken);
  a.sw(used, KP.arrivals, ZERO);
  a.srl(scratch, scratch, 1);
  a.sltu(scratch, scratch, used);
  a.beq(scratch, ZERO, isHere, (slot) => slot.li(taken, -1));
  a.sw(taken, KP.unpayable, ZERO);
  a.label(isHere);
}

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
      a.lw(T3, KP.packetResume, ZERO);
      a.nop();
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
      a.note('what is left of this interrupt is for who pays for its last packet');
      a.lw(T1, KP.unpayable, ZERO);
      a.lui(T0, NET.registers >>> 16);
      a.bgez(T1, 'receive.end');
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
      scratch: [T1, RA, T0, T2, T3],
    },
    () => {
      a.sw(RA, KP.packetResume, ZERO);
      for (const [register, field] of KEPT) a.sw(register, field, ZERO);
      emitArrivals(a);
      a.lw(T1, KP.claimant, ZERO);
      a.nop();
      a.sw(T1, KP.packetClaimant, ZERO);
      a.beq(T1, ZERO, 'receive.paused');
      a.bal('packet.charge');
      a.sw(T1, KP.claimant, ZERO);
      a.label('receive.paused');
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
      a.lw(T1, KP.senderPays, ZERO);
      a.addu(DESCRIPTOR, DESCRIPTOR, INDEX);
      a.beq(T1, ZERO, 'receive.resumed', (slot) => slot.lw(T1, KP.sender, ZERO));
      a.bal('packet.payer');
      a.label('receive.resumed');
      a.beq(S5, ZERO, 'packet.copies');
      a.jr(T3);

      emitOwn(a);
    },
  );
}
