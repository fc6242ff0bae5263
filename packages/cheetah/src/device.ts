/**
 * The network device as a library sees it: a receive and a transmit ring in its own memory, filters that say which packets are its
 * own, and the kernel's calls to bind them. [SOSP95 §5.5]
 *
 * Packets are copied between ring slots and the stack by TypeScript, which charges what a copy loop would cost.
 */
import { RING_SLOT, RING_SLOT_BYTES, PAGE_BYTES } from '@exokernel/abi';
import { arp, encodeFilter, icmpEcho, tcp, type Atom } from '@exokernel/dpf';
import { pageCapability, type Fiber, type Fibers, type Memory } from '@exokernel/libos-kit';
import { fold, sumBytes, type NetworkStack, type OutgoingFrame } from '@exokernel/net';
import { CachedFile } from './cached-file.ts';

/** Slots of each ring: a frame holds two. */
const SLOTS = 16;
const RING_FRAMES = (SLOTS * RING_SLOT_BYTES) / PAGE_BYTES;

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
  readonly #receive: number;
  readonly #transmit: number;
  #transmitRing = -1;
  #receiveSlot = 0;
  #transmitSlot = 0;
  readonly #packet = new Uint8Array(RING_SLOT_BYTES);

  private constructor(fibers: Fibers, receive: number, transmit: number) {
    this.#fibers = fibers;
    this.#receive = receive;
    this.#transmit = transmit;
  }

  /** Binds rings and the filters of a server at `ip` and TCP `port`: its TCP packets, ARP for it, ICMP echo. */
  static *open(
    fibers: Fibers,
    memory: Memory,
    address: { readonly ip: number; readonly port: number },
  ): Fiber<NetworkDevice | DeviceFailure> {
    const receive = yield* memory.allocate(RING_FRAMES * PAGE_BYTES);
    const transmit = yield* memory.allocate(RING_FRAMES * PAGE_BYTES);
    if (receive < 0 || transmit < 0) return { call: 'frame_alloc', code: -1 };
    const device = new NetworkDevice(fibers, receive, transmit);
    const receiveRing = yield* bindRing(fibers, receive, 0);
    if (receiveRing < 0) return { call: 'ring_bind', code: receiveRing };
    device.#transmitRing = yield* bindRing(fibers, transmit, 1);
    if (device.#transmitRing < 0) return { call: 'ring_bind', code: device.#transmitRing };
    // Nothing to send yet, but without a controller this says so.
    const sent = yield* fibers.syscall('xmit', device.#transmitRing);
    if (sent < 0) return { call: 'xmit', code: sent };
    const code = yield* memory.allocate(PAGE_BYTES);
    if (code < 0) return { call: 'frame_alloc', code };
    const { ip, port } = address;
    for (const atoms of [tcp({ dstIp: ip, dstPort: port }), arp({ targetIp: ip }), icmpEcho({ dstIp: ip })]) {
      const bound = yield* bindFilter(fibers, code, receiveRing, atoms);
      if (bound < 0) return { call: 'filter_bind', code: bound };
    }
    return device;
  }

  /** Gives the packets in the receive ring to the stack, one ring of them at most. Returns how many. */
  *receive(stack: NetworkStack, now: number): Fiber<number> {
    let n = 0;
    for (; n < SLOTS; n += 1) {
      const slot = this.#receive + this.#receiveSlot * RING_SLOT_BYTES;
      const length = yield* this.#fibers.load(slot + RING_SLOT.length);
      if (length <= 0 || length > RING_SLOT_BYTES - RING_SLOT.data) break;
      const packet = this.#packet.subarray(0, length);
      yield* this.#fibers.read(slot + RING_SLOT.data, packet);
      yield* this.#fibers.store(slot + RING_SLOT.length, 0);
      this.#receiveSlot = (this.#receiveSlot + 1) % SLOTS;
      this.#fibers.cpu.charge(PACKET_CYCLES + (length >>> 2) * CYCLES_PER_WORD);
      stack.receive(packet, now);
    }
    return n;
  }

  /** Sends what the stack has, as far as there are slots. Returns how many packets. */
  *transmit(stack: NetworkStack, now: number): Fiber<number> {
    let room = 0;
    while (room < SLOTS && (yield* this.#fibers.load(this.#slot(room) + RING_SLOT.length)) === 0) room += 1;
    // The frames' headers are copied at once, as the stack demands; payloads stay the stack's until they are acknowledged.
    const frames: OutgoingFrame[] = [];
    stack.transmit((frame) => {
      if (frames.length === room) return false;
      frames.push({ ...frame, header: frame.header.slice() });
      return true;
    }, now);
    for (const frame of frames) yield* this.#fill(frame);
    const waiting = (yield* this.#fibers.load(this.#slot(SLOTS - 1) + RING_SLOT.length)) !== 0;
    if (frames.length > 0 || waiting) yield* this.#fibers.syscall('xmit', this.#transmitRing);
    return frames.length;
  }

  /** Whether packets wait for the controller. */
  *isBusy(): Fiber<boolean> {
    return (yield* this.#fibers.load(this.#slot(SLOTS - 1) + RING_SLOT.length)) !== 0;
  }

  /** Address of the slot `ahead` places after the next one to be filled. */
  #slot(ahead: number): number {
    return this.#transmit + ((this.#transmitSlot + ahead) % SLOTS) * RING_SLOT_BYTES;
  }

  /** Makes the next slot a packet. The kernel pads short ones: what an earlier packet left in the slot stays there. */
  *#fill({ header, payload, from, to }: OutgoingFrame): Fiber<void> {
    const slot = this.#slot(0);
    const data = this.#packet.subarray(0, payload === undefined ? 0 : to - from);
    const length = header.length + data.length;
    let cycles = PACKET_CYCLES + (length >>> 2) * CYCLES_PER_WORD;
    if (payload instanceof CachedFile) {
      yield* this.#fibers.read(payload.va + from, data);
      if (payload.needsSum(from, to)) {
        addToChecksum(header, sumBytes(data, 0, data.length));
        cycles += (data.length >>> 2) * SUM_CYCLES_PER_WORD;
      }
    } else payload?.copy(from, to, data, 0);
    yield* this.#fibers.write(slot + RING_SLOT.data, header);
    yield* this.#fibers.write(slot + RING_SLOT.data + header.length, data);
    this.#fibers.cpu.charge(cycles);
    yield* this.#fibers.store(slot + RING_SLOT.length, length);
    this.#transmitSlot = (this.#transmitSlot + 1) % SLOTS;
  }
}

/** A ring of RING_FRAMES pages from `va` on. Returns its number or an error. */
function* bindRing(fibers: Fibers, va: number, direction: number): Fiber<number> {
  const first = yield* pageCapability(fibers, va);
  const code = yield* fibers.syscall('ring_bind', ...first, direction);
  if (code < 0) return code;
  const ring = fibers.result(0);
  for (let i = 1; i < RING_FRAMES; i += 1) {
    const frame = yield* pageCapability(fibers, va + i * PAGE_BYTES);
    const extended = yield* fibers.syscall('ring_extend', ...frame, ring);
    if (extended < 0) return extended;
  }
  return ring;
}

/** Downloads a filter by way of the page at `va`. Returns its number or an error. */
function* bindFilter(fibers: Fibers, va: number, ring: number, atoms: readonly Atom[]): Fiber<number> {
  const bytes = encodeFilter(atoms);
  yield* fibers.write(va, bytes);
  const frame = yield* pageCapability(fibers, va);
  const code = yield* fibers.syscall('filter_bind', ...frame, bytes.length, ring);
  return code < 0 ? code : fibers.result(0);
}

/** Adds a partial sum to the TCP checksum of a header whose payload counted as 0 [RFC1624]. */
function addToChecksum(header: Uint8Array, sum: number): void {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const present = ~view.getUint16(TCP_CHECKSUM) & 0xffff;
  view.setUint16(TCP_CHECKSUM, ~fold(present + sum) & 0xffff);
}
