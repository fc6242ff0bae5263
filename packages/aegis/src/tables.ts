/**
 * The kernel's secret tables: what its TypeScript keeps of rights, of requests under way and of order. One table of tables, for
 * the code, for docs/kernel.md and for the tests.
 *
 * They lie in simulated memory like every other state of the kernel, so that a machine can be saved at any instruction; unlike
 * the exposed ones (`abi/structures.ts`) no environment may ever map them. All words are 32 bits, little-endian. Sets of
 * environments, nodes and extents are bits, one for each possible member: they cannot run out.
 *
 * They take the last frames of memory. At its beginning they would give every other frame a new number, and with it another
 * place of its MACs in the caches, which programs can measure.
 */
import {
  FRAME_LIMIT,
  BUFFER_LIMIT,
  ENV_LIMIT,
  EXTENT_LIMIT,
  FILTER_LIMIT,
  NODE_LIMIT,
  PAGE_BYTES,
  PREDICATE,
  REQUEST_LIMIT,
  RING_LIMIT,
  SLICE_LIMIT,
  offsets,
  type Field,
  type Offsets,
} from '@exokernel/abi';
import { PREDICATE_LIMIT } from './layout.ts';

/** A secret table: `count` records of `bytes` bytes. */
export interface SecretTable {
  /** Where it begins, in bytes from the first one's begin. */
  readonly at: number;
  readonly bytes: number;
  readonly count: number;
  readonly what: string;
  readonly fields: Readonly<Record<string, Field>>;
}

/** Blocks that one request of the device has at most. Assumption: a track or so. */
export const RUN_BLOCKS = 16;
/** Serial lines, and bytes that wait on each in each direction. */
export const SERIAL_LINES = 4;
export const QUEUE_BYTES = 256;
export const ASID_LIMIT = 64;
/**
 * Frames of the kernel's that transfers go through which may lose their right, and blocks of one such request. Assumption: two
 * requests keep the device busy, and copying both ways stays short with interrupts off.
 */
export const BOUNCE_FRAMES = 8;
export const BOUNCE_BLOCKS = 4;
/** Blocks of which the kernel knows whether their owner has written them: the first gigabyte. Extents are allocated there only. */
export const BLANK_LIMIT = 0x40000;

/** Lists in which the nodes of a resource are looked for. */
export const RESOURCE_LISTS = 256;

/* prettier-ignore */
const VARIABLE_FIELDS = {
  frameCursor: { at: 0x00, what: 'the frame at which the search for a free one begins' },
  asidHand: { at: 0x04, what: 'the ASID at which the search for the next victim begins, so that of equals each has its turn' },
  diskSequence: { at: 0x08, what: 'the number of the last disk request' },
  uses: { at: 0x0c, what: 'the clock of uses of the registry' },
  asks: { at: 0x10, what: 'the number of the last request of revocation' },
  diskFree: { at: 0x14, what: 'the first free descriptor of the virtqueue; each names the next in its `next`' },
  diskFreeCount: { at: 0x18, what: 'how many descriptors are free' },
  diskUsed: { at: 0x1c, what: 'how many entries of the used ring the driver has seen, modulo 65536' },
  filterCount: { at: 0x20, what: 'how many filters there are' },
  filterWords: { at: 0x24, what: 'instructions of the code that was made of them' },
  filterTime: { at: 0x28, what: 'how much of filterTime those take together that count for no family' },
  wanting: { at: 0x2c, what: '1: the next frame that becomes free without a call is an event for those that wait for one' },
  wantTick: { at: 0x30, what: 'the tick at which the clock looks for what families lack, at the latest; 0: none lacks any' },
} as const;

/* prettier-ignore */
const REQUEST_STATE_FIELDS = {
  kind: { at: 0x00, what: 'what is to happen when it is finished: one of COMPLETIONS' },
  operand: { at: 0x04, what: 'the transfer, the buffer or the address of the entry that this concerns' },
  life: { at: 0x08, what: "the generation of the environment's record: what is to be told is told to no later one" },
  slot: { at: 0x0c, what: 'its completion word; of a repossessed frame: the address of the vector' },
  node: { at: 0x10, what: "the node of the extent's capability" },
  keeps: { at: 0x14, what: "1: it is the kernel's own, and stands also when its frame is taken from the environment" },
  bounced: { at: 0x18, what: "1: it goes through frames of the kernel's" },
  through: { at: 0x1c, what: 'which of them the device has for it, one bit each' },
  frames: { at: 0x20, what: 'for each block, its frame in the low half, the node of the capability for it in the high half: 16 words' },
  ended: { at: 0x60, what: '1: the right to it ended while the device had it' },
  family: { at: 0x64, what: 'the family whose place in the queue it has' },
} as const;

/* prettier-ignore */
const TRANSFER_FIELDS = {
  left: { at: 0x00, what: 'blocks that are not finished; 0: there is no such transfer' },
  failed: { at: 0x04, what: '1: one of its requests has failed' },
} as const;

/* prettier-ignore */
const BUFFER_STATE_FIELDS = {
  extents: { at: 0x00, what: 'the extents by whose capabilities its frame was inserted or handed out at the root, one bit each' },
  node: { at: 0x10, what: "the node of the extent's capability by which it was inserted" },
  family: { at: 0x14, what: 'the family that it counts for' },
} as const;

/* prettier-ignore */
const PREDICATE_STATE_FIELDS = {
  owner: { at: 0x00, what: 'whose it is, plus 1; 0: the place is free' },
  count: { at: 0x04, what: 'how many frames its variables lie in' },
  frames: { at: 0x08, what: 'these frames, each once: 8 words' },
  guarded: { at: 0x28, what: 'which of these frames it reads because their guards are open, one bit each' },
} as const;

/* prettier-ignore */
const FILTER_STATE_FIELDS = {
  first: { at: 0x00, what: 'the first frame of its window' },
  frames: { at: 0x04, what: 'how many frames the window has' },
  place: { at: 0x08, what: 'where its handler stands, plus 1; 0: it has none' },
  ringNode: { at: 0x0c, what: "the node of the ring's capability with which it was bound" },
  windowNode: { at: 0x10, what: "the node of the filter's capability with which the window was made" },
  handlerNode: { at: 0x14, what: "the node of the filter's capability with which the handler was attached" },
  generation: { at: 0x18, what: "of the filter's generation the high word" },
  time: { at: 0x1c, what: 'how much of filterTime it counts for its family; 0: it is one of those that share what no family is guaranteed' },
} as const;

/* prettier-ignore */
const RING_STATE_FIELDS = {
  tapNode: { at: 0x00, what: 'of a tap: the node of the capability of the ring' },
  netNode: { at: 0x04, what: 'of a tap: the node of the capability of the network' },
} as const;

/* prettier-ignore */
const REVOCATION_FIELDS = {
  asked: { at: 0x00, what: 'the number of what is asked of it, by which the oldest is served first; 0: nothing' },
  needy: { at: 0x04, what: '1: it waits for frames that its family lacks' },
  until: { at: 0x08, what: 'the tick until which free frames are kept for it' },
  forced: { at: 0x0c, what: '1: it was asked for frames that other families lack' },
} as const;

/* prettier-ignore */
const FAMILY_ASK_FIELDS = {
  deadline: { at: 0x00, what: 'the tick at which it loses what others lack; 0: it was not asked; 1: it has lost what could be taken' },
} as const;

/** What families have quotas of, by the number of their counters. */
export const QUOTA_KINDS = {
  frames: 0,
  environments: 1,
  slices: 2,
  nodes: 3,
  rings: 4,
  filters: 5,
  filterBytes: 6,
  handlers: 7,
  predicates: 8,
  extents: 9,
  requests: 10,
  buffers: 11,
  filterTime: 12,
} as const;
export type QuotaKind = keyof typeof QUOTA_KINDS;

/* prettier-ignore */
const FAMILY_FIELDS = {
  founder: { at: 0x00, what: 'the environment that the loader made, or NO_ENV: it has ended' },
  frameLimit: { at: 0x04, what: 'how many frames all members together may hold' },
  kinds: { at: 0x08, what: 'of each kind how many it has (low half) and is guaranteed (high half): 13 words' },
  credit: { at: 0x3c, what: 'below 0: cycles that it owes, for which its slices are pledged; above 0 only while it pays for what runs' },
} as const;

/* prettier-ignore */
const QUOTA_FIELDS = {
  used: { at: 0x00, what: 'how many count for families' },
  reserved: { at: 0x04, what: 'how many all families together lack of what they are guaranteed' },
} as const;

/* prettier-ignore */
const SERIAL_FIELDS = {
  user: { at: 0x00, what: 'the environment that used the line last, plus 1; 0: none' },
  outFirst: { at: 0x04, what: 'where the first byte lies that is to be sent' },
  outCount: { at: 0x08, what: 'how many are to be sent' },
  inFirst: { at: 0x0c, what: 'where the first byte lies that was received' },
  inCount: { at: 0x10, what: 'how many were received' },
  node: { at: 0x14, what: 'the node of the capability with which it was used' },
  family: { at: 0x18, what: 'the family of the environment that had bytes sent last' },
  out: { at: 0x20, what: 'bytes to be sent: 256, in a ring' },
  in: { at: 0x120, what: 'bytes received: 256, in a ring' },
} as const;

/* prettier-ignore */
const USAGE_FIELDS = {
  instructions: { at: 0x00, what: 'instructions in user mode: two words, the low one first, like all of these' },
  cycles: { at: 0x08, what: 'cycles in user mode' },
  systemCalls: { at: 0x10, what: 'system calls' },
  exceptions: { at: 0x18, what: 'other exceptions but interrupts' },
  refills: { at: 0x20, what: 'TLB misses' },
  nativeSteps: { at: 0x28, what: 'native functions begun' },
} as const;

/* prettier-ignore */
const NODE_STATE_FIELDS = {
  generation: { at: 0x00, what: 'of its generation the high word' },
} as const;

const LINK = {
  link: { at: 0, what: 'the next of its list in the low half, the one before in the high half; 0: itself' },
} as const;

const WORD = { word: { at: 0, what: 'the number' } } as const;
const ENVIRONMENTS = { members: { at: 0, what: 'one bit for each environment: 4 words' } } as const;

/* prettier-ignore */
export const TABLES = {
  bufferState: { at: 0x00000, bytes: 0x20, count: BUFFER_LIMIT, what: 'by which rights a cached block was had, by number of its buffer', fields: BUFFER_STATE_FIELDS } as SecretTable,
  nodeHolds: { at: 0x08000, bytes: ENV_LIMIT / 8, count: NODE_LIMIT, what: "who holds a node's frame through it, by node", fields: ENVIRONMENTS } as SecretTable,
  nodeBindings: { at: 0x0c000, bytes: ENV_LIMIT / 8, count: NODE_LIMIT, what: "who has bound a node's frame through it to a ring, a window, a predicate, by node", fields: ENVIRONMENTS } as SecretTable,
  requestState: { at: 0x10000, bytes: 0x80, count: REQUEST_LIMIT, what: 'disk requests, by number', fields: REQUEST_STATE_FIELDS } as SecretTable,
  predicateState: { at: 0x14000, bytes: 0x40, count: PREDICATE_LIMIT, what: 'wakeup predicates, by place', fields: PREDICATE_STATE_FIELDS } as SecretTable,
  filterState: { at: 0x15000, bytes: 0x20, count: FILTER_LIMIT, what: 'windows and handlers, and through which nodes what was bound, by filter', fields: FILTER_STATE_FIELDS } as SecretTable,
  usage: { at: 0x17000, bytes: 0x40, count: ENV_LIMIT, what: 'what each environment used', fields: USAGE_FIELDS } as SecretTable,
  transfers: { at: 0x19000, bytes: 0x08, count: REQUEST_LIMIT, what: 'requests that are finished together', fields: TRANSFER_FIELDS } as SecretTable,
  ringState: { at: 0x19400, bytes: 0x08, count: RING_LIMIT, what: 'through which nodes a ring became a tap, by ring', fields: RING_STATE_FIELDS } as SecretTable,
  familyAsks: { at: 0x19600, bytes: 0x04, count: ENV_LIMIT, what: 'until when a family was asked for frames that others lack, by number', fields: FAMILY_ASK_FIELDS } as SecretTable,
  revocation: { at: 0x19800, bytes: 0x10, count: ENV_LIMIT, what: 'what is asked and expected of revocation, by environment', fields: REVOCATION_FIELDS } as SecretTable,
  serial: { at: 0x1a000, bytes: 0x220, count: SERIAL_LINES, what: 'queues, by serial line', fields: SERIAL_FIELDS } as SecretTable,
  familyRests: { at: 0x1ac00, bytes: 4, count: ENV_LIMIT, what: 'cycles of revocation that a family is still to pay, by number', fields: WORD } as SecretTable,
  filterOrder: { at: 0x1b000, bytes: 4, count: FILTER_LIMIT, what: 'the filters, in the order in which they were bound', fields: WORD } as SecretTable,
  asidOwners: { at: 0x1b400, bytes: 4, count: ASID_LIMIT, what: 'who has an ASID, or NO_ENV', fields: WORD } as SecretTable,
  chosenGuards: { at: 0x1b500, bytes: FRAME_LIMIT / 8, count: 1, what: 'the frames of which tlbwr compares words that an environment chose', fields: { members: { at: 0, what: 'one bit for each frame' } } } as SecretTable,
  variables: { at: 0x1bc00, bytes: 0x40, count: 1, what: 'single numbers', fields: VARIABLE_FIELDS } as SecretTable,
  entered: { at: 0x1bc40, bytes: 0x10, count: 1, what: 'instructions and cycles when user mode was last entered: two words each, the low one first', fields: { instructions: { at: 0, what: 'instructions' }, cycles: { at: 8, what: 'cycles' } } } as SecretTable,
  key: { at: 0x1bc60, bytes: 0x28, count: 1, what: "the kernel's key, and what it says to a message that no capability is", fields: { key: { at: 0, what: 'BLAKE2s of the secret: 8 words' }, noMac: { at: 0x20, what: 'a MAC that no capability has' } } } as SecretTable,
  sliceState: { at: 0x1bd00, bytes: 4, count: SLICE_LIMIT, what: 'what more there is of a slice, by position', fields: { generation: { at: 0, what: 'of its generation the high word' } } } as SecretTable,
  quotas: { at: 0x1be00, bytes: 8, count: Object.keys(QUOTA_KINDS).length, what: 'what is taken and what is kept, by kind of quota', fields: QUOTA_FIELDS } as SecretTable,
  nodeState: { at: 0x1c000, bytes: 4, count: NODE_LIMIT, what: 'what more there is of a node, by node', fields: NODE_STATE_FIELDS } as SecretTable,
  blanks: { at: 0x1e000, bytes: BLANK_LIMIT / 8, count: 1, what: 'the disk blocks that were allocated and not written since: they read as zeros', fields: { members: { at: 0, what: 'one bit for each block' } } } as SecretTable,
  bounces: { at: 0x26000, bytes: PAGE_BYTES, count: BOUNCE_FRAMES, what: 'frames that the device has in place of those whose right may end', fields: { contents: { at: 0, what: 'a block' } } } as SecretTable,
  families: { at: 0x2e000, bytes: 0x40, count: ENV_LIMIT, what: 'what families have and are guaranteed, by number', fields: FAMILY_FIELDS } as SecretTable,
  nodesBelow: { at: 0x30000, bytes: 4, count: 2 * NODE_LIMIT, what: 'lists of the nodes below each node: a link for each node, then a head for each', fields: LINK } as SecretTable,
  nodesOfResource: { at: 0x32000, bytes: 4, count: NODE_LIMIT + RESOURCE_LISTS, what: 'lists of the nodes of resources, by a hash of kind and name', fields: LINK } as SecretTable,
  nodesOfOwner: { at: 0x33400, bytes: 4, count: NODE_LIMIT + ENV_LIMIT, what: 'lists of the nodes that each environment made', fields: LINK } as SecretTable,
  freeFrames: { at: 0x34800, bytes: FRAME_LIMIT / 8, count: 1, what: 'the frames that are free', fields: { members: { at: 0, what: 'one bit for each frame' } } } as SecretTable,
  frameLives: { at: 0x35000, bytes: 4, count: FRAME_LIMIT, what: 'of the generation of a frame the high word, by frame: as many as the machine has frames', fields: { generation: { at: 0, what: 'the high word' } } } as SecretTable,
  // With fewer frames it begins behind the last word of frameLives: frameHoldsAt.
  frameHolds: { at: 0x41000, bytes: FRAME_LIMIT / 8, count: ENV_LIMIT, what: 'the frames that each environment holds through the root; a bit for each frame that the machine has', fields: { members: { at: 0, what: 'one bit for each frame' } } } as SecretTable,
} as const;

export const VARIABLES: Offsets<typeof VARIABLE_FIELDS> = offsets(VARIABLE_FIELDS);
export const REQUEST_STATE: Offsets<typeof REQUEST_STATE_FIELDS> = offsets(REQUEST_STATE_FIELDS);
export const TRANSFER_STATE: Offsets<typeof TRANSFER_FIELDS> = offsets(TRANSFER_FIELDS);
export const BUFFER_STATE: Offsets<typeof BUFFER_STATE_FIELDS> = offsets(BUFFER_STATE_FIELDS);
export const PREDICATE_STATE: Offsets<typeof PREDICATE_STATE_FIELDS> = offsets(PREDICATE_STATE_FIELDS);
export const NODE_STATE: Offsets<typeof NODE_STATE_FIELDS> = offsets(NODE_STATE_FIELDS);
export const FILTER_STATE: Offsets<typeof FILTER_STATE_FIELDS> = offsets(FILTER_STATE_FIELDS);
export const RING_STATE: Offsets<typeof RING_STATE_FIELDS> = offsets(RING_STATE_FIELDS);
export const FAMILY_ASK: Offsets<typeof FAMILY_ASK_FIELDS> = offsets(FAMILY_ASK_FIELDS);
export const REVOCATION: Offsets<typeof REVOCATION_FIELDS> = offsets(REVOCATION_FIELDS);
export const FAMILY: Offsets<typeof FAMILY_FIELDS> = offsets(FAMILY_FIELDS);
export const QUOTA: Offsets<typeof QUOTA_FIELDS> = offsets(QUOTA_FIELDS);
export const SERIAL: Offsets<typeof SERIAL_FIELDS> = offsets(SERIAL_FIELDS);
export const USAGE: Offsets<typeof USAGE_FIELDS> = offsets(USAGE_FIELDS);

/** Physical address of the first table of a machine with so much memory; what lies below is the frames'. */
export function tablesAt(ramBytes: number): number {
  const frames = Math.min(ramBytes / PAGE_BYTES, FRAME_LIMIT);
  const bytes = frameHoldsAt(frames) + ENV_LIMIT * frameSetBytes(frames);
  return ramBytes - Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** Where frameHolds begins on a machine with so many frames, the kernel's included, like `SecretTable.at`. */
export function frameHoldsAt(frames: number): number {
  return TABLES.frameLives.at + 4 * frames;
}

/** Bytes of a set of so many frames. */
function frameSetBytes(frames: number): number {
  return 4 * Math.ceil(frames / 32);
}

/** What is to happen when a disk request is finished. */
export const COMPLETIONS = {
  /** A completion word becomes 1, or E_DEVICE. */
  word: 0,
  /** One of the requests of a transfer: its completion word counts down. */
  transfer: 1,
  /** A block was read into the registry, or one of it written. */
  read: 2,
  written: 3,
  /** A repossessed frame was saved. */
  saved: 4,
  /** A block was written that leaves the registry. */
  evicted: 5,
} as const;

if (PREDICATE_STATE.frames + 4 * PREDICATE.pages > PREDICATE_STATE.guarded)
  throw new RangeError('predicates have more frames than fit');
if (BUFFER_STATE.extents + EXTENT_LIMIT / 8 > BUFFER_STATE.node)
  throw new RangeError('there are more extents than bits for them');
if (FAMILY.kinds + 4 * TABLES.quotas.count > FAMILY.credit)
  throw new RangeError('there are more kinds of quotas than words for them');
if (REQUEST_STATE.frames + 4 * RUN_BLOCKS > REQUEST_STATE.ended)
  throw new RangeError('requests have more frames than fit');
