/** The machine's port to memory, until the machine has one of its own. */
import type { Machine } from '@exokernel/hardware';

export interface MemoryPort {
  readonly ramBytes: number;
  load8(physical: number): number;
  load16(physical: number): number;
  load32(physical: number): number;
  store8(physical: number, value: number): void;
  store16(physical: number, value: number): void;
  store32(physical: number, value: number): void;
  read(physical: number, into: Uint8Array): Uint8Array;
  write(physical: number, bytes: Uint8Array): void;
  zero(physical: number, bytes: number): void;
  copy(to: number, from: number, bytes: number): void;
  installCode(physical: number, words: ArrayLike<number>): void;
}

export function portOf({ memory }: Machine): MemoryPort {
  return {
    ramBytes: memory.ramBytes,
    load8: (at) => memory.load8(at),
    load16: (at) => memory.load16(at),
    load32: (at) => memory.load32(at),
    store8: (at, value) => {
      memory.store8(at, value);
    },
    store16: (at, value) => {
      memory.store16(at, value);
    },
    store32: (at, value) => {
      memory.store32(at, value);
    },
    read: (at, into) => {
      into.set(memory.bytes.subarray(at, at + into.length));
      return into;
    },
    write: (at, bytes) => {
      memory.write(at, bytes);
    },
    zero: (at, bytes) => {
      memory.bytes.fill(0, at, at + bytes);
      memory.wrote(at, bytes);
    },
    copy: (to, from, bytes) => {
      memory.bytes.copyWithin(to, from, from + bytes);
      memory.wrote(to, bytes);
    },
    installCode: (at, words) => {
      for (let i = 0; i < words.length; i += 1) memory.store32(at + 4 * i, words[i] ?? 0);
    },
  };
}
