/**
 * The flat page tables: what the TLB and the fixed segments say, in the form in which an access tests it.
 *
 * One Int32 per virtual page and bank. With `h = va + table[va >>> 12]`, an access of `size` bytes hits when
 * `(h & (0x80000000 | size - 1)) === 0`, and `h` is then its place in the WebAssembly memory: one addition and one test
 * cover translation, rights, alignment and the difference between memory and devices. The tables repeat the TLB and never
 * decide: a miss goes to the slow path, which asks the TLB itself.
 *
 * An invalid entry leaves bit 31 of `h` set: it is 0x80000000 in kuseg, and 0 above, where `va` has the bit already. So the
 * upper half of a bank is right as the memory comes, and what is not used of it is never touched.
 *
 * Where there are caches, an access that does not go through them is hidden: it takes the slow path, which counts what it costs.
 */
import { BANK_ENTRIES } from './places.ts';
import type { PhysicalMemory } from './physical-memory.ts';

/** Pages of kuseg, the lower half of the address space. */
const KUSEG_PAGES = 0x80000;
const INVALID_KUSEG = 0x80000000 | 0;

/** The banks of one machine. `kernelRead` and so on are indices of entry 0 in `entries`. */
export class PageTables {
  /** The whole memory as words. */
  readonly entries: Int32Array;
  readonly kernelRead: number;
  readonly kernelWrite: number;
  /** Whether there are caches. */
  readonly hasCaches: boolean;
  readonly #memory: PhysicalMemory;
  readonly #userRead: number;
  readonly #userWrite: number;
  #hasUser = false;
  #nothing = 0;

  constructor(memory: PhysicalMemory, hasCaches: boolean) {
    this.#memory = memory;
    this.hasCaches = hasCaches;
    this.entries = new Int32Array(memory.wasm.buffer);
    this.kernelRead = memory.tableIndex;
    this.kernelWrite = this.kernelRead + BANK_ENTRIES;
    this.#userRead = this.kernelWrite + BANK_ENTRIES;
    this.#userWrite = this.#userRead + BANK_ENTRIES;
    for (const bank of [this.kernelRead, this.kernelWrite]) this.#clear(bank);
    this.#permanent(0, memory.ramBytes);
    for (const { physical, bytes } of memory.ranges) this.#permanent(physical, bytes);
  }

  get userRead(): number {
    if (!this.#hasUser) this.#makeUser();
    return this.#userRead;
  }

  get userWrite(): number {
    if (!this.#hasUser) this.#makeUser();
    return this.#userWrite;
  }

  /** The banks of user mode, when it is first entered: kuseg as the kernel sees it, and nothing above. */
  #makeUser(): void {
    this.#hasUser = true;
    const { entries, kernelRead, kernelWrite } = this;
    entries.copyWithin(this.#userRead, kernelRead, kernelRead + KUSEG_PAGES);
    entries.copyWithin(this.#userWrite, kernelWrite, kernelWrite + KUSEG_PAGES);
  }

  /** A bank in which nothing hits, for the time in which the caches are isolated or swapped. Filled when first asked for. */
  get nothing(): number {
    if (this.#nothing === 0) {
      this.#nothing = this.#userWrite + BANK_ENTRIES;
      this.#clear(this.#nothing);
    }
    return this.#nothing;
  }

  /** Shows a page at a physical page; hides it if no memory is there. */
  show(page: number, physical: number, writable: boolean): void {
    const host = this.#memory.hostAddress(physical);
    if (host < 0) {
      this.hide(page);
      return;
    }
    const hit = (host - page * 4096) | 0;
    const isCode = (this.#memory.codeFrames[physical >>> 12] ?? 0) !== 0;
    this.#set(page, hit, writable && !isCode && this.#memory.storeHostAddress(physical) >= 0 ? hit : invalid(page));
  }

  /** Shows a frame of RAM in kseg0 and kseg1 again, after it has become one of code or ceased to be one. */
  refreshSegments(frame: number): void {
    this.#permanent(frame << 12, 4096);
  }

  /** Hides a mapped page. */
  hide(page: number): void {
    this.#set(page, invalid(page), invalid(page));
  }

  #set(page: number, read: number, write: number): void {
    const { entries } = this;
    entries[this.kernelRead + page] = read;
    entries[this.kernelWrite + page] = write;
    if (page >= KUSEG_PAGES || !this.#hasUser) return;
    entries[this.#userRead + page] = read;
    entries[this.#userWrite + page] = write;
  }

  #clear(bank: number): void {
    this.entries.fill(INVALID_KUSEG, bank, bank + KUSEG_PAGES);
  }

  /** kseg0 and kseg1 are never mapped by the TLB [KANE92 §6]. */
  #permanent(physical: number, bytes: number): void {
    for (let offset = 0; offset < bytes; offset += 4096) {
      this.show(0x80000 + ((physical + offset) >>> 12), physical + offset, true);
      if (!this.hasCaches) this.show(0xa0000 + ((physical + offset) >>> 12), physical + offset, true);
    }
  }
}

function invalid(page: number): number {
  return page < KUSEG_PAGES ? INVALID_KUSEG : 0;
}
