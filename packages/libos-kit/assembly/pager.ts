/**
 * Pages that stand for blocks of an extent: read when they are touched, written when they are given up, and given up when the kernel wants frames back.
 */
import { ENTRYLO, PAGE_BYTES, PTE_SOFT } from './abi';
import { frameFree } from './calls';
import { Capability, capabilityAt } from './capability';
import { startRead, startWrite, wait } from './disk';
import { allocateFrame, NEW_FRAME } from './frame';
import { PageTable } from './page-table';

/** Writes that are under way at a time when pages are given up. */
const AT_ONCE = 8;

export class Pager {
  private hand: i32 = 0;
  /** Writes are under way: what an upcall interrupts then has the lists below. */
  private writing: bool = false;

  /** The pages of a table, from block `first` of an extent on. Both must be there for as long as the pager. */
  constructor(
    readonly table: PageTable,
    readonly extent: Capability,
    readonly first: i32,
  ) {}

  private blockOf(address: usize): i32 {
    return this.first + <i32>((address - this.table.base) >>> 12);
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
    if (wait(startRead(this.extent, this.blockOf(address), frame)) != 0) {
      frameFree(frame);
      return false;
    }
    this.table.map(address, frame, false);
    store<u32>(entry, load<u32>(entry) | PTE_SOFT.clean);
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
      this.table.free(address, 0);
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

  private next(): usize {
    this.hand = this.hand + 1 < this.table.pages ? this.hand + 1 : 0;
    return this.addressOf(this.hand);
  }

  /** Writes up to so many dirty pages, all at a time, and drops them then (`drops`), or has them clean. Gives how many. */
  private write(most: i32, drops: bool): i32 {
    if (this.writing) return 0;
    this.writing = true;
    const written = this.writeSome(most, drops);
    this.writing = false;
    return written;
  }

  private writeSome(most: i32, drops: bool): i32 {
    const tickets = memory.data(4 * AT_ONCE);
    const pages = memory.data(4 * AT_ONCE);
    const frame = capabilityAt(memory.data(16));
    let count = 0;
    for (let i = 0; i < this.table.pages && count < most; i++) {
      const address = this.next();
      if (!this.table.isDirty(address) || !this.table.capability(address, frame)) continue;
      // What is written from now on makes it dirty again.
      this.table.clean(address);
      store<i32>(tickets + 4 * count, startWrite(this.extent, this.blockOf(address), frame));
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
      // Written meanwhile, it stays.
      if (drops && this.table.isDirty(address)) continue;
      if (drops) this.table.free(address, 0);
      written++;
    }
    return written;
  }
}
