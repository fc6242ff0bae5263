/**
 * Layouts that kernel and applications share: byte offsets of words in the environment table, the u-page, packet rings
 * and the exposed tables. All words are 32 bits, little-endian.
 */
import { RING_BYTES } from './limits.ts';
import {
  BUFFER_FIELDS,
  DISK_FIELDS,
  ENVIRONMENT_FIELDS,
  EXTENT_FIELDS,
  FILTER_FIELDS,
  FRAME_FIELDS,
  NODE_FIELDS,
  REQUEST_FIELDS,
  RING_FIELDS,
  SLICE_FIELDS,
  SYSTEM_FIELDS,
  offsets,
  type Offsets,
} from './structures.ts';

/** ExcCode of the R3000's Cause register [KANE92 §6]. */
export const EXCEPTIONS = {
  interrupt: 0,
  mod: 1,
  tlbl: 2,
  tlbs: 3,
  adel: 4,
  ades: 5,
  ibe: 6,
  dbe: 7,
  syscall: 8,
  breakpoint: 9,
  reserved: 10,
  coprocessor: 11,
  overflow: 12,
  /** Not of the R3000: an exception of the floating-point unit, which comes as an interrupt. */
  floatingPoint: 15,
} as const;

export type ExceptionName = keyof typeof EXCEPTIONS;

export const PAGE_BYTES = 4096;
/** Ticks per second: the RTC's 64 Hz, hence the 15.625 ms quantum of the original [SOSP95 §5.1]. */
export const TICKS_PER_SECOND = 64;

/** States of an environment. */
export const ENV_STATUS = { free: 0, embryo: 1, runnable: 2, dead: 3 } as const;

/** Offsets of words in one record of the environment table, which everyone may read. */
export const ENV: Offsets<typeof ENVIRONMENT_FIELDS> = offsets(ENVIRONMENT_FIELDS);

export const GUARANTEED_LIMIT = 16;

/**
 * Fields that `env_set` may set, by their offset in ENV; `exceptionPc + 4 * code` too, but for system calls; of code 0 it is
 * where the kernel tells of revocation. `status` may only become runnable, once there are u-page and prologue; `frameLimit`
 * may be up to the caller's own.
 */
export const ENV_SETTABLE: readonly number[] = [
  ENV.status,
  ENV.prologue,
  ENV.epilogue,
  ENV.syncEntry,
  ENV.asyncEntry,
  ENV.frameLimit,
];

/** Why an environment died. */
export const DEATHS = { none: 0, exit: 1, unhandled: 2, excess: 3, destroyed: 4, noEntry: 5, double: 6 } as const;

/**
 * Offsets in the u-page: a frame that its environment and the kernel write. Others may read it if they are given a
 * capability; a library operating system may keep its own there, so it is not exposed to everyone.
 */
export const U = {
  /** 16 save areas of 16 bytes, one per ExcCode: t0, t1, t2 at the exception. */
  exceptionSave: 0x000,
  /** t0, t1, t2 at the end of a slice. */
  interruptSave: 0x100,
  /** 16 completion words that the disk writes: 0 pending, 1 done, negative an error; of disk_request: blocks left. */
  completion: 0x110,
  /** Visible revocation: how many frames and how many slices to give up, until which tick; how many were taken by force. */
  revokeFrames: 0x150,
  revokeSlices: 0x154,
  revokeDeadline: 0x158,
  lost: 0x15c,
  /** From here the page belongs to the library operating system. */
  user: 0x180,
} as const;

export const COMPLETION_SLOTS = 16;

/**
 * One slot of a packet ring, in the ring's first frame, from its start on. The packet lies in up to RING_BUFFERS buffers,
 * taken in order; a buffer of no bytes ends the list.
 *
 * A buffer is two words: `at`, its place in the ring, 4096 × the number of a frame of the ring (0 is the first) + the offset
 * in it, a multiple of four; and its length in bytes, at most to the end of the frame. Those of a receive ring have lengths
 * that are multiples of four; the kernel stores whole words.
 */
export const RING_SLOT = {
  /** 0: empty. Receive: the kernel stores the length when the packet is whole. Transmit: the application does. */
  length: 0,
  /** Receive: the filter that accepted the packet; of a tap TAP.in or TAP.out. */
  filter: 4,
  /** Transmit: the offset in the first frame of a word that the kernel counts down when it is done with the slot; or 0. */
  completion: 4,
  buffers: 8,
} as const;

export const RING_SLOT_BYTES = 64;
export const RING_SLOT_LIMIT = 32;
export const RING_BUFFERS = 4;
/** Offsets in the record of a ring. */
export const RING: Offsets<typeof RING_FIELDS> = offsets(RING_FIELDS);
/** Frames of a ring. */
export const RING_FRAME_LIMIT: number = (RING_BYTES - RING_FIELDS.frame.at) / 4;
/** What a tap's slots have for a filter. */
export const TAP = { in: -1, out: -2 } as const;

/** Offsets in the record of a filter. */
export const FILTER: Offsets<typeof FILTER_FIELDS> = offsets(FILTER_FIELDS);
/**
 * What becomes of packets that a filter and others accept. specific: the one that tests more bits wins; first: the one that
 * was bound first; refuse: this one wins over later ones, none gets copies, and it is not bound beside an earlier one; all: this
 * one gets a copy, whichever wins.
 */
export const POLICIES = { specific: 0, first: 1, refuse: 2, all: 3 } as const;
/**
 * Bits of a packet that a filter of policy `refuse` tests at least. Assumption: more than name a protocol (the Ethernet type and IP's
 * protocol, 24), fewer than name an endpoint of one (with its port, 40). So all such filters together have at most the
 * FILTER_LIMIT / 2^32 part of all packets, and no protocol.
 */
export const REFUSE_BITS_MIN = 32;
/** Pages of a handler's window. */
export const WINDOW_FRAMES_MAX = 4;

/** Offsets in the records of extents, disk, its requests and the buffer-cache registry. */
export const EXTENT: Offsets<typeof EXTENT_FIELDS> = offsets(EXTENT_FIELDS);
export const DISK: Offsets<typeof DISK_FIELDS> = offsets(DISK_FIELDS);
export const REQUEST: Offsets<typeof REQUEST_FIELDS> = offsets(REQUEST_FIELDS);
export const BUFFER: Offsets<typeof BUFFER_FIELDS> = offsets(BUFFER_FIELDS);
/**
 * leaving: it is being written because a family lacks frames, and is empty then. failed: it could not be read, and environments wait for it
 * that do not know yet.
 */
export const BUFFER_STATES = { empty: 0, valid: 1, comingIn: 2, goingOut: 3, leaving: 4, failed: 5 } as const;
/** The block of a buffer that was taken out of the registry while it came in. */
export const NO_BLOCK = 0xffffffff;
/** One entry of the list of disk_request: the frame's capability and, relative to the extent, its block. */
export const TRANSFER = { frame: 0, block: 16 } as const;
export const TRANSFER_BYTES = 20;
export const TRANSFER_LIMIT = 64;

export const PACKET_BYTES_MAX = 1514;

/** Fewest frames to which revocation and quotas bring an environment down. Assumption: of the paper's 5 to 10 [SOSP95 §3.4]. */
export const FRAME_MINIMUM = 8;
/** Fewest slices to which revocation brings it down. Assumption: one, or it could not be told. */
export const SLICE_MINIMUM = 1;
/** A limit or target that there is not. */
export const NO_TARGET = 0xffffffff;
/** What is revoked, and how. */
export const REVOKE_KINDS = { frames: 0, slices: 1 } as const;
export const REVOKE_MODES = { cooperative: 0, notify: 1 } as const;

/**
 * One entry of a repossession vector, a frame of its environment: what was taken by force, and what became of it. The
 * environment preloads entries with backing store: an extent that it may write and a block in it.
 */
export const REPOSSESSION = {
  /** One of REPOSSESSION_STATES. */
  state: 0x00,
  /** One of REVOKE_KINDS, and the frame or the position. */
  kind: 0x04,
  name: 0x08,
  /** A capability of four words. */
  extent: 0x10,
  block: 0x20,
} as const;
export const REPOSSESSION_BYTES = 64;
export const REPOSSESSION_ENTRIES = 64;
/** Of `empty` and `preloaded` the environment says so; the others the kernel sets. */
export const REPOSSESSION_STATES = { empty: 0, preloaded: 1, saving: 2, saved: 3, lost: 4 } as const;

/** One entry of the slice vector. */
export const SLICE: Offsets<typeof SLICE_FIELDS> = offsets(SLICE_FIELDS);
/** The owner of what no environment owns. */
export const NO_ENV = 0xffffffff;

/** The one record of the machine as a whole. */
export const SYSTEM: Offsets<typeof SYSTEM_FIELDS> = offsets(SYSTEM_FIELDS);

/** One entry of the frame table. */
export const FRAME: Offsets<typeof FRAME_FIELDS> = offsets(FRAME_FIELDS);

/** One slot of a message ring, of which a frame holds 64: the sender's number + 1 (0: empty), and eight words. */
export const MESSAGE = { sender: 0, words: 4 } as const;
export const MESSAGE_BYTES = 64;
export const MESSAGE_WORDS = 8;

/**
 * A wakeup predicate as it is downloaded, in words: the number of products; of each its tag (not 0) and number of terms; of
 * each term an operator and two sides. A side is five words: a constant and its value (three words are not looked at), or
 * a variable: the physical address of a word, and words 0, 2 and 3 of a capability to read its frame.
 */
export const PREDICATE = {
  constant: 0,
  variable: 1,
  /** The most products, terms of one product, frames of its variables, bytes. */
  products: 8,
  terms: 8,
  pages: 8,
  bytes: 4096,
} as const;
/** Comparisons of a term, of unsigned words. */
export const PREDICATE_OPERATORS = { eq: 0, ne: 1, lt: 2, le: 3, gt: 4, ge: 5 } as const;
export type PredicateOperator = keyof typeof PREDICATE_OPERATORS;

/** One node of a tree of capabilities. */
export const NODE: Offsets<typeof NODE_FIELDS> = offsets(NODE_FIELDS);

/** EntryLo bits an application may set [KANE92 §6]. */
export const ENTRYLO = { noncached: 0x800, dirty: 0x400, valid: 0x200 } as const;

/**
 * The kernel's exposed tables: physical addresses. Anyone may map their frames for reading with WELL_KNOWN_READ.
 * `stlb` holds 4096 pairs { EntryHi, EntryLo }.
 */
export const EXPOSED = {
  stlb: 0x10000,
  nodes: 0x1a000,
  environments: 0x20000,
  frames: 0x30000,
  slices: 0x9c000,
  disk: 0x9d000,
  requests: 0x9e000,
  extents: 0x9f000,
  rings: 0xa0000,
  filters: 0xb0000,
  /** The bytes of the filters, as they were downloaded: FILTER.code says where. */
  filterCode: 0xb4000,
  /** In the frame of the slices. */
  system: 0x9c800,
  buffers: 0xd8000,
} as const;

/** Bytes of EXPOSED.filterCode. */
export const FILTER_CODE_BYTES = 0xc000;
