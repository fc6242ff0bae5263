/**
 * A file in the cache: a response in the environment's own memory, which is also its retransmission buffer. [SOSP97 §7.3]
 *
 * As a `Payload` it answers for its stored segments from the checksums that came with it. It never touches its memory while
 * the stack asks, for that might fault in the middle of the stack's work. For any other range `sum` says 0, and
 * the true sum is added when the device copies the frame.
 */
import type { PlacedPayload } from '@exokernel/libos-kit';
import { fold, sumBytes, type Payload } from '@exokernel/net';
import { SEGMENT_BYTES } from './site.ts';

/** Offset of the TCP checksum in a frame: Ethernet, IPv4 without options, TCP. */
const TCP_CHECKSUM = 14 + 20 + 16;
/** Assumption: cycles per word added to a checksum while it is copied (add, compare, add the carry). */
const SUM_CYCLES_PER_WORD = 3;

/** A response in memory, cut into segments with stored sums. */
export class CachedFile implements Payload, PlacedPayload {
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
    return this.isSentInPlace(from, to) ? (this.#sums[from / SEGMENT_BYTES] ?? 0) : 0;
  }

  /** Only a segment whose sum is stored goes out as it lies. */
  isSentInPlace(from: number, to: number): boolean {
    return from % SEGMENT_BYTES === 0 && to === Math.min(from + SEGMENT_BYTES, this.length);
  }

  /** Adds the sum that `sum` left out. */
  copied(header: Uint8Array, from: number, to: number, data: Uint8Array): number {
    if (this.isSentInPlace(from, to)) return 0;
    addToChecksum(header, sumBytes(data, 0, data.length));
    return (data.length >>> 2) * SUM_CYCLES_PER_WORD;
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

  override isSentInPlace(): boolean {
    return false;
  }
}

/** Adds a partial sum to the TCP checksum of a header whose payload counted as 0 [RFC1624]. */
function addToChecksum(header: Uint8Array, sum: number): void {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const present = ~view.getUint16(TCP_CHECKSUM) & 0xffff;
  view.setUint16(TCP_CHECKSUM, ~fold(present + sum) & 0xffff);
}
