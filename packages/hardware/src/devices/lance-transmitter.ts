/**
 * The LANCE's transmitter: gathers a message from its ring, sends it, and reports.
 *
 * Errors that end a message: BUFF and UFLO when its buffers end before it does, UFLO when a loopback message does not fit
 * the silo (these two switch the transmitter off), LCAR with CERR when the cable is unplugged, RTRY when loopback
 * is told to collide. BABL reports a message of more than 1518 bytes with its FCS. DEF reports that it had to wait.
 * LCOL, ONE and MORE do not occur: a wire has no collisions.
 *
 * Deviation: a message too long for the wire, or whose buffers end, is not on it, where the chip would send a part; a message
 * below 60 bytes is padded, which the chip leaves to software. Assumption: a collision that is forced takes a slot of 51.2 us, with
 * no back-off. Source: [LANCE].
 */
import { crc32, MAX_FRAME, type Attachment, type Transmission } from '@exokernel/wire';
import type { Clock, Timer } from '../bus/clock.ts';
import { EVENT_KINDS, type EventStream } from '../bus/events.ts';
import type { StateStream } from '../state/state-stream.ts';
import { splitFcs, type LanceReceiver } from './lance-receiver.ts';
import { ENP, ERR, Ring, STP, TX_BUFF, TX_DEF, TX_LCAR, TX_RTRY, TX_UFLO, type LanceMemory } from './lance-rings.ts';
import { BABL, CERR, TINT, TXON, type LanceStatus } from './lance-status.ts';

const FCS = 4;
const PREAMBLE = 8;
/** Longest message kept while it is gathered; longer ones are only counted, for the wire takes none. */
const KEPT = 2048;
/** A ring of 128 buffers of 4096 bytes. */
const LONGEST = 0x80000;
/** What the silo holds of a loopback message, with its FCS. */
const LOOPBACK_MAX = 36;
const BYTE_SECONDS = 0.8e-6;
const SLOT_SECONDS = 51.2e-6;
/** The transmit ring is looked at this often without a demand [LANCE]. */
const POLL_SECONDS = 1.6e-3;

/** The sending half. */
export class LanceTransmitter {
  readonly ring: Ring;
  readonly #clock: Clock;
  readonly #events: EventStream;
  readonly #status: LanceStatus;
  readonly #memory: LanceMemory;
  readonly #receiver: LanceReceiver;
  readonly #wire: Attachment;
  readonly #poll: Timer;
  /** Ends a transmission that the wire does not carry: in loopback, or of something that is no frame. */
  readonly #unsent: Timer;
  readonly #message = new Uint8Array(KEPT);
  #length = 0;
  #transmitting = false;
  /** Frames still on the wire from before a STOP, whose end means nothing any more. */
  #orphans = 0;

  constructor(
    clock: Clock,
    events: EventStream,
    status: LanceStatus,
    memory: LanceMemory,
    receiver: LanceReceiver,
    wire: Attachment,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#status = status;
    this.#memory = memory;
    this.#receiver = receiver;
    this.#wire = wire;
    this.ring = new Ring(memory);
    this.#poll = clock.timer(() => {
      this.transmit();
    });
    this.#unsent = clock.timer(() => {
      this.#unsentEnds();
    });
  }

  state(s: StateStream): void {
    this.ring.state(s);
    s.timer(this.#poll);
    s.timer(this.#unsent);
    this.#length = s.integer(this.#length, 0, LONGEST);
    s.bytes(this.#kept);
    this.#transmitting = s.flag(this.#transmitting);
    this.#orphans = s.integer(this.#orphans, 0, 0xffffffff);
  }

  /** Forgets the message under way; what is on the wire stays there. */
  stop(): void {
    this.#poll.disarm();
    if (this.#transmitting && !this.#unsent.armed) this.#orphans += 1;
    this.#unsent.disarm();
    this.#transmitting = false;
  }

  /** Looks at the transmit ring, and sends the message there if there is one. */
  transmit(): void {
    if ((this.#status.csr0 & TXON) === 0 || this.#transmitting) return;
    this.#poll.arm(this.#clock.now + POLL_SECONDS * this.#clock.hz);
    const { ring } = this;
    // A buffer that continues a message when none has begun is given back unsent. Each step gives one up, so this ends.
    while (ring.owned && (ring.flags & STP) === 0) ring.release(ring.flags & ENP);
    if (!ring.owned) return;
    this.#poll.disarm();
    this.#length = 0;
    for (;;) {
      this.#gather(ring.buffer, ring.bytes);
      if ((ring.flags & ENP) !== 0) break;
      // In loopback there is no data chaining.
      if (!ring.nextOwned || this.#status.loopback) {
        this.#fail(TX_BUFF | TX_UFLO);
        return;
      }
      ring.release(ring.flags & STP);
    }
    if (this.#status.loopback && this.#wireBytes > LOOPBACK_MAX) this.#fail(TX_UFLO);
    else this.#send();
  }

  #gather(address: number, bytes: number): void {
    const kept = Math.max(0, Math.min(bytes, KEPT - this.#length));
    this.#memory.readData(address, this.#message.subarray(this.#length, this.#length + kept));
    this.#length += bytes;
  }

  /** Length of the message with its FCS. */
  get #wireBytes(): number {
    return this.#length + (this.#status.noTransmitCrc ? 0 : FCS);
  }

  get #kept(): Uint8Array {
    return this.#message.subarray(0, Math.min(this.#length, KEPT));
  }

  /** An error that switches the transmitter off. */
  #fail(error: number): void {
    this.#release(error, 0);
    this.#status.csr0 &= ~TXON;
    this.#status.raise(TINT);
  }

  #send(): void {
    const status = this.#status;
    this.#transmitting = true;
    if (!status.internalLoopback && this.#toWire()) return;
    const seconds = status.forcedCollision
      ? status.attempts * SLOT_SECONDS
      : (this.#wireBytes + PREAMBLE) * BYTE_SECONDS;
    this.#unsent.arm(this.#clock.now + seconds * this.#clock.hz);
  }

  /** Whether the wire has taken the message. */
  #toWire(): boolean {
    const message = this.#kept;
    if (this.#length > KEPT) return false;
    if (this.#status.noTransmitCrc) {
      const { data, fcs } = splitFcs(message);
      return this.#wire.send(data, fcs);
    }
    // A loopback message is no frame to the others: too short, and not padded.
    if (this.#status.loopback) return this.#wire.send(message, ~crc32(message, message.length) >>> 0);
    return this.#wire.send(message);
  }

  #unsentEnds(): void {
    if (this.#status.forcedCollision) this.#ends(TX_RTRY, 0);
    else {
      if (this.#status.loopback) this.#receiver.receiveOwn(this.#kept);
      this.#ends(0, 0);
    }
  }

  /** The wire has carried a frame of ours. */
  sent({ carrier, deferred }: Transmission): void {
    if (this.#orphans > 0) {
      this.#orphans -= 1;
      return;
    }
    if (!this.#transmitting) return;
    this.#events.emit(EVENT_KINDS['frame-out'].kind, this.#clock.now, this.#length, 0, 0);
    if (!carrier) this.#status.csr0 |= CERR;
    else if (this.#status.loopback) this.#receiver.receiveOwn(this.#kept);
    this.#ends(carrier ? 0 : TX_LCAR, deferred ? TX_DEF : 0);
  }

  /** The message is done with: its last descriptor goes back. */
  #ends(error: number, status: number): void {
    this.#transmitting = false;
    this.#release(error, status);
    this.#status.raise(TINT | (this.#wireBytes > MAX_FRAME ? BABL : 0));
    this.transmit();
  }

  #release(error: number, status: number): void {
    const { ring } = this;
    ring.setMessageLength(error);
    ring.release((ring.flags & (STP | ENP)) | status | (error === 0 ? 0 : ERR));
  }
}
