/**
 * The network device as a library sees it: a receive and a transmit ring in its own memory, filters that say which packets are its
 * own, and the kernel's calls to bind them. [SOSP95 §5.5] A packet that arrives is an event: it ends a sleep.
 *
 * Protocols are a `PacketStack`, as `NetworkStack` of package `net` is one. Packets are copied from receive slots to it by TypeScript,
 * which charges what a copy loop would cost. What is sent may lie in the environment's own memory: its pages are bound to the transmit
 * ring, and the kernel gathers header and contents. [SOSP97 §7.3]
 */
import { PAGE_BYTES, POLICIES } from '@exokernel/abi';
import { presentCapability } from './capabilities.ts';
import type { Fiber, Fibers } from './fiber.ts';
import { pageTableEntry } from './image.ts';
import type { Memory } from './interfaces.ts';
import { PacketRing, RING_BUFFER_BYTES, type RingPiece } from './packet-ring.ts';

/** Slots of the receive ring, as many as there may be: what a busy wire brings while its owner is at work with something else. */
const RECEIVE_SLOTS = 32;
/** Slots of the transmit ring. */
const SLOTS = 16;

/**
 * Assumption: cycles to take or make a packet in the protocols, and per word copied (load, store, increment, branch).
 */
const PACKET_CYCLES = 600;
const CYCLES_PER_WORD = 4;

/** What a frame carries behind its header. */
export interface FramePayload {
  /** Copies `[from, to)` to `into[at..]`. */
  copy(from: number, to: number, into: Uint8Array, at: number): void;
}

/** A payload that lies in the environment's memory: it is sent from there, or copied by the device, never by `copy`. */
export interface PlacedPayload extends FramePayload {
  /** Address of its first byte. */
  readonly va: number;
  /** Whether `[from, to)` can be sent from where it lies. */
  isSentInPlace(from: number, to: number): boolean;
  /** The device has copied `[from, to)`, which is `data`: changes the header if that depends on it. Returns the cycles of it. */
  copied(header: Uint8Array, from: number, to: number, data: Uint8Array): number;
}

/** A frame for the wire: the header's bytes, then `payload[from..to)`. The kernel pads it. */
export interface SentFrame {
  readonly header: Uint8Array;
  readonly payload: FramePayload | undefined;
  readonly from: number;
  readonly to: number;
}

/** Protocols: they take packets, and give frames to `send` until it answers false. `now` is in the stack's own unit. */
export interface PacketStack {
  receive(packet: Uint8Array, now: number): void;
  transmit(send: (frame: SentFrame) => boolean, now: number): void;
}

/** Why a device could not be opened: the call and its error code; `frame_alloc` and −1 for memory. */
export interface DeviceFailure {
  readonly call: 'frame_alloc' | 'ring_bind' | 'ring_extend' | 'filter_bind' | 'xmit';
  readonly code: number;
}

/** What a device is for. */
export interface NetworkDeviceOptions {
  /** The filters of its packets, in bytes: what `encodeFilter` of package `dpf` makes. They share packets with no filter as specific. */
  readonly filters: readonly Uint8Array[];
  /** Address of the page-table entry of a page; the linear table's by default. */
  readonly entryOf?: (va: number) => number;
}

/** Rings and filters of one environment, for one fiber at a time. Open it once; it lives as long as its environment. */
export class NetworkDevice {
  readonly #fibers: Fibers;
  readonly #receive: PacketRing;
  readonly #transmit: PacketRing;
  #receiveSlot = 0;
  #transmitSlot = 0;
  readonly #packet = new Uint8Array(RING_BUFFER_BYTES);

  private constructor(fibers: Fibers, receive: PacketRing, transmit: PacketRing) {
    this.#fibers = fibers;
    this.#receive = receive;
    this.#transmit = transmit;
  }

  /** Binds rings and filters. */
  static *open(
    fibers: Fibers,
    memory: Memory,
    { filters, entryOf = pageTableEntry }: NetworkDeviceOptions,
  ): Fiber<NetworkDevice | DeviceFailure> {
    const receive = yield* PacketRing.bind(fibers, memory, { transmit: false, slots: RECEIVE_SLOTS, entryOf });
    if (!(receive instanceof PacketRing)) return receive;
    const transmit = yield* PacketRing.bind(fibers, memory, { transmit: true, slots: SLOTS, entryOf });
    if (!(transmit instanceof PacketRing)) return transmit;
    // Nothing to send yet, but without a controller this says so.
    const sent = yield* fibers.syscall('xmit', transmit.ring);
    if (sent < 0) return { call: 'xmit', code: sent };
    const page = yield* memory.allocate(PAGE_BYTES);
    if (page < 0) return { call: 'frame_alloc', code: page };
    const frame = yield* presentCapability(fibers, page, { write: true, entryOf });
    for (const bytes of filters) {
      yield* fibers.write(page, bytes.subarray(0, PAGE_BYTES));
      const { specific } = POLICIES;
      const bound = yield* fibers.syscall('filter_bind', ...frame, ...receive.capability, bytes.length, specific);
      if (bound < 0) return { call: 'filter_bind', code: bound };
    }
    return new NetworkDevice(fibers, receive, transmit);
  }

  /** Gives the packets in the receive ring to the stack, one ring of them at most. Returns how many. */
  *receive(stack: PacketStack, now: number): Fiber<number> {
    let n = 0;
    for (; n < RECEIVE_SLOTS; n += 1) {
      const slot = this.#receiveSlot;
      const length = yield* this.#receive.length(slot);
      if (length <= 0 || length > RING_BUFFER_BYTES) break;
      const packet = this.#packet.subarray(0, length);
      yield* this.#fibers.read(this.#receive.buffer(slot), packet);
      yield* this.#receive.give(slot, 0);
      this.#receiveSlot = (slot + 1) % RECEIVE_SLOTS;
      this.#fibers.cpu.charge(PACKET_CYCLES + (length >>> 2) * CYCLES_PER_WORD);
      stack.receive(packet, now);
    }
    return n;
  }

  /** Sends what the stack has, as far as there are slots. Returns how many packets. */
  *transmit(stack: PacketStack, now: number): Fiber<number> {
    let room = 0;
    while (room < SLOTS && (yield* this.#transmit.length(this.#slot(room))) === 0) room += 1;
    // The frames' headers are copied at once, as the stack demands; payloads stay the stack's until they are acknowledged.
    const frames: SentFrame[] = [];
    stack.transmit((frame) => {
      if (frames.length === room) return false;
      frames.push({ ...frame, header: frame.header.slice() });
      return true;
    }, now);
    for (const frame of frames) yield* this.#fill(frame);
    if (frames.length > 0 || (yield* this.isBusy())) yield* this.#fibers.syscall('xmit', this.#transmit.ring);
    return frames.length;
  }

  /** Whether packets wait for the controller. */
  *isBusy(): Fiber<boolean> {
    return (yield* this.#transmit.length(this.#slot(SLOTS - 1))) !== 0;
  }

  /** The slot `ahead` places after the next one to be filled. */
  #slot(ahead: number): number {
    return (this.#transmitSlot + ahead) % SLOTS;
  }

  /** Makes the next slot a packet. The kernel pads short ones: what an earlier packet left in the buffer stays there. */
  *#fill({ header, payload, from, to }: SentFrame): Fiber<void> {
    const slot = this.#transmitSlot;
    const buffer = this.#transmit.buffer(slot);
    const length = payload === undefined ? 0 : to - from;
    let cycles = PACKET_CYCLES;
    const pieces = isPlaced(payload) ? yield* this.#pieces(payload, from, to) : [];
    let copied = header.length;
    if (pieces.length === 0) {
      const data = this.#packet.subarray(0, length);
      if (isPlaced(payload)) {
        yield* this.#fibers.read(payload.va + from, data);
        cycles += payload.copied(header, from, to, data);
      } else payload?.copy(from, to, data, 0);
      yield* this.#fibers.write(buffer + header.length, data);
      copied += length;
    }
    yield* this.#fibers.write(buffer, header);
    yield* this.#transmit.compose(slot, copied, pieces);
    this.#fibers.cpu.charge(cycles + (copied >>> 2) * CYCLES_PER_WORD);
    yield* this.#transmit.give(slot, header.length + length);
    this.#transmitSlot = (slot + 1) % SLOTS;
  }

  /** The pieces of a payload in the ring, if it can be sent from where it is; none if it has to be copied. */
  *#pieces(payload: PlacedPayload, from: number, to: number): Fiber<readonly RingPiece[]> {
    const [start, end] = [payload.va + from, payload.va + to];
    if (!payload.isSentInPlace(from, to) || start % 4 !== 0) return [];
    const pieces: RingPiece[] = [];
    for (let va = start; va < end;) {
      const offset = va % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - offset, end - va);
      const at = yield* this.#transmit.place(va - offset);
      if (at < 0) return [];
      pieces.push({ at: at + offset, length });
      va += length;
    }
    return pieces;
  }
}

function isPlaced(payload: FramePayload | undefined): payload is PlacedPayload {
  return payload !== undefined && 'va' in payload;
}
