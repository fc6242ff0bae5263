/**
 * Packets of this machine's own that it wants too: those that taps read, and those that are sent to its own address or to all. `xmit`
 * leaves them to an interrupt; they come the same way as what arrives (receive.ts). The sender pays: what a debtor sends is not
 * for this station (transmit.ts).
 */
import { A0, A1, A2, A3, RA, S5, T0, T1, T2, T3, T9, V0, ZERO, type SlotAssembler } from '@exokernel/isa';
import { ENV, FILTER, SLICE, TAP } from '@exokernel/abi';
import { KP, LOOPS_MAX } from '../layout.ts';
import { DEMUX_FUEL, emitDownloaded, emitFilter } from './packet.ts';
import { CLAIMED, LENGTH, PACKET, TAP_AT, emitForget, emitTaps } from './packet-steps.ts';
import { emitCount } from './ring.ts';
import { routine } from './routine.ts';

/** A packet that was sent here, and is wanted here too. */
export function emitOwn(a: SlotAssembler): void {
  routine(
    a,
    'own.sent',
    {
      does: 'A packet that was sent here, and is wanted here too: taps first.',
      out: { packet: PACKET, length: LENGTH },
      uses: { tap: TAP_AT, kept: S5 },
      scratch: [T1, T2, T0, A0, A1, A2, RA, A3],
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
  routine(a, 'own.tapped', { does: 'Is it for this station? Its sender pays.', scratch: [T0, T1, T3, RA] }, () => {
    a.lw(T0, KP.ownHere, ZERO);
    a.lw(T3, KP.loops, ZERO);
    a.beq(T0, ZERO, 'receive.more', (slot) => slot.lw(T1, KP.ownSender, ZERO));
    a.sltiu(T0, T3, LOOPS_MAX);
    a.beq(T0, ZERO, 'own.dropped', (slot) => slot.addiu(T3, T3, 1));
    a.sw(T3, KP.loops, ZERO);
    a.sw(T1, KP.sender, ZERO);
    a.bal('packet.payer', (slot) => slot.sltiu(T3, T3, 2));
    a.bne(T3, ZERO, 'packet');
  });
  routine(
    a,
    'own.answer',
    {
      does: 'An answer of a handler is for the family of who sent what it answers, and pays: others could have it pay for what they do.',
      out: { filter: CLAIMED, env: T1 },
      scratch: [T9, A0, T0, RA, V0, T2],
    },
    () => {
      a.lw(T9, KP.demux, ZERO);
      a.lw(A0, KP.demuxActivation, ZERO);
      a.beq(T9, ZERO, 'packet.unclaimed', (slot) => slot.li(T0, DEMUX_FUEL));
      emitDownloaded(a);
      a.beq(V0, ZERO, 'packet.unclaimed', (slot) => slot.addiu(V0, V0, -1));
      emitFilter(a, CLAIMED, V0);
      a.lw(T0, KP.sender, ZERO);
      a.lw(T1, FILTER.env, CLAIMED);
      a.lw(T0, ENV.family, T0);
      a.lw(T2, ENV.family, T1);
      a.nop();
      a.beq(T0, T2, 'packet.claimed');
      emitCount(a, ZERO, KP.loopsDropped, T0);
      a.bal('packet.charge');
      a.sw(T1, KP.claimant, ZERO);
    },
  );
  routine(a, 'own.done', { does: 'A packet from here has been seen to.' }, () => {
    a.sw(ZERO, KP.sender, ZERO);
    a.b('receive.more', (slot) => slot.sw(ZERO, KP.senderPays, ZERO));
  });
  routine(a, 'own.dropped', { does: 'Too many came back.', scratch: [T0] }, () => {
    emitCount(a, ZERO, KP.loopsDropped, T0);
    a.b('receive.more');
  });
  routine(
    a,
    'packet.payer',
    {
      does: 'The sender at t1 pays: the slice that it runs in, or its credit. A slice at its end is not to overrun for it.',
      in: { sender: T1, back: RA },
      scratch: [T2, T0],
      fast: { instructions: 12, when: 'if its slice pays' },
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
