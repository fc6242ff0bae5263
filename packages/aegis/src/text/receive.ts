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
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { ENV, FILTER, PACKET_BYTES_MAX, RING, SLICE, SYSTEM, TAP } from '@exokernel/abi';
import { FILTER_SHIFT, INTERRUPT, KP, KSEG0, LOOPS_MAX, NET, PHYSICAL, PIECE_CYCLES, SYSTEM_TABLE } from '../layout.ts';
import { emitCount } from './ring.ts';

/** Offsets in an activation record of downloaded code: see `@exokernel/vcode`. */
const ACTIVATION = { fuel: 0, status: 4, message: 8, messageLength: 12 } as const;
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
export function emitReceive(a: Assembler): void {
  a.label('receive');
  a.move(S6, RA);
  a.lui(T0, NET.registers >>> 16);
  a.lhu(T1, 0, T0);
  a.lw(T2, KP.inea, ZERO);
  a.lw(S2, KP.receiveIndex, ZERO);
  a.andi(T1, T1, CSR0_STATUS);
  a.or(T1, T1, T2);
  a.sh(T1, 0, T0);
  a.lw(T2, KP.interrupted, ZERO);
  a.lw(T3, KP.packetResume, ZERO);
  a.sw(T2, KP.charged, ZERO);
  a.bne(T3, ZERO, 'receive.resume');
  a.lui(S1, NET.memory >>> 16);

  a.label('receive.next');
  a.addu(S1, S1, S2);
  a.lw(T0, NET.receiveRing, S1);
  a.lw(T1, KP.unpayable, ZERO);
  a.bltz(T0, 'receive.done');
  a.lw(T2, NET.receiveRing + 4, S1);
  a.bltz(T1, 'receive.unseen');
  a.lui(T1, ERR_STP_ENP);
  a.and(T1, T0, T1);
  a.lui(T3, STP_ENP);
  a.bne(T1, T3, 'receive.release');
  a.sll(S3, T0, 8);
  a.srl(S3, S3, 8);
  a.lui(T1, NET.memory >>> 16);
  a.or(S3, S3, T1);
  a.srl(S4, T2, 16);
  a.andi(S4, S4, 0xfff);
  a.lw(S0, KP.tap, ZERO);
  a.addiu(S4, S4, -4);
  a.beq(S0, ZERO, 'packet');
  a.sw(ZERO, KP.loops, ZERO);
  a.move(S5, S3);
  emitTaps(a, 'receive.tap', TAP.in);

  emitPacket(a);

  // The packet under way is done with; t0 is the first word of its descriptor.
  a.label('receive.release');
  a.lui(T1, OWN);
  a.sll(T0, T0, 8);
  a.srl(T0, T0, 8);
  a.or(T0, T0, T1);
  a.sw(T0, NET.receiveRing, S1);
  a.addiu(S2, S2, 8);
  a.andi(S2, S2, NET.ringBytes - 1);
  a.label('receive.more');
  a.lw(T1, KP.interrupted, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.addiu(T1, T1, PIECE_CYCLES);
  a.lw(S4, KP.ownLength, ZERO);
  a.subu(T0, T0, T1);
  a.bgez(T0, 'receive.rest');
  a.lui(S1, NET.memory >>> 16);
  a.beq(S4, ZERO, 'receive.next');
  a.nop();
  a.b('own');
  a.nop();

  a.label('receive.done');
  a.lw(T1, KP.unpayable, ZERO);
  a.sw(ZERO, KP.claimant, ZERO);
  a.bgez(T1, 'receive.end');
  a.lui(T0, NET.registers >>> 16);
  a.sw(ZERO, KP.inea, ZERO);
  a.sh(ZERO, 0, T0);
  a.label('receive.end');
  a.jr(S6);
  a.sw(S2, KP.receiveIndex, ZERO);

  // A quiet controller keeps what it has until it is listened to again.
  a.label('receive.unseen');
  a.lw(T2, KP.inea, ZERO);
  a.li(T1, SYSTEM_TABLE);
  a.beq(T2, ZERO, 'receive.done');
  a.nop();
  emitCount(a, T1, SYSTEM.unseen, T2);
  a.b('receive.release');
  a.nop();

  // Long enough. Is there more to do at all?
  a.label('receive.rest');
  a.li(S5, 1);
  a.la(RA, 'receive.more');
  a.bne(S4, ZERO, 'receive.pause');
  a.addu(S1, S1, S2);
  a.lw(T0, NET.receiveRing, S1);
  a.nop();
  a.bltz(T0, 'receive.done');
  a.nop();

  // Goes on at ra in the next interrupt, which comes when this one has returned. What has been done is paid.
  a.label('receive.pause');
  a.sw(RA, KP.packetResume, ZERO);
  for (const [register, field] of KEPT) a.sw(register, field, ZERO);
  a.lw(T1, KP.claimant, ZERO);
  a.nop();
  a.sw(T1, KP.packetClaimant, ZERO);
  a.beq(T1, ZERO, 'receive.paused');
  a.nop();
  a.bal('packet.charge');
  a.nop();
  a.label('receive.paused');
  a.sw(ZERO, KP.claimant, ZERO);
  a.li(T0, INTERRUPT.packets);
  a.mtc0(T0, CP0_CAUSE);
  a.b('receive.end');
  a.nop();

  // Goes on at t3, where an interrupt before has stopped; or begins with a packet from here, that xmit has left.
  a.label('receive.resume');
  emitForget(a);
  for (const [register, field] of KEPT) a.lw(register, field, ZERO);
  a.lw(T1, KP.packetClaimant, ZERO);
  a.nop();
  a.sw(T1, KP.claimant, ZERO);
  a.lw(T1, KP.sender, ZERO);
  a.addu(S1, S1, S2);
  a.beq(T1, ZERO, 'receive.resumed');
  a.nop();
  a.bal('packet.payer');
  a.nop();
  a.label('receive.resumed');
  a.beq(S5, ZERO, 'packet.copies');
  a.nop();
  a.jr(T3);
  a.nop();

  emitOwn(a);
}

/** Emits: nothing waits for the next interrupt. */
function emitForget(a: Assembler): void {
  a.mtc0(ZERO, CP0_CAUSE);
  a.sw(ZERO, KP.packetResume, ZERO);
}

/** Emits a pause, if this interrupt has taken long enough. Uses t0, t1 and ra; of the others only those of KEPT survive. */
function emitPause(a: Assembler): void {
  a.lw(T1, KP.interrupted, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.addiu(T1, T1, PIECE_CYCLES);
  a.subu(T0, T0, T1);
  a.emit('bgezal', [T0, 'receive.pause']);
  a.nop();
}

/** Emits: the packet goes to the tap s0 and to those after it, marked as `mark`. */
function emitTaps(a: Assembler, label: string, mark: number): void {
  const next = a.fresh('tapped');
  const indebted = a.fresh('tap.indebted');
  a.label(label);
  a.lw(T1, RING.env, S0);
  a.nop();
  emitIndebted(a, T1, indebted);
  a.move(A0, S0);
  a.move(A1, S3);
  a.move(A2, S4);
  a.bal('ring.put');
  a.li(A3, mark);
  a.lw(T1, RING.env, S0);
  a.bal('packet.charge');
  a.addiu(T1, T1, ENV.credit);
  a.b(next);
  a.nop();
  a.label(indebted);
  emitCount(a, T1, ENV.packetsDropped, T0);
  a.label(next);
  a.lw(S0, RING.nextTap, S0);
  emitPause(a);
  a.bne(S0, ZERO, label);
  a.nop();
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

/** `packet`: sees to the packet at s3 (word-aligned, s4 bytes). Falls into `receive.release`, or goes to `own.done`. */
function emitPacket(a: Assembler): void {
  // Whose is it?
  a.label('packet');
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
  emitPause(a);

  // Its handler.
  a.lw(T9, FILTER.handler, S5);
  a.lw(A0, FILTER.activation, S5);
  a.beq(T9, ZERO, 'packet.deliver');
  a.lw(T0, FILTER.fuel, S5);
  emitDownloaded(a);
  a.bne(V1, ZERO, 'packet.aborted');
  a.move(S0, V0);
  emitPause(a);
  a.andi(T1, S0, 0xffff);
  a.beq(T1, ZERO, 'packet.deliver');
  a.srl(A1, S0, 16);
  a.sltiu(T0, A1, PACKET_BYTES_MAX + 1);
  a.sltiu(T1, T1, VERDICT_UPCALL + 1);
  a.and(T0, T0, T1);
  a.beq(T0, ZERO, 'packet.aborted');
  a.nop();
  emitCount(a, S5, FILTER.consumed, T0);
  a.beq(A1, ZERO, 'packet.replied');
  a.lw(A0, FILTER.reply, S5);
  a.bal('transmit.send');
  a.lw(A3, FILTER.env, S5);
  a.lw(T1, FILTER.env, S5);
  a.bltz(V0, 'packet.busy');
  a.nop();
  emitCount(a, T1, ENV.packetsOut, T0);
  a.b('packet.replied');
  a.nop();
  a.label('packet.busy');
  emitCount(a, T1, ENV.xmitBusy, T0);
  a.label('packet.replied');
  a.andi(T1, S0, 0xffff);
  a.li(T0, VERDICT_UPCALL);
  a.beq(T0, T1, 'packet.deliver');
  a.lw(T1, FILTER.env, S5);
  a.nop();
  emitCount(a, T1, ENV.packetsIn, T0);
  a.b('packet.copies');
  a.nop();
  a.label('packet.aborted');
  emitCount(a, S5, FILTER.aborted, T0);
  emitPause(a);

  // Its ring.
  a.label('packet.deliver');
  a.lw(A0, FILTER.ring, S5);
  a.lw(A3, FILTER.id, S5);
  a.beq(A0, ZERO, 'packet.nowhere');
  a.move(A1, S3);
  a.bal('ring.put');
  a.move(A2, S4);

  emitCopies(a);
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

/** Those that get copies, and the end. */
function emitCopies(a: Assembler): void {
  a.label('packet.copies');
  a.lw(T9, KP.copies, ZERO);
  a.lw(T1, KP.claimant, ZERO);
  a.bne(T9, ZERO, 'packet.find');
  a.nop();
  a.bal('packet.charge');
  a.nop();
  a.label('packet.end');
  a.lw(T1, KP.sender, ZERO);
  a.nop();
  a.beq(T1, ZERO, 'receive.release');
  a.lw(T0, NET.receiveRing, S1);
  a.b('own.done');
  a.nop();

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

  // charge: what has been done since the last charge is charged to the word at t1, or to the sender. t0 = the cycle. Uses t1 to t3.
  a.label('packet.charge');
  a.lw(T2, KP.charged, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.lw(T3, KP.senderPays, ZERO);
  a.subu(T2, T0, T2);
  a.beq(T3, ZERO, 'packet.charged');
  a.sw(T0, KP.charged, ZERO);
  a.move(T1, T3);
  a.label('packet.charged');
  a.lw(T3, 0, T1);
  a.nop();
  a.subu(T3, T3, T2);
  a.jr(RA);
  a.sw(T3, 0, T1);

  a.label('packet.find');
  a.li(S5, KSEG0 + PHYSICAL.copies);
  emitPause(a);
  a.lw(T9, KP.copies, ZERO);
  a.li(A0, KSEG0 + PHYSICAL.copiesActivation);
  a.beq(T9, ZERO, 'packet.end');
  a.li(T0, DEMUX_FUEL);
  emitDownloaded(a);
  a.lw(T1, KP.claimant, ZERO);
  a.bal('packet.charge');
  a.nop();
  a.bne(V1, ZERO, 'packet.end');
  a.sll(V0, V0, 2);
  a.addu(S0, S5, V0);
  a.label('packet.copy');
  emitPause(a);
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

/** A packet that was sent here, and is wanted here too. */
function emitOwn(a: Assembler): void {
  a.label('own.sent');
  a.sw(ZERO, KP.loops, ZERO);
  a.label('own');
  emitForget(a);
  a.lw(S3, KP.ownPacket, ZERO);
  a.lw(S4, KP.ownLength, ZERO);
  a.lw(S0, KP.ownTap, ZERO);
  a.sw(ZERO, KP.ownLength, ZERO);
  a.sw(ZERO, KP.claimant, ZERO);
  a.beq(S0, ZERO, 'own.tapped');
  a.move(S5, S3);
  emitTaps(a, 'own.tap', TAP.out);
  a.label('own.tapped');
  a.lw(T0, KP.ownHere, ZERO);
  a.lw(T1, KP.ownSender, ZERO);
  a.beq(T0, ZERO, 'receive.more');
  a.lw(T3, KP.loops, ZERO);
  emitIndebted(a, T1, 'own.dropped');
  a.sltiu(T0, T3, LOOPS_MAX);
  a.beq(T0, ZERO, 'own.dropped');
  a.addiu(T3, T3, 1);
  a.sw(T3, KP.loops, ZERO);
  a.sw(T1, KP.sender, ZERO);
  a.bal('packet.payer');
  a.nop();
  a.b('packet');
  a.nop();
  a.label('own.dropped');
  emitCount(a, ZERO, KP.loopsDropped, T0);
  a.b('receive.more');
  a.nop();

  a.label('own.done');
  a.sw(ZERO, KP.sender, ZERO);
  a.b('receive.more');
  a.sw(ZERO, KP.senderPays, ZERO);

  // payer: the sender at t1 pays, by the slice that it runs in, or of its credit. At its end a slice is not to overrun for it.
  a.label('packet.payer');
  a.lw(T2, KP.env, ZERO);
  a.lw(T0, KP.payer, ZERO);
  a.bne(T1, T2, 'packet.debtor');
  a.lw(T2, KP.noSlice, ZERO);
  a.nop();
  a.beq(T0, T2, 'packet.debtor');
  a.lw(T2, KP.ending, ZERO);
  a.nop();
  a.bne(T2, ZERO, 'packet.debtor');
  a.addiu(T0, T0, SLICE.credit);
  a.jr(RA);
  a.sw(T0, KP.senderPays, ZERO);
  a.label('packet.debtor');
  a.addiu(T0, T1, ENV.credit);
  a.jr(RA);
  a.sw(T0, KP.senderPays, ZERO);
}
