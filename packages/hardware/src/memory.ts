/**
 * Physical memory: one WebAssembly.Memory of fixed size that holds the CPU's state, the LANCE's buffer memory, the
 * boot PROM, guest RAM and the flat page tables.
 *
 *     0x00000  CPU state (`cpu/state.ts`)
 *     0x10000  LANCE buffer memory, 64 KB
 *     0x20000  boot PROM, 256 KB
 *     0x60000  tags of the data cache, then of the instruction cache, 64 KB each (`timing/`)
 *     0x80000  what isolated stores left in the caches, 64 KB each
 *     0xa0000  the translator's tables (`translator/`)
 *     0x100000 guest RAM
 *     then     flat page tables, 5 banks of 4 MB (`page-tables.ts`)
 *
 * It is WebAssembly memory so that translated guest code can run on the same bytes. It never grows: views stay valid.
 * Addresses given to the methods are physical; an access outside these memories throws `address-range`, for it is
 * the host that makes it (the guest's go through the CPU, which alone cannot write the PROM).
 */
import { HardwareError } from './error.ts';

interface WebAssemblyMemory {
  readonly buffer: ArrayBuffer;
}

/** The part of WebAssembly's API used here; the packages are compiled without the DOM's types. */
const { Memory } = (
  globalThis as unknown as {
    WebAssembly: { Memory: new (size: { initial: number; maximum: number }) => WebAssemblyMemory };
  }
).WebAssembly;

const WASM_PAGE = 0x10000;
const LANCE_HOST = 0x10000;
export const PROM_HOST = 0x20000;
export const DATA_TAGS_HOST = 0x60000;
export const INSTRUCTION_TAGS_HOST = 0x70000;
export const ISOLATED_HOST = 0x80000;
export const TRANSLATOR_HOST = 0xa0000;
/** A multiple of every cache's size: a host address indexes a cache as its physical address does. */
export const RAM_HOST = 0x100000;

/** Entries of one bank of the page tables: one for each 4 KB page of the virtual address space. */
export const BANK_ENTRIES = 0x100000;
const BANKS = 5;

/** Physical address of the LANCE's buffer memory, and its size. */
export const LANCE_MEMORY = 0x19000000;
export const LANCE_MEMORY_BYTES = 0x10000;

/** Physical address of the boot PROM, which the CPU only reads, and its size. */
export const PROM = 0x1fc00000;
export const PROM_BYTES = 0x40000;

/** The largest RAM: the KN01's devices begin above it. */
const MAX_RAM = 0x10000000;

/** Physical memory of a machine. The views `bytes` and `words` are guest RAM, index 0 being physical address 0. */
export class PhysicalMemory {
  readonly ramBytes: number;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** The LANCE's buffer memory as the LANCE sees it. */
  readonly lanceBuffer: Uint8Array;
  /** The WebAssembly.Memory that holds it all. */
  readonly wasm: WebAssemblyMemory;
  /** Index of the first page-table entry in an Int32Array over the whole memory. */
  readonly tableIndex: number;
  /** Whether the CPU sees the LANCE's buffer memory as plain RAM. */
  readonly linearLance: boolean;
  /** Whether there is a boot PROM. */
  readonly hasProm: boolean;
  /** Frames of RAM that hold translated code: 1 each. The page tables let nobody write to those. */
  readonly codeFrames: Uint8Array;
  /** Called after a write to such a frame, with a range of physical addresses. */
  codeWritten: (physical: number, bytes: number) => void = () => undefined;
  readonly #view: DataView;

  /**
   * `ramBytes` is a multiple of 4096, 4096 to 256 MiB; else throws `ram-bytes`. `prom` is what the boot PROM holds; throws
   * `prom` if it is too long.
   */
  constructor(ramBytes: number, linearLance: boolean, prom?: Uint8Array) {
    if (!Number.isInteger(ramBytes) || ramBytes < 4096 || ramBytes > MAX_RAM || ramBytes % 4096 !== 0) {
      throw new HardwareError('ram-bytes', `RAM of ${ramBytes} bytes: use a multiple of 4096 up to 256 MiB`, {
        ramBytes,
      });
    }
    if (prom !== undefined && prom.length > PROM_BYTES) {
      throw new HardwareError('prom', `a PROM of ${prom.length} bytes: it holds ${PROM_BYTES}`, { bytes: prom.length });
    }
    const tables = RAM_HOST + ramBytes;
    const pages = Math.ceil((tables + BANKS * BANK_ENTRIES * 4) / WASM_PAGE);
    this.wasm = new Memory({ initial: pages, maximum: pages });
    const { buffer } = this.wasm;
    this.ramBytes = ramBytes;
    this.linearLance = linearLance;
    this.tableIndex = tables >>> 2;
    this.bytes = new Uint8Array(buffer, RAM_HOST, ramBytes);
    this.words = new Int32Array(buffer, RAM_HOST, ramBytes >>> 2);
    this.lanceBuffer = new Uint8Array(buffer, LANCE_HOST, LANCE_MEMORY_BYTES);
    this.#view = new DataView(buffer);
    this.codeFrames = new Uint8Array(ramBytes >>> 12);
    this.hasProm = prom !== undefined;
    if (prom !== undefined) new Uint8Array(buffer, PROM_HOST, PROM_BYTES).set(prom);
  }

  /** Where the byte at this physical address (unsigned) lies in the WebAssembly memory; -1 if it is not memory. */
  hostAddress(physical: number): number {
    if (physical < this.ramBytes) return RAM_HOST + physical;
    const offset = physical - LANCE_MEMORY;
    if (this.linearLance && offset >= 0 && offset < LANCE_MEMORY_BYTES) return LANCE_HOST + offset;
    const prom = physical - PROM;
    if (this.hasProm && prom >= 0 && prom < PROM_BYTES) return PROM_HOST + prom;
    return -1;
  }

  /** The same for a store: the PROM takes none. */
  storeHostAddress(physical: number): number {
    return physical >= PROM ? -1 : this.hostAddress(physical);
  }

  load8(physical: number): number {
    return this.#view.getUint8(this.#host(physical, 1));
  }

  load16(physical: number): number {
    return this.#view.getUint16(this.#host(physical, 2), true);
  }

  /** One word, unsigned. */
  load32(physical: number): number {
    return this.#view.getUint32(this.#host(physical, 4), true);
  }

  store8(physical: number, value: number): void {
    this.#view.setUint8(this.#host(physical, 1), value);
    this.wrote(physical, 1);
  }

  store16(physical: number, value: number): void {
    this.#view.setUint16(this.#host(physical, 2), value, true);
    this.wrote(physical, 2);
  }

  store32(physical: number, value: number): void {
    this.#view.setUint32(this.#host(physical, 4), value, true);
    this.wrote(physical, 4);
  }

  /** Copies bytes into RAM, as a device's DMA does. Throws `address-range` unless all of them lie there. */
  write(physical: number, bytes: Uint8Array): void {
    if (!Number.isInteger(physical) || physical < 0 || physical + bytes.length > this.ramBytes) {
      const details = { physical, size: bytes.length };
      throw new HardwareError('address-range', `no RAM for ${bytes.length} bytes at physical ${physical}`, details);
    }
    this.bytes.set(bytes, physical);
    this.wrote(physical, bytes.length);
  }

  /** Copies words into RAM, as an assembler makes them. `physical` is word-aligned. */
  storeWords(physical: number, words: Uint32Array): void {
    if (words.length === 0) return;
    this.#host(physical, 4);
    this.#host(physical + 4 * (words.length - 1), 4);
    words.forEach((word, i) => {
      this.store32(physical + 4 * i, word);
    });
  }

  /** Whoever has written to RAM in its own way during a run says so: code there may be translated. */
  wrote(physical: number, bytes: number): void {
    for (let frame = physical >>> 12; frame << 12 < physical + bytes; frame += 1) {
      if ((this.codeFrames[frame] ?? 0) !== 0) {
        this.codeWritten(physical, bytes);
        return;
      }
    }
  }

  #host(physical: number, size: number): number {
    const host = Number.isInteger(physical) && physical >= 0 && physical % size === 0 ? this.hostAddress(physical) : -1;
    if (host < 0) {
      throw new HardwareError('address-range', `no aligned memory at physical ${physical}`, { physical, size });
    }
    return host;
  }
}
