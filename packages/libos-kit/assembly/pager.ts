/**
 * Pages that stand for blocks of an extent: read when they are touched, written when they are given up, and given up when the kernel wants frames back.
 *
 * The entry of a page without a frame says in its second word from which block it comes, plus one; 0: its own, the extent's at the number of the
 * page. What the kernel took by force and saved elsewhere comes from there.
 */
import { ENTRYLO, PAGE_BYTES, PTE, PTE_SOFT } from './abi';
import { Capability, capabilityAt } from './capability';
import { startRead, startWrite, wait } from './disk';
import { allocateFrame, NEW_FRAME } from './frame';
import { PageTable } from './page-table';

/** Writes that are under way at a time when pages are given up. */
const AT_ONCE = 8;

export class Pager {
  private hand: i32 = 0;

  /** The pages of a table, from block `first` of an extent on. Both must be there for as long as the pager. */
  constructor(
    readonly table: PageTable,
    readonly extent: Capability,
    readonly first: i32,
  ) {}

  private blockOf(entry: usize): i32 {
    const other = load<u32>(entry, PTE.head);
    return other != 0 ? <i32>other - 1 : this.first + <i32>((entry - this.table.entries) >>> 4);
  }

  private addressOf(page: i32): usize {
    return this.table.base + page * PAGE_BYTES;
  }

  /** Answers a fault, as PageTable does; a page without a frame is read. For `onFault`. */
  fault(address: usize, cause: i32): bool {
    const entry = this.table.entryOf(address);
    if (entry == 0) return false;
    if ((load<u32>(entry) & ENTRYLO.valid) != 0) return this.table.fault(address, cause);
    const frame = capabilityAt(memory.data(16));
    if (allocateFrame() < 0) return false;
    frame.set(NEW_FRAME);
    if (wait(startRead(this.extent, this.blockOf(entry), frame)) != 0) return false;
    const isMoved = load<u32>(entry, PTE.head) != 0;
    this.table.map(address, frame, isMoved);
    if (!isMoved) store<u32>(entry, load<u32>(entry) | PTE_SOFT.clean);
    return this.table.fault(address, cause);
  }

  /**
   * Gives up to so many frames back, and says how many: pages that are clean first; then others, which are written before. For `giveUpBy`.
   */
  giveUp(frames: i32): i32 {
    let done = 0;
    for (let i = 0; i < this.table.pages && done < frames; i++) {
      const address = this.next();
      const lo = load<u32>(this.table.entryOf(address));
      if ((lo & ENTRYLO.valid) == 0 || (lo & PTE_SOFT.clean) == 0) continue;
      this.drop(address);
      done++;
    }
    while (done < frames) {
      const some = this.write(min(AT_ONCE, frames - done), true);
      if (some == 0) break;
      done += some;
    }
    return done;
  }

  /** Writes all pages that are dirty. False: one could not be written, and is dirty still. */
  sync(): bool {
    while (this.write(AT_ONCE, false) > 0);
    for (let i = 0; i < this.table.pages; i++) if (this.table.isDirty(this.addressOf(i))) return false;
    return true;
  }

  /** A frame was taken by force; its contents are in a block, or nowhere (−1). For `takenBy`. True: it was one of these pages. */
  taken(frame: i32, block: i32): bool {
    for (let i = 0; i < this.table.pages; i++) {
      const entry = this.table.entries + (i << 4);
      const lo = load<u32>(entry);
      if ((lo & ENTRYLO.valid) == 0 || <i32>(lo >>> 12) != frame) continue;
      const wasDirty = (lo & ENTRYLO.dirty) != 0;
      store<u32>(entry, 0);
      store<u32>(entry, wasDirty && block >= 0 ? block + 1 : 0, PTE.head);
      return true;
    }
    return false;
  }

  private next(): usize {
    this.hand = this.hand + 1 < this.table.pages ? this.hand + 1 : 0;
    return this.addressOf(this.hand);
  }

  /** The page is not there any more; it comes from its own block. */
  private drop(address: usize): void {
    this.table.free(address, 0);
    store<u32>(this.table.entryOf(address), 0, PTE.head);
  }

  /** Writes up to so many dirty pages, all at a time, and drops them then (`drops`), or has them clean. Gives how many. */
  private write(most: i32, drops: bool): i32 {
    const tickets = memory.data(4 * AT_ONCE);
    const pages = memory.data(4 * AT_ONCE);
    const frame = capabilityAt(memory.data(16));
    let count = 0;
    for (let i = 0; i < this.table.pages && count < most; i++) {
      const address = this.next();
      if (!this.table.isDirty(address) || !this.table.capability(address, frame)) continue;
      // What is written from now on makes it dirty again.
      this.table.clean(address);
      const block = this.first + <i32>((address - this.table.base) >>> 12);
      store<i32>(tickets + 4 * count, startWrite(this.extent, block, frame));
      store<usize>(pages + 4 * count, address);
      count++;
    }
    let written = 0;
    for (let i = 0; i < count; i++) {
      const address = load<usize>(pages + 4 * i);
      const entry = this.table.entryOf(address);
      if (wait(load<i32>(tickets + 4 * i)) != 0) {
        store<u32>(entry, (load<u32>(entry) & ~PTE_SOFT.clean) | ENTRYLO.dirty);
        continue;
      }
      written++;
      if (drops && !this.table.isDirty(address)) this.drop(address);
    }
    return written;
  }
}
