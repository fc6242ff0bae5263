/**
 * Backing store for what the kernel takes by force: it saves the frames that it takes to blocks of an extent, and the kit pages them in again when they
 * are touched, the library's own text and memory, too. [SOSP95 §3.4]
 *
 *     backBy(EXTENT, first, 32)   so many frames may be away at a time
 *
 * It is for pages of the kit's table. What the kernel has pinned loses what it was for: a packet ring whose frame was taken receives nothing. `udp`
 * binds its own anew; a program with rings of its own looks at `lost()` of revocation.
 */
import { E, ENTRYLO, PAGE_BYTES, PAGED_PAGES, PLACE, PTE, PTE_BYTES, REPOSSESSION, REPOSSESSION_BYTES } from './abi';
import { REPOSSESSION_ENTRIES, REPOSSESSION_STATE, REVOKE, UKIT } from './abi';
import { tlbwr } from './aegis';
import { diskWrite, envMap, frameFree } from './calls';
import { Capability, capabilityAt, NONE } from './capability';
import { clock_ticks } from './clock';
import { giveSlot, startRead, takeSlot, wait } from './disk';
import { allocateFrame, NEW_FRAME } from './frame';
import { load32, store32 } from './kit';
import { pause } from './pause';
import { beforePolicies } from './revocation';

/** Bits of env_map's address: writable, and the vector. */
const AS_VECTOR = 9;
/** Above all frames: names of entries whose page is known. */
const KNOWN: u32 = 0xff000;
/** The name of one that is of no page. */
const NOTHING: u32 = 0xfffff;

const VECTOR_FRAME = capabilityAt(memory.data(16));

/**
 * From now on what the kernel takes by force is saved to blocks `first` to `first + count − 1` of an extent, at most 64, and comes back when it is
 * touched. Reads the last of them, to see that it is there. Gives 0. Errors: E.CAP, no capability to read and write an extent; E.RANGE, also for blocks
 * outside it; E.BUSY, it was called before, or no completion word is free; E.DEVICE; those of frame_alloc and env_map.
 */
export function backBy(extent: Capability, first: i32, count: i32): i32 {
  if (count < 1 || count > REPOSSESSION_ENTRIES || first < 0) return E.RANGE;
  if (load32(UKIT.backing) != 0) return E.BUSY;
  const slot = takeSlot();
  if (slot < 0) return slot;
  let code = allocateFrame();
  if (code >= 0) {
    VECTOR_FRAME.set(NEW_FRAME);
    code = check(extent, first + count - 1);
    if (code == 0) code = envMap(NONE, VECTOR_FRAME, PLACE.vector | AS_VECTOR);
    if (code < 0) frameFree(VECTOR_FRAME);
  }
  if (code < 0) {
    giveSlot(slot);
    return code;
  }
  for (let i = 0; i < REPOSSESSION_ENTRIES; i++) {
    const entry: usize = PLACE.vector + i * REPOSSESSION_BYTES;
    capabilityAt(entry + REPOSSESSION.extent).set(extent);
    store32(entry + REPOSSESSION.block, first + i);
    store32(entry + REPOSSESSION.state, i < count ? REPOSSESSION_STATE.preloaded : 0);
  }
  store32(UKIT.backing, slot + 1);
  beforePolicies(nameEntries);
  return 0;
}

/** The extent may be written and read, and has this block: the kernel looks when a block is used. */
function check(extent: Capability, block: i32): i32 {
  const code = diskWrite(extent, VECTOR_FRAME, -1, 0);
  // There is no such block, and that is the only thing wrong.
  if (code != E.RANGE) return code;
  let ticket = startRead(extent, block, VECTOR_FRAME);
  while (ticket == E.BUSY) {
    pause(clock_ticks() + 1);
    ticket = startRead(extent, block, VECTOR_FRAME);
  }
  return wait(ticket);
}

/**
 * The kernel has taken frames. Their numbers may be given again, also to this environment, so the entries of the vector get names that no frame has,
 * and the pages that they are of the same. What is of no page of the kit's table does not come back: its block is free again.
 */
function nameEntries(): void {
  for (let i = 0; i < REPOSSESSION_ENTRIES; i++) {
    const entry: usize = PLACE.vector + i * REPOSSESSION_BYTES;
    const state = load32(entry + REPOSSESSION.state);
    if (state != REPOSSESSION_STATE.saving && state != REPOSSESSION_STATE.saved) continue;
    if (load32(entry + REPOSSESSION.kind) != REVOKE.frames) continue;
    const name = load32(entry + REPOSSESSION.name);
    if (name < KNOWN && !nameOne(entry, name, KNOWN + i)) store32(entry + REPOSSESSION.name, NOTHING);
    const isNothing = load32(entry + REPOSSESSION.name) == NOTHING;
    if (isNothing && load32(entry + REPOSSESSION.state) == REPOSSESSION_STATE.saved) {
      store32(entry + REPOSSESSION.state, REPOSSESSION_STATE.preloaded);
    }
  }
}

/** Names an entry, and the page that its frame was of. False: there is none. */
function nameOne(entry: usize, name: u32, known: u32): bool {
  for (let page = 0; page < PAGED_PAGES; page++) {
    const at: usize = PLACE.pageTable + page * PTE_BYTES;
    const lo = load32(at);
    if ((lo & ENTRYLO.valid) == 0 || lo >>> 12 != name || isHeld(page, at, lo)) continue;
    store32(entry + REPOSSESSION.name, known);
    store32(at, (lo & (PAGE_BYTES - 1)) | (known << 12));
    return true;
  }
  return false;
}

/** The frame of an entry of the page table is this environment's still: another page lost one of the same number. */
function isHeld(page: i32, at: usize, lo: u32): bool {
  const mac0 = load32(at + PTE.mac0);
  return tlbwr(PLACE.paged + page * PAGE_BYTES, lo, mac0, load32(at + PTE.mac1), load32(at + PTE.head)) == 0;
}
