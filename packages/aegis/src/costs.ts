/**
 * What the kernel's TypeScript costs, in cycles, when the machine executes it: a price for each unit of counted work.
 *
 * Nothing is declared by hand for a call. KernelMemory counts what a call reads, writes, clears and copies, and the parts count
 * what is not memory (`KernelMemory.charge`); the machine is charged for the sum (native-calls.ts). So a call cannot be cheaper
 * than what it does, and one that learns to do less becomes cheaper by itself.
 *
 * Assumption: the prices. They are those of a careful C implementation on the R3000, each with its reason. A test holds the host's time
 * for each declared cycle within a factor of ten over all calls and their sizes (price.test.ts).
 */
export const COSTS = {
  /** Entry and exit of a call: arguments fetched, registers of the caller saved and restored. */
  call: 100,
  /** A word of a table read or written: its address, the load or store, the use or the test of it. */
  word: 3,
  /** A word cleared in a run: a store, and a part of the loop. */
  clearedWord: 1.1,
  /** A word copied in a run: a load, a store, and a part of the loop. */
  copiedWord: 2.2,
  /** A keyed BLAKE2s of one block: ten rounds of eight mixing steps of 14 instructions, and its set-up. */
  mac: 2000,
  /** An entry of the STLB looked at: load, shift, and a branch in whose slot the next load stands. */
  stlbEntry: 3,
  /** The same, when it is looked up in a set of frames: load, shift, add, load, branch. */
  stlbEntrySet: 5,
  /** An entry of the TLB looked at: its index set, read, two moves, compared. */
  tlbEntry: 8,
  /** Code that is made: an instruction of it, from the program's tree by way of registers and bounds. */
  compiledWord: 500,
  /** A byte of a filter, compared with another filter. */
  comparedByte: 30,
  /** A device's register read or written, and what is made of it. */
  device: 200,
} as const;

/** Cycles that one execution of a kernel function may take: it stays below a stretch with interrupts off, with its dispatch. */
export const LONGEST = 17_000;
/** Cycles beyond which an execution that was estimated wrongly is divided: the longest that is not estimated takes 18,260. */
export const LONGEST_CALL = 18_500;
/** Cycles of one piece of what takes longer (prepaid.ts). */
export const PIECE = 15_000;
