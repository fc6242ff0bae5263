/**
 * Rings at access time: a packet is scattered over the buffers of a slot, or gathered from them. [SOSP95 §5.5], [XOK]
 *
 * The slots lie in memory that the application writes at any time, so each word of a slot is loaded once and checked before
 * it is used: a buffer lies within one frame that was bound to the ring, or the slot is refused. What belongs to the ring
 * was checked when it was bound.
 */
import {
  A0,
  A1,
  A2,
  A3,
  RA,
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
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { ENV, PAGE_BYTES, RING, RING_BUFFERS, RING_SLOT, RING_SLOT_BYTES } from '@exokernel/abi';

const SLOT_SHIFT = Math.log2(RING_SLOT_BYTES);
const BUFFER_BYTES = 8;

/** Emits `counter at offset of base += 1`. */
export function emitCount(a: Assembler, base: Register, offset: number, scratch: Register): void {
  a.lw(scratch, offset, base);
  a.nop();
  a.addiu(scratch, scratch, 1);
  a.sw(scratch, offset, base);
}

/** Emits a copy of whole words from `from` up to `end` (at least one) to `to`; all but `end` are used up. */
export function emitCopyWords(a: Assembler, from: Register, end: Register, to: Register, scratch: Register): void {
  const loop = a.fresh('copy');
  a.label(loop);
  a.lw(scratch, 0, from);
  a.addiu(from, from, 4);
  a.sw(scratch, 0, to);
  a.bne(from, end, loop);
  a.addiu(to, to, 4);
}

/** Emits `slot = address of the slot that is next`, by way of `scratch`. */
export function emitSlot(a: Assembler, slot: Register, ring: Register, scratch: Register): void {
  a.lw(slot, RING.index, ring);
  a.lw(scratch, RING.frame, ring);
  a.sll(slot, slot, SLOT_SHIFT);
  a.addu(slot, slot, scratch);
}

/** Emits the step to the next slot: `index` is the present one's number, `scratch` is used. */
export function emitAdvance(a: Assembler, ring: Register, index: Register, scratch: Register): void {
  const store = a.fresh('advance');
  a.lw(scratch, RING.slots, ring);
  a.addiu(index, index, 1);
  a.bne(index, scratch, store);
  a.nop();
  a.move(index, ZERO);
  a.label(store);
  a.sw(index, RING.index, ring);
}

/**
 * Emits: t7 = address and t8 = length of the buffer at t5, which is stepped on; to `refused` if it is none. Uses v0, v1, t2.
 * `alignment` is 3 if its length must be a multiple of four, else 0.
 */
function emitBuffer(a: Assembler, ring: Register, alignment: 3 | 0, refused: string): void {
  a.lw(T7, 0, T5);
  a.lw(T8, 4, T5);
  a.addiu(T5, T5, BUFFER_BYTES);
  if (alignment === 0) a.andi(V0, T7, 3);
  else {
    a.or(V0, T7, T8);
    a.andi(V0, V0, alignment);
  }
  a.bne(V0, ZERO, refused);
  a.addiu(V0, T8, -1);
  a.sltiu(V0, V0, PAGE_BYTES);
  a.beq(V0, ZERO, refused);
  a.andi(V1, T7, PAGE_BYTES - 1);
  a.addu(V0, V1, T8);
  a.sltiu(V0, V0, PAGE_BYTES + 1);
  a.beq(V0, ZERO, refused);
  a.lw(T2, RING.frames, ring);
  a.srl(T7, T7, 12);
  a.sltu(T2, T7, T2);
  a.beq(T2, ZERO, refused);
  a.sll(T7, T7, 2);
  a.addu(T7, T7, ring);
  a.lw(T7, RING.frame, T7);
  a.nop();
  a.beq(T7, ZERO, refused);
  a.addu(T7, T7, V1);
}

/**
 * `ring.put`: the packet at a1 (word-aligned, a2 bytes) to the next slot of receive ring a0, with a3 as its filter; its
 * environment is woken. A packet without room is counted and gone. Keeps a0 to a3 and s0 to s7.
 */
export function emitRingPut(a: Assembler): void {
  a.label('ring.put');
  a.lw(T1, RING.index, A0);
  emitSlot(a, T0, A0, T2);
  a.lw(T2, RING_SLOT.length, T0);
  a.move(T3, A1);
  a.bne(T2, ZERO, 'ring.refused');
  a.addu(T4, A1, A2);
  a.addiu(T5, T0, RING_SLOT.buffers);
  a.addiu(T6, T5, BUFFER_BYTES * RING_BUFFERS);

  a.label('ring.scatter');
  emitBuffer(a, A0, 3, 'ring.refused');
  // Up to t8: the end of the buffer, or of the packet in whole words.
  a.addu(T8, T3, T8);
  a.sltu(V0, T8, T4);
  a.bne(V0, ZERO, 'ring.copy');
  a.addiu(V1, T4, 3);
  a.srl(T8, V1, 2);
  a.sll(T8, T8, 2);
  a.label('ring.copy');
  emitCopyWords(a, T3, T8, T7, T2);
  a.beq(V0, ZERO, 'ring.whole');
  a.nop();
  a.bne(T5, T6, 'ring.scatter');
  a.nop();

  a.label('ring.refused');
  emitCount(a, A0, RING.refused, T2);
  a.lw(T1, RING.env, A0);
  a.nop();
  emitCount(a, T1, ENV.packetsDropped, T2);
  a.ret();
  a.nop();

  a.label('ring.whole');
  a.sw(A3, RING_SLOT.filter, T0);
  a.sw(A2, RING_SLOT.length, T0);
  emitAdvance(a, A0, T1, T2);
  emitCount(a, A0, RING.packets, T2);
  a.lw(T1, RING.env, A0);
  a.li(T3, 1);
  emitCount(a, T1, ENV.packetsIn, T2);
  a.jr(RA);
  a.sw(T3, ENV.pending, T1);
}

/**
 * Emits: gathers a1 bytes from the buffers of the slot `slot` of `ring` to the address v0, or goes to `refused`. Stores up
 * to three bytes more. Uses a0, t2 to t9, v0, v1.
 */
export function emitGather(a: Assembler, ring: Register, slot: Register, refused: string): void {
  a.move(T3, V0);
  a.addu(T4, V0, A1);
  a.addiu(T5, slot, RING_SLOT.buffers);
  a.addiu(T6, T5, BUFFER_BYTES * RING_BUFFERS);

  a.label('gather');
  emitBuffer(a, ring, 0, refused);
  a.addu(T8, T3, T8);
  a.sltu(T9, T8, T4);
  a.bne(T9, ZERO, 'gather.copy');
  a.andi(V0, T3, 3);
  a.move(T8, T4);
  a.label('gather.copy');
  a.bne(V0, ZERO, 'gather.unaligned');
  a.nop();
  a.label('gather.words');
  a.lw(A0, 0, T7);
  a.addiu(T3, T3, 4);
  a.sltu(V0, T3, T8);
  a.addiu(T7, T7, 4);
  a.bne(V0, ZERO, 'gather.words');
  a.sw(A0, -4, T3);
  a.b('gather.next');
  a.nop();
  a.label('gather.unaligned');
  a.lw(A0, 0, T7);
  a.addiu(T3, T3, 4);
  a.sltu(V0, T3, T8);
  a.addiu(T7, T7, 4);
  a.swr(A0, -4, T3);
  a.bne(V0, ZERO, 'gather.unaligned');
  a.swl(A0, -1, T3);
  a.label('gather.next');
  a.beq(T9, ZERO, 'gather.whole');
  a.move(T3, T8);
  a.bne(T5, T6, 'gather');
  a.nop();
  a.b(refused);
  a.nop();
  a.label('gather.whole');
}
