/**
 * Native functions: TypeScript that stands at an address of the machine, executed by the `cop2 n` instruction.
 *
 * A native function can do what unprivileged machine code at that address could do, and no more: registers, and memory
 * through the TLB. An access that faults does not return: the function is left, the kernel or the library operating system
 * handles the exception, and the function is run again from its start. So touch what may fault first, or be idempotent.
 */

/** What a native function sees of the CPU. Addresses are virtual; values are 32-bit integers. */
export interface NativeCpu {
  /** The 32 general registers; writes to register 0 are lost. */
  readonly registers: Int32Array;
  load8(va: number): number;
  load16(va: number): number;
  /** A word, as a signed integer. */
  load32(va: number): number;
  store8(va: number, value: number): void;
  store16(va: number, value: number): void;
  store32(va: number, value: number): void;
  /** Copies memory from `va` into `bytes`. */
  read(va: number, bytes: Uint8Array): void;
  /** Copies `bytes` to memory at `va`. */
  write(va: number, bytes: Uint8Array): void;
  /** Would an access to this address succeed now? Raises nothing. */
  probe(va: number, write: boolean): boolean;
  /** Adds cycles, a non-negative integer, to the cost of this instruction: at most 2^18 (about 10 ms) in all. */
  charge(cycles: number): void;
  /** Continues at `va` instead of at the next instruction. */
  jump(va: number): void;
}

export type NativeFunction = (cpu: NativeCpu) => void;

/**
 * Makes the native functions of one environment: called once when the environment is created, so that each has its own
 * state, and index n is what `cop2 n` runs.
 */
export type NativeFactory = (env: number) => readonly NativeFunction[];
