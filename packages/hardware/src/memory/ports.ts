/**
 * The ports of one machine: to all memory by its physical address, and to the memory of one device by its offset.
 */
import { HardwareError } from '../error.ts';
import { LINK } from './cpu-state.ts';
import { RAM_HOST } from './places.ts';
import type { MemoryPort } from './port.ts';

/** What is behind the port to all memory. */
export interface RawMemory {
  readonly ramBytes: number;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly codeFrames: Uint8Array;
  readonly wasm: { readonly buffer: ArrayBuffer };
  hostAddress(physical: number): number;
  wrote(physical: number, bytes: number, isProgram?: boolean): void;
}

/** A port over some bytes of the machine's memory, from which no code is translated. */
export class RangePort implements MemoryPort {
  readonly ramBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(buffer: ArrayBuffer, host: number, bytes: number) {
    this.ramBytes = bytes;
    this.#bytes = new Uint8Array(buffer, host, bytes);
    this.#view = new DataView(buffer, host, bytes);
  }

  load8(at: number): number {
    return this.#view.getUint8(this.#checked(at, 1, 1));
  }
  load16(at: number): number {
    return this.#view.getUint16(this.#checked(at, 2, 2), true);
  }
  load32(at: number): number {
    return this.#view.getUint32(this.#checked(at, 4, 4), true);
  }
  store8(at: number, value: number): void {
    this.#view.setUint8(this.#checked(at, 1, 1), value);
  }
  store16(at: number, value: number): void {
    this.#view.setUint16(this.#checked(at, 2, 2), value, true);
  }
  store32(at: number, value: number): void {
    this.#view.setUint32(this.#checked(at, 4, 4), value, true);
  }
  read<T extends Uint8Array>(at: number, into: T): T {
    this.#checked(at, into.length, 1);
    into.set(this.#bytes.subarray(at, at + into.length));
    return into;
  }
  write(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#checked(at, bytes.length, 1));
  }
  zero(at: number, bytes: number): void {
    this.#bytes.fill(0, this.#checked(at, bytes, 1), at + bytes);
  }
  copy(to: number, from: number, bytes: number): void {
    this.#checked(to, bytes, 1);
    this.#bytes.copyWithin(to, this.#checked(from, bytes, 1), from + bytes);
  }
  storeWords(at: number, words: ArrayLike<number>): void {
    this.#checked(at, 4 * words.length, 4);
    for (let i = 0; i < words.length; i += 1) this.#view.setUint32(at + 4 * i, words[i] ?? 0, true);
  }
  installCode(at: number, words: ArrayLike<number>): void {
    this.storeWords(at, words);
  }

  #checked(at: number, bytes: number, alignment: number): number {
    if (Number.isInteger(at) && bytes >= 0 && at >= 0 && at + bytes <= this.ramBytes && at % alignment === 0) return at;
    throw outOfRange(at, bytes);
  }
}

/** The port to everything at its physical address. */
export class PhysicalPort implements MemoryPort {
  readonly ramBytes: number;
  readonly #memory: RawMemory;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #codeFrames: Uint8Array;
  /** The word LINK of the CPU. */
  readonly #link: Int32Array;
  /** The whole memory of the machine. */
  readonly #all: Uint8Array;
  readonly #view: DataView;

  constructor(memory: RawMemory) {
    this.ramBytes = memory.ramBytes;
    this.#memory = memory;
    this.#bytes = memory.bytes;
    this.#words = memory.words;
    this.#codeFrames = memory.codeFrames;
    this.#link = new Int32Array(memory.wasm.buffer, 4 * LINK, 1);
    this.#all = new Uint8Array(memory.wasm.buffer);
    this.#view = new DataView(memory.wasm.buffer);
  }

  load8(physical: number): number {
    return this.#view.getUint8(this.#host(physical, 1, 1));
  }

  load16(physical: number): number {
    return this.#view.getUint16(this.#host(physical, 2, 2), true);
  }

  load32(physical: number): number {
    // The kernel's tables: most of what is read. The comparison holds for no fraction and no negative number.
    if (physical >>> 0 === physical && (physical & 3) === 0 && physical < this.ramBytes) {
      return (this.#words[physical >>> 2] as number) >>> 0;
    }
    return this.#view.getUint32(this.#host(physical, 4, 4), true);
  }

  store8(physical: number, value: number): void {
    this.#view.setUint8(this.#host(physical, 1, 1), value);
    this.#wrote(physical, 1);
  }

  store16(physical: number, value: number): void {
    this.#view.setUint16(this.#host(physical, 2, 2), value, true);
    this.#wrote(physical, 2);
  }

  store32(physical: number, value: number): void {
    if (physical >>> 0 === physical && (physical & 3) === 0 && physical < this.ramBytes) {
      this.#words[physical >>> 2] = value;
      const isLinked = this.#link[0] === RAM_HOST + physical;
      if (isLinked || this.#codeFrames[physical >>> 12] !== 0) this.#wrote(physical, 4);
      return;
    }
    this.#view.setUint32(this.#host(physical, 4, 4), value, true);
    this.#wrote(physical, 4);
  }

  read<T extends Uint8Array>(physical: number, into: T): T {
    const host = this.#host(physical, into.length, 1);
    into.set(this.#all.subarray(host, host + into.length));
    return into;
  }

  write(physical: number, bytes: Uint8Array): void {
    this.#all.set(bytes, this.#host(physical, bytes.length, 1));
    this.#wrote(physical, bytes.length);
  }

  zero(physical: number, bytes: number): void {
    const host = this.#host(physical, bytes, 1);
    this.#all.fill(0, host, host + bytes);
    this.#wrote(physical, bytes);
  }

  copy(to: number, from: number, bytes: number): void {
    const source = this.#host(from, bytes, 1);
    this.#all.copyWithin(this.#host(to, bytes, 1), source, source + bytes);
    this.#wrote(to, bytes);
  }

  storeWords(physical: number, words: ArrayLike<number>): void {
    this.#setWords(physical, words);
    this.#wrote(physical, 4 * words.length);
  }

  installCode(physical: number, words: ArrayLike<number>): void {
    this.#setWords(physical, words);
    this.#wrote(physical, 4 * words.length, true);
  }

  #setWords(physical: number, words: ArrayLike<number>): void {
    const host = this.#host(physical, 4 * words.length, 4);
    for (let i = 0; i < words.length; i += 1) this.#view.setUint32(host + 4 * i, words[i] ?? 0, true);
  }

  /** Another than the CPU has written: that breaks a link to what it has changed. */
  #wrote(physical: number, bytes: number, isProgram = false): void {
    const linked = (this.#link[0] as number) - RAM_HOST;
    if (bytes > 0 && linked > physical - 4 && linked < physical + bytes) this.#link[0] = 0;
    this.#memory.wrote(physical, bytes, isProgram);
  }

  /** Place in the whole memory of so many bytes that lie together. */
  #host(physical: number, bytes: number, alignment: number): number {
    const isPlace = Number.isInteger(physical) && physical >= 0 && physical % alignment === 0 && bytes >= 0;
    if (!isPlace) throw outOfRange(physical, bytes);
    if (physical + bytes <= this.ramBytes) return this.#bytes.byteOffset + physical;
    const host = this.#memory.hostAddress(physical);
    const last = bytes === 0 ? host : this.#memory.hostAddress(physical + bytes - 1) - bytes + 1;
    if (host < 0 || last !== host) throw outOfRange(physical, bytes);
    return host;
  }
}

function outOfRange(physical: number, size: number): HardwareError {
  return new HardwareError('address-range', `no aligned memory of ${size} bytes at ${physical}`, { physical, size });
}
