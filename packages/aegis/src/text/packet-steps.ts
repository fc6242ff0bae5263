/**
 * What the steps of the packet path share: its registers, and pieces of code. The path is receive.ts and own.ts.
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_CAUSE,
  CP0_COUNT,
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
  ZERO,
  type Register,
  type SlotAssembler,
} from '@exokernel/isa';
import { ENV, RING } from '@exokernel/abi';
import { KP, PIECE_CYCLES } from '../layout.ts';
import { FAMILY, TABLES } from '../tables.ts';
import { emitCount } from './ring.ts';

/** Throughout: the descriptor (its address less NET.receiveRing), its byte offset in the ring, the packet under way, the way back. */
export const DESCRIPTOR: Register = S1;
export const INDEX: Register = S2;
export const PACKET: Register = S3;
export const LENGTH: Register = S4;
export const BACK: Register = S6;
/** Two registers have several roles: the next tap, the handler's answer, the end of the list of copies; */
export const TAP_AT: Register = S0;
export const ANSWER: Register = S0;
export const LAST: Register = S0;
/** the filter that claims the packet, the place in the list of copies. */
export const CLAIMED: Register = S5;
export const COPY: Register = S5;

/** log2 of a family's record. */
const FAMILY_SHIFT: number = Math.log2(TABLES.families.bytes);

/** Emits: nothing waits for the next interrupt. */
export function emitForget(a: SlotAssembler): void {
  a.mtc0(ZERO, CP0_CAUSE);
  a.sw(ZERO, KP.packetResume, ZERO);
}

/** Emits a pause, if this interrupt has taken long enough. Uses t0, t1 and ra; of the others only those of KEPT survive. */
export function emitPause(a: SlotAssembler): void {
  a.lw(T1, KP.interrupted, ZERO);
  a.mfc0(T0, CP0_COUNT);
  a.addiu(T1, T1, PIECE_CYCLES);
  a.subu(T0, T0, T1);
  a.bgezal(T0, 'receive.pause');
}

/** Emits: the packet goes to the tap s0 and to those after it, marked as `mark`. */
export function emitTaps(a: SlotAssembler, label: string, mark: number): void {
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
  a.b(next, (slot) => slot.sw(T1, KP.claimant, ZERO));
  a.label(indebted);
  emitCount(a, T1, ENV.packetsDropped, T0);
  a.label(next);
  a.lw(TAP_AT, RING.nextTap, TAP_AT);
  emitPause(a);
  a.bne(TAP_AT, ZERO, label);
}

/**
 * Emits: to `indebted` if the environment at `env`, with its family, owes more than a quantum. What it owed when it lost its last slice is its
 * family's: that must not be forgotten with each slice that comes and goes. Uses t0 and t2.
 */
export function emitIndebted(a: SlotAssembler, env: Register, indebted: string): void {
  a.lw(T2, KP.families, ZERO);
  a.lw(T0, ENV.family, env);
  a.nop();
  a.sll(T0, T0, FAMILY_SHIFT);
  a.addu(T2, T2, T0);
  a.lw(T2, FAMILY.credit, T2);
  a.lw(T0, ENV.credit, env);
  a.nop();
  a.addu(T0, T0, T2);
  a.lw(T2, KP.quantum, ZERO);
  a.nop();
  a.addu(T0, T0, T2);
  a.slt(T0, T0, ZERO);
  a.bne(T0, ZERO, indebted);
}
