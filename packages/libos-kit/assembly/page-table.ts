/**
 * Page tables: what a library operating system says of each page of a region, and what a fault does about it. [SOSP95 §6.2]
 *
 * An entry is that of the kit (PTE): EntryLo, whose low bits the hardware ignores, and the capability of the frame without its name. The kit's own
 * table, `KIT_TABLE`, is walked by machine code before a fault comes here. A region beyond it has a table of its own in the library's memory.
 *
 *     no frame      zeroFill: gets one when it is touched; 0: there is no such page
 *     copyOnWrite   others hold the frame: a store gets a copy
 *     clean         it has not been written since it was cleaned
 *     guarded       an access is the program's own: `fault` gives false
 *     lost          the kernel has taken its frame by force: `fault` gives false, and `forget` lets the page begin anew
 */
import { ENTRYLO, EXCEPTION, PAGE_BYTES, PAGED_PAGES, PLACE, PTE, PTE_BYTES, PTE_SOFT } from './abi';
import { frame_free, tlbvad, tlbwr } from './aegis';
import { capDerive } from './calls';
import { Capability, capabilityAt } from './capability';
import { allocateFrame, NEW_FRAME } from './frame';

const FRAME_MASK: u32 = 0xfffff000;
const READ_WRITE: u32 = ENTRYLO.valid | ENTRYLO.dirty;
/** Where the copy of a page is made: a page behind the library's memory. */
const COPY: usize = PLACE.windows;
const BRANCH = 1;

/** The table of a region. */
export class PageTable {
  /**
   * Of so many pages from `base` on, with its entries at `entries`, 16 bytes each. `entries` must not be paged by this table itself.
   */
  constructor(
    readonly entries: usize,
    readonly base: usize,
    readonly pages: i32,
  ) {}

  /** The address of the entry of a page; 0 for an address outside of the region. */
  entryOf(address: usize): usize {
    const page = (address - this.base) >>> 12;
    return page < <usize>this.pages ? this.entries + page * PTE_BYTES : 0;
  }

  /** From now on these pages are zero: each gets a frame when it is touched. Pages that have one keep it. */
  reserve(address: usize, pages: i32): void {
    for (let i = 0; i < pages; i++) {
      const entry = this.entryOf(address + i * PAGE_BYTES);
      if (entry != 0 && load<u32>(entry) == 0) store<u32>(entry, PTE_SOFT.zeroFill);
    }
  }

  /** Puts a frame at a page. The environment must hold it. */
  map(address: usize, frame: Capability, writable: bool): void {
    const entry = this.entryOf(address);
    if (entry == 0) return;
    forget(address);
    store<u32>(entry, (frame.name << 12) | ENTRYLO.valid | (writable ? ENTRYLO.dirty : 0));
    store<u32>(entry, frame.head, PTE.head);
    store<u32>(entry, frame.mac0, PTE.mac0);
    store<u32>(entry, frame.mac1, PTE.mac1);
  }

  /** The capability of the frame of a page, in `into`. False if it has none. */
  capability(address: usize, into: Capability): bool {
    const entry = this.entryOf(address);
    if (entry == 0 || (load<u32>(entry) & ENTRYLO.valid) == 0) return false;
    into.head = load<u32>(entry, PTE.head);
    into.name = load<u32>(entry) >>> 12;
    into.mac0 = load<u32>(entry, PTE.mac0);
    into.mac1 = load<u32>(entry, PTE.mac1);
    return true;
  }

  /**
   * A capability of the page's frame for another environment, in `into`, after the number of its node: by `cap_revoke` of that node it ends. Gives
   * an error code; E.RANGE of the kernel's if the page has no frame.
   */
  branch(address: usize, rights: i32, into: usize): i32 {
    const own = capabilityAt(memory.data(16));
    if (!this.capability(address, own)) own.clear();
    return capDerive(own, rights, BRANCH, into);
  }

  /** Gives the frame of a page back, and leaves `soft` in its entry: 0, or zeroFill. */
  free(address: usize, soft: u32): void {
    const entry = this.entryOf(address);
    if (entry == 0) return;
    // In registers: an upcall that gives up others may come in between.
    const lo = load<u32>(entry);
    const head = load<u32>(entry, PTE.head);
    const mac0 = load<u32>(entry, PTE.mac0);
    const mac1 = load<u32>(entry, PTE.mac1);
    store<u32>(entry, soft);
    // The kernel ends its mappings with the hold.
    if ((lo & ENTRYLO.valid) != 0) frame_free(head, lo >>> 12, mac0, mac1);
  }

  /**
   * Where the frame of a page is this environment's no more, as the kernel has taken it by force or its right has ended: leaves `soft` in the entry, 0 or
   * zeroFill. False: it has its frame, or none. For `onFault`, where what was in the page may be forgotten:
   *
   *     table.fault(address, cause) || (table.forget(address, PTE_SOFT.zeroFill) && table.fault(address, cause))
   */
  forget(address: usize, soft: u32): bool {
    const entry = this.entryOf(address);
    if (entry == 0 || (load<u32>(entry) & ENTRYLO.valid) == 0 || install(entry, address)) return false;
    store<u32>(entry, soft);
    return true;
  }

  /** Stores to a page get a copy of it, from now on: others hold its frame, too. */
  copyOnWrite(address: usize): void {
    this.change(address, ENTRYLO.dirty, PTE_SOFT.copyOnWrite);
  }

  /** From now on a page is not dirty, until it is written. */
  clean(address: usize): void {
    this.change(address, ENTRYLO.dirty, PTE_SOFT.clean);
  }

  /** Whether a page may have been written since it was cleaned. */
  isDirty(address: usize): bool {
    const entry = this.entryOf(address);
    return entry != 0 && (load<u32>(entry) & ENTRYLO.dirty) != 0;
  }

  /** An access to a page is the program's own from now on; with false it is none any more. */
  guard(address: usize, guarded: bool): void {
    const entry = this.entryOf(address);
    if (entry == 0) return;
    const lo = load<u32>(entry);
    // A frame that is not valid is kept in its entry.
    const open = (lo & ~PTE_SOFT.guarded) | (lo & FRAME_MASK ? ENTRYLO.valid : 0);
    store<u32>(entry, guarded ? (lo & ~ENTRYLO.valid) | PTE_SOFT.guarded : open);
    forget(address);
  }

  private change(address: usize, without: u32, soft: u32): void {
    const entry = this.entryOf(address);
    if (entry == 0) return;
    const lo = load<u32>(entry);
    if ((lo & ENTRYLO.valid) == 0) return;
    store<u32>(entry, (lo & ~without) | soft);
    forget(address);
  }

  /** Answers a fault: true if the access can be tried again. For `onFault`. */
  fault(address: usize, cause: i32): bool {
    const entry = this.entryOf(address);
    if (entry == 0) return false;
    const lo = load<u32>(entry);
    if ((lo & PTE_SOFT.guarded) != 0) return false;
    if ((lo & ENTRYLO.valid) == 0) {
      if ((lo & PTE_SOFT.zeroFill) == 0 || allocateFrame() < 0) return false;
      this.map(address, NEW_FRAME, true);
    } else if (cause == EXCEPTION.mod) {
      if ((lo & PTE_SOFT.clean) != 0) store<u32>(entry, (lo & ~PTE_SOFT.clean) | ENTRYLO.dirty);
      else if ((lo & PTE_SOFT.copyOnWrite) == 0 || !copy(entry, address)) return false;
    }
    return install(entry, address);
  }
}

/** Hands an entry to the kernel. False: its frame is not this environment's any more. */
function install(entry: usize, address: usize): bool {
  const mac0 = load<u32>(entry, PTE.mac0);
  return tlbwr(address, load<u32>(entry), mac0, load<u32>(entry, PTE.mac1), load<u32>(entry, PTE.head)) == 0;
}

function forget(address: usize): void {
  tlbvad(address & FRAME_MASK);
}

/** A frame of its own with the contents of the old one, which is let go of. */
function copy(entry: usize, address: usize): bool {
  if (allocateFrame() < 0) return false;
  const page = address & FRAME_MASK;
  const frame = NEW_FRAME;
  if (tlbwr(COPY, (frame.name << 12) | READ_WRITE, frame.mac0, frame.mac1, frame.head) != 0) return false;
  for (let i: usize = 0; i < <usize>PAGE_BYTES; i += 8) {
    store<u32>(COPY + i, load<u32>(page + i));
    store<u32>(COPY + i, load<u32>(page + i, 4), 4);
  }
  forget(COPY);
  const old = load<u32>(entry) >>> 12;
  const head = load<u32>(entry, PTE.head);
  const mac0 = load<u32>(entry, PTE.mac0);
  const mac1 = load<u32>(entry, PTE.mac1);
  store<u32>(entry, (frame.name << 12) | READ_WRITE);
  store<u32>(entry, frame.head, PTE.head);
  store<u32>(entry, frame.mac0, PTE.mac0);
  store<u32>(entry, frame.mac1, PTE.mac1);
  frame_free(head, old, mac0, mac1);
  return true;
}

/** The kit's table, of the pages from 0x400000 to 0x7fffff. */
export const KIT_TABLE: PageTable = new PageTable(PLACE.pageTable, PLACE.paged, PAGED_PAGES);
