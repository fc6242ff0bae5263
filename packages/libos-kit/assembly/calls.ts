/**
 * System calls with capabilities as objects. Each gives its error code: 0, or a negative one of `E`. What it gives besides is stored at
 * `results`, word by word. Made from the table in `abi`: do not change it here.
 */
import * as aegis from './aegis';
import { Capability } from './capability';

/**
 * Binds the page at va to the frame of entrylo in TLB and STLB, if the MAC is that of a capability for it (for writing if D is set); head, word 0 of
 * the capability, is looked at only if it is not one of the root with all rights or to read.
 * Errors: E_RANGE, E_CAP.
 */
export function tlbwr(va: usize, entrylo: i32, mac0: i32, mac1: i32, head: i32): i32 {
  return aegis.tlbwr(va, entrylo, mac0, mac1, head);
}
/**
 * Removes the mapping of the page at va from TLB and STLB.
 * Errors: E_RANGE.
 */
export function tlbvad(va: usize): i32 {
  return aegis.tlbvad(va);
}
/**
 * Sends the full slots of a transmit ring of the caller, each once, until a slot is empty or the controller has no room; what is for this machine
 * itself has been delivered when it returns.
 * Results: sent.
 * Errors: E_RANGE, E_CAP, E_DEVICE.
 */
export function xmit(ring: i32, results: usize): i32 {
  return aegis.xmit(ring, results);
}
/**
 * Reads the tick counter (1/64 s).
 * Results: tick.
 */
export function tick(results: usize): i32 {
  return aegis.tick(results);
}
/**
 * Makes the floating-point unit usable for the caller (all registers zero if another used it), or with 0 not.
 */
export function fpuMod(on: i32): i32 {
  return aegis.fpu_mod(on);
}
/**
 * Puts eight words and the caller's number into the next slot of the message ring of env, and makes an event of it; E_AGAIN: the ring is full.
 * Errors: E_ENV, E_AGAIN.
 */
export function msgSend(
  env: i32,
  words0: i32,
  words1: i32,
  words2: i32,
  words3: i32,
  words4: i32,
  words5: i32,
  words6: i32,
  words7: i32,
): i32 {
  return aegis.msg_send(env, words0, words1, words2, words3, words4, words5, words6, words7);
}
/**
 * Removes the mappings of up to 1024 pages from va on from TLB and STLB.
 * Errors: E_RANGE.
 */
export function tlbvadRange(va: usize, pages: i32): i32 {
  return aegis.tlbvad_range(va, pages);
}
/**
 * Allocates the frame ppn, or any with -1; contents are zero; E_NONE also beyond its limit; E_AGAIN: below its guaranteed minimum, one has been asked
 * for.
 * Results: ppn, capability (four words).
 * Errors: E_RANGE, E_BUSY, E_NONE, E_AGAIN.
 */
export function frameAlloc(ppn: i32, results: usize): i32 {
  return aegis.frame_alloc(ppn, results);
}
/**
 * Drops the hold of the caller on a frame, and with it its mappings, guaranteed ones too; with the last hold every binding to the frame is broken and
 * its capabilities die; E_BUSY: it is the u-page, the public page or the repossession vector of the caller.
 * Errors: E_CAP, E_BUSY.
 */
export function frameFree(frame: Capability): i32 {
  return aegis.frame_free(frame.head, frame.name, frame.mac0, frame.mac1);
}
/**
 * Makes a capability with fewer rights, or the same, for the same resource, of whichever kind: branch 0, of the same node; 1, of a new node below it.
 * Results: node, capability (four words).
 * Errors: E_CAP, E_RANGE, E_NONE.
 */
export function capDerive(capability: Capability, rights: i32, branch: i32, results: usize): i32 {
  return aegis.cap_derive(capability.head, capability.name, capability.mac0, capability.mac1, rights, branch, results);
}
/**
 * Ends all capabilities of node and of the nodes below it, and the bindings made through them; node must hang below that of the capability.
 * Errors: E_CAP.
 */
export function capRevoke(capability: Capability, node: i32): i32 {
  return aegis.cap_revoke(capability.head, capability.name, capability.mac0, capability.mac1, node);
}
/**
 * Sets the two words that tlbwr compares for reading (which 0) or writing (1): with words that everyone knows a frame is shared with everyone;
 * translations made before are gone.
 * Errors: E_CAP, E_RANGE.
 */
export function frameGuard(frame: Capability, which: i32, word0: i32, word1: i32): i32 {
  return aegis.frame_guard(frame.head, frame.name, frame.mac0, frame.mac1, which, word0, word1);
}
/**
 * Takes back frames (kind 0) or slices (1) of an environment: mode 0 asks it and takes by force what it has not given up by the deadline, 1 takes at
 * once and tells; count is how many, the guaranteed minimum left alone.
 * Results: count.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_NONE.
 */
export function revoke(env: Capability, kind: i32, count: i32, mode: i32, results: usize): i32 {
  return aegis.revoke(env.head, env.name, env.mac0, env.mac1, kind, count, mode, results);
}
/**
 * Creates an environment without slices; it gets the native functions of its creator, and ends with it unless it has been started.
 * Results: env, capability (four words).
 * Errors: E_NONE, E_CODE.
 */
export function envAlloc(results: usize): i32 {
  return aegis.env_alloc(results);
}
/**
 * Destroys an environment (null capability: the caller); code, a word, goes to its record.
 * Errors: E_CAP.
 */
export function envFree(env: Capability, code: i32): i32 {
  return aegis.env_free(env.head, env.name, env.mac0, env.mac1, code);
}
/**
 * Sets a word of a context of an environment: see ENV_SETTABLE; entry points need a u-page, those of transfers a started environment; a limit of
 * frames is at most that of the caller (else E_CAP).
 * Errors: E_CAP, E_RANGE.
 */
export function envSet(env: Capability, field: i32, value: i32): i32 {
  return aegis.env_set(env.head, env.name, env.mac0, env.mac1, field, value);
}
/**
 * Adds a guaranteed mapping; bit 0 of va: writable; bit 1: this frame is the u-page; bit 2: it is the page that everyone may read; bit 3: it is the
 * repossession vector.
 * Errors: E_CAP, E_RANGE, E_NONE, E_BUSY.
 */
export function envMap(env: Capability, frame: Capability, va: usize): i32 {
  return aegis.env_map(env.head, env.name, env.mac0, env.mac1, frame.head, frame.name, frame.mac0, frame.mac1, va);
}
/**
 * Gives an environment the slice at position, or the first free one with -1; until the environment is started the slice is passed over. Of a slice
 * that it owns already: its capability.
 * Results: position, capability (four words).
 * Errors: E_CAP, E_RANGE, E_BUSY, E_NONE.
 */
export function sliceAlloc(env: Capability, position: i32, results: usize): i32 {
  return aegis.slice_alloc(env.head, env.name, env.mac0, env.mac1, position, results);
}
/**
 * Frees a slice (right: control).
 * Errors: E_CAP.
 */
export function sliceFree(slice: Capability): i32 {
  return aegis.slice_free(slice.head, slice.name, slice.mac0, slice.mac1);
}
/**
 * Makes a packet ring (direction 0 receive, 1 transmit) of 1 to 32 slots, which lie at the start of a frame; the frame is pinned.
 * Results: ring, capability (four words).
 * Errors: E_CAP, E_RANGE, E_NONE.
 */
export function ringBind(frame: Capability, direction: i32, slots: i32, results: usize): i32 {
  return aegis.ring_bind(frame.head, frame.name, frame.mac0, frame.mac1, direction, slots, results);
}
/**
 * Adds a frame for buffers to a ring and pins it; at is its place in the ring, by which slots name it. Transmitting needs only the right to read it.
 * Results: at.
 * Errors: E_CAP, E_NONE.
 */
export function ringExtend(ring: Capability, frame: Capability, results: usize): i32 {
  return aegis.ring_extend(
    ring.head,
    ring.name,
    ring.mac0,
    ring.mac1,
    frame.head,
    frame.name,
    frame.mac0,
    frame.mac1,
    results,
  );
}
/**
 * Unbinds a ring and unpins its frames.
 * Errors: E_CAP.
 */
export function ringFree(ring: Capability): i32 {
  return aegis.ring_free(ring.head, ring.name, ring.mac0, ring.mac1);
}
/**
 * Downloads a packet filter whose bytes lie in a frame; packets that it accepts go to a receive ring. policy, one of POLICIES, says what becomes of
 * those that others accept too.
 * Results: filter, capability (four words).
 * Errors: E_CAP, E_RANGE, E_CODE, E_OVERLAP, E_BUSY, E_NONE.
 */
export function filterBind(frame: Capability, ring: Capability, length: i32, policy: i32, results: usize): i32 {
  return aegis.filter_bind(
    frame.head,
    frame.name,
    frame.mac0,
    frame.mac1,
    ring.head,
    ring.name,
    ring.mac0,
    ring.mac1,
    length,
    policy,
    results,
  );
}
/**
 * Removes a filter, its handler and its window.
 * Errors: E_CAP.
 */
export function filterFree(filter: Capability): i32 {
  return aegis.filter_free(filter.head, filter.name, filter.mac0, filter.mac1);
}
/**
 * Downloads a handler whose bytes lie in the code frame and attaches it to a filter, whose window it may use.
 * Errors: E_CAP, E_RANGE, E_CODE, E_NONE.
 */
export function ashAttach(filter: Capability, code: Capability, length: i32): i32 {
  return aegis.ash_attach(
    filter.head,
    filter.name,
    filter.mac0,
    filter.mac1,
    code.head,
    code.name,
    code.mac0,
    code.mac1,
    length,
  );
}
/**
 * Makes a frame the window of the handler of a filter, or with append 1 the next page of the window, which it must follow physically; it is pinned.
 * Results: frames.
 * Errors: E_CAP, E_RANGE.
 */
export function ashWindow(filter: Capability, frame: Capability, append: i32, results: usize): i32 {
  return aegis.ash_window(
    filter.head,
    filter.name,
    filter.mac0,
    filter.mac1,
    frame.head,
    frame.name,
    frame.mac0,
    frame.mac1,
    append,
    results,
  );
}
/**
 * Makes a receive ring a tap: it gets a copy of every packet that comes from or goes to the controller.
 * Errors: E_CAP, E_BUSY.
 */
export function tapBind(net: Capability, ring: Capability): i32 {
  return aegis.tap_bind(net.head, net.name, net.mac0, net.mac1, ring.head, ring.name, ring.mac0, ring.mac1);
}
/**
 * Queues up to 28 bytes, packed in little-endian words, on a serial line; accepted may be fewer.
 * Results: accepted.
 * Errors: E_CAP, E_RANGE.
 */
export function serialWrite(
  line: Capability,
  length: i32,
  bytes0: i32,
  bytes1: i32,
  bytes2: i32,
  bytes3: i32,
  bytes4: i32,
  bytes5: i32,
  bytes6: i32,
  results: usize,
): i32 {
  return aegis.serial_write(
    line.head,
    line.name,
    line.mac0,
    line.mac1,
    length,
    bytes0,
    bytes1,
    bytes2,
    bytes3,
    bytes4,
    bytes5,
    bytes6,
    results,
  );
}
/**
 * Takes one received byte, or E_AGAIN.
 * Results: byte.
 * Errors: E_CAP, E_AGAIN.
 */
export function serialRead(line: Capability, results: usize): i32 {
  return aegis.serial_read(line.head, line.name, line.mac0, line.mac1, results);
}
/**
 * Makes an environment a further holder of a frame (null capability: the caller).
 * Errors: E_CAP, E_NONE.
 */
export function frameHold(env: Capability, frame: Capability): i32 {
  return aegis.frame_hold(env.head, env.name, env.mac0, env.mac1, frame.head, frame.name, frame.mac0, frame.mac1);
}
/**
 * Starts reading one 4 KiB block of an extent into a frame; completion is posted to a slot of the u-page.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_DEVICE.
 */
export function diskRead(extent: Capability, frame: Capability, block: i32, slot: i32): i32 {
  return aegis.disk_read(
    extent.head,
    extent.name,
    extent.mac0,
    extent.mac1,
    frame.head,
    frame.name,
    frame.mac0,
    frame.mac1,
    block,
    slot,
  );
}
/**
 * Starts writing a frame to one 4 KiB block of an extent.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_DEVICE.
 */
export function diskWrite(extent: Capability, frame: Capability, block: i32, slot: i32): i32 {
  return aegis.disk_write(
    extent.head,
    extent.name,
    extent.mac0,
    extent.mac1,
    frame.head,
    frame.name,
    frame.mac0,
    frame.mac1,
    block,
    slot,
  );
}
/**
 * Makes env the owner of a slice (right: control); the capabilities for it die.
 * Errors: E_CAP, E_ENV.
 */
export function sliceGive(slice: Capability, env: i32): i32 {
  return aegis.slice_give(slice.head, slice.name, slice.mac0, slice.mac1, env);
}
/**
 * Exchanges the owners of two slices (right: write, which allows nothing else); the capabilities for both die.
 * Errors: E_CAP.
 */
export function sliceSwap(slice: Capability, other: Capability): i32 {
  return aegis.slice_swap(
    slice.head,
    slice.name,
    slice.mac0,
    slice.mac1,
    other.head,
    other.name,
    other.mac0,
    other.mac1,
  );
}
/**
 * Downloads the predicate whose bytes lie in a frame: what a sleep of the caller waits for beside events and its tick; length 0: none.
 * Errors: E_CAP, E_RANGE, E_CODE, E_NONE.
 */
export function wakeSet(frame: Capability, length: i32): i32 {
  return aegis.wake_set(frame.head, frame.name, frame.mac0, frame.mac1, length);
}
/**
 * Makes a frame the message ring of the caller; it is pinned.
 * Errors: E_CAP, E_BUSY.
 */
export function msgBind(frame: Capability): i32 {
  return aegis.msg_bind(frame.head, frame.name, frame.mac0, frame.mac1);
}
/**
 * Unbinds the message ring of the caller.
 * Errors: E_NONE.
 */
export function msgFree(): i32 {
  return aegis.msg_free();
}
/**
 * Allocates physical blocks from start on, or any with -1; each reads as zeros until it is written; E_BUSY also while one is being written.
 * Results: start, capability (four words).
 * Errors: E_RANGE, E_BUSY, E_NONE, E_DEVICE.
 */
export function extentAlloc(start: i32, blocks: i32, results: usize): i32 {
  return aegis.extent_alloc(start, blocks, results);
}
/**
 * Frees an extent (right: control), and ends what was bound through branches of it.
 * Errors: E_CAP.
 */
export function extentFree(extent: Capability): i32 {
  return aegis.extent_free(extent.head, extent.name, extent.mac0, extent.mac1);
}
/**
 * Starts reading (write 0) or writing (1) up to 64 blocks, gathered from the frames that a list in a frame names; the completion word counts down to
 * 0.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_DEVICE.
 */
export function diskRequest(extent: Capability, list: Capability, count: i32, write: i32, slot: i32): i32 {
  return aegis.disk_request(
    extent.head,
    extent.name,
    extent.mac0,
    extent.mac1,
    list.head,
    list.name,
    list.mac0,
    list.mac1,
    count,
    write,
    slot,
  );
}
/**
 * Makes a frame, by a capability of its root, the cached contents of a block (right: write to both).
 * Errors: E_CAP, E_RANGE, E_BUSY, E_NONE, E_DEVICE.
 */
export function bcInsert(extent: Capability, frame: Capability, block: i32, dirty: i32): i32 {
  return aegis.bc_insert(
    extent.head,
    extent.name,
    extent.mac0,
    extent.mac1,
    frame.head,
    frame.name,
    frame.mac0,
    frame.mac1,
    block,
    dirty,
  );
}
/**
 * Reads a block into a fresh frame of the registry; needs no right.
 * Errors: E_RANGE, E_BUSY, E_NONE, E_AGAIN, E_DEVICE.
 */
export function bcRead(block: i32, slot: i32): i32 {
  return aegis.bc_read(block, slot);
}
/**
 * Gives the caller a hold on a cached block's frame, and its capability with the rights to the extent: of the root by the extent's root, else of a
 * node below the extent's.
 * Results: ppn, capability (four words).
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN.
 */
export function bcMap(extent: Capability, block: i32, results: usize): i32 {
  return aegis.bc_map(extent.head, extent.name, extent.mac0, extent.mac1, block, results);
}
/**
 * Says whether a cached block differs from the disk (right: write); if so it counts for the family of the caller.
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN.
 */
export function bcDirty(extent: Capability, block: i32, dirty: i32): i32 {
  return aegis.bc_dirty(extent.head, extent.name, extent.mac0, extent.mac1, block, dirty);
}
/**
 * Writes a dirty block back (right: write; any environment may write a block without holders, with the null capability).
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN, E_BUSY, E_DEVICE.
 */
export function bcWrite(extent: Capability, block: i32, slot: i32): i32 {
  return aegis.bc_write(extent.head, extent.name, extent.mac0, extent.mac1, block, slot);
}
/**
 * Takes a block out of the registry, dirty or not (right: write).
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN.
 */
export function bcRemove(extent: Capability, block: i32): i32 {
  return aegis.bc_remove(extent.head, extent.name, extent.mac0, extent.mac1, block);
}
/**
 * Sets the two words that a block's entry has for applications (right: write).
 * Errors: E_CAP, E_RANGE, E_NONE.
 */
export function bcWords(extent: Capability, block: i32, word0: i32, word1: i32): i32 {
  return aegis.bc_words(extent.head, extent.name, extent.mac0, extent.mac1, block, word0, word1);
}
