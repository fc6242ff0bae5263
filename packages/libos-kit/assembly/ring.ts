/**
 * Packet rings over pages of the environment: of each page two buffers lie behind what the slots may take, and the first has the slots, too. [SOSP95 §5.5]
 *
 * A full slot that receives and an empty one that sends are this environment's, all others the kernel's. Another environment may have been given the frames,
 * and may write the slots: so lengths are checked here, and no slot is asked where its buffer lies.
 */
import { E, ENTRYLO, PAGE_BYTES, PTE, PTE_SOFT, RING_SLOT, RING_SLOT_BYTES } from './abi';
import { frameFree, ringBind, ringExtend, tlbvad, xmit } from './calls';
import { Capability, capabilityAt } from './capability';
import { load32, page_entry, store32 } from './kit';

/** The longest packet, and a buffer for it. */
export const PACKET_BYTES: u32 = 1514;
export const BUFFER_BYTES: u32 = 1536;
/** Behind the most slots. */
const FIRST_BUFFER: usize = 1024;
/** Slots of a ring of this kind, at most. */
const SLOTS: i32 = 16;
/** Results of system calls. */
const RESULTS = memory.data(32);
/** A capability in the hand. */
const FRAME = capabilityAt(memory.data(16));

/** Bytes of a ring's record: place for one is `memory.data(RING_RECORD)`. */
export const RING_RECORD: i32 = 128;

@unmanaged
export class Ring {
  /** Its number, and its capability: what ring_bind gives. */
  number: i32;
  head: u32;
  name: u32;
  mac0: u32;
  mac1: u32;
  /** Address of its pages, and of the slot that is next. */
  pages: usize;
  slot: usize;
  /** Behind the last slot. */
  end: usize;
  /** Lengths that were nonsense. */
  refused: u32;

  get capability(): Capability {
    return capabilityAt(changetype<usize>(this) + offsetof<Ring>('head'));
  }

  /**
   * Binds it over pages from an address on: `slots` (2 to 16) with as many buffers, and `spare` buffers more; both even. The pages must be in the kit's
   * page table, and writable. Errors: E.RANGE, and those of ring_bind and ring_extend.
   */
  bind(transmit: bool, slots: i32, spare: i32, pages: usize): i32 {
    if (slots < 2 || slots > SLOTS || spare < 0 || spare > 64 || ((slots | spare) & 1) != 0) return E.RANGE;
    this.pages = pages;
    this.slot = pages;
    this.end = pages + slots * RING_SLOT_BYTES;
    this.refused = 0;
    const count = (slots + spare) >> 1;
    for (let i = 0; i < count; i++) {
      let code = ownPage(pages + i * PAGE_BYTES, FRAME);
      if (code < 0) return code;
      if (i == 0) code = ringBind(FRAME, <i32>transmit, slots, changetype<usize>(this));
      else code = ringExtend(this.capability, FRAME, RESULTS);
      if (code < 0) return code;
    }
    for (let i = 0; i < slots; i++) {
      const slot = pages + i * RING_SLOT_BYTES;
      for (let at: i32 = RING_SLOT.buffers; at < RING_SLOT_BYTES; at += 4) store32(slot + at, 0);
      store32(slot + RING_SLOT.completion, 0);
      store32(slot + RING_SLOT.length, 0);
      this.setBuffer(slot, bufferPlace(i));
    }
    return 0;
  }

  /** The buffer at a place in the ring becomes that of a slot, which must be this environment's. */
  setBuffer(slot: usize, place: usize): void {
    store32(slot + RING_SLOT.buffers, <u32>place);
    store32(slot + RING_SLOT.buffers + 4, BUFFER_BYTES);
  }

  /** On to the next slot. */
  advance(): void {
    const next = this.slot + RING_SLOT_BYTES;
    this.slot = next == this.end ? this.pages : next;
  }

  /** Length of the packet that has arrived in the next slot; 0: none has. */
  received(): u32 {
    // One that is too long, as controllers take them, is no end of those that have come.
    for (let i = 0; i < SLOTS; i++) {
      const length = load32(this.slot + RING_SLOT.length);
      if (length <= PACKET_BYTES) return length;
      this.refused++;
      this.release();
    }
    return 0;
  }

  /** The next slot is the kernel's again. */
  release(): void {
    store32(this.slot + RING_SLOT.length, 0);
    this.advance();
  }

  /** The packet that has arrived in the next slot, where `setBuffer` has not put another buffer there; until `release`. `received` says how long it is. */
  packet(): usize {
    return this.buffer();
  }

  /** The buffer of the next slot, for a packet to send; 0: the controller has no room. */
  room(): usize {
    if (load32(this.slot + RING_SLOT.length) != 0) {
      xmit(this.number, RESULTS);
      if (load32(this.slot + RING_SLOT.length) != 0) return 0;
    }
    return this.buffer();
  }

  private buffer(): usize {
    return this.pages + bufferPlace((this.slot - this.pages) / RING_SLOT_BYTES);
  }

  /** Sends the packet in the buffer of the next slot. Gives 0, or the error of xmit: E.RANGE, E.CAP, E.DEVICE. */
  send(length: u32): i32 {
    store32(this.slot + RING_SLOT.length, length);
    this.advance();
    return xmit(this.number, RESULTS);
  }
}

/** The ring whose record lies at an address. */
export function ringAt(address: usize): Ring {
  return changetype<Ring>(address);
}

/** The place of buffer i in a ring. */
export function bufferPlace(i: usize): usize {
  return (i >> 1) * PAGE_BYTES + FIRST_BUFFER + (i & 1) * BUFFER_BYTES;
}

/** Fetches the capability of a page's frame. Errors: E.RANGE. */
export function frameOf(page: usize, frame: Capability): i32 {
  const entry = page_entry(page);
  if (entry == 0 || page % PAGE_BYTES != 0) return E.RANGE;
  const isOwn = ENTRYLO.valid | ENTRYLO.dirty;
  // It gets a frame of its own when it is written. One that it has may be a ring's: a word that the kernel stores meanwhile would be lost.
  if ((load32(entry + PTE.entryLo) & isOwn) != isOwn) store32(page, load32(page));
  if ((load32(entry + PTE.entryLo) & isOwn) != isOwn) return E.RANGE;
  frame.head = load32(entry + PTE.head);
  frame.name = load32(entry + PTE.entryLo) >>> 12;
  frame.mac0 = load32(entry + PTE.mac0);
  frame.mac1 = load32(entry + PTE.mac1);
  return 0;
}

/**
 * Fetches it, and marks the page: a child gets no copy of it but the same, and neither does this environment after its child was made. For pages that the
 * kernel has pinned. Errors: E.RANGE.
 */
export function ownPage(page: usize, frame: Capability): i32 {
  const code = frameOf(page, frame);
  if (code < 0) return code;
  const entry = page_entry(page) + PTE.entryLo;
  store32(entry, load32(entry) | PTE_SOFT.shared);
  return 0;
}

/** Gives up pages that were those of a parent's ring: each gets a frame of this environment's own when it is touched. */
export function forgetPages(pages: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    const page = pages + i * PAGE_BYTES;
    const entry = page_entry(page);
    if ((load32(entry + PTE.entryLo) & PTE_SOFT.shared) == 0) continue;
    frameOf(page, FRAME);
    frameFree(FRAME);
    store32(entry + PTE.entryLo, PTE_SOFT.zeroFill);
    tlbvad(<i32>page);
  }
}
