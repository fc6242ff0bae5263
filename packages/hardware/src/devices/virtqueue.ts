/**
 * A virtio split queue in guest RAM, as its device sees it.
 *
 * Everything in it is the guest's word: an index out of range, a loop, a table or a buffer outside RAM makes the queue
 * broken, and the device then needs a reset. What a chain says is copied out when it is taken, and never read again.
 *
 *     descriptor  { u64 address, u32 length, u16 flags (1 next, 2 device writes, 4 indirect), u16 next }
 *     available   { u16 flags (1 no interrupt), u16 index, u16 ring[n], u16 used_event }
 *     used        { u16 flags, u16 index, { u32 id, u32 length } ring[n], u16 available_event }
 *
 * An indirect descriptor names a table of descriptors that goes on with the chain. The events, if both sides have agreed on
 * them, are the index after which each wants to be told: the device asks for it when it has nothing left to do.
 *
 * Source: [VIRTIO §2.7].
 */
import type { MemoryPort } from '../memory/port.ts';
import type { StateStream } from '../state/state-stream.ts';

/** The longest queue that is offered, and so the longest chain. */
export const QUEUE_MAX = 128;

const F_NEXT = 1;
const F_WRITE = 2;
const F_INDIRECT = 4;
const NO_INTERRUPT = 1;
const DESCRIPTOR = 16;

/** Byte ranges of guest RAM in the order in which the chain names them. */
export class Segments {
  readonly address: Float64Array = new Float64Array(QUEUE_MAX);
  readonly length: Float64Array = new Float64Array(QUEUE_MAX);
  count: number = 0;
  /** Sum of the lengths. */
  bytes: number = 0;

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  add(address: number, length: number): void {
    this.address[this.count] = address;
    this.length[this.count] = length;
    this.count += 1;
    this.bytes += length;
  }

  state(s: StateStream, ramBytes: number): void {
    this.count = s.integer(this.count, 0, QUEUE_MAX);
    this.bytes = 0;
    for (let i = 0; i < this.count; i += 1) {
      const address = s.integer(this.address[i] ?? 0, 0, ramBytes);
      this.address[i] = address;
      this.length[i] = s.integer(this.length[i] ?? 0, 0, ramBytes - address);
      this.bytes += this.length[i] ?? 0;
    }
  }

  /** Copies between guest RAM and `data`, beginning `skip` bytes into the segments. */
  copy(memory: MemoryPort, skip: number, data: Uint8Array, toGuest: boolean): void {
    let passed = 0;
    let done = 0;
    for (let i = 0; i < this.count && done < data.length; i += 1) {
      const length = this.length[i] ?? 0;
      const from = Math.max(0, skip - passed);
      passed += length;
      if (from >= length) continue;
      const n = Math.min(length - from, data.length - done);
      const address = (this.address[i] ?? 0) + from;
      if (toGuest) memory.write(address, data.subarray(done, done + n));
      else memory.read(address, data.subarray(done, done + n));
      done += n;
    }
  }
}

/** The queue. It is used only when `place` has accepted it. */
export class Virtqueue {
  size = 0;
  ready = false;
  descriptors = 0;
  available = 0;
  used = 0;
  /** What both sides have agreed on: indirect descriptors, and events instead of flags. */
  indirect = false;
  events = false;
  /** What the guest gives, and what it takes, in the chain taken last. */
  readonly readable: Segments = new Segments();
  readonly writable: Segments = new Segments();
  /** The chain gives something to read after something to write, or a buffer of no bytes. */
  malformed = false;
  #taken = 0;
  #given = 0;
  readonly #memory: MemoryPort;

  constructor(memory: MemoryPort) {
    this.#memory = memory;
  }

  reset(): void {
    this.size = 0;
    this.ready = false;
    this.descriptors = 0;
    this.available = 0;
    this.used = 0;
    this.indirect = false;
    this.events = false;
    this.#taken = 0;
    this.#given = 0;
  }

  state(s: StateStream): void {
    this.size = s.word(this.size);
    this.ready = s.flag(this.ready);
    const places = [this.descriptors, this.available, this.used].map((place) => s.word(place));
    const isPlaced = this.place(Uint32Array.from(places));
    if (this.ready && !isPlaced) s.refuse('a queue is where it cannot be', { places, size: this.size });
    this.indirect = s.flag(this.indirect);
    this.events = s.flag(this.events);
    this.malformed = s.flag(this.malformed);
    this.readable.state(s, this.#memory.ramBytes);
    this.writable.state(s, this.#memory.ramBytes);
    this.#taken = s.integer(this.#taken, 0, 0xffff);
    this.#given = s.integer(this.#given, 0, 0xffff);
  }

  /**
   * Sets the places of descriptors, available and used ring (low words, then high words). Returns whether they and the
   * size are possible.
   */
  place([descriptors = 0, available = 0, used = 0, ...high]: Uint32Array): boolean {
    const { size } = this;
    this.descriptors = descriptors;
    this.available = available;
    this.used = used;
    const isPower = size > 0 && size <= QUEUE_MAX && (size & (size - 1)) === 0;
    return (
      isPower &&
      high.every((word) => word === 0) &&
      this.#inRam(descriptors, DESCRIPTOR * size, 16) &&
      this.#inRam(available, 6 + 2 * size, 2) &&
      this.#inRam(used, 6 + 8 * size, 4)
    );
  }

  #inRam(address: number, bytes: number, alignment: number): boolean {
    return address % alignment === 0 && address + bytes <= this.#memory.ramBytes;
  }

  /** Takes the next available chain: its head, or -1 if there is none, or -2 if the queue is broken. */
  take(): number {
    const memory = this.#memory;
    const waiting = (memory.load16(this.available + 2) - this.#taken) & 0xffff;
    if (waiting === 0) {
      if (this.events) memory.store16(this.used + 4 + 8 * this.size, this.#taken);
      return -1;
    }
    if (waiting > this.size) return -2;
    const head = memory.load16(this.available + 4 + 2 * (this.#taken & (this.size - 1)));
    this.#taken = (this.#taken + 1) & 0xffff;
    return this.#walk(head) ? head : -2;
  }

  #walk(head: number): boolean {
    const memory = this.#memory;
    this.readable.clear();
    this.writable.clear();
    this.malformed = false;
    let table = this.descriptors;
    let entries = this.size;
    let inside = false;
    let index = head;
    // The descriptor that names a table is not part of the chain's length.
    for (let steps = 0; steps < this.size;) {
      if (index >= entries) return false;
      const at = table + DESCRIPTOR * index;
      const address = memory.load32(at);
      const length = memory.load32(at + 8);
      const flags = memory.load16(at + 12);
      if (memory.load32(at + 4) !== 0 || address + length > memory.ramBytes) return false;
      if ((flags & F_INDIRECT) !== 0) {
        if (!this.indirect || inside || (flags & F_NEXT) !== 0) return false;
        if (address % 4 !== 0 || length === 0 || length % DESCRIPTOR !== 0) return false;
        inside = true;
        table = address;
        entries = length / DESCRIPTOR;
        index = 0;
        continue;
      }
      const writable = (flags & F_WRITE) !== 0;
      if (length === 0 || (!writable && this.writable.count > 0)) this.malformed = true;
      (writable ? this.writable : this.readable).add(address, length);
      if ((flags & F_NEXT) === 0) return true;
      index = memory.load16(at + 14);
      steps += 1;
    }
    return false;
  }

  /** Gives a chain back, `bytes` of whose writable part were written. Returns whether the guest wants an interrupt. */
  give(head: number, bytes: number): boolean {
    const memory = this.#memory;
    const at = this.used + 4 + 8 * (this.#given & (this.size - 1));
    memory.store32(at, head);
    memory.store32(at + 4, bytes);
    const before = this.#given;
    this.#given = (before + 1) & 0xffff;
    memory.store16(this.used + 2, this.#given);
    if (!this.events) return (memory.load16(this.available) & NO_INTERRUPT) === 0;
    return memory.load16(this.available + 4 + 2 * this.size) === before;
  }
}
