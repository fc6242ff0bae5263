/**
 * The serial lines: a DC7085, the DZ11's four-line descendant, with the KN01's register spacing.
 *
 *     +0x00 CSR   15 TRDY | 14 TIE | 9..8 TLINE | 7 RDONE | 6 RIE | 5 MSE | 4 CLR | 3 MAINT
 *     +0x08 RBUF  15 DVAL | 14 OERR | 13 FERR | 12 PERR | 9..8 line | 7..0 character    (read: takes it from the silo)
 *     +0x08 LPR   12 RXENB | 11..8 speed | 7 odd | 6 parity | 5 two stop bits | 4..3 size | 1..0 line          (write)
 *     +0x10 TCR   11..8 modem outputs | 3..0 transmit enable of each line
 *     +0x18 MSR   modem inputs (read)
 *     +0x18 TDR   11..8 break | 7..0 character for line TLINE                                                   (write)
 *
 * A character takes the time that the line's parameters say, both ways. Received characters of a line that is not enabled
 * are lost, and so are those that find the silo of 64 full (the next one carries OERR). A line on which a break begins is
 * received as one character of zeros without a stop bit (FERR; with odd parity also PERR); while a line sends a break, what
 * it transmits is lost. Without MSE the silo is empty. In maintenance mode lines hear themselves and no other line.
 * Interrupt line 4.
 *
 * The modem has data set ready; the KN01 has no other modem input. Assumption: the transmit scanner finds the next ready
 * line at once, upwards from the last one served. Frame and parity errors have no other cause: the peer outside
 * speaks as the line is set. Source: [DZ11], [KN01].
 */
import type { Device } from '../bus/bus.ts';
import type { Clock, Timer } from '../bus/clock.ts';
import type { StateStream } from '../state/state-stream.ts';

const LINE = 4;
const LINES = 4;
const SILO = 64;

const TRDY = 0x8000;
const TIE = 0x4000;
const TLINE_SHIFT = 8;
const RDONE = 0x0080;
const RIE = 0x0040;
const MSE = 0x0020;
const CLR = 0x0010;
const MAINT = 0x0008;
const CSR_KEPT: number = TIE | RIE | MSE | MAINT;

const DVAL = 0x8000;
const OERR = 0x4000;
const FERR = 0x2000;
const PERR = 0x1000;
/** Parity is on and odd. */
const ODD_PARITY = 0x00c0;
const RXENB = 0x1000;
/** Data set ready of line 2. */
const MODEM_READY = 0x0200;
/** In the place of a character: a break. */
const BREAK = 0x100;

/** Bits per second by LPR speed code. */
const BAUD = [50, 75, 110, 134.5, 150, 300, 600, 1200, 1800, 2000, 2400, 3600, 4800, 7200, 9600, 19200] as const;
/** 8 bits, no parity, 9600 baud, receiver off. */
const RESET_PARAMETERS = 0x0e18;

interface SerialLine {
  parameters: number;
  /** Character in the transmitter's holding register, and in its shift register; -1: empty. */
  holding: number;
  shifting: number;
  readonly sent: Timer;
  /** What is on its way from outside, characters and breaks, oldest first from `next`. */
  incoming: Uint16Array;
  next: number;
  readonly arrived: Timer;
  overrun: boolean;
  /** The transmitter holds the line in a break; in maintenance mode `spaced` is when the receiver notices. */
  breaking: boolean;
  readonly spaced: Timer;
}

/** The four lines at 0x1c000000. */
export class Dz11 implements Device {
  readonly base: number = 0x1c000000;
  readonly bytes: number = 0x20;
  readonly #clock: Clock;
  readonly #setLine: (line: number, level: boolean) => void;
  readonly #output: (line: number, byte: number) => void;
  readonly #lines: readonly SerialLine[];
  #control = 0;
  #transmitControl = 0;
  /** The line that the scanner stopped at; -1: none is ready. */
  #ready = -1;
  #lastServed = LINES - 1;
  readonly #silo: number[] = [];

  constructor(
    clock: Clock,
    setLine: (line: number, level: boolean) => void,
    output: (line: number, byte: number) => void,
  ) {
    this.#clock = clock;
    this.#setLine = setLine;
    this.#output = output;
    this.#lines = Array.from({ length: LINES }, (_, index) => ({
      parameters: RESET_PARAMETERS,
      holding: -1,
      shifting: -1,
      sent: clock.timer((at) => {
        this.#sent(index, at);
      }),
      incoming: new Uint16Array(0),
      next: 0,
      arrived: clock.timer((at) => {
        this.#arrived(index, at);
      }),
      overrun: false,
      breaking: false,
      spaced: clock.timer(() => {
        this.#receive(index, BREAK);
      }),
    }));
  }

  state(s: StateStream): void {
    this.#control = s.integer(this.#control, 0, 0xffff);
    this.#transmitControl = s.integer(this.#transmitControl, 0, 0xffff);
    this.#ready = s.integer(this.#ready, -1, LINES - 1);
    this.#lastServed = s.integer(this.#lastServed, 0, LINES - 1);
    const silo = s.list(this.#silo, (word) => s.integer(word ?? 0, 0, 0xffff));
    if (silo.length > SILO) s.refuse(`a silo of ${silo.length} characters`, { characters: silo.length });
    this.#silo.length = 0;
    this.#silo.push(...silo);
    for (const line of this.#lines) {
      line.parameters = s.integer(line.parameters, 0, 0x1fff);
      line.holding = s.integer(line.holding, -1, 0xff);
      line.shifting = s.integer(line.shifting, -1, 0xff);
      s.timer(line.sent);
      line.incoming = Uint16Array.from(
        s.list([...line.incoming.subarray(line.next)], (what) => s.integer(what ?? 0, 0, BREAK)),
      );
      line.next = 0;
      s.timer(line.arrived);
      line.overrun = s.flag(line.overrun);
      line.breaking = s.flag(line.breaking);
      s.timer(line.spaced);
    }
  }

  /** Characters arrive on `line` (0 to 3) from outside, at the line's speed, after those already on their way. */
  input(line: number, bytes: ArrayLike<number>): void {
    const port = this.#lines[line];
    if (port === undefined || bytes.length === 0) return;
    const waiting = port.incoming.subarray(port.next);
    const all = new Uint16Array(waiting.length + bytes.length);
    all.set(waiting);
    all.set(bytes, waiting.length);
    port.incoming = all;
    port.next = 0;
    if (!port.arrived.armed) port.arrived.arm(this.#clock.now + this.#characterTime(port));
  }

  /** A break arrives, as long as a character. */
  inputBreak(line: number): void {
    this.input(line, [BREAK]);
  }

  read(offset: number): number {
    switch (offset) {
      case 0x00: {
        const transmit = this.#ready < 0 ? 0 : TRDY | (this.#ready << TLINE_SHIFT);
        return this.#control | transmit | (this.#silo.length > 0 ? RDONE : 0);
      }
      case 0x08: {
        const received = this.#silo.shift() ?? 0;
        this.#update();
        return received;
      }
      case 0x10:
        return this.#transmitControl;
      case 0x18:
        return MODEM_READY;
      default:
        return 0;
    }
  }

  write(offset: number, value: number, mask: number): void {
    switch (offset) {
      case 0x00:
        if ((value & mask & CLR) !== 0) this.#reset();
        else this.#control = ((this.#control & ~mask) | (value & mask)) & CSR_KEPT;
        if ((this.#control & MSE) === 0) this.#silo.length = 0;
        break;
      case 0x08: {
        const port = this.#lines[value & 3];
        if (port !== undefined && (mask & 0xffff) === 0xffff && (value & 4) === 0) port.parameters = value & 0x1ff8;
        break;
      }
      case 0x10:
        this.#transmitControl = ((this.#transmitControl & ~mask) | (value & mask)) & 0x0f0f;
        break;
      case 0x18:
        if ((mask & 0xff00) !== 0) this.#setBreaks(value >>> 8);
        if ((mask & 0xff) !== 0) this.#transmit(value & 0xff);
        break;
    }
    this.#scan();
  }

  #reset(): void {
    this.#control = 0;
    this.#transmitControl = 0;
    this.#silo.length = 0;
    for (const port of this.#lines) {
      port.parameters = RESET_PARAMETERS;
      port.holding = -1;
      port.shifting = -1;
      port.sent.disarm();
      port.overrun = false;
      port.breaking = false;
      port.spaced.disarm();
    }
  }

  /** Cycles of one character: start bit, data, parity, stop bits. */
  #characterTime({ parameters }: SerialLine): number {
    const data = 5 + ((parameters >>> 3) & 3);
    const bits = 2 + data + ((parameters >>> 5) & 1) + ((parameters >>> 6) & 1);
    return Math.ceil((bits * this.#clock.hz) / (BAUD[(parameters >>> 8) & 15] ?? 9600));
  }

  // ---- Transmitter

  #setBreaks(lines: number): void {
    this.#lines.forEach((port, index) => {
      const breaking = (lines & (1 << index)) !== 0;
      if (breaking === port.breaking) return;
      port.breaking = breaking;
      if (!breaking) port.spaced.disarm();
      else if ((this.#control & MAINT) !== 0) port.spaced.arm(this.#clock.now + this.#characterTime(port));
    });
  }

  #transmit(byte: number): void {
    const port = this.#lines[this.#ready];
    if (port === undefined) return;
    this.#lastServed = this.#ready;
    if (port.shifting >= 0) port.holding = byte;
    else this.#shift(port, byte, this.#clock.now);
  }

  #shift(port: SerialLine, byte: number, from: number): void {
    port.shifting = byte;
    port.sent.arm(from + this.#characterTime(port));
  }

  #sent(index: number, at: number): void {
    const port = this.#lines[index];
    if (port === undefined) return;
    const byte = port.shifting;
    port.shifting = -1;
    if (port.holding >= 0) {
      this.#shift(port, port.holding, at);
      port.holding = -1;
    }
    if (!port.breaking) {
      if ((this.#control & MAINT) !== 0) this.#receive(index, byte);
      else this.#output(index, byte);
    }
    this.#scan();
  }

  /** Stops at the first enabled line whose holding register is empty, starting after the one served last. */
  #scan(): void {
    this.#ready = -1;
    for (let i = 1; i <= LINES && (this.#control & MSE) !== 0; i += 1) {
      const index = (this.#lastServed + i) % LINES;
      if ((this.#transmitControl & (1 << index)) !== 0 && this.#lines[index]?.holding === -1) {
        this.#ready = index;
        break;
      }
    }
    this.#update();
  }

  #update(): void {
    const transmit = this.#ready >= 0 && (this.#control & TIE) !== 0;
    const receive = this.#silo.length > 0 && (this.#control & RIE) !== 0;
    this.#setLine(LINE, transmit || receive);
  }

  // ---- Receiver

  #arrived(index: number, at: number): void {
    const port = this.#lines[index];
    const byte = port?.incoming[port.next];
    if (port === undefined || byte === undefined) return;
    port.next += 1;
    if (port.next < port.incoming.length) port.arrived.arm(at + this.#characterTime(port));
    if ((this.#control & MAINT) === 0) this.#receive(index, byte);
  }

  /** A character or a break has arrived whole. */
  #receive(index: number, what: number): void {
    const port = this.#lines[index];
    if (port === undefined || (this.#control & MSE) === 0 || (port.parameters & RXENB) === 0) return;
    if (this.#silo.length >= SILO) port.overrun = true;
    else {
      const data = what === BREAK ? 0 : what & (0xff >>> (3 - ((port.parameters >>> 3) & 3)));
      const parity = (port.parameters & ODD_PARITY) === ODD_PARITY ? PERR : 0;
      const errors = (port.overrun ? OERR : 0) | (what === BREAK ? FERR | parity : 0);
      this.#silo.push(DVAL | errors | (index << TLINE_SHIFT) | data);
      port.overrun = false;
    }
    this.#update();
  }
}
