/**
 * The port to memory: how everything outside the CPU reads and writes it.
 *
 * Kernel natives, devices and the host use this and nothing else. Every write is announced to the translator as it is made,
 * so code that was translated from the words it changes is never executed again; and it breaks a link that `ll` has made to one
 * of them. The arrays behind it belong to the CPU.
 *
 * Addresses are physical. An access outside memory throws `HardwareError` `address-range`: its caller is the host.
 */
export interface MemoryPort {
  /** Bytes of guest RAM, which begins at address 0. */
  readonly ramBytes: number;
  /** One byte, halfword or word, unsigned. The address is a multiple of the size. */
  load8(physical: number): number;
  load16(physical: number): number;
  load32(physical: number): number;
  /** Stores the low bits of `value`. The address is a multiple of the size. */
  store8(physical: number, value: number): void;
  store16(physical: number, value: number): void;
  store32(physical: number, value: number): void;
  /** Fills `into` with the bytes from `physical` on, and returns it. */
  read<T extends Uint8Array>(physical: number, into: T): T;
  /** Copies bytes to `physical` and after it. */
  write(physical: number, bytes: Uint8Array): void;
  /** Clears so many bytes. */
  zero(physical: number, bytes: number): void;
  /** Copies so many bytes; the ranges may overlap. */
  copy(to: number, from: number, bytes: number): void;
  /** Stores words at a word-aligned address. */
  storeWords(physical: number, words: ArrayLike<number>): void;
  /**
   * Stores words that are a program. What the translator learned of the code that stood there is forgotten with it: a frame
   * gets no slower by being used for one program after the other.
   */
  installCode(physical: number, words: ArrayLike<number>): void;
}
