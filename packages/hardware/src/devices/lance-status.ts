/**
 * What the parts of the LANCE share: CSR0 with its interrupt, and what the initialization block said.
 *
 *     mode  15 PROM | 6 INTL | 5 DRTY | 4 COLL | 3 DTCR | 2 LOOP | 1 DTX | 0 DRX
 *
 * Source: [LANCE].
 */
import type { StateStream } from '../state/state-stream.ts';

const LINE = 3;

export const BABL = 0x4000;
export const CERR = 0x2000;
export const MISS = 0x1000;
export const MERR = 0x0800;
export const RINT = 0x0400;
export const TINT = 0x0200;
export const IDON = 0x0100;
export const INEA = 0x0040;
export const RXON = 0x0020;
export const TXON = 0x0010;
export const STOP = 0x0004;
/** All but CERR: that one is only seen. */
const INTERRUPTS: number = BABL | MISS | MERR | RINT | TINT | IDON;
const ERRORS: number = BABL | CERR | MISS | MERR;

export const PROM = 0x8000;
const INTL = 0x0040;
const DRTY = 0x0020;
const COLL = 0x0010;
const DTCR = 0x0008;
const LOOP = 0x0004;
export const DTX = 0x0002;
export const DRX = 0x0001;

/** CSR0 and the mode. */
export class LanceStatus {
  csr0: number = STOP;
  mode = 0;
  readonly #setLine: (line: number, level: boolean) => void;

  constructor(setLine: (line: number, level: boolean) => void) {
    this.#setLine = setLine;
  }

  state(s: StateStream): void {
    this.csr0 = s.word(this.csr0);
    this.mode = s.word(this.mode);
  }

  /** CSR0 as it is read: with ERR and INTR. */
  get word(): number {
    return this.csr0 | ((this.csr0 & ERRORS) === 0 ? 0 : 0x8000) | ((this.csr0 & INTERRUPTS) === 0 ? 0 : 0x0080);
  }

  raise(bits: number): void {
    this.csr0 |= bits;
    this.update();
  }

  /** Drives the interrupt line as CSR0 says. */
  update(): void {
    this.#setLine(LINE, (this.csr0 & INEA) !== 0 && (this.csr0 & INTERRUPTS) !== 0);
  }

  get loopback(): boolean {
    return (this.mode & LOOP) !== 0;
  }

  get internalLoopback(): boolean {
    return (this.mode & (LOOP | INTL)) === (LOOP | INTL);
  }

  /** A collision is forced on every attempt. It is the internal loopback's to do. */
  get forcedCollision(): boolean {
    return this.internalLoopback && (this.mode & COLL) !== 0;
  }

  /** Attempts to send a frame that collides. */
  get attempts(): number {
    return (this.mode & DRTY) !== 0 ? 1 : 16;
  }

  /** The transmitter appends no FCS: software has done it. */
  get noTransmitCrc(): boolean {
    return (this.mode & DTCR) !== 0;
  }
}
