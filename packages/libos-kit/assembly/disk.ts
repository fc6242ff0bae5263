/**
 * The disk: blocks of 4 KiB between an extent and frames, asynchronously. [SOSP95 §3]
 *
 *     const ticket = startRead(EXTENT, block, frame)    goes on at once; up to 16 at a time
 *     poll(ticket)                                      E.AGAIN until it is done
 *     wait(ticket)                                      waits; ends the ticket
 *
 * Every ticket is waited for once: it is a completion word of the u-page. A program that uses such words itself takes them by `takeSlot`. The device
 * serves requests in the order in which they were asked for, so who knows where the arm is (`DiskView`) can ask accordingly.
 */
import { COMPLETION_SLOTS, DISK, E, ENTRYLO, EXPOSED, PAGE_BYTES, PLACE, PTE, REQUEST, TRANSFER, U, UKIT } from './abi';
import {
  REQUEST_BYTES,
  REQUEST_LIMIT,
  TRANSFER_BYTES,
  TRANSFER_LIMIT,
  WELL_KNOWN_READ0,
  WELL_KNOWN_READ1,
} from './abi';
import { diskRead, diskRequest, diskWrite } from './calls';
import { Capability, capabilityAt } from './capability';
import { clock_ticks } from './clock';
import { load32, load8, page_entry, store32, store8 } from './kit';
import { pause } from './pause';

/** The extent that the environment was given at boot; its first word is 0 if there is none. */
export const EXTENT: Capability = capabilityAt(UKIT.extent);
/** Of how many blocks. */
export function extentBlocks(): i32 {
  return load<i32>(UKIT.extentBlocks);
}

/** A bit for each completion word that is taken, and one for each whose word counts down. */
let taken: u32 = 0;
let counts: u32 = 0;
/** The page in which lists are made. */
let listPage: usize = 0;

/** A completion word, or E.BUSY. */
export function takeSlot(): i32 {
  for (let slot = 0; slot < COMPLETION_SLOTS; slot++) {
    if (((taken >>> slot) & 1) != 0) continue;
    taken |= 1 << slot;
    counts &= ~(1 << slot);
    return slot;
  }
  return E.BUSY;
}

export function giveSlot(slot: i32): void {
  taken &= ~(1 << slot);
}

function wordOf(slot: i32): usize {
  return PLACE.uPage + U.completion + 4 * slot;
}

/** A call has begun a request, or has failed: the ticket or the error. */
function begun(slot: i32, code: i32): i32 {
  if (code == 0) return slot;
  giveSlot(slot);
  return code;
}

/** Starts reading a block of an extent into a frame. A ticket, or an error. */
export function startRead(extent: Capability, block: i32, frame: Capability): i32 {
  const slot = takeSlot();
  if (slot < 0) return slot;
  return begun(slot, diskRead(extent, frame, block, slot));
}

/** Starts writing a frame to a block of an extent. What is in the frame when the device moves it is written. */
export function startWrite(extent: Capability, block: i32, frame: Capability): i32 {
  const slot = takeSlot();
  if (slot < 0) return slot;
  return begun(slot, diskWrite(extent, frame, block, slot));
}

/**
 * Starts moving up to 64 pages from `address` on from or to as many blocks; with `same` the one page is written to all of them. One ticket for all.
 * E.RANGE for pages without frames of this environment's own table, or read-only ones to be read into.
 */
export function startRun(extent: Capability, block: i32, address: usize, count: i32, write: bool, same: bool): i32 {
  if (count < 1 || count > TRANSFER_LIMIT) return E.RANGE;
  const frame = capabilityAt(memory.data(16));
  if (count == 1) {
    const code = frameOf(address, !write, frame);
    if (code < 0) return code;
    return write ? startWrite(extent, block, frame) : startRead(extent, block, frame);
  }
  if (listPage == 0) listPage = pages(1);
  for (let i = 0; i < count; i++) {
    const entry = listPage + i * TRANSFER_BYTES;
    const code = frameOf(address + (same ? 0 : i * PAGE_BYTES), !write, frame);
    if (code < 0) return code;
    capabilityAt(entry + TRANSFER.frame).set(frame);
    store<i32>(entry, block + i, TRANSFER.block);
  }
  const code = frameOf(listPage, false, frame);
  if (code < 0) return code;
  const slot = takeSlot();
  if (slot < 0) return slot;
  const started = begun(slot, diskRequest(extent, frame, count, write ? 1 : 0, slot));
  if (started >= 0) counts |= 1 << slot;
  return started;
}

/** E.AGAIN while the request of a ticket is under way; then 0, or E.DEVICE: it has failed, or a right that it needed has ended. An error is given back. */
export function poll(ticket: i32): i32 {
  if (ticket < 0 && ticket >= E.DEVICE) return ticket;
  if (ticket < 0 || ticket >= COMPLETION_SLOTS) return E.RANGE;
  const word = <i32>load32(wordOf(ticket));
  if (word < 0) return word;
  const done = ((counts >>> ticket) & 1) != 0 ? word == 0 : word != 0;
  return done ? 0 : E.AGAIN;
}

/** Waits for the request of a ticket, which then is none any more: 0, or E.DEVICE. An error for a ticket is given back. */
export function wait(ticket: i32): i32 {
  let code = poll(ticket);
  if (ticket < 0 || ticket >= COMPLETION_SLOTS) return code;
  while (code == E.AGAIN) {
    pause(0);
    code = poll(ticket);
  }
  giveSlot(ticket);
  return code;
}

/** `startRun`, and waits for it; while the queue is full, too. */
export function transfer(extent: Capability, block: i32, address: usize, count: i32, write: bool, same: bool): i32 {
  let ticket = startRun(extent, block, address, count, write, same);
  while (ticket == E.BUSY) {
    pause(clock_ticks() + 1);
    ticket = startRun(extent, block, address, count, write, same);
  }
  return wait(ticket);
}

/**
 * The capability of the frame of a page, in `into`. The page is touched before, so that it has one; one to be `written` by the device is then this
 * environment's own, and not to be copied on write. E.RANGE if it has none.
 */
export function frameOf(address: usize, written: bool, into: Capability): i32 {
  const value = load8(address);
  if (written) store8(address, value);
  const entry = page_entry(address);
  if (entry == 0) return E.RANGE;
  const lo = load32(entry);
  if ((lo & ENTRYLO.valid) == 0 || (written && (lo & ENTRYLO.dirty) == 0)) return E.RANGE;
  into.head = load32(entry + PTE.head);
  into.name = lo >>> 12;
  into.mac0 = load32(entry + PTE.mac0);
  into.mac1 = load32(entry + PTE.mac1);
  return 0;
}

/** So many pages of the library's own memory, for good. */
export function pages(count: i32): usize {
  return (heap.alloc((count + 1) * PAGE_BYTES) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/** The kernel's tables of the disk, mapped for reading: two pages of the page table from `window` on. */
export class DiskView {
  constructor(readonly window: usize) {
    expose(window, EXPOSED.disk);
    expose(window + PAGE_BYTES, EXPOSED.requests);
  }

  private word(offset: usize): i32 {
    return <i32>load32(this.window + (EXPOSED.disk & (PAGE_BYTES - 1)) + offset);
  }

  /** Size in blocks; 0: there is no disk. */
  get blocks(): i32 {
    return this.word(DISK.blocks);
  }
  /** The cylinder that the arm is at or moves to. */
  get arm(): i32 {
    return this.word(DISK.arm);
  }
  get cylinders(): i32 {
    return this.word(DISK.cylinders);
  }
  /** Requests that are not finished. */
  get requests(): i32 {
    return this.word(DISK.requests);
  }
  /** The cylinder of a block of the disk; of an extent's only with the extent's start. */
  cylinderOf(block: i32): i32 {
    const sectors = this.word(DISK.sectorsPerCylinder);
    return sectors == 0 ? 0 : (8 * block) / sectors;
  }
  /** A word of a record of the queue, of 0 to 127: an offset of REQUEST. `env` of a record that is free is negative. */
  request(record: i32, word: i32): i32 {
    if (record < 0 || record >= REQUEST_LIMIT) return -1;
    return <i32>load32(this.window + PAGE_BYTES + record * REQUEST_BYTES + word);
  }
  /** How many requests of these are an environment's. */
  requestsOf(environment: i32): i32 {
    let count = 0;
    for (let i = 0; i < REQUEST_LIMIT; i++) if (this.request(i, REQUEST.env) == environment) count++;
    return count;
  }
}

/** Maps a page of what the kernel exposes. False for a page that the page table does not have. */
export function expose(window: usize, physical: u32): bool {
  const entry = page_entry(window);
  if (entry == 0) return false;
  store32(entry, (physical & ~(PAGE_BYTES - 1)) | ENTRYLO.valid);
  store32(entry + PTE.head, 0);
  store32(entry + PTE.mac0, WELL_KNOWN_READ0);
  store32(entry + PTE.mac1, WELL_KNOWN_READ1);
  return true;
}
