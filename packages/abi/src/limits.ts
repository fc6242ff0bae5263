/** How many records the exposed tables have, and how many bytes each record: for the tables (structures.ts) and for users of them. */

/** Environments. */
export const ENV_BYTES = 512;
export const ENV_LIMIT = 128;
/** Frames: the most that the tables have room for, which is 48 MiB of memory. */
export const FRAME_BYTES = 16;
export const FRAME_LIMIT = 0x3000;
/** Positions of the slice vector. */
export const SLICE_BYTES = 32;
export const SLICE_LIMIT = 64;
/** Nodes of the trees of capabilities, node 0, the root, counted. */
export const NODE_BYTES = 24;
export const NODE_LIMIT = 1024;
/** Packet rings. */
export const RING_BYTES = 2048;
export const RING_LIMIT = 32;
/** Packet filters. */
export const FILTER_BYTES = 64;
export const FILTER_LIMIT = 256;
/** Extents of disk blocks. */
export const EXTENT_BYTES = 32;
export const EXTENT_LIMIT = 128;
/** Requests in the queue of the disk. */
export const REQUEST_BYTES = 32;
export const REQUEST_LIMIT = 128;
/** Blocks in the buffer-cache registry. */
export const BUFFER_BYTES = 32;
export const BUFFER_LIMIT = 1024;
/** Entries of the software TLB. */
export const STLB_ENTRIES = 4096;
