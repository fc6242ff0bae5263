/** What the interpreter knows of the translator: where jumps and branches may find translated code. */

/** Translated code, as the interpreter asks for it at the targets of jumps and branches. */
export interface HotCode {
  /** Index of the jump cache's first entry, in words of the whole memory; and the mask of its entries' numbers. */
  readonly table: number;
  readonly mask: number;
  /** How often a target must still be reached before it is worth translating. */
  readonly heat: Int32Array;
  /** Stretches of fewer cycles are interpreted. */
  readonly worthwhile: number;
  /** What is inverted in the numbers of entries: a bit in user mode, else 0. */
  readonly exchange: number;
  /** Translates the code at `pc` if that can be. */
  compile(pc: number): void;
  /** Runs from PC to cycle `end` at most; false if too little of that is left to come back in this stretch. */
  run(end: number): boolean;
}
