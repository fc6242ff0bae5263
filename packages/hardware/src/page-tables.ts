/**
 * The flat page tables: what the TLB and the fixed segments say, in the form in which an access tests it.
 *
 * One Int32 per virtual page and bank. With `h = va + table[va >>> 12]`, an access of `size` bytes hits when
 * `(h & (0x80000000 | size - 1)) === 0`, and `h` is then its place in the WebAssembly memory: one addition and one test
 * cover translation, rights, alignment and the difference between memory and devices. An invalid entry puts bit 31 into
 * `h`. The tables repeat the TLB and never decide: a miss goes to the slow path, which asks the TLB itself.
 */
import { BANK_ENTRIES, LANCE_MEMORY, LANCE_MEMORY_BYTES, type PhysicalMemory } from './memory.ts';

const INVALID = 0x80000000;

/** One bank in which every page is invalid; a copy of it is faster than a loop. */
let emptyBank: Int32Array | undefined;

function empty(): Int32Array {
  emptyBank ??= Int32Array.from({ length: BANK_ENTRIES }, (_, page) => INVALID - page * 4096);
  return emptyBank;
}

/** The banks of one machine. `kernelRead` and so on are indices of entry 0 in `entries`. */
export class PageTables {
  /** The whole memory as words. */
  readonly entries: Int32Array;
  readonly kernelRead: number;
  readonly kernelWrite: number;
  readonly userRead: number;
  readonly userWrite: number;
  readonly #memory: PhysicalMemory;
  #nothing = 0;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
    this.entries = new Int32Array(memory.wasm.buffer);
    this.kernelRead = memory.tableIndex;
    this.kernelWrite = this.kernelRead + BANK_ENTRIES;
    this.userRead = this.kernelWrite + BANK_ENTRIES;
    this.userWrite = this.userRead + BANK_ENTRIES;
    for (let bank = 0; bank < 4; bank += 1) this.entries.set(empty(), this.kernelRead + bank * BANK_ENTRIES);
    this.#permanent(0, memory.ramBytes);
    if (memory.linearLance) this.#permanent(LANCE_MEMORY, LANCE_MEMORY_BYTES);
  }

  /** A bank in which nothing hits, for the time in which the cache is isolated. Filled when first asked for. */
  get nothing(): number {
    if (this.#nothing === 0) {
      this.#nothing = this.userWrite + BANK_ENTRIES;
      this.entries.set(empty(), this.#nothing);
    }
    return this.#nothing;
  }

  /** Shows a mapped page (kuseg or kseg2) whose TLB entry is `lo`. */
  show(page: number, physical: number, writable: boolean): void {
    const host = this.#memory.hostAddress(physical);
    if (host < 0) {
      this.hide(page);
      return;
    }
    const { entries } = this;
    const hit = (host - page * 4096) | 0;
    const write = writable ? hit : (INVALID - page * 4096) | 0;
    entries[this.kernelRead + page] = hit;
    entries[this.kernelWrite + page] = write;
    if (page < 0x80000) {
      entries[this.userRead + page] = hit;
      entries[this.userWrite + page] = write;
    }
  }

  /** Hides a mapped page. */
  hide(page: number): void {
    const { entries } = this;
    const miss = (INVALID - page * 4096) | 0;
    entries[this.kernelRead + page] = miss;
    entries[this.kernelWrite + page] = miss;
    if (page < 0x80000) {
      entries[this.userRead + page] = miss;
      entries[this.userWrite + page] = miss;
    }
  }

  /** kseg0 and kseg1 are never mapped by the TLB [KANE92 §6]. */
  #permanent(physical: number, bytes: number): void {
    for (let offset = 0; offset < bytes; offset += 4096) {
      this.show(0x80000 + ((physical + offset) >>> 12), physical + offset, true);
      this.show(0xa0000 + ((physical + offset) >>> 12), physical + offset, true);
    }
  }
}
