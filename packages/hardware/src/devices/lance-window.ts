/**
 * The LANCE's buffer memory as the KN01's CPU sees it: 16 bits in the low half of every 32-bit word, 128 KB for 64 KB.
 *
 * Source: [KN01].
 */
import type { Device } from '../bus/bus.ts';
import type { MemoryPort } from '../memory/port.ts';
import { LANCE_MEMORY, LANCE_MEMORY_BYTES } from '../memory/places.ts';

/** The window at 0x19000000 over `buffer`. */
export class LanceWindow implements Device {
  readonly base: number = LANCE_MEMORY;
  readonly bytes: number = 2 * LANCE_MEMORY_BYTES;
  readonly #buffer: MemoryPort;

  constructor(buffer: MemoryPort) {
    this.#buffer = buffer;
  }

  read(offset: number): number {
    return this.#buffer.load16(offset >>> 1);
  }

  write(offset: number, value: number, mask: number): void {
    const at = offset >>> 1;
    if ((mask & 0xff) !== 0) this.#buffer.store8(at, value);
    if ((mask & 0xff00) !== 0) this.#buffer.store8(at + 1, value >>> 8);
  }
}
