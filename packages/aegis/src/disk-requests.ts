/** What the disk's queue is asked for, and what it tells: requests, and what is to happen when they are finished. */
import type { COMPLETIONS } from './tables.ts';

/** What is to happen when a request is finished. */
export interface Completion {
  readonly kind: (typeof COMPLETIONS)[keyof typeof COMPLETIONS];
  /** The transfer, buffer or entry that it concerns. */
  readonly operand: number;
  /** The completion word that tells of it; of a repossessed frame: the address of the vector. */
  readonly slot: number;
}

/** A frame, and the node of the capability for it. */
export interface FrameRight {
  readonly ppn: number;
  readonly node: number;
}

/** One request: consecutive blocks, a frame each. */
export interface DiskRequest {
  /** The environment that wants it. */
  readonly env: number;
  /** The node of the capability for the extent whose blocks they are. */
  readonly node: number;
  readonly block: number;
  readonly frames: readonly FrameRight[];
  readonly write: boolean;
  /** It is the kernel's own: it stands also when its frame is taken away from the environment. */
  readonly keeps?: true;
  readonly done: Completion;
}

/** A request that is finished. */
export interface Finished extends Completion {
  readonly env: number;
  /** The generation of its record when it asked. */
  readonly life: number;
  readonly block: number;
  readonly blocks: number;
  readonly ok: boolean;
}

/** A frame and the block it is to be read from or written to. */
export interface BlockFrame extends FrameRight {
  readonly block: number;
}
