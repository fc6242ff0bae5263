/**
 * Physical memory: one WebAssembly.Memory of fixed size that holds everything which translated guest code reaches.
 *
 * It is WebAssembly memory so that both engines, TypeScript and snapshots see the same bytes. It never grows: views stay valid.
 * The raw arrays are for the CPU, the translator and the snapshots of this package. Everything else gets a `MemoryPort`.
 */
import { HardwareError } from '../error.ts';
import type { MemoryPort } from './port.ts';
import { PhysicalPort, RangePort, type RawMemory } from './ports.ts';
import {
  BANKS,
  BANK_ENTRIES,
  LANCE_HOST,
  LANCE_MEMORY,
  LANCE_MEMORY_BYTES,
  PROM,
  PROM_BYTES,
  PROM_HOST,
  RAM_HOST,
} from './places.ts';
import { WebAssembly, type Memory } from './webassembly.ts';
import { zeroTest, type ZeroTest } from './zero-pages.ts';

const WASM_PAGE = 0x10000;
/** The largest RAM: the KN01's devices begin above it. */
const MAX_RAM = 0x10000000;

/** A stretch of physical addresses that is memory. */
interface Range {
  readonly physical: number;
  readonly bytes: number;
  readonly host: number;
  /** Whether the CPU may store to it. */
  readonly isWritable: boolean;
}

/** Memory of a device that the CPU sees as plain RAM. */
export interface DeviceRange {
  /** Physical address, a multiple of 64 KB. */
  readonly base: number;
  /** A multiple of 4096. */
  readonly bytes: number;
}

/** The memory of a device: its bytes, for snapshots, and the port to them. */
export interface DeviceMemory {
  readonly bytes: Uint8Array;
  readonly port: MemoryPort;
}

/** What is told of writes to code. */
export interface CodeWatch {
  /** Words of frames that hold translated code were written. `isProgram`: as a program (`installCode`). */
  written(physical: number, bytes: number, isProgram: boolean): void;
}

/** Physical memory of a machine. The views `bytes` and `words` are guest RAM, index 0 being physical address 0. */
export class PhysicalMemory implements RawMemory {
  readonly ramBytes: number;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** The WebAssembly.Memory that holds it all. */
  readonly wasm: Memory;
  /** Index of the first page-table entry in an Int32Array over the whole memory. */
  readonly tableIndex: number;
  /** Memory other than RAM that the CPU sees. */
  readonly ranges: readonly Range[];
  /** Frames of RAM that hold translated code: 1 each. The page tables hide those from stores. */
  readonly codeFrames: Uint8Array;
  /** Everything outside the CPU. */
  readonly port: MemoryPort;
  /** The LANCE's buffer memory, and that of other devices in the order in which they were given, addresses from 0. */
  readonly devices: readonly DeviceMemory[];
  watch: CodeWatch = { written: () => undefined };
  #isZero: ZeroTest | undefined;

  /**
   * `ramBytes` is a multiple of 4096, 4096 to 256 MiB; else throws `ram-bytes`. `prom` is what the boot PROM holds; throws
   * `prom` if it is too long. `devices` get memory of their own, in this order.
   */
  constructor(ramBytes: number, linearLance: boolean, prom?: Uint8Array, devices: readonly DeviceRange[] = []) {
    if (!Number.isInteger(ramBytes) || ramBytes < 4096 || ramBytes > MAX_RAM || ramBytes % 4096 !== 0) {
      throw new HardwareError('ram-bytes', `RAM of ${ramBytes} bytes: use a multiple of 4096 up to 256 MiB`, {
        ramBytes,
      });
    }
    if (prom !== undefined && prom.length > PROM_BYTES) {
      throw new HardwareError('prom', `a PROM of ${prom.length} bytes: it holds ${PROM_BYTES}`, { bytes: prom.length });
    }
    const ranges: Range[] = [];
    if (linearLance) {
      ranges.push({ physical: LANCE_MEMORY, bytes: LANCE_MEMORY_BYTES, host: LANCE_HOST, isWritable: true });
    }
    if (prom !== undefined) ranges.push({ physical: PROM, bytes: PROM_BYTES, host: PROM_HOST, isWritable: false });
    let end = wholePages(RAM_HOST + ramBytes);
    const places: { readonly host: number; readonly bytes: number }[] = [];
    for (const { base, bytes } of devices) {
      places.push({ host: end, bytes });
      ranges.push({ physical: base, bytes, host: end, isWritable: true });
      end = wholePages(end + bytes);
    }
    const pages = Math.ceil((end + BANKS * BANK_ENTRIES * 4) / WASM_PAGE);
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.wasm;
    this.ramBytes = ramBytes;
    this.ranges = ranges;
    this.tableIndex = end >>> 2;
    this.bytes = new Uint8Array(buffer, RAM_HOST, ramBytes);
    this.words = new Int32Array(buffer, RAM_HOST, ramBytes >>> 2);
    this.codeFrames = new Uint8Array(ramBytes >>> 12);
    this.port = new PhysicalPort(this);
    this.devices = [
      deviceMemory(buffer, LANCE_HOST, LANCE_MEMORY_BYTES),
      ...places.map(({ host, bytes }) => deviceMemory(buffer, host, bytes)),
    ];
    if (prom !== undefined) new Uint8Array(buffer, PROM_HOST, PROM_BYTES).set(prom);
  }

  /** Whether the page that begins at this byte of the WebAssembly memory is zeros. */
  isZero(host: number): boolean {
    this.#isZero ??= zeroTest(this.wasm);
    return this.#isZero(host);
  }

  /** The LANCE's buffer memory. */
  get lance(): MemoryPort {
    return (this.devices[0] as DeviceMemory).port;
  }

  /** Where the byte at this physical address (unsigned) lies in the WebAssembly memory; -1 if it is not memory. */
  hostAddress(physical: number): number {
    if (physical < this.ramBytes) return RAM_HOST + physical;
    for (const { physical: base, bytes, host } of this.ranges) {
      const offset = physical - base;
      if (offset >= 0 && offset < bytes) return host + offset;
    }
    return -1;
  }

  /** The same for a store: the PROM takes none. */
  storeHostAddress(physical: number): number {
    return physical >= PROM ? -1 : this.hostAddress(physical);
  }

  /** Memory was written, by the CPU or through the port. */
  wrote(physical: number, bytes: number, isProgram = false): void {
    if (physical >= PROM) this.watch.written(physical, bytes, isProgram);
    for (let frame = physical >>> 12; frame << 12 < physical + bytes; frame += 1) {
      if ((this.codeFrames[frame] ?? 0) === 0) continue;
      this.watch.written(physical, bytes, isProgram);
      return;
    }
  }
}

function deviceMemory(buffer: ArrayBuffer, host: number, bytes: number): DeviceMemory {
  return { bytes: new Uint8Array(buffer, host, bytes), port: new RangePort(buffer, host, bytes) };
}

function wholePages(bytes: number): number {
  return (bytes + WASM_PAGE - 1) & -WASM_PAGE;
}
