/**
 * The serial lines: a bounded queue per line between environments and the DC7085 (a DZ11). [DZ11], [KN01]
 *
 * A line is guarded by a capability; its holder writes and reads. The kernel only moves bytes: 256 wait at most in each
 * direction, and what does not fit is not accepted (sending) or lost (receiving).
 *
 * Each byte is an interrupt. The user of the line pays for it; for what is still to be sent when that has ended, or has lost its right, its family does.
 */
import { ENV, ERRORS, NO_ENV, type NativeCpu } from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import type { Families } from './families.ts';
import { Records, type KernelMemory } from './memory.ts';
import { familyAsPayer } from './slices.ts';
import { QUEUE_BYTES, SERIAL, SERIAL_LINES, TABLES } from './tables.ts';

/** DC7085 registers in kseg1, 16 bits each. */
const BASE = 0xbc000000;
const CSR = BASE;
/** Read: receive buffer; write: line parameters. */
const RBUF_LPR = BASE + 0x08;
const TCR = BASE + 0x10;
const TDR = BASE + 0x18;

/** CSR: transmitter ready and line, transmit and receive interrupts, master scan. */
const TRDY = 0x8000;
const TIE = 0x4000;
const RIE = 0x0040;
const MSE = 0x0020;
const VALID = 0x8000;
/** LPR: receiver on, 9600 baud, 8 bits, no parity, one stop bit. */
const LINE_PARAMETERS = 0x1000 | (0xe << 8) | 0x18;

/** A line, and the node of the capability by which it is used. */
export interface LineRight {
  readonly line: number;
  readonly node: number;
}

/** Whether there is such a line. */
export function isLine(line: number): boolean {
  return Number.isInteger(line) && line >= 0 && line < SERIAL_LINES;
}

/** Words of a line's record for its queues: where the first byte lies, how many there are, the bytes. */
const OUT = { first: SERIAL.outFirst, count: SERIAL.outCount, bytes: SERIAL.out } as const;
const IN = { first: SERIAL.inFirst, count: SERIAL.inCount, bytes: SERIAL.in } as const;

export class Serial {
  readonly #memory: KernelMemory;
  readonly #families: Families;
  readonly #lines: Records;

  constructor(memory: KernelMemory, capabilities: Capabilities, families: Families) {
    this.#memory = memory;
    this.#families = families;
    this.#lines = new Records(memory, TABLES.serial);
    // Lines are never replaced.
    capabilities.guard('serial', (line) => (isLine(line) ? 0 : undefined));
    capabilities.breaking('serial', (line, nodes) => {
      if (nodes.has(this.#lines.get(line, SERIAL.node))) this.#used(line, 0, 0);
    });
  }

  boot(cpu: NativeCpu): void {
    cpu.store16(CSR, MSE | TIE | RIE);
    for (let line = 0; line < SERIAL_LINES; line += 1) cpu.store16(RBUF_LPR, LINE_PARAMETERS | line);
    cpu.store16(TCR, 0);
  }

  /** Queues what fits of `bytes`. Returns how many. */
  write(cpu: NativeCpu, env: number, { line, node }: LineRight, bytes: readonly number[]): number {
    const accepted = bytes.filter((byte) => this.#put(line, OUT, byte));
    this.#used(line, env + 1, node);
    this.#lines.set(line, SERIAL.family, this.#families.of(env));
    if (accepted.length > 0) cpu.store16(TCR, cpu.load16(TCR) | (1 << line));
    return accepted.length;
  }

  /** One received byte, or E_AGAIN. */
  read(env: number, { line, node }: LineRight): number {
    this.#used(line, env + 1, node);
    return this.#take(line, IN) ?? ERRORS.E_AGAIN;
  }

  /** Moves every byte that the controller can take or has. Returns who pays: who used the last of these lines last, its family, or NO_ENV. */
  interrupt(cpu: NativeCpu): number {
    let cause = NO_ENV;
    for (let received = cpu.load16(RBUF_LPR); (received & VALID) !== 0; received = cpu.load16(RBUF_LPR)) {
      const line = (received >>> 8) & 3;
      this.#put(line, IN, received & 0xff);
      this.#notify(line);
      cause = this.#user(line);
    }
    for (let csr = cpu.load16(CSR); (csr & TRDY) !== 0; csr = cpu.load16(CSR)) {
      const line = (csr >>> 8) & 3;
      const byte = this.#take(line, OUT);
      if (byte === undefined) cpu.store16(TCR, cpu.load16(TCR) & ~(1 << line));
      else cpu.store16(TDR, byte);
      const left = this.#lines.get(line, SERIAL.outCount);
      if (left === QUEUE_BYTES / 2 || left === 0) this.#notify(line);
      cause = this.#sender(line);
    }
    return cause;
  }

  release(env: number): void {
    for (let line = 0; line < SERIAL_LINES; line += 1) {
      if (this.#lines.get(line, SERIAL.user) === env + 1) this.#used(line, 0, 0);
    }
  }

  /** The line's events go to this environment (its number plus 1, or 0: to none), which uses it by a capability of this node. */
  #used(line: number, user: number, node: number): void {
    this.#lines.set(line, SERIAL.user, user);
    this.#lines.set(line, SERIAL.node, node);
  }

  /** Adds a byte at the end of a queue, if there is room. */
  #put(line: number, queue: typeof OUT | typeof IN, byte: number): boolean {
    const count = this.#lines.get(line, queue.count);
    if (count >= QUEUE_BYTES) return false;
    const place = (this.#lines.get(line, queue.first) + count) % QUEUE_BYTES;
    this.#memory.port.store8(this.#lines.address(line) + queue.bytes + place, byte);
    this.#lines.set(line, queue.count, count + 1);
    return true;
  }

  /** Takes the first byte of a queue, if there is one. */
  #take(line: number, queue: typeof OUT | typeof IN): number | undefined {
    const count = this.#lines.get(line, queue.count);
    if (count === 0) return undefined;
    const first = this.#lines.get(line, queue.first) % QUEUE_BYTES;
    this.#lines.set(line, queue.first, (first + 1) % QUEUE_BYTES);
    this.#lines.set(line, queue.count, count - 1);
    return this.#memory.port.load8(this.#lines.address(line) + queue.bytes + first);
  }

  #notify(line: number): void {
    const user = this.#user(line);
    if (user !== NO_ENV) this.#memory.setEnv(user, ENV.pending, 1);
  }

  #sender(line: number): number {
    const user = this.#user(line);
    const family = this.#lines.get(line, SERIAL.family);
    return user !== NO_ENV || this.#families.has('environments', family) === 0 ? user : familyAsPayer(family);
  }

  #user(line: number): number {
    const user = this.#lines.get(line, SERIAL.user) - 1;
    return user >= 0 ? user : NO_ENV;
  }
}
