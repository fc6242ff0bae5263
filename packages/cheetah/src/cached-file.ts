/**
 * A file in the cache: a response in the environment's own memory, which is also its retransmission buffer. [SOSP97 §7.3]
 *
 * As a `Payload` it answers for its stored segments from the checksums that came with it. It never touches its memory while
 * the stack asks, for that might fault in the middle of the stack's work. For any other range `sum` says 0, and
 * the device adds the true sum when it copies the frame (`needsSum`).
 */
import type { Payload } from '@exokernel/net';
import { SEGMENT_BYTES } from './site.ts';

/** A response in memory, cut into segments with stored sums. */
export class CachedFile implements Payload {
  /** Address of the response. */
  readonly va: number;
  readonly length: number;
  readonly #sums: Uint32Array;

  /** `length` bytes at `va`, with the partial sum of each segment. */
  constructor(va: number, length: number, sums: Uint32Array) {
    this.va = va;
    this.length = length;
    this.#sums = sums;
  }

  sum(from: number, to: number): number {
    return this.needsSum(from, to) ? 0 : (this.#sums[from / SEGMENT_BYTES] ?? 0);
  }

  /** Whether this range is none of the segments whose sums are stored. */
  needsSum(from: number, to: number): boolean {
    return from % SEGMENT_BYTES !== 0 || to !== Math.min(from + SEGMENT_BYTES, this.length);
  }

  /** Never called: frames are copied by the device, which may wait for a page. */
  copy(): void {
    throw new RangeError('a cached file is copied by the network device');
  }
}

/** The first `length` bytes of a file: what HEAD gets. */
export class CachedHeader extends CachedFile {
  constructor(file: CachedFile, length: number) {
    super(file.va, length, new Uint32Array(0));
  }

  override needsSum(): boolean {
    return true;
  }
}
