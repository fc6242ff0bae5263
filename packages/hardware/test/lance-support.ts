/** What tests of the LANCE share: initializing one, descriptors, frames. */
import type { Machine } from '../src/index.ts';
import { poke } from './support.ts';

export const RDP = 0x18000000;
export const RAP = 0x18000004;
export const MEMORY = 0x19000000;

const BLOCK = 0x0000;
export const RX = 0x0100;
export const TX = 0x0200;
export const RX_BUFFER = 0x1000;
export const TX_BUFFER = 0x8000;

export function word(machine: Machine, address: number): number {
  return machine.lanceMemory?.load16(address) ?? 0;
}

export function setWord(machine: Machine, address: number, value: number): void {
  machine.lanceMemory?.store16(address, value);
}

/** Fills a descriptor; `bytes` is the buffer's length. */
export function descriptor(machine: Machine, address: number, buffer: number, flags: number, bytes: number): void {
  setWord(machine, address, buffer);
  setWord(machine, address + 2, flags);
  setWord(machine, address + 4, 0xf000 | (-bytes & 0xfff));
  setWord(machine, address + 6, 0);
}

export interface Setup {
  readonly mac: Uint8Array;
  readonly mode?: number;
  readonly rxBytes?: number;
  readonly filter?: readonly number[];
  /** Logarithm of the number of descriptors of each ring. */
  readonly rings?: number;
  readonly csr3?: number;
}

/** Writes an initialization block and rings. */
export function prepare(machine: Machine, setup: Setup): void {
  const { mac, mode = 0, rxBytes = 1600, filter = [0, 0, 0, 0], rings = 2 } = setup;
  setWord(machine, BLOCK, mode);
  machine.lanceMemory?.write(BLOCK + 2, mac);
  filter.forEach((value, i) => {
    setWord(machine, BLOCK + 8 + 2 * i, value);
  });
  setWord(machine, BLOCK + 16, RX);
  setWord(machine, BLOCK + 18, rings << 13);
  setWord(machine, BLOCK + 20, TX);
  setWord(machine, BLOCK + 22, rings << 13);
  for (let i = 0; i < 1 << rings; i += 1) descriptor(machine, RX + 8 * i, RX_BUFFER + i * rxBytes, 0x8000, rxBytes);
}

/** The same, and tells the controller to read it and start. */
export function initialize(machine: Machine, setup: Setup): void {
  prepare(machine, setup);
  for (const [register, value] of [
    [1, BLOCK],
    [2, 0],
    [3, setup.csr3 ?? 0],
  ] as const) {
    poke(machine, RAP, register);
    poke(machine, RDP, value);
  }
  poke(machine, RAP, 0);
  poke(machine, RDP, 0x0043); // INEA, STRT, INIT
}

/** A copy of the LANCE's buffer memory, or of a part. */
export function lanceBytes(machine: Machine, at = 0, length = 0x10000): Uint8Array {
  return machine.lanceMemory?.read(at, new Uint8Array(length)) ?? new Uint8Array(0);
}
