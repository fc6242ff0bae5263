/**
 * The LANCE's receiver: which frames it takes, and how they get into the receive ring.
 *
 * A frame that finds no descriptor of its own is missed (MISS); one that its buffers cannot hold ends with BUFF; one
 * that was damaged on the wire is stored with CRC. FRAM and OFLO do not occur: a wire carries whole bytes, and DMA is in time.
 * Source: [LANCE].
 */
import { crc32, MAX_FRAME, MIN_FRAME } from '@exokernel/wire';
import type { Clock } from '../bus/clock.ts';
import { EVENT_KINDS, type EventStream } from '../bus/events.ts';
import type { StateStream } from '../state/state-stream.ts';
import { ENP, ERR, Ring, RX_BUFF, RX_CRC, STP, type LanceMemory } from './lance-rings.ts';
import { MISS, PROM, RINT, RXON, type LanceStatus } from './lance-status.ts';

const FCS = 4;

/** The receiving half. */
export class LanceReceiver {
  readonly ring: Ring;
  readonly address: Uint8Array = new Uint8Array(6);
  readonly hashFilter: Uint8Array = new Uint8Array(8);
  readonly #clock: Clock;
  readonly #events: EventStream;
  readonly #status: LanceStatus;
  readonly #memory: LanceMemory;
  /** A message with its FCS, on its way to the buffers. */
  readonly #message = new Uint8Array(MAX_FRAME + FCS);

  constructor(clock: Clock, events: EventStream, status: LanceStatus, memory: LanceMemory) {
    this.#clock = clock;
    this.#events = events;
    this.#status = status;
    this.#memory = memory;
    this.ring = new Ring(memory);
  }

  state(s: StateStream): void {
    this.ring.state(s);
    s.bytes(this.address);
    s.bytes(this.hashFilter);
  }

  /** From the wire. With an FCS, that did not match. */
  receive(frame: Uint8Array, fcs?: number): void {
    const runt = frame.length < MIN_FRAME;
    if (this.#status.internalLoopback || runt || !this.#accepts(frame, true)) return;
    this.#store(frame, fcs ?? ~crc32(frame, frame.length), fcs !== undefined);
  }

  /**
   * Its own message in loopback. There is one CRC unit: what made the FCS cannot check it, nor hash a group address; with
   * DTCR it is the message's last four bytes, and is checked.
   */
  receiveOwn(message: Uint8Array): void {
    if (!this.#status.noTransmitCrc) {
      if (this.#accepts(message, false)) this.#store(message, ~crc32(message, message.length), false);
      return;
    }
    const { data, fcs } = splitFcs(message);
    if (this.#accepts(data, true)) this.#store(data, fcs, fcs !== ~crc32(data, data.length) >>> 0);
  }

  #store(frame: Uint8Array, fcs: number, damaged: boolean): void {
    const { ring } = this;
    const status = this.#status;
    if (!ring.owned) {
      status.raise(MISS);
      return;
    }
    const total = frame.length + FCS;
    const message = this.#message.subarray(0, total);
    message.set(frame);
    for (let i = 0; i < FCS; i += 1) message[frame.length + i] = fcs >>> (8 * i);
    let first = STP;
    for (let done = 0; ; first = 0) {
      const { buffer, bytes } = ring;
      const here = Math.min(bytes, total - done);
      this.#memory.writeData(buffer, message.subarray(done, done + here));
      done += here;
      if (done === total) {
        ring.setMessageLength(total);
        ring.release(first | ENP | (damaged ? ERR | RX_CRC : 0));
        break;
      }
      if (!ring.nextOwned) {
        ring.release(ERR | RX_BUFF | first);
        status.raise(RINT);
        return;
      }
      ring.release(first);
    }
    this.#events.emit(EVENT_KINDS['frame-in'].kind, this.#clock.now, frame.length, 0, 0);
    status.raise(RINT);
  }

  /** Promiscuous, broadcast, own address, or a group address whose hash is in the logical address filter. */
  #accepts(frame: Uint8Array, hashing: boolean): boolean {
    if ((this.#status.csr0 & RXON) === 0) return false;
    if ((this.#status.mode & PROM) !== 0) return true;
    let broadcast = true;
    let own = true;
    for (let i = 0; i < 6; i += 1) {
      if (frame[i] !== 0xff) broadcast = false;
      if (frame[i] !== this.address[i]) own = false;
    }
    const group = ((frame[0] ?? 0) & 1) !== 0;
    if (broadcast || (own && !group)) return true;
    if (!group || !hashing) return false;
    const hash = crc32(frame, 6) >>> 26;
    return ((this.hashFilter[hash >>> 3] ?? 0) & (1 << (hash & 7))) !== 0;
  }
}

/** A message whose last four bytes are its FCS, low byte first. */
export function splitFcs(message: Uint8Array): { readonly data: Uint8Array; readonly fcs: number } {
  const length = Math.max(0, message.length - FCS);
  let fcs = 0;
  for (let i = message.length - 1; i >= length; i -= 1) fcs = (fcs << 8) | (message[i] ?? 0);
  return { data: message.subarray(0, length), fcs: fcs >>> 0 };
}
