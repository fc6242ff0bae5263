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
  type SlotAssembler,
  type Register,
  type StraightAssembler,
} from '@exokernel/isa';
import { ENV, PAGE_BYTES, RING, RING_BUFFERS, RING_SLOT, RING_SLOT_BYTES } from '@exokernel/abi';
import { routine } from './routine.ts';

const SLOT_SHIFT = Math.log2(RING_SLOT_BYTES);
const BUFFER_BYTES = 8;

/** Of a copy to or from the buffers of a slot: the place in the packet and its end; the next buffer, and the end of the buffers; */
const FROM = T3;
const END = T4;
const BUFFER = T5;
const BUFFERS_END = T6;
/** of one buffer the address, and its length or the place in the packet up to which it goes. */
const ADDRESS = T7;
const UNTIL = T8;
/** Of `ring.put`: the slot. */
const SLOT = T0;

/** Emits `counter at offset of base += 1`. */
export function emitCount(a: StraightAssembler, base: Register, offset: number, scratch: Register): void {
  a.lw(scratch, offset, base);
  a.nop();
  a.addiu(scratch, scratch, 1);
  a.sw(scratch, offset, base);
}

/** Emits a copy of whole words from `from` up to `end` (at least one) to `to`; all but `end` are used up. */
export function emitCopyWords(a: SlotAssembler, from: Register, end: Register, to: Register, scratch: Register): void {
  const loop = a.fresh('copy');
  a.label(loop);
  a.lw(scratch, 0, from);
  a.addiu(from, from, 4);
  a.sw(scratch, 0, to);
  a.bne(from, end, loop, (slot) => slot.addiu(to, to, 4));
}

/** Emits `slot = address of the slot that is next`, by way of `scratch`. */
export function emitSlot(a: StraightAssembler, slot: Register, ring: Register, scratch: Register): void {
  a.lw(slot, RING.index, ring);
  a.lw(scratch, RING.frame, ring);
  a.sll(slot, slot, SLOT_SHIFT);
  a.addu(slot, slot, scratch);
}

/** Emits the step to the next slot: `index` is the present one's number, `scratch` is used. */
export function emitAdvance(a: SlotAssembler, ring: Register, index: Register, scratch: Register): void {
  const store = a.fresh('advance');
  a.lw(scratch, RING.slots, ring);
  a.addiu(index, index, 1);
  a.bne(index, scratch, store);
  a.move(index, ZERO);
  a.label(store);
  a.sw(index, RING.index, ring);
}

/**
 * Emits: ADDRESS and (in UNTIL) the length of the next buffer, which is stepped on; to `refused` if it is none. Uses v0, v1, t2.
 * `alignment` is 3 if its length must be a multiple of four, else 0.
 */
function emitBuffer(a: SlotAssembler, ring: Register, alignment: 3 | 0, refused: string): void {
  a.lw(ADDRESS, 0, BUFFER);
  a.lw(UNTIL, 4, BUFFER);
  a.addiu(BUFFER, BUFFER, BUFFER_BYTES);
  if (alignment === 0) a.andi(V0, ADDRESS, 3);
  else {
    a.or(V0, ADDRESS, UNTIL);
    a.andi(V0, V0, alignment);
  }
  a.bne(V0, ZERO, refused, (slot) => slot.addiu(V0, UNTIL, -1));
  a.sltiu(V0, V0, PAGE_BYTES);
  a.beq(V0, ZERO, refused, (slot) => slot.andi(V1, ADDRESS, PAGE_BYTES - 1));
  a.addu(V0, V1, UNTIL);
  a.sltiu(V0, V0, PAGE_BYTES + 1);
  a.beq(V0, ZERO, refused, (slot) => slot.lw(T2, RING.frames, ring));
  a.srl(ADDRESS, ADDRESS, 12);
  a.sltu(T2, ADDRESS, T2);
  a.beq(T2, ZERO, refused, (slot) => slot.sll(ADDRESS, ADDRESS, 2));
  a.addu(ADDRESS, ADDRESS, ring);
  a.lw(ADDRESS, RING.frame, ADDRESS);
  a.nop();
  a.beq(ADDRESS, ZERO, refused, (slot) => slot.addu(ADDRESS, ADDRESS, V1));
}

/**
 * `ring.put`: the packet at a1 (word-aligned, a2 bytes) to the next slot of receive ring a0, with a3 as its filter; its
 * environment is woken. A packet without room is counted and gone. Keeps a0 to a3 and s0 to s7.
 */
export function emitRingPut(a: SlotAssembler): void {
  routine(
    a,
    'ring.put',
    {
      does: 'The packet to the next slot of a receive ring; its environment is woken. One without room is counted and gone. [XOK]',
      in: { ring: A0, packet: A1, bytes: A2, filter: A3, back: RA },
      uses: {
        slot: SLOT,
        from: FROM,
        end: END,
        buffer: BUFFER,
        buffersEnd: BUFFERS_END,
        address: ADDRESS,
        until: UNTIL,
        isLast: V0,
      },
    },
    () => {
      a.lw(T1, RING.index, A0);
      emitSlot(a, SLOT, A0, T2);
      a.lw(T2, RING_SLOT.length, SLOT);
      a.move(FROM, A1);
      a.bne(T2, ZERO, 'ring.refused', (slot) => slot.addu(END, A1, A2));
      a.addiu(BUFFER, SLOT, RING_SLOT.buffers);
      a.addiu(BUFFERS_END, BUFFER, BUFFER_BYTES * RING_BUFFERS);

      a.label('ring.scatter');
      emitBuffer(a, A0, 3, 'ring.refused');
      a.note('up to t8: the end of the buffer, or of the packet in whole words');
      a.addu(UNTIL, FROM, UNTIL);
      a.sltu(V0, UNTIL, END);
      a.bne(V0, ZERO, 'ring.copy', (slot) => slot.addiu(V1, END, 3));
      a.srl(UNTIL, V1, 2);
      a.sll(UNTIL, UNTIL, 2);
      a.label('ring.copy');
      emitCopyWords(a, FROM, UNTIL, ADDRESS, T2);
      a.beq(V0, ZERO, 'ring.whole');
      a.bne(BUFFER, BUFFERS_END, 'ring.scatter');
    },
  );
  routine(
    a,
    'ring.refused',
    { does: 'A ring without room, or a slot that makes no sense: counted.', in: { ring: A0, back: RA } },
    () => {
      emitCount(a, A0, RING.refused, T2);
      a.lw(T1, RING.env, A0);
      a.nop();
      emitCount(a, T1, ENV.packetsDropped, T2);
      a.ret();
    },
  );
  routine(
    a,
    'ring.whole',
    {
      does: 'The slot holds the packet: on to the next one.',
      in: { ring: A0, slot: SLOT, bytes: A2, filter: A3, back: RA },
    },
    () => {
      a.sw(A3, RING_SLOT.filter, SLOT);
      a.sw(A2, RING_SLOT.length, SLOT);
      emitAdvance(a, A0, T1, T2);
      emitCount(a, A0, RING.packets, T2);
      a.lw(T1, RING.env, A0);
      a.li(FROM, 1);
      emitCount(a, T1, ENV.packetsIn, T2);
      a.jr(RA, (slot) => slot.sw(FROM, ENV.pending, T1));
    },
  );
}

/**
 * Emits: gathers a1 bytes from the buffers of the slot `slot` of `ring` to the address v0, or goes to `refused`. Stores up
 * to three bytes more. Uses a0, t2 to t9, v0, v1.
 */
export function emitGather(a: SlotAssembler, ring: Register, slot: Register, refused: string): void {
  a.move(FROM, V0);
  a.addu(END, V0, A1);
  a.addiu(BUFFER, slot, RING_SLOT.buffers);
  a.addiu(BUFFERS_END, BUFFER, BUFFER_BYTES * RING_BUFFERS);

  a.label('gather');
  emitBuffer(a, ring, 0, refused);
  a.addu(UNTIL, FROM, UNTIL);
  a.sltu(T9, UNTIL, END);
  a.bne(T9, ZERO, 'gather.copy', (slot) => slot.andi(V0, FROM, 3));
  a.move(UNTIL, END);
  a.label('gather.copy');
  a.bne(V0, ZERO, 'gather.unaligned');
  a.label('gather.words');
  a.lw(A0, 0, ADDRESS);
  a.addiu(FROM, FROM, 4);
  a.sltu(V0, FROM, UNTIL);
  a.addiu(ADDRESS, ADDRESS, 4);
  a.bne(V0, ZERO, 'gather.words', (slot) => slot.sw(A0, -4, FROM));
  a.b('gather.next');
  a.label('gather.unaligned');
  a.lw(A0, 0, ADDRESS);
  a.addiu(FROM, FROM, 4);
  a.sltu(V0, FROM, UNTIL);
  a.addiu(ADDRESS, ADDRESS, 4);
  a.swr(A0, -4, FROM);
  a.bne(V0, ZERO, 'gather.unaligned', (slot) => slot.swl(A0, -1, FROM));
  a.label('gather.next');
  a.beq(T9, ZERO, 'gather.whole', (slot) => slot.move(FROM, UNTIL));
  a.bne(BUFFER, BUFFERS_END, 'gather');
  a.b(refused);
  a.label('gather.whole');
}
