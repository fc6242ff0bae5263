/**
 * An image: what the kernel needs to know to make an environment at boot. A library operating system builds it.
 */
import type { CapabilityWords } from './capability.ts';
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

/** The capabilities an environment starts with. Those of pages are in the order of the image. */
export interface Grants {
  readonly env: number;
  readonly self: CapabilityWords;
  readonly uPage: CapabilityWords;
  /** One per page of every segment. */
  readonly segments: readonly CapabilityWords[];
  /** One per boot frame. */
  readonly frames: readonly CapabilityWords[];
  readonly serial?: CapabilityWords;
  readonly extent?: CapabilityWords;
  /** The right to tap the network. */
  readonly net?: CapabilityWords;
}

/** What the kernel makes an environment of. */
export interface Image {
  /** For people. */
  readonly name: string;
  /** Which library operating system this is, for people. */
  readonly libos: string;
  readonly segments: readonly ImageSegment[];
  /** Page-aligned address of the u-page, which the kernel allocates and maps writable. */
  readonly uPage: number;
  /** Further frames, filled and granted but not mapped: the library operating system's own page tables do that. */
  readonly frames: readonly Uint8Array[];
  /** Words to store in segments and u-page before the start, by address: where the environment wants its capabilities. */
  readonly words: (grants: Grants) => ReadonlyMap<number, number>;
  readonly prologue: number;
  readonly epilogue: number;
  readonly syncEntry?: number;
  readonly asyncEntry?: number;
  /** Handlers by ExcCode. */
  readonly exceptionPc: ReadonlyMap<number, number>;
  readonly natives: NativeFactory;
  /** Slices wanted at boot, 0 to 64: a run of contiguous ones, or as many wherever there is room. */
  readonly slices: { readonly count: number; readonly contiguous: boolean };
  /** Serial line granted, if any. */
  readonly serialLine?: number;
  /** Disk extent granted, if any. */
  readonly extent?: ImageExtent;
  /** Granted the right to see every packet (tap_bind). */
  readonly tap?: boolean;
  /** Address of a word in the u-page that is not zero once the library operating system ends its program for an exception. */
  readonly failed?: number;
  /** What its program's code is, for people. */
  readonly program?: ImageProgram;
}

/** Blocks of the disk, of 4 KiB, that an image is granted as they are. */
export interface ImageExtent {
  readonly start: number;
  readonly blocks: number;
  /** Others may hold some of these blocks. Without it such an image is refused. */
  readonly shared?: boolean;
}

/** A place in a source; line and column from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** An instruction in a function, and its source if that is known. */
export interface FunctionPlace {
  readonly function: string;
  readonly source?: SourcePlace;
}

/** The program of an image, so that the cause of its death can say where it was. */
export interface ImageProgram {
  /** Its code lies from `start` up to `end`. */
  readonly start: number;
  readonly end: number;
  /**
   * The function that has the instruction at an address in there, if that is known. `ra` is the return address that the processor held
   * there: if it tells who called, that is `caller`.
   */
  readonly at: (pc: number, ra: number) => (FunctionPlace & { readonly caller?: FunctionPlace }) | undefined;
  /** What the instruction at an address in there complains of, if it is one that only complains: `a division by zero`. */
  readonly trap: (pc: number) => string | undefined;
}
