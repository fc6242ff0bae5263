/**
 * What the kernel's TypeScript costs, in cycles, when the machine executes it.
 *
 * Assumption: all of it. The numbers are of the order of a careful C implementation on the R3000 (a keyed MAC about 2000
 * instructions, clearing a page 1024 stores); a measured region must not contain any of it, and the event stream shows each.
 */
export const COSTS = {
  call: 100,
  mac: 2000,
  clearFrame: 1100,
  /** A load and a store for each word. */
  copyFrame: 2200,
  /** Per 32 blocks of an extent that become blank. */
  blank: 2,
  flush: 5000,
  environment: 2000,
  /** Per frame that an environment held when it ends. */
  release: 50,
  compile: 50_000,
  /** Per instruction of machine code that is made. */
  compileWord: 50,
  device: 200,
} as const;

/** Instructions that a call has had made: what compiling is charged by. */
export interface Made {
  words: number;
}
