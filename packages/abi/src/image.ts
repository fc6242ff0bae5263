/**
 * An image: what the kernel needs to know to make an environment at boot. A library operating system builds it.
 */
import type { NativeFactory } from './native.ts';

/** Bytes to be mapped for good (a guaranteed mapping per page) before the environment starts. */
export interface ImageSegment {
  /** Page-aligned, in kuseg. */
  readonly va: number;
  readonly bytes: Uint8Array;
  /** Size in memory, zero-filled beyond `bytes`. */
  readonly size: number;
  readonly writable: boolean;
}

export interface Image {
  /** For people; at most 16 ASCII characters are kept. */
  readonly name: string;
  /** Which library operating system this is, for people. */
  readonly libos: string;
  readonly segments: readonly ImageSegment[];
  /** Page-aligned address of the u-page; the kernel allocates it. */
  readonly uPage: number;
  /** Initial words of the u-page from U.user on. */
  readonly uWords: ReadonlyMap<number, number>;
  readonly prologue: number;
  readonly epilogue: number;
  readonly syncEntry?: number;
  readonly asyncEntry?: number;
  /** Handlers by ExcCode. */
  readonly exceptionPc: ReadonlyMap<number, number>;
  readonly natives: NativeFactory;
  /** Slices wanted at boot: that many, contiguous if asked for. */
  readonly slices: { readonly count: number; readonly contiguous: boolean };
  /** Serial line granted, if any. */
  readonly serialLine?: number;
  /** Disk extent granted, in 4 KiB blocks, if any. */
  readonly extent?: { readonly start: number; readonly blocks: number };
}
