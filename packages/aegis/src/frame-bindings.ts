/** What the parts of the kernel that bind frames do when a frame is taken, freed or guarded: rings, windows, predicates, transfers, blocks. */

/** What else binds frames to environments. */
export interface FrameBindings {
  /** A frame is taken from an environment by force: breaks all that binds it. */
  readonly taken: (env: number, ppn: number) => void;
  /** It has lost its last holder: breaks what would keep it without end. */
  readonly freed: (ppn: number) => void;
  /** What it costs at most to find out what `freed` breaks. */
  readonly costOfFreed: () => number;
  /** Other words open it for reading: breaks what the old ones had opened. */
  readonly guarded: (ppn: number) => void;
}
