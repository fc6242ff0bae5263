/**
 * The LANCE's descriptor rings and buffers in its 64 KB of memory. Guest-written: nothing in it is trusted, and every
 * address wraps.
 *
 *     word 0   buffer address 15..0
 *     word 1   15 OWN | 14 ERR | status | 9 STP | 8 ENP | 7..0 buffer address 23..16 (not wired here)
 *              receive status: 13 FRAM | 12 OFLO | 11 CRC | 10 BUFF        transmit status: 12 MORE | 11 ONE | 10 DEF
 *     word 2   buffer length, negative, 12 bits (0 means 4096)
 *     word 3   receive: message length with FCS
 *              transmit: 15 BUFF | 14 UFLO | 12 LCOL | 11 LCAR | 10 RTRY | 9..0 TDR
 *
 * Source: [LANCE].
 */
import { LANCE_MEMORY_BYTES } from '../memory/places.ts';
import type { MemoryPort } from '../memory/port.ts';
import type { StateStream } from '../state/state-stream.ts';

const OWN = 0x8000;
export const ERR = 0x4000;
/** Receive: the FCS did not match; the message was longer than the buffers that the LANCE owned. */
export const RX_CRC = 0x0800;
export const RX_BUFF = 0x0400;
/** Transmit: the wire was busy with another's frame when the LANCE wanted to send. */
export const TX_DEF = 0x0400;
export const STP = 0x0200;
export const ENP = 0x0100;
/**
 * Transmit, word 3: the message's buffers ended before the message; the transmitter ran dry; it did not hear itself; every
 * attempt met a collision.
 */
export const TX_BUFF = 0x8000;
export const TX_UFLO = 0x4000;
export const TX_LCAR = 0x0800;
export const TX_RTRY = 0x0400;

/** 16-bit words and bytes of the LANCE's memory, at any address. */
export class LanceMemory {
  /** CSR3.BSWP: the bytes of a word change places in messages, not in descriptors and the initialization block. */
  swapped: boolean = false;
  readonly #port: MemoryPort;

  constructor(port: MemoryPort) {
    this.#port = port;
  }

  byte(address: number): number {
    return this.#port.load8(address & 0xffff);
  }

  setByte(address: number, value: number): void {
    this.#port.store8(address & 0xffff, value);
  }

  /** Fills `into` with a part of a message. */
  readData(address: number, into: Uint8Array): void {
    const at = address & 0xffff;
    if (!this.swapped && at + into.length <= LANCE_MEMORY_BYTES) {
      this.#port.read(at, into);
      return;
    }
    for (let i = 0; i < into.length; i += 1) into[i] = this.byte(this.#place(address + i));
  }

  /** Stores a part of a message. */
  writeData(address: number, bytes: Uint8Array): void {
    const at = address & 0xffff;
    if (!this.swapped && at + bytes.length <= LANCE_MEMORY_BYTES) {
      this.#port.write(at, bytes);
      return;
    }
    for (let i = 0; i < bytes.length; i += 1) this.setByte(this.#place(address + i), bytes[i] ?? 0);
  }

  #place(address: number): number {
    return this.swapped ? address ^ 1 : address;
  }

  word(address: number): number {
    return this.byte(address) | (this.byte(address + 1) << 8);
  }

  setWord(address: number, value: number): void {
    this.setByte(address, value);
    this.setByte(address + 1, value >>> 8);
  }
}

/** One ring: where it lies, how long it is, and the descriptor that the LANCE looks at next. */
export class Ring {
  readonly #memory: LanceMemory;
  #base = 0;
  #mask = 0;
  #index = 0;

  constructor(memory: LanceMemory) {
    this.#memory = memory;
  }

  state(s: StateStream): void {
    this.#base = s.integer(this.#base, 0, 0xffff);
    this.#mask = s.integer(this.#mask, 0, 0x7f);
    this.#index = s.integer(this.#index, 0, this.#mask);
  }

  /** Takes address and length (a power of two) from two words of the initialization block. */
  load(low: number, high: number): void {
    this.#base = low & 0xfff8;
    this.#mask = (1 << (high >>> 13)) - 1;
    this.#index = 0;
  }

  get #address(): number {
    return this.#base + 8 * this.#index;
  }

  get owned(): boolean {
    return (this.flags & OWN) !== 0;
  }

  /** Whether the descriptor after the current one is the LANCE's; a ring of one has none. */
  get nextOwned(): boolean {
    const next = (this.#index + 1) & this.#mask;
    return next !== this.#index && (this.#memory.word(this.#base + 8 * next + 2) & OWN) !== 0;
  }

  /** Word 1 of the current descriptor. */
  get flags(): number {
    return this.#memory.word(this.#address + 2);
  }

  get buffer(): number {
    return this.#memory.word(this.#address);
  }

  /** Length of the buffer, 1 to 4096. */
  get bytes(): number {
    return 4096 - (this.#memory.word(this.#address + 4) & 0xfff);
  }

  setMessageLength(value: number): void {
    this.#memory.setWord(this.#address + 6, value);
  }

  /** Gives the descriptor back with these status bits, and goes on to the next one. */
  release(status: number): void {
    this.#memory.setWord(this.#address + 2, (this.flags & 0x00ff) | status);
    this.#index = (this.#index + 1) & this.#mask;
  }
}
