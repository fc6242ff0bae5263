/**
 * The network device as a library sees it: a receive and a transmit ring in its own memory, filters that say which packets are its
 * own, and the kernel's calls to bind them. [SOSP95 §5.5]
 *
 * Packets are copied from receive slots to the stack by TypeScript, which charges what a copy loop would cost. A file is sent
 * from the cache it lies in: its pages are bound to the transmit ring, and the kernel gathers header and file. [SOSP97 §7.3]
 */
import { PAGE_BYTES, POLICIES } from '@exokernel/abi';
import { arp, encodeFilter, etherType, type Atom } from '@exokernel/dpf';
import {
  PacketRing,
  RING_BUFFER_BYTES,
  pageCapability,
  type Fiber,
  type Fibers,
  type Memory,
  type RingPiece,
} from '@exokernel/libos-kit';
import { fold, sumBytes, type NetworkStack, type OutgoingFrame } from '@exokernel/net';
import { CachedFile } from './cached-file.ts';

/** Slots of the receive ring, as many as there may be: what a busy wire brings while the server is at work with something else. */
const RECEIVE_SLOTS = 32;
/** Slots of the transmit ring. */
const SLOTS = 16;
const ETHERTYPE_IPV4 = 0x0800;
/** Offset of the destination in a frame that holds an IPv4 packet. */
const DESTINATION = 30;

/**
 * Assumption: cycles to take or make a packet in the protocols, per word copied (load, store, increment, branch), and per
 * word added to a checksum on the way (add, compare, add the carry).
 */
const PACKET_CYCLES = 600;
const CYCLES_PER_WORD = 4;
const SUM_CYCLES_PER_WORD = 3;

/** Offset of the TCP checksum in a frame: Ethernet, IPv4 without options, TCP. */
const TCP_CHECKSUM = 14 + 20 + 16;

/** Why a device could not be opened: the call and its error code. */
export interface DeviceFailure {
  readonly call: string;
  readonly code: number;
}

/** Rings and filters of one environment. Open it once; it lives as long as its environment. */
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

  /**
   * Binds rings and the filters of a host at `ip`: ARP for it, and all IPv4 packets to it that no more specific filter claims, so that a closed
   * port answers and a router is heard.
   */
  static *open(fibers: Fibers, memory: Memory, { ip }: { readonly ip: number }): Fiber<NetworkDevice | DeviceFailure> {
    const receive = yield* PacketRing.bind(fibers, memory, { transmit: false, slots: RECEIVE_SLOTS });
    if (!(receive instanceof PacketRing)) return receive;
    const transmit = yield* PacketRing.bind(fibers, memory, { transmit: true, slots: SLOTS });
    if (!(transmit instanceof PacketRing)) return transmit;
    // Nothing to send yet, but without a controller this says so.
    const sent = yield* fibers.syscall('xmit', transmit.ring);
    if (sent < 0) return { call: 'xmit', code: sent };
    const code = yield* memory.allocate(PAGE_BYTES);
    if (code < 0) return { call: 'frame_alloc', code };
    const toUs: Atom = { kind: 'eq', offset: DESTINATION, size: 4, value: ip };
    for (const atoms of [[...etherType(ETHERTYPE_IPV4), toUs], arp({ targetIp: ip })]) {
      const bound = yield* bindFilter(fibers, code, receive, atoms);
      if (bound < 0) return { call: 'filter_bind', code: bound };
    }
    return new NetworkDevice(fibers, receive, transmit);
  }

  /** Gives the packets in the receive ring to the stack, one ring of them at most. Returns how many. */
  *receive(stack: NetworkStack, now: number): Fiber<number> {
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
  *transmit(stack: NetworkStack, now: number): Fiber<number> {
    let room = 0;
    while (room < SLOTS && (yield* this.#transmit.length(this.#slot(room))) === 0) room += 1;
    // The frames' headers are copied at once, as the stack demands; payloads stay the stack's until they are acknowledged.
    const frames: OutgoingFrame[] = [];
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
  *#fill({ header, payload, from, to }: OutgoingFrame): Fiber<void> {
    const slot = this.#transmitSlot;
    const buffer = this.#transmit.buffer(slot);
    const length = payload === undefined ? 0 : to - from;
    let cycles = PACKET_CYCLES;
    const pieces = payload instanceof CachedFile ? yield* this.#pieces(payload, from, to) : [];
    let copied = header.length;
    if (pieces.length === 0) {
      const data = this.#packet.subarray(0, length);
      if (payload instanceof CachedFile) {
        yield* this.#fibers.read(payload.va + from, data);
        if (payload.needsSum(from, to)) {
          addToChecksum(header, sumBytes(data, 0, data.length));
          cycles += (data.length >>> 2) * SUM_CYCLES_PER_WORD;
        }
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

  /** The pieces of a file in the ring, if it can be sent from where it is; none if it has to be copied. */
  *#pieces(file: CachedFile, from: number, to: number): Fiber<readonly RingPiece[]> {
    if (file.needsSum(from, to) || (file.va + from) % 4 !== 0) return [];
    const pieces: RingPiece[] = [];
    for (let va = file.va + from; va < file.va + to;) {
      const offset = va % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - offset, file.va + to - va);
      const at = yield* this.#transmit.place(va - offset);
      if (at < 0) return [];
      pieces.push({ at: at + offset, length });
      va += length;
    }
    return pieces;
  }
}

/** Downloads a filter by way of the page at `va`. Returns its number or an error. */
function* bindFilter(fibers: Fibers, va: number, ring: PacketRing, atoms: readonly Atom[]): Fiber<number> {
  const bytes = encodeFilter(atoms);
  yield* fibers.write(va, bytes);
  const frame = yield* pageCapability(fibers, va);
  const code = yield* fibers.syscall('filter_bind', ...frame, ...ring.capability, bytes.length, POLICIES.specific);
  return code < 0 ? code : fibers.results('filter_bind').filter;
}

/** Adds a partial sum to the TCP checksum of a header whose payload counted as 0 [RFC1624]. */
function addToChecksum(header: Uint8Array, sum: number): void {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const present = ~view.getUint16(TCP_CHECKSUM) & 0xffff;
  view.setUint16(TCP_CHECKSUM, ~fold(present + sum) & 0xffff);
}
