/**
 * System calls, in line. Each gives its error code: 0, or a negative one of `E`. What it gives besides is stored at `results`, word by word.
 * Made from the table in `abi`: do not change it here.
 */
/**
 * Binds the page at va to the frame of entrylo in TLB and STLB, if the MAC is that of a capability for it (for writing if D is set); head, word 0 of
 * the capability, is looked at only if it is not one of the root with all rights or to read.
 * Errors: E_RANGE, E_CAP.
 */
export declare function tlbwr(va: usize, entrylo: i32, mac0: i32, mac1: i32, head: i32): i32;
/**
 * Removes the mapping of the page at va from TLB and STLB.
 * Errors: E_RANGE.
 */
export declare function tlbvad(va: usize): i32;
/**
 * Sends the full slots of a transmit ring of the caller, each once, until a slot is empty or the controller has no room; what is for this machine
 * itself has been delivered when it returns.
 * Results: sent.
 * Errors: E_RANGE, E_CAP, E_DEVICE.
 */
export declare function xmit(ring: i32, results: usize): i32;
/**
 * Reads the tick counter (1/64 s).
 * Results: tick.
 */
export declare function tick(results: usize): i32;
/**
 * Makes the floating-point unit usable for the caller (all registers zero if another used it), or with 0 not.
 */
export declare function fpu_mod(on: i32): i32;
/**
 * Puts eight words and the caller's number into the next slot of the message ring of env, and makes an event of it; E_AGAIN: the ring is full.
 * Errors: E_ENV, E_AGAIN.
 */
export declare function msg_send(
  env: i32,
  words0: i32,
  words1: i32,
  words2: i32,
  words3: i32,
  words4: i32,
  words5: i32,
  words6: i32,
  words7: i32,
): i32;
/**
 * Removes the mappings of up to 1024 pages from va on from TLB and STLB.
 * Errors: E_RANGE.
 */
export declare function tlbvad_range(va: usize, pages: i32): i32;
/**
 * Allocates the frame ppn, or any with -1; contents are zero; E_NONE also beyond its limit; E_AGAIN: below its guaranteed minimum, one has been asked
 * for.
 * Results: ppn, capability (four words).
 * Errors: E_RANGE, E_BUSY, E_NONE, E_AGAIN.
 */
export declare function frame_alloc(ppn: i32, results: usize): i32;
/**
 * Drops the hold of the caller on a frame, and with it its mappings, guaranteed ones too; with the last hold every binding to the frame is broken and
 * its capabilities die; E_BUSY: it is the u-page, the public page or the repossession vector of the caller.
 * Errors: E_CAP, E_BUSY.
 */
export declare function frame_free(frameHead: u32, frameName: u32, frameMac0: u32, frameMac1: u32): i32;
/**
 * Makes a capability with fewer rights, or the same, for the same resource, of whichever kind: branch 0, of the same node; 1, of a new node below it.
 * Results: node, capability (four words).
 * Errors: E_CAP, E_RANGE, E_NONE.
 */
export declare function cap_derive(
  capabilityHead: u32,
  capabilityName: u32,
  capabilityMac0: u32,
  capabilityMac1: u32,
  rights: i32,
  branch: i32,
  results: usize,
): i32;
/**
 * Ends all capabilities of node and of the nodes below it, and the bindings made through them; node must hang below that of the capability.
 * Errors: E_CAP.
 */
export declare function cap_revoke(
  capabilityHead: u32,
  capabilityName: u32,
  capabilityMac0: u32,
  capabilityMac1: u32,
  node: i32,
): i32;
/**
 * Sets the two words that tlbwr compares for reading (which 0) or writing (1): with words that everyone knows a frame is shared with everyone;
 * translations made before are gone.
 * Errors: E_CAP, E_RANGE.
 */
export declare function frame_guard(
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  which: i32,
  word0: i32,
  word1: i32,
): i32;
/**
 * Takes back frames (kind 0) or slices (1) of an environment: mode 0 asks it and takes by force what it has not given up by the deadline, 1 takes at
 * once and tells; count is how many, the guaranteed minimum left alone.
 * Results: count.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_NONE.
 */
export declare function revoke(
  envHead: u32,
  envName: u32,
  envMac0: u32,
  envMac1: u32,
  kind: i32,
  count: i32,
  mode: i32,
  results: usize,
): i32;
/**
 * Creates an environment without slices; it gets the native functions of its creator, and ends with it unless it has been started.
 * Results: env, capability (four words).
 * Errors: E_NONE, E_CODE.
 */
export declare function env_alloc(results: usize): i32;
/**
 * Destroys an environment (null capability: the caller); code, a word, goes to its record.
 * Errors: E_CAP.
 */
export declare function env_free(envHead: u32, envName: u32, envMac0: u32, envMac1: u32, code: i32): i32;
/**
 * Sets a word of a context of an environment: see ENV_SETTABLE; entry points need a u-page, those of transfers a started environment; a limit of
 * frames is at most that of the caller (else E_CAP).
 * Errors: E_CAP, E_RANGE.
 */
export declare function env_set(envHead: u32, envName: u32, envMac0: u32, envMac1: u32, field: i32, value: i32): i32;
/**
 * Adds a guaranteed mapping; bit 0 of va: writable; bit 1: this frame is the u-page; bit 2: it is the page that everyone may read; bit 3: it is the
 * repossession vector.
 * Errors: E_CAP, E_RANGE, E_NONE, E_BUSY.
 */
export declare function env_map(
  envHead: u32,
  envName: u32,
  envMac0: u32,
  envMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  va: usize,
): i32;
/**
 * Gives an environment the slice at position, or the first free one with -1; until the environment is started the slice is passed over. Of a slice
 * that it owns already: its capability.
 * Results: position, capability (four words).
 * Errors: E_CAP, E_RANGE, E_BUSY, E_NONE.
 */
export declare function slice_alloc(
  envHead: u32,
  envName: u32,
  envMac0: u32,
  envMac1: u32,
  position: i32,
  results: usize,
): i32;
/**
 * Frees a slice (right: control).
 * Errors: E_CAP.
 */
export declare function slice_free(sliceHead: u32, sliceName: u32, sliceMac0: u32, sliceMac1: u32): i32;
/**
 * Makes a packet ring (direction 0 receive, 1 transmit) of 1 to 32 slots, which lie at the start of a frame; the frame is pinned.
 * Results: ring, capability (four words).
 * Errors: E_CAP, E_RANGE, E_NONE.
 */
export declare function ring_bind(
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  direction: i32,
  slots: i32,
  results: usize,
): i32;
/**
 * Adds a frame for buffers to a ring and pins it; at is its place in the ring, by which slots name it. Transmitting needs only the right to read it.
 * Results: at.
 * Errors: E_CAP, E_NONE.
 */
export declare function ring_extend(
  ringHead: u32,
  ringName: u32,
  ringMac0: u32,
  ringMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  results: usize,
): i32;
/**
 * Unbinds a ring and unpins its frames.
 * Errors: E_CAP.
 */
export declare function ring_free(ringHead: u32, ringName: u32, ringMac0: u32, ringMac1: u32): i32;
/**
 * Downloads a packet filter whose bytes lie in a frame; packets that it accepts go to a receive ring. policy, one of POLICIES, says what becomes of
 * those that others accept too.
 * Results: filter, capability (four words).
 * Errors: E_CAP, E_RANGE, E_CODE, E_OVERLAP, E_BUSY, E_NONE.
 */
export declare function filter_bind(
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  ringHead: u32,
  ringName: u32,
  ringMac0: u32,
  ringMac1: u32,
  length: i32,
  policy: i32,
  results: usize,
): i32;
/**
 * Removes a filter, its handler and its window.
 * Errors: E_CAP.
 */
export declare function filter_free(filterHead: u32, filterName: u32, filterMac0: u32, filterMac1: u32): i32;
/**
 * Downloads a handler whose bytes lie in the code frame and attaches it to a filter, whose window it may use.
 * Errors: E_CAP, E_RANGE, E_CODE, E_NONE.
 */
export declare function ash_attach(
  filterHead: u32,
  filterName: u32,
  filterMac0: u32,
  filterMac1: u32,
  codeHead: u32,
  codeName: u32,
  codeMac0: u32,
  codeMac1: u32,
  length: i32,
): i32;
/**
 * Makes a frame the window of the handler of a filter, or with append 1 the next page of the window, which it must follow physically; it is pinned.
 * Results: frames.
 * Errors: E_CAP, E_RANGE.
 */
export declare function ash_window(
  filterHead: u32,
  filterName: u32,
  filterMac0: u32,
  filterMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  append: i32,
  results: usize,
): i32;
/**
 * Makes a receive ring a tap: it gets a copy of every packet that comes from or goes to the controller.
 * Errors: E_CAP, E_BUSY.
 */
export declare function tap_bind(
  netHead: u32,
  netName: u32,
  netMac0: u32,
  netMac1: u32,
  ringHead: u32,
  ringName: u32,
  ringMac0: u32,
  ringMac1: u32,
): i32;
/**
 * Queues up to 28 bytes, packed in little-endian words, on a serial line; accepted may be fewer.
 * Results: accepted.
 * Errors: E_CAP, E_RANGE.
 */
export declare function serial_write(
  lineHead: u32,
  lineName: u32,
  lineMac0: u32,
  lineMac1: u32,
  length: i32,
  bytes0: i32,
  bytes1: i32,
  bytes2: i32,
  bytes3: i32,
  bytes4: i32,
  bytes5: i32,
  bytes6: i32,
  results: usize,
): i32;
/**
 * Takes one received byte, or E_AGAIN.
 * Results: byte.
 * Errors: E_CAP, E_AGAIN.
 */
export declare function serial_read(lineHead: u32, lineName: u32, lineMac0: u32, lineMac1: u32, results: usize): i32;
/**
 * Makes an environment a further holder of a frame (null capability: the caller).
 * Errors: E_CAP, E_NONE.
 */
export declare function frame_hold(
  envHead: u32,
  envName: u32,
  envMac0: u32,
  envMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
): i32;
/**
 * Starts reading one 4 KiB block of an extent into a frame; completion is posted to a slot of the u-page.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_DEVICE.
 */
export declare function disk_read(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  block: i32,
  slot: i32,
): i32;
/**
 * Starts writing a frame to one 4 KiB block of an extent.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_DEVICE.
 */
export declare function disk_write(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  block: i32,
  slot: i32,
): i32;
/**
 * Makes env the owner of a slice (right: control); the capabilities for it die.
 * Errors: E_CAP, E_ENV.
 */
export declare function slice_give(sliceHead: u32, sliceName: u32, sliceMac0: u32, sliceMac1: u32, env: i32): i32;
/**
 * Exchanges the owners of two slices (right: write, which allows nothing else); the capabilities for both die.
 * Errors: E_CAP.
 */
export declare function slice_swap(
  sliceHead: u32,
  sliceName: u32,
  sliceMac0: u32,
  sliceMac1: u32,
  otherHead: u32,
  otherName: u32,
  otherMac0: u32,
  otherMac1: u32,
): i32;
/**
 * Downloads the predicate whose bytes lie in a frame: what a sleep of the caller waits for beside events and its tick; length 0: none.
 * Errors: E_CAP, E_RANGE, E_CODE, E_NONE.
 */
export declare function wake_set(frameHead: u32, frameName: u32, frameMac0: u32, frameMac1: u32, length: i32): i32;
/**
 * Makes a frame the message ring of the caller; it is pinned.
 * Errors: E_CAP, E_BUSY.
 */
export declare function msg_bind(frameHead: u32, frameName: u32, frameMac0: u32, frameMac1: u32): i32;
/**
 * Unbinds the message ring of the caller.
 * Errors: E_NONE.
 */
export declare function msg_free(): i32;
/**
 * Allocates physical blocks from start on, or any with -1; each reads as zeros until it is written; E_BUSY also while one is being written.
 * Results: start, capability (four words).
 * Errors: E_RANGE, E_BUSY, E_NONE, E_DEVICE.
 */
export declare function extent_alloc(start: i32, blocks: i32, results: usize): i32;
/**
 * Frees an extent (right: control), and ends what was bound through branches of it.
 * Errors: E_CAP.
 */
export declare function extent_free(extentHead: u32, extentName: u32, extentMac0: u32, extentMac1: u32): i32;
/**
 * Starts reading (write 0) or writing (1) up to 64 blocks, gathered from the frames that a list in a frame names; the completion word counts down to
 * 0.
 * Errors: E_CAP, E_RANGE, E_BUSY, E_DEVICE.
 */
export declare function disk_request(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  listHead: u32,
  listName: u32,
  listMac0: u32,
  listMac1: u32,
  count: i32,
  write: i32,
  slot: i32,
): i32;
/**
 * Makes a frame, by a capability of its root, the cached contents of a block (right: write to both).
 * Errors: E_CAP, E_RANGE, E_BUSY, E_NONE, E_DEVICE.
 */
export declare function bc_insert(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  frameHead: u32,
  frameName: u32,
  frameMac0: u32,
  frameMac1: u32,
  block: i32,
  dirty: i32,
): i32;
/**
 * Reads a block into a fresh frame of the registry; needs no right.
 * Errors: E_RANGE, E_BUSY, E_NONE, E_AGAIN, E_DEVICE.
 */
export declare function bc_read(block: i32, slot: i32): i32;
/**
 * Gives the caller a hold on a cached block's frame, and its capability with the rights to the extent: of the root by the extent's root, else of a
 * node below the extent's.
 * Results: ppn, capability (four words).
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN.
 */
export declare function bc_map(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  block: i32,
  results: usize,
): i32;
/**
 * Says whether a cached block differs from the disk (right: write); if so it counts for the family of the caller.
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN.
 */
export declare function bc_dirty(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  block: i32,
  dirty: i32,
): i32;
/**
 * Writes a dirty block back (right: write; any environment may write a block without holders, with the null capability).
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN, E_BUSY, E_DEVICE.
 */
export declare function bc_write(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  block: i32,
  slot: i32,
): i32;
/**
 * Takes a block out of the registry, dirty or not (right: write).
 * Errors: E_CAP, E_RANGE, E_NONE, E_AGAIN.
 */
export declare function bc_remove(extentHead: u32, extentName: u32, extentMac0: u32, extentMac1: u32, block: i32): i32;
/**
 * Sets the two words that a block's entry has for applications (right: write).
 * Errors: E_CAP, E_RANGE, E_NONE.
 */
export declare function bc_words(
  extentHead: u32,
  extentName: u32,
  extentMac0: u32,
  extentMac1: u32,
  block: i32,
  word0: i32,
  word1: i32,
): i32;
