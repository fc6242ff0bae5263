/**
 * The Ethernet controller: an Am7990 LANCE with the 64 KB of buffer memory that the KN01 gives it.
 *
 *     +0 RDP  the register that RAP selects        +4 RAP  register number, 0 to 3
 *
 *     CSR0  15 ERR | 14 BABL | 13 CERR | 12 MISS | 11 MERR | 10 RINT | 9 TINT | 8 IDON |
 *            7 INTR | 6 INEA | 5 RXON | 4 TXON | 3 TDMD | 2 STOP | 1 STRT | 0 INIT
 *     CSR1, CSR2  address of the initialization block    CSR3  2 BSWP | 1 ACON | 0 BCON (the last two: stored only)
 *
 * Bits 14 to 8 are cleared by writing 1. Everything that it reads from its memory is the guest's word. The controller goes on
 * with any of it. Interrupt line 3. Its halves are in `lance-transmitter.ts` and `lance-receiver.ts`.
 *
 * Assumption: the initialization block takes 12 bus cycles of 600 ns to read; other DMA takes no time. The memory always
 * answers (no MERR), and the transceiver has a heartbeat as long as it is plugged in. Source: [LANCE].
 */
import type { Wire } from '@exokernel/wire';
import type { Device } from '../bus/bus.ts';
import type { Clock, Timer } from '../bus/clock.ts';
import type { EventStream } from '../bus/events.ts';
import type { MemoryPort } from '../memory/port.ts';
import type { StateStream } from '../state/state-stream.ts';
import { LanceReceiver } from './lance-receiver.ts';
import { LanceMemory } from './lance-rings.ts';
import {
  BABL,
  CERR,
  DRX,
  DTX,
  IDON,
  INEA,
  LanceStatus,
  MERR,
  MISS,
  RINT,
  RXON,
  STOP,
  TINT,
  TXON,
} from './lance-status.ts';
import { LanceTransmitter } from './lance-transmitter.ts';

const TDMD = 0x0008;
const STRT = 0x0002;
const INIT = 0x0001;
const CLEARED_BY_ONE: number = BABL | CERR | MISS | MERR | RINT | TINT | IDON;

/** The bits of CSR1 to CSR3 that exist. */
const CSR_BITS: readonly number[] = [0, 0xfffe, 0x00ff, 0x0007];
const BSWP = 0x0004;

const INIT_SECONDS = 12 * 600e-9;

/** The controller at 0x18000000. */
export class Lance implements Device {
  readonly base: number = 0x18000000;
  readonly bytes: number = 8;
  readonly #clock: Clock;
  readonly #status: LanceStatus;
  readonly #memory: LanceMemory;
  readonly #receiver: LanceReceiver;
  readonly #transmitter: LanceTransmitter;
  readonly #csr = new Uint16Array(4);
  #select = 0;
  #initialized = false;
  readonly #initTimer: Timer;

  constructor(
    clock: Clock,
    events: EventStream,
    setLine: (line: number, level: boolean) => void,
    buffer: MemoryPort,
    wire: Wire,
  ) {
    this.#clock = clock;
    const status = new LanceStatus(setLine);
    const memory = new LanceMemory(buffer);
    const receiver = new LanceReceiver(clock, events, status, memory);
    this.#status = status;
    this.#memory = memory;
    this.#receiver = receiver;
    this.#initTimer = clock.timer(() => {
      this.#initialize();
    });
    const attachment = wire.attach(
      {
        receive: (frame) => {
          receiver.receive(frame);
        },
        damaged: (frame, fcs) => {
          receiver.receive(frame, fcs);
        },
        sent: (how) => {
          this.#transmitter.sent(how);
        },
      },
      clock,
    );
    this.#transmitter = new LanceTransmitter(clock, events, status, memory, receiver, attachment);
  }

  state(s: StateStream): void {
    this.#status.state(s);
    this.#receiver.state(s);
    this.#transmitter.state(s);
    for (let i = 0; i < this.#csr.length; i += 1) this.#csr[i] = s.word(this.#csr[i] ?? 0);
    this.#memory.swapped = s.flag(this.#memory.swapped);
    this.#select = s.integer(this.#select, 0, 3);
    this.#initialized = s.flag(this.#initialized);
    s.timer(this.#initTimer);
  }

  read(offset: number): number {
    if (offset !== 0) return this.#select;
    if (this.#select === 0) return this.#status.word;
    return this.#stopped ? (this.#csr[this.#select] ?? 0) : 0;
  }

  write(offset: number, value: number, mask: number): void {
    if ((mask & 0xffff) !== 0xffff) return; // the chip has no byte accesses to its registers
    if (offset !== 0) this.#select = value & 3;
    else if (this.#select === 0) this.#control(value & 0xffff);
    else if (this.#stopped) {
      this.#csr[this.#select] = value & (CSR_BITS[this.#select] ?? 0);
      this.#memory.swapped = ((this.#csr[3] ?? 0) & BSWP) !== 0;
    }
  }

  get #stopped(): boolean {
    return (this.#status.csr0 & STOP) !== 0;
  }

  #control(value: number): void {
    if ((value & STOP) !== 0) {
      this.#stop();
      return;
    }
    const status = this.#status;
    status.csr0 &= ~(value & CLEARED_BY_ONE);
    const stopped = this.#stopped;
    if (stopped && (value & (INIT | STRT)) === 0) return;
    status.csr0 = (status.csr0 & ~(STOP | INEA)) | (value & INEA);
    if (stopped && (value & INIT) !== 0) {
      status.csr0 |= INIT;
      this.#initTimer.arm(this.#clock.now + INIT_SECONDS * this.#clock.hz);
    }
    if ((value & STRT) !== 0 && (status.csr0 & STRT) === 0) {
      status.csr0 |= STRT;
      if (!this.#initTimer.armed) this.#start();
    }
    if ((value & TDMD) !== 0) this.#transmitter.transmit();
    status.update();
  }

  /** Clears CSR0 and CSR3 but for STOP. */
  #stop(): void {
    this.#status.csr0 = STOP;
    this.#csr[3] = 0;
    this.#memory.swapped = false;
    this.#initTimer.disarm();
    this.#transmitter.stop();
    this.#status.update();
  }

  /** Reads the initialization block. */
  #initialize(): void {
    const memory = this.#memory;
    const { address, hashFilter } = this.#receiver;
    const block = this.#csr[1] ?? 0;
    this.#status.mode = memory.word(block);
    for (let i = 0; i < 6; i += 1) address[i] = memory.byte(block + 2 + i);
    for (let i = 0; i < 8; i += 1) hashFilter[i] = memory.byte(block + 8 + i);
    this.#receiver.ring.load(memory.word(block + 16), memory.word(block + 18));
    this.#transmitter.ring.load(memory.word(block + 20), memory.word(block + 22));
    this.#initialized = true;
    this.#status.raise(IDON);
    if ((this.#status.csr0 & STRT) !== 0) this.#start();
  }

  #start(): void {
    if (!this.#initialized) return;
    const { mode } = this.#status;
    this.#status.raise(((mode & DRX) === 0 ? RXON : 0) | ((mode & DTX) === 0 ? TXON : 0));
    this.#transmitter.transmit();
  }
}
