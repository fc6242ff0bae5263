/**
 * The KN01's system control and status register, with the address register of write timeouts.
 *
 * A store to an address at which nothing answers has left the CPU before that is known: it raises no exception, but latches
 * its address here, sets MEMERR and interrupts on line 6 until MEMERR is written with 1. (Loads and fetches get a bus
 * error exception from the CPU itself.)
 *
 *     15 MNFMOD | 14 STATUS | 13 PARDIS | 12 CRSRTST | 11 MONO | 10 MEMERR | 9 VINT | 8 TXDIS | 7..0 LEDs (write only)
 *
 * There is no video and no parity error: their bits read as 0. Source: [KN01].
 */
import type { Device } from '../bus/bus.ts';
import type { StateStream } from '../state/state-stream.ts';

const MEMERR = 0x0400;
const TXDIS = 0x0100;
/** STATUS, PARDIS, TXDIS read back what was written. */
const KEPT = 0x6100;
const LINE = 6;

/** The register at 0x1e000000. */
export class SystemRegister implements Device {
  readonly base: number = 0x1e000000;
  readonly bytes: number = 4;
  #kept = 0;
  #error = false;
  #address = 0;
  readonly #setLine: (line: number, level: boolean) => void;

  constructor(setLine: (line: number, level: boolean) => void) {
    this.#setLine = setLine;
  }

  state(s: StateStream): void {
    this.#kept = s.word(this.#kept);
    this.#error = s.flag(this.#error);
    this.#address = s.word(this.#address);
  }

  /** The software has switched the serial transmitters off. */
  get transmitDisabled(): boolean {
    return (this.#kept & TXDIS) !== 0;
  }

  /** No device answered a store to `physical`. The first one's address stays until it is acknowledged. */
  writeTimeout(physical: number): void {
    if (this.#error) return;
    this.#error = true;
    this.#address = physical;
    this.#setLine(LINE, true);
  }

  read(): number {
    return this.#kept | (this.#error ? MEMERR : 0);
  }

  write(_offset: number, value: number, mask: number): void {
    this.#kept = ((this.#kept & ~mask) | (value & mask)) & KEPT;
    if ((value & mask & MEMERR) === 0) return;
    this.#error = false;
    this.#setLine(LINE, false);
  }

  /** The address register at 0x17000000: physical address of the store that timed out, read-only. */
  get addressRegister(): Device {
    return { base: 0x17000000, bytes: 4, read: () => this.#address | 0, write: () => undefined };
  }
}
