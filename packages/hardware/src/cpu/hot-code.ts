/** What the interpreter knows of the translator: where jumps and branches may find translated code. */

/** Translated code, as the interpreter asks for it at the targets of jumps and branches. */
export interface HotCode {
  /** Index of the jump cache's first entry, in words of the whole memory. */
  readonly table: number;
  /** An entry's number is what the shift leaves of the product of factor and address. */
  readonly factor: number;
  readonly shift: number;
  /** How often a target must still be reached before it is worth translating. */
  readonly heat: Int32Array;
  /** Stretches of fewer cycles are interpreted. */
  readonly worthwhile: number;
  /** What is set in an address before the multiplication: 1 in user mode, else 0. */
  readonly mode: number;
  /** Translates the code at `pc` if that can be. */
  compile(pc: number): void;
  /** Runs from PC to cycle `end` at most; false if too little of that is left to come back in this stretch. */
  run(end: number): boolean;
}
