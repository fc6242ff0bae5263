/**
 * The serial lines: a bounded queue per line between environments and the DC7085 (a DZ11). [DZ11], [KN01]
 *
 * A line is guarded by a capability; whoever holds it writes and reads. The kernel only moves bytes: 256 wait at most in each
 * direction, and what does not fit is not accepted (sending) or lost (receiving).
 */
import { ENV, ERRORS, type NativeCpu } from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import type { KernelMemory } from './memory.ts';

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

const SERIAL_LINES = 4;
const QUEUE_BYTES = 256;

/** Whether there is such a line. */
export function isLine(line: number): boolean {
  return Number.isInteger(line) && line >= 0 && line < SERIAL_LINES;
}

export class Serial {
  readonly #memory: KernelMemory;
  readonly #out: number[][] = Array.from({ length: SERIAL_LINES }, () => []);
  readonly #in: number[][] = Array.from({ length: SERIAL_LINES }, () => []);
  /** Who last used a line, and is told when something happens on it. */
  readonly #users: (number | undefined)[] = [];

  constructor(memory: KernelMemory, capabilities: Capabilities) {
    this.#memory = memory;
    // Lines are never replaced.
    capabilities.guard('serial', (line) => (isLine(line) ? 0 : undefined));
  }

  boot(cpu: NativeCpu): void {
    cpu.store16(CSR, MSE | TIE | RIE);
    for (let line = 0; line < SERIAL_LINES; line += 1) cpu.store16(RBUF_LPR, LINE_PARAMETERS | line);
    cpu.store16(TCR, 0);
  }

  /** Queues what fits of `bytes`. Returns how many. */
  write(cpu: NativeCpu, env: number, line: number, bytes: readonly number[]): number {
    const queue = this.#out[line] ?? [];
    const accepted = bytes.slice(0, QUEUE_BYTES - queue.length);
    queue.push(...accepted);
    this.#users[line] = env;
    if (accepted.length > 0) cpu.store16(TCR, cpu.load16(TCR) | (1 << line));
    return accepted.length;
  }

  /** One received byte, or E_AGAIN. */
  read(env: number, line: number): number {
    this.#users[line] = env;
    return this.#in[line]?.shift() ?? ERRORS.E_AGAIN;
  }

  /** Moves every byte that the controller can take or has. */
  interrupt(cpu: NativeCpu): void {
    for (let received = cpu.load16(RBUF_LPR); (received & VALID) !== 0; received = cpu.load16(RBUF_LPR)) {
      const line = (received >>> 8) & 3;
      const queue = this.#in[line] ?? [];
      if (queue.length < QUEUE_BYTES) queue.push(received & 0xff);
      this.#notify(line);
    }
    for (let csr = cpu.load16(CSR); (csr & TRDY) !== 0; csr = cpu.load16(CSR)) {
      const line = (csr >>> 8) & 3;
      const queue = this.#out[line] ?? [];
      const byte = queue.shift();
      if (byte === undefined) cpu.store16(TCR, cpu.load16(TCR) & ~(1 << line));
      else cpu.store16(TDR, byte);
      if (queue.length === QUEUE_BYTES / 2 || queue.length === 0) this.#notify(line);
    }
  }

  release(env: number): void {
    this.#users.forEach((user, line) => {
      if (user === env) this.#users[line] = undefined;
    });
  }

  #notify(line: number): void {
    const user = this.#users[line];
    if (user !== undefined) this.#memory.setEnv(user, ENV.pending, 1);
  }
}
