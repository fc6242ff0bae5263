/**
 * Filters on a WebAssembly host: a classifier that follows a filter set and compiles it when it has changed.
 *
 * The fast ways take packets where they are: put them into `window` (read a capture file or a socket straight into it) and
 * classify by offset. `demux` copies a foreign packet first. Not for use across threads.
 */
import { createMemory, instantiate, type HostMemory, type Instance } from '@exokernel/vcode';
import { DpfError } from './error.ts';
import type { FilterSet } from './filter-set.ts';

/** Longest packet that `demux` copies: more than any Ethernet frame or IP packet. */
const COPY_BYTES = 0x10000;
const DESCRIPTOR_BYTES = 8;

/** How a set is compiled for the host. */
export interface ClassifierOptions {
  /** Size of the window in bytes; 1 MB unless told. */
  readonly windowBytes?: number;
}

/** A compiled filter set with its memory. Made by `compileFilters`. */
export class Classifier {
  /** Memory for packets, descriptors and results: the caller's to lay out. It never moves. */
  readonly window: Uint8Array;
  readonly #set: FilterSet;
  readonly #memory: HostMemory;
  readonly #copy: Uint8Array;
  #instance: Instance | undefined;
  #version = -1;

  constructor(set: FilterSet, { windowBytes = 1 << 20 }: ClassifierOptions = {}) {
    const rounded = (windowBytes + 15) & ~15;
    this.#set = set;
    this.#memory = createMemory(rounded + COPY_BYTES);
    this.window = new Uint8Array(this.#memory.buffer, 0, windowBytes);
    this.#copy = new Uint8Array(this.#memory.buffer, rounded, COPY_BYTES);
  }

  /** The id of the filter that wins this packet, or -1. Copies the packet. Throws `DpfError` `range` beyond 64 KB. */
  demux(packet: Uint8Array): number {
    if (packet.length > COPY_BYTES) {
      throw new DpfError('range', `a packet of ${packet.length} bytes is longer than ${COPY_BYTES}`);
    }
    this.#copy.set(packet);
    return this.#ready().run(0, this.#copy.byteOffset, packet.length) - 1;
  }

  /** The same for a packet in the window, without copying. Throws `DpfError` `range`. */
  classify(offset: number, length: number): number {
    this.#check(offset, length);
    return this.#ready().run(0, offset, length) - 1;
  }

  /**
   * Classifies many packets with one call. `descriptors` and `results` are offsets in the window: `count` pairs of
   * little-endian words {offset, length} are read at the one; one word per packet is written at the other, the filter's
   * id plus 1, or 0. Both offsets are multiples of 4. Throws `DpfError` `range`.
   */
  classifyBatch(descriptors: number, count: number, results: number): void {
    this.#check(descriptors, count * DESCRIPTOR_BYTES);
    this.#check(results, count * 4);
    const { runEach } = this.#ready();
    try {
      runEach?.(0, descriptors, count, results);
    } catch (cause) {
      throw new DpfError('range', 'a descriptor points outside the window', { cause });
    }
  }

  #check(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.window.length) return;
    throw new DpfError('range', `${length} bytes at ${offset} are not in the window`, { offset, length });
  }

  #ready(): Instance {
    if (this.#instance !== undefined && this.#version === this.#set.version) return this.#instance;
    this.#instance = instantiate(this.#set.program(), this.#memory, { metered: false });
    this.#version = this.#set.version;
    return this.#instance;
  }
}

/** A classifier for a set; it compiles lazily, when a packet comes after the set has changed. */
export function compileFilters(set: FilterSet, options?: ClassifierOptions): Classifier {
  return new Classifier(set, options);
}
