/**
 * What is done with a packet: the filter that claims it, its handler, its ring, and the copies of those that only read along. [DPF96],
 * [ASH96] Between two steps it may pause (receive.ts).
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_COUNT,
  RA,
  S0,
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
import { ENV, FILTER, PACKET_BYTES_MAX, SLICE_BYTES, SYSTEM } from '@exokernel/abi';
import { FILTER_SHIFT, KP, KSEG0, NET, PHYSICAL, SENT_CYCLES, SYSTEM_TABLE } from '../layout.ts';
import { ACTIVATION } from '@exokernel/vcode';
import { ANSWER, CLAIMED, COPY, DESCRIPTOR, LAST, LENGTH, PACKET, emitIndebted, emitPause } from './packet-steps.ts';
import { emitCount } from './ring.ts';
import { routine } from './routine.ts';

/** Fuel for one run of the compiled filters, in instructions. They have no loops: this is only a backstop. */
export const DEMUX_FUEL = 0x7fff;
const VERDICT_UPCALL = 2;

/** Emits `record = record of the filter with the number in id`; uses id. */
export function emitFilter(a: SlotAssembler, record: Register, id: Register): void {
  a.sll(id, id, FILTER_SHIFT);
  a.lui(record, (KSEG0 + PHYSICAL.filters) >>> 16);
  a.addu(record, record, id);
}

/** Emits the call of the downloaded code at t9 for the packet, with the activation record at a0; t0 = its fuel. */
export function emitDownloaded(a: SlotAssembler): void {
  a.sw(PACKET, ACTIVATION.base, A0);
  a.sw(T0, ACTIVATION.fuel, A0);
  a.jalr(RA, T9, (slot) => slot.sw(LENGTH, ACTIVATION.length, A0));
}

/** `packet`: sees to the packet at s3 (word-aligned, s4 bytes). Falls into `receive.release`, or goes to `own.done`. */
export function emitPacket(a: SlotAssembler): void {
  routine(
    a,
    'packet',
    {
      does: 'Whose is the packet? One run of the filters of all environments. [DPF96]',
      in: { packet: PACKET, length: LENGTH },
      out: { filter: CLAIMED },
      scratch: [T9, A0, T0, RA, V0, V1, T1, T2, S0, A1, A3],
    },
    () => {
      a.lw(T9, KP.demux, ZERO);
      a.lw(A0, KP.demuxActivation, ZERO);
      a.beq(T9, ZERO, 'packet.unclaimed', (slot) => slot.li(T0, DEMUX_FUEL));
      emitDownloaded(a);
      a.beq(V0, ZERO, 'packet.unclaimed', (slot) => slot.addiu(V0, V0, -1));
      emitFilter(a, CLAIMED, V0);
      a.lw(T1, FILTER.env, CLAIMED);
      a.label('packet.claimed');
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
      a.note('wanted here too, it is an answer to the sender of what it answers, if that is of this machine');
      a.lw(V1, FILTER.env, CLAIMED);
      a.bal('transmit.send', (slot) => slot.lw(A3, KP.sender, ZERO));
      a.lw(T1, FILTER.env, CLAIMED);
      a.bltz(V0, 'packet.busy', (slot) => slot.lw(T0, KP.charged, ZERO));
      a.nop();
      a.addiu(T0, T0, -SENT_CYCLES);
      a.sw(T0, KP.charged, ZERO);
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

/** log2 of a position's bytes in the vector, and of the rounds in which an environment gets one copy of what others here send. */
const COPY_SHIFT: number = Math.log2(SLICE_BYTES) - 2;

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
      a.sw(T1, KP.claimant, ZERO);
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
      out: { now: T0, paid: T1 },
      scratch: [T2, T3],
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
      a.sw(T1, KP.claimant, ZERO);
      a.bne(V1, ZERO, 'packet.end', (slot) => slot.sll(V0, V0, 2));
      a.note('from here on those pay that read along, also if it comes from here');
      a.sw(ZERO, KP.senderPays, ZERO);
      a.addu(LAST, COPY, V0);
      a.label('packet.copy');
      emitPause(a);
      a.beq(COPY, LAST, 'packet.end');
      a.lw(V0, 0, COPY);
      a.addiu(COPY, COPY, 4);
      emitFilter(a, T1, V0);
      a.lw(A1, FILTER.env, T1);
      a.lw(T0, KP.sender, ZERO);
      a.lw(T2, ENV.credit, A1);
      a.beq(T0, ZERO, 'packet.along');
      a.beq(T0, A1, 'packet.along');
      a.note('of what comes from here a debtor gets none: else any sender could have it pay for more than it wants');
      a.bltz(T2, 'packet.copy');
      a.note('and one copy in four rounds of the vector, which may be long: one more would be much of its slice');
      a.lw(T0, KP.tick, ZERO);
      a.lw(T2, ENV.readAgain, A1);
      a.lw(A3, KP.vectorBytes, ZERO);
      a.subu(T2, T0, T2);
      a.bltz(T2, 'packet.copy', (slot) => slot.srl(A3, A3, COPY_SHIFT));
      a.addu(T0, T0, A3);
      a.sw(T0, ENV.readAgain, A1);
      a.label('packet.along');
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
