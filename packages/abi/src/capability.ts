/**
 * Self-authenticating capabilities: four words that anyone may hold, copy and pass on, and only the kernel can make.
 *
 *     word 0   31      24 23      16 15                 0
 *             +----------+----------+--------------------+
 *             |   kind   |  rights  |        node        |
 *             +----------+----------+--------------------+
 *     word 1   the resource's name: ppn, environment, extent, line, ring, filter, …
 *     word 2   MAC, low word   \  of words 0 and 1 and of the generations of
 *     word 3   MAC, high word  /  resource and node, under the kernel's key
 *
 * The kernel stores no list of holders: it recomputes the MAC. Capabilities of one resource form a tree of nodes, of which 0 is
 * the root; who holds one of a node can revoke all those of a node below it. Four zero words are the null capability; where
 * an environment is asked for, it names the caller. [SOSP95 §3.1]
 */

/** A capability as it travels through registers. */
export type CapabilityWords = readonly [number, number, number, number];

export const CAPABILITY_KINDS = {
  frame: 1,
  env: 2,
  extent: 3,
  serial: 4,
  slice: 5,
  ring: 6,
  filter: 7,
  net: 8,
} as const;
export type CapabilityKind = keyof typeof CAPABILITY_KINDS;

/** Rights are bits; a derived capability has a subset of its parent's. */
export const RIGHTS = { read: 1, write: 2, control: 4 } as const;

export const CAPABILITY_BYTES = 16;

/** Nodes of one environment; and below the root, one below the other. */
export const NODES_PER_ENV = 64;
export const NODE_DEPTH = 8;

/** The MAC words by which every environment may read the frames of exposed kernel tables. */
export const WELL_KNOWN_READ: readonly [number, number] = [0x65786f6b, 0x72656164];
