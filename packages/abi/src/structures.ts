/**
 * The kernel's exposed structures: one table for the constants of `layouts.ts`, the kernel and the page docs/exposed.md.
 *
 * Each is an array of records of words (32 bits, little-endian) at a physical address of EXPOSED. Anyone may map their
 * frames for reading with the well-known words WELL_KNOWN_READ; only the kernel writes them. [SOSP95 §3]
 */

import {
  BUFFER_BYTES,
  BUFFER_LIMIT,
  ENV_BYTES,
  ENV_LIMIT,
  EXTENT_BYTES,
  EXTENT_LIMIT,
  FILTER_BYTES,
  FILTER_LIMIT,
  FRAME_BYTES,
  FRAME_LIMIT,
  NODE_BYTES,
  NODE_LIMIT,
  REQUEST_BYTES,
  REQUEST_LIMIT,
  RING_BYTES,
  RING_LIMIT,
  SLICE_BYTES,
  SLICE_LIMIT,
  STLB_ENTRIES,
} from './limits.ts';

/** One word, or the first of several: its byte offset in the record, and what it holds. */
export interface Field {
  readonly at: number;
  readonly what: string;
}

/** An array of records of one kind. */
export interface Structure {
  /** Its name in EXPOSED. */
  readonly table: string;
  /** Bytes of a record, and how many records there are (the most, where memory's size decides). */
  readonly bytes: number;
  readonly count: number;
  readonly what: string;
  readonly fields: Readonly<Record<string, Field>>;
}

/** The byte offset of each field. */
export type Offsets<T extends Readonly<Record<string, Field>>> = { readonly [K in keyof T]: T[K]['at'] };

/* prettier-ignore */
export const ENVIRONMENT_FIELDS = {
  id: { at: 0x00, what: 'its number' },
  status: { at: 0x04, what: 'one of ENV_STATUS' },
  asid: { at: 0x08, what: "ASID in EntryHi position: the STLB's and the TLB's tag; 0: it has none now, and gets one when it is next entered" },
  uPage: { at: 0x0c, what: 'kseg0 address of the u-page' },
  asleep: { at: 0x10, what: 'non-zero: asleep' },
  prologue: { at: 0x14, what: 'entry at the start of a slice' },
  epilogue: { at: 0x18, what: 'entry at the end of a slice' },
  syncEntry: { at: 0x1c, what: 'entry of synchronous transfers' },
  asyncEntry: { at: 0x20, what: 'entry of asynchronous transfers' },
  credit: { at: 0x24, what: 'what it has outside of slices, in cycles, never above 0: below, its next slice pays for arrivals of its packets and interrupts of its transfers' },
  wakeTick: { at: 0x28, what: 'tick at which a sleeper wakes; 0: none' },
  pending: { at: 0x2c, what: 'non-zero: something happened since the last sleep' },
  slices: { at: 0x30, what: 'slices begun' },
  stlbMisses: { at: 0x34, what: 'TLB misses that the STLB did not answer' },
  tlbUpcalls: { at: 0x38, what: 'of these, how many went to the application' },
  packetsIn: { at: 0x3c, what: 'packets delivered or consumed' },
  packetsOut: { at: 0x40, what: 'packets sent' },
  packetsDropped: { at: 0x44, what: 'packets that found no room in its ring' },
  parent: { at: 0x48, what: 'who created it, or NO_ENV' },
  family: { at: 0x4c, what: 'the number of its family: its maker\'s, also when that has died; of what the loader makes a new one' },
  death: { at: 0x50, what: 'why it died: a code of DEATHS; for an unhandled exception its ExcCode in bits 8 to 15' },
  xmitBusy: { at: 0x54, what: 'transmit operations that found the controller full' },
  exit: { at: 0x58, what: "the word given to env_free: the program's result" },
  exceptionPc: { at: 0x60, what: '16 entry points, one per ExcCode' },
  guaranteed: { at: 0xa0, what: '16 guaranteed mappings { EntryHi, EntryLo }; a zero EntryHi ends the list; 1 stands for the ASID while there is none' },
  guaranteedEnd: { at: 0x120, what: 'the zero that ends a full list of guaranteed mappings' },
  syncGate: { at: 0x130, what: 'its name while a synchronous transfer to it is possible; another word without an entry, or without an ASID' },
  asyncGate: { at: 0x134, what: 'what an asynchronous transfer jumps to: the entry, or 0 while there is no ASID' },
  dispatched: { at: 0x138, what: 'tick at which it last began to run by its slice or a yield: by this ASIDs are recycled' },
  begin: { at: 0x13c, what: 'where its next slice begins: the prologue, or 0 if the kernel has something to tell first' },
  publicPage: { at: 0x140, what: 'kseg0 address of the page that it writes and everyone may read, or 0' },
  repossession: { at: 0x144, what: 'kseg0 address of its repossession vector, or 0' },
  frames: { at: 0x148, what: 'how many frames it holds' },
  frameLimit: { at: 0x14c, what: 'how many it may hold' },
  frameTarget: { at: 0x150, what: 'to how many frames it is asked to come down; NO_TARGET: it is not' },
  sliceTarget: { at: 0x154, what: 'the same of slices' },
  revokeDeadline: { at: 0x158, what: 'the tick at which it must have; 0: nothing is asked of it' },
  lost: { at: 0x15c, what: 'how many frames and slices were taken from it by force' },
  name: { at: 0x160, what: 'what a synchronous transfer names it by, and every transfer from it: its number, if the record has had no other; else also of which life, so that no earlier one has the same' },
  readAgain: { at: 0x164, what: 'the tick from which on its filters get copies again of what others here send' },
  prepaid: { at: 0x168, what: 'cycles that it has paid for a call that takes longer than a stretch, and that is executed again until all is paid' },
  repeated: { at: 0x16c, what: 'how often a call was executed again because it takes longer than a stretch' },
  predicate: { at: 0x180, what: 'kseg0 address of the compiled wakeup predicate, or 0' },
  predicateActivation: { at: 0x184, what: 'kseg0 address of its activation record' },
  wakeTag: { at: 0x188, what: 'what the last sleep ended with: the tag of a predicate, or 0 for an event or a tick' },
  messageRing: { at: 0x18c, what: 'kseg0 address of its message ring, or 0' },
  messageNext: { at: 0x190, what: 'byte offset of the slot for the next message' },
  borrowed: { at: 0x194, what: 'of the slices begun, how many are others\' (donated to it)' },
  fpu: { at: 0x198, what: 'not 0: it uses the floating-point unit' },
  generation: { at: 0x1b8, what: 'how often the record has been used: two words, the low one first' },
  guaranteedNode: { at: 0x1c0, what: 'the nodes of the capabilities through which each guaranteed mapping was made, of the frame in the low half, of the environment in the high half: 16 words' },
} as const;

/* prettier-ignore */
export const FRAME_FIELDS = {
  owner: { at: 0, what: 'who allocated it, or a holder to whom it has come from there; ENV_LIMIT: only the kernel has it; NO_ENV: it is free' },
  holders: { at: 4, what: 'how many environments hold it' },
  generation: { at: 8, what: 'how often all its capabilities have died, and once more: the low word' },
  pins: { at: 12, what: 'how many rings, windows, predicates, u-pages, disk transfers and blocks of the registry pin it' },
} as const;

/* prettier-ignore */
export const SLICE_FIELDS = {
  owner: { at: 0, what: 'number of the environment that owns it, or NO_ENV' },
  running: { at: 4, what: 'address of the record of the environment that runs in it: another than the owner if the slice is donated; 0: none' },
  generation: { at: 8, what: 'how often it has changed its owner: the low word' },
  credit: { at: 12, what: 'cycles still to be had in it, signed: below 0, cycles that were taken too many; below −2^30: it is pledged for what its family owes' },
  passed: { at: 16, what: 'while it is passed over for its debt: the cycle up to which it has forfeited its instances; else 0' },
} as const;

/* prettier-ignore */
const STLB_FIELDS = {
  entryHi: { at: 0, what: 'virtual page and ASID; 0: empty' },
  entryLo: { at: 4, what: 'frame, N, D, V' },
} as const;

/* prettier-ignore */
export const NODE_FIELDS = {
  owner: { at: 0x00, what: 'who made it, or NO_ENV: there is no such node' },
  parent: { at: 0x04, what: 'the node above it; 0: the root' },
  generation: { at: 0x08, what: 'how often the record has been used: the low word' },
  kind: { at: 0x0c, what: 'of which kind its resource is' },
  name: { at: 0x10, what: 'the name of its resource' },
} as const;

/* prettier-ignore */
export const RING_FIELDS = {
  owner: { at: 0x00, what: 'who bound it, or NO_ENV' },
  env: { at: 0x04, what: "address of its owner's record; 0: there is no such ring" },
  direction: { at: 0x08, what: '0 receive, 1 transmit' },
  slots: { at: 0x0c, what: 'how many slots it has' },
  index: { at: 0x10, what: 'the slot that the kernel looks at next' },
  frames: { at: 0x14, what: 'how many frames it has' },
  packets: { at: 0x18, what: 'packets received or sent' },
  refused: { at: 0x1c, what: 'packets that found no room; slots that made no sense' },
  left: { at: 0x20, what: 'slots that the xmit under way has still to look at; 0: none is' },
  nextTap: { at: 0x24, what: 'address of the record of the next tap' },
  generation: { at: 0x28, what: 'how often the record has been used: two words, the low one first' },
  sent: { at: 0x30, what: 'packets that the xmit under way has sent' },
  frame: { at: 0x40, what: 'kseg0 addresses of its frames, in the order in which they were bound; 0: taken away' },
} as const;

/* prettier-ignore */
export const FILTER_FIELDS = {
  owner: { at: 0x00, what: 'who bound it, or NO_ENV' },
  env: { at: 0x04, what: "address of its owner's record" },
  ring: { at: 0x08, what: 'address of the record of the ring it delivers to; 0: nowhere' },
  id: { at: 0x0c, what: 'its number' },
  policy: { at: 0x10, what: 'one of POLICIES' },
  accepted: { at: 0x14, what: 'packets it won, or got copies of' },
  consumed: { at: 0x18, what: 'of these, how many its handler took' },
  aborted: { at: 0x1c, what: 'how often its handler was stopped' },
  overlaps: { at: 0x20, what: 'how many filters of other environments could accept a packet that it accepts' },
  code: { at: 0x24, what: 'physical address of its atoms, as they were downloaded' },
  length: { at: 0x28, what: 'bytes of its atoms' },
  generation: { at: 0x2c, what: 'how often the record has been used: the low word' },
  handler: { at: 0x30, what: 'address of the code of its handler, or 0' },
  activation: { at: 0x34, what: "address of its handler's activation record" },
  reply: { at: 0x38, what: "address of its handler's replies" },
  fuel: { at: 0x3c, what: 'instructions that one run of its handler may take' },
} as const;

/* prettier-ignore */
export const SYSTEM_FIELDS = {
  tick: { at: 0, what: 'ticks since boot' },
  ticksPerSecond: { at: 4, what: 'ticks a second' },
  hertz: { at: 8, what: 'cycles of the processor a second' },
  frames: { at: 12, what: 'frames that have a record, those of the kernel at the begin of memory too; those of its secret tables at the end have none' },
  framesFree: { at: 16, what: 'frames without a holder' },
  idles: { at: 20, what: 'how often no environment could run' },
  unclaimed: { at: 24, what: 'packets that no filter claimed' },
  unseen: { at: 28, what: 'packets that were dropped unseen: too much of the tick had gone to packets that no environment can pay for' },
} as const;

/* prettier-ignore */
export const EXTENT_FIELDS = {
  owner: { at: 0x00, what: 'who allocated it, or NO_ENV' },
  start: { at: 0x04, what: 'its first block' },
  blocks: { at: 0x08, what: 'how many blocks it has' },
  generation: { at: 0x18, what: 'how often the record has been used: two words, the low one first' },
} as const;

/* prettier-ignore */
export const DISK_FIELDS = {
  blocks: { at: 0x00, what: 'size in 4 KiB blocks; 0: there is no disk' },
  arm: { at: 0x04, what: 'cylinder that the arm is at or moves to, as of the last request or completion, between which it stays' },
  cylinders: { at: 0x08, what: 'how many cylinders it has' },
  sectorsPerCylinder: { at: 0x0c, what: 'sectors (eighths of a block) of a cylinder' },
  requests: { at: 0x10, what: 'how many requests are not finished' },
} as const;

/* prettier-ignore */
export const REQUEST_FIELDS = {
  env: { at: 0x00, what: 'who wants it, or NO_ENV: there is no such request' },
  block: { at: 0x04, what: 'its first block' },
  count: { at: 0x08, what: 'how many blocks' },
  write: { at: 0x0c, what: '1: to the disk' },
  sequence: { at: 0x10, what: 'its place in the order: lower ones are served before' },
  begun: { at: 0x14, what: '1: the device has it' },
} as const;

/* prettier-ignore */
export const BUFFER_FIELDS = {
  block: { at: 0x00, what: 'the block; NO_BLOCK: it was taken out while it came in' },
  ppn: { at: 0x04, what: 'the frame that holds its contents; who uses it: FRAME.holders of that frame' },
  state: { at: 0x08, what: 'one of BUFFER_STATES' },
  dirty: { at: 0x0c, what: '1: it differs from the disk' },
  used: { at: 0x10, what: 'when it was used last, on a clock of uses: the lowest is recycled first' },
  owner: { at: 0x14, what: 'who inserted or read it' },
  word0: { at: 0x18, what: 'a word for applications' },
  word1: { at: 0x1c, what: 'another' },
} as const;

/* prettier-ignore */
export const STRUCTURES: Readonly<Record<string, Structure>> = {
  environment: { table: 'environments', bytes: ENV_BYTES, count: ENV_LIMIT, what: 'environments, by number', fields: ENVIRONMENT_FIELDS },
  frame: { table: 'frames', bytes: FRAME_BYTES, count: FRAME_LIMIT, what: 'frames, by physical page number', fields: FRAME_FIELDS },
  slice: { table: 'slices', bytes: SLICE_BYTES, count: SLICE_LIMIT, what: 'the slice vector, by position', fields: SLICE_FIELDS },
  node: { table: 'nodes', bytes: NODE_BYTES, count: NODE_LIMIT, what: 'nodes of the trees of capabilities, by number; record 0 is not used', fields: NODE_FIELDS },
  ring: { table: 'rings', bytes: RING_BYTES, count: RING_LIMIT, what: 'packet rings, by number', fields: RING_FIELDS },
  filter: { table: 'filters', bytes: FILTER_BYTES, count: FILTER_LIMIT, what: 'packet filters, by number', fields: FILTER_FIELDS },
  system: { table: 'system', bytes: 64, count: 1, what: 'the machine as a whole', fields: SYSTEM_FIELDS },
  extent: { table: 'extents', bytes: EXTENT_BYTES, count: EXTENT_LIMIT, what: 'extents of disk blocks, by number', fields: EXTENT_FIELDS },
  disk: { table: 'disk', bytes: 32, count: 1, what: 'the disk', fields: DISK_FIELDS },
  request: { table: 'requests', bytes: REQUEST_BYTES, count: REQUEST_LIMIT, what: "the disk's queue, in no order", fields: REQUEST_FIELDS },
  buffer: { table: 'buffers', bytes: BUFFER_BYTES, count: BUFFER_LIMIT, what: 'the buffer-cache registry, in no order', fields: BUFFER_FIELDS },
  stlb: { table: 'stlb', bytes: 8, count: STLB_ENTRIES, what: 'the software TLB, by a hash of page and ASID', fields: STLB_FIELDS },
};

/** The offsets of a structure's fields. */
export function offsets<T extends Readonly<Record<string, Field>>>(fields: T): Offsets<T> {
  return Object.fromEntries(Object.entries(fields).map(([name, { at }]) => [name, at])) as Offsets<T>;
}
