/**
 * The Ethernet controller: an Am7990 LANCE with the 64 KB of buffer memory that the KN01 gives it.
 *
 *     +0 RDP  the register that RAP selects        +4 RAP  register number, 0 to 3
 *
 *     CSR0  15 ERR | 14 BABL | 13 CERR | 12 MISS | 11 MERR | 10 RINT | 9 TINT | 8 IDON |
 *            7 INTR | 6 INEA | 5 RXON | 4 TXON | 3 TDMD | 2 STOP | 1 STRT | 0 INIT
 *     CSR1, CSR2  address of the initialization block    CSR3  bus options (stored, without effect)
 *
 * Bits 14 to 8 are cleared by writing 1. Everything it reads from its memory is the guest's word for it: whatever it says,
 * the controller goes on. Interrupt line 3.
 *
 * Assumption: the initialization block takes 12 bus cycles of 600 ns to read; other DMA takes no time. Assumption: the
 * wire has no collisions and a heartbeat, so CERR, LCAR, LCOL and RTRY do not occur, and memory always answers (no MERR).
 * Not modelled: byte swap (CSR3.BSWP), the INTL, DRTY, COLL and DTCR mode bits. Source: [LANCE].
 */
import type { Device } from '../bus.ts';
import type { Clock, Timer } from '../clock.ts';
import { EVENT_KINDS, type EventStream } from '../events.ts';
import { frameMicroseconds, MAX_FRAME, MIN_FRAME, type Attachment, type Wire } from '../wire.ts';
import { crc32 } from './crc32.ts';
import { ENP, ERR, LanceMemory, Ring, RX_BUFF, STP, TX_BUFF, TX_UFLO } from './lance-rings.ts';

const LINE = 3;

const BABL = 0x4000;
const CERR = 0x2000;
const MISS = 0x1000;
const MERR = 0x0800;
const RINT = 0x0400;
const TINT = 0x0200;
const IDON = 0x0100;
const INEA = 0x0040;
const RXON = 0x0020;
const TXON = 0x0010;
const TDMD = 0x0008;
const STOP = 0x0004;
const STRT = 0x0002;
const INIT = 0x0001;
const CLEARED_BY_ONE: number = BABL | CERR | MISS | MERR | RINT | TINT | IDON;
const INTERRUPTS: number = BABL | MISS | MERR | RINT | TINT | IDON;

const MODE_PROMISCUOUS = 0x8000;
const MODE_LOOP = 0x0004;
const MODE_DTX = 0x0002;
const MODE_DRX = 0x0001;

/** The bits of CSR1 to CSR3 that exist. */
const CSR_BITS: readonly number[] = [0, 0xfffe, 0x00ff, 0x0007];

const FCS = 4;
/** Longest message kept while it is gathered; longer ones are only counted, for the wire takes none. */
const KEPT = 2048;
const INIT_SECONDS = 12 * 600e-9;
/** The transmit ring is looked at this often without a demand [LANCE]. */
const POLL_SECONDS = 1.6e-3;

/** The controller at 0x18000000. */
export class Lance implements Device {
  readonly base: number = 0x18000000;
  readonly bytes: number = 8;
  readonly #clock: Clock;
  readonly #events: EventStream;
  readonly #setLine: (line: number, level: boolean) => void;
  readonly #wire: Attachment;
  readonly #memory: LanceMemory;
  readonly #receiveRing: Ring;
  readonly #transmitRing: Ring;
  #csr0: number = STOP;
  readonly #csr = new Uint16Array(4);
  #select = 0;
  #initialized = false;
  #mode = 0;
  readonly #address = new Uint8Array(6);
  readonly #hashFilter = new Uint8Array(8);
  readonly #initTimer: Timer;
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
    setLine: (line: number, level: boolean) => void,
    buffer: Uint8Array,
    wire: Wire,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#setLine = setLine;
    this.#memory = new LanceMemory(buffer);
    this.#receiveRing = new Ring(this.#memory);
    this.#transmitRing = new Ring(this.#memory);
    this.#initTimer = clock.timer(() => {
      this.#initialize();
    });
    this.#poll = clock.timer(() => {
      this.#transmit();
    });
    this.#unsent = clock.timer(() => {
      if ((this.#mode & MODE_LOOP) !== 0) this.#receive(this.#message.subarray(0, Math.min(this.#length, KEPT)));
      this.#transmitted(false);
    });
    wire.connect(clock);
    this.#wire = wire.attach({
      receive: (frame) => {
        if ((this.#mode & MODE_LOOP) === 0 && frame.length >= MIN_FRAME) this.#receive(frame);
      },
      sent: () => {
        if (this.#orphans > 0) this.#orphans -= 1;
        else this.#transmitted(true);
      },
    });
  }

  // ---- Registers

  read(offset: number): number {
    if (offset !== 0) return this.#select;
    if (this.#select !== 0) return (this.#csr0 & STOP) !== 0 ? (this.#csr[this.#select] ?? 0) : 0;
    const error = (this.#csr0 & (BABL | CERR | MISS | MERR)) !== 0 ? 0x8000 : 0;
    const interrupt = (this.#csr0 & INTERRUPTS) !== 0 ? 0x0080 : 0;
    return this.#csr0 | error | interrupt;
  }

  write(offset: number, value: number, mask: number): void {
    if ((mask & 0xffff) !== 0xffff) return; // the chip has no byte accesses to its registers
    if (offset !== 0) this.#select = value & 3;
    else if (this.#select === 0) this.#control(value & 0xffff);
    else if ((this.#csr0 & STOP) !== 0) this.#csr[this.#select] = value & (CSR_BITS[this.#select] ?? 0);
  }

  #control(value: number): void {
    if ((value & STOP) !== 0) {
      this.#stop();
      return;
    }
    this.#csr0 &= ~(value & CLEARED_BY_ONE);
    const stopped = (this.#csr0 & STOP) !== 0;
    if (stopped && (value & (INIT | STRT)) === 0) return;
    this.#csr0 = (this.#csr0 & ~(STOP | INEA)) | (value & INEA);
    if (stopped && (value & INIT) !== 0) {
      this.#csr0 |= INIT;
      this.#initTimer.arm(this.#clock.now + INIT_SECONDS * this.#clock.hz);
    }
    if ((value & STRT) !== 0 && (this.#csr0 & STRT) === 0) {
      this.#csr0 |= STRT;
      if (!this.#initTimer.armed) this.#start();
    }
    if ((value & TDMD) !== 0 && (this.#csr0 & TXON) !== 0) this.#transmit();
    this.#update();
  }

  #stop(): void {
    this.#csr0 = STOP;
    this.#initTimer.disarm();
    this.#poll.disarm();
    if (this.#transmitting && !this.#unsent.armed) this.#orphans += 1;
    this.#unsent.disarm();
    this.#transmitting = false;
    this.#update();
  }

  #raise(bits: number): void {
    this.#csr0 |= bits;
    this.#update();
  }

  #update(): void {
    this.#setLine(LINE, (this.#csr0 & INEA) !== 0 && (this.#csr0 & INTERRUPTS) !== 0);
  }

  /** Reads the initialization block. */
  #initialize(): void {
    const memory = this.#memory;
    const block = this.#csr[1] ?? 0;
    this.#mode = memory.word(block);
    for (let i = 0; i < 6; i += 1) this.#address[i] = memory.byte(block + 2 + i);
    for (let i = 0; i < 8; i += 1) this.#hashFilter[i] = memory.byte(block + 8 + i);
    this.#receiveRing.load(memory.word(block + 16), memory.word(block + 18));
    this.#transmitRing.load(memory.word(block + 20), memory.word(block + 22));
    this.#initialized = true;
    this.#raise(IDON);
    if ((this.#csr0 & STRT) !== 0) this.#start();
  }

  #start(): void {
    if (!this.#initialized) return;
    this.#raise(((this.#mode & MODE_DRX) === 0 ? RXON : 0) | ((this.#mode & MODE_DTX) === 0 ? TXON : 0));
    this.#transmit();
  }

  // ---- Transmitter

  /** Looks at the transmit ring, and sends the message there if there is one. */
  #transmit(): void {
    if ((this.#csr0 & TXON) === 0 || this.#transmitting) return;
    this.#poll.arm(this.#clock.now + POLL_SECONDS * this.#clock.hz);
    const ring = this.#transmitRing;
    // A buffer that continues a message when none has begun is given back unsent. Each step gives one up, so this ends.
    while (ring.owned && (ring.flags & STP) === 0) ring.release(ring.flags & ENP);
    if (!ring.owned) return;
    this.#poll.disarm();
    this.#length = 0;
    for (;;) {
      this.#gather(ring.buffer, ring.bytes);
      if ((ring.flags & ENP) !== 0) break;
      const first = ring.flags & STP;
      if (!ring.nextOwned) {
        ring.setMessageLength(TX_BUFF | TX_UFLO);
        ring.release(ERR | first);
        this.#csr0 &= ~TXON;
        this.#raise(TINT);
        return;
      }
      ring.release(first);
    }
    this.#transmitting = true;
    const frame = this.#message.subarray(0, Math.min(this.#length, KEPT));
    if (this.#length + FCS > MAX_FRAME) this.#raise(BABL);
    if ((this.#mode & MODE_LOOP) === 0 && this.#wire.send(frame)) return;
    this.#unsent.arm(this.#clock.now + (frameMicroseconds(this.#length) * this.#clock.hz) / 1e6);
  }

  #gather(address: number, bytes: number): void {
    const kept = Math.max(0, Math.min(bytes, KEPT - this.#length));
    for (let i = 0; i < kept; i += 1) this.#message[this.#length + i] = this.#memory.byte(address + i);
    this.#length += bytes;
  }

  /** The message has left: its last descriptor goes back. */
  #transmitted(onWire: boolean): void {
    if (!this.#transmitting) return;
    this.#transmitting = false;
    const { flags } = this.#transmitRing;
    this.#transmitRing.setMessageLength(0);
    this.#transmitRing.release(flags & (STP | ENP));
    if (onWire) this.#events.emit(EVENT_KINDS['frame-out'].kind, this.#clock.now, this.#length, 0, 0);
    this.#raise(TINT);
    this.#transmit();
  }

  // ---- Receiver

  #receive(frame: Uint8Array): void {
    if ((this.#csr0 & RXON) === 0 || !this.#accepts(frame)) return;
    const ring = this.#receiveRing;
    if (!ring.owned) {
      this.#raise(MISS);
      return;
    }
    const total = frame.length + FCS;
    const fcs = ~crc32(frame, frame.length);
    let first = STP;
    for (let done = 0; ; first = 0) {
      const { buffer, bytes } = ring;
      const here = Math.min(bytes, total - done);
      for (let i = 0; i < here; i += 1) {
        const at = done + i;
        const value = at < frame.length ? (frame[at] ?? 0) : fcs >>> (8 * (at - frame.length));
        this.#memory.setByte(buffer + i, value);
      }
      done += here;
      if (done === total) {
        ring.setMessageLength(total);
        ring.release(first | ENP);
        break;
      }
      if (!ring.nextOwned) {
        ring.release(ERR | RX_BUFF | first);
        this.#raise(RINT);
        return;
      }
      ring.release(first);
    }
    this.#events.emit(EVENT_KINDS['frame-in'].kind, this.#clock.now, frame.length, 0, 0);
    this.#raise(RINT);
  }

  /** Promiscuous, broadcast, own address, or a group address whose hash is in the logical address filter. */
  #accepts(frame: Uint8Array): boolean {
    if ((this.#mode & MODE_PROMISCUOUS) !== 0) return true;
    let broadcast = true;
    let own = true;
    for (let i = 0; i < 6; i += 1) {
      if (frame[i] !== 0xff) broadcast = false;
      if (frame[i] !== this.#address[i]) own = false;
    }
    const group = ((frame[0] ?? 0) & 1) !== 0;
    if (broadcast || (own && !group)) return true;
    if (!group) return false;
    const hash = crc32(frame, 6) >>> 26;
    return ((this.#hashFilter[hash >>> 3] ?? 0) & (1 << (hash & 7))) !== 0;
  }
}
