/**
 * Frames on a byte stream: a length of 32 bits, most significant byte first, and then the frame, as passt and QEMU's
 * `-netdev stream` speak it.
 *
 * The peer is not trusted: a length that no frame has ends the stream with an error, before a byte is kept for it. Source:
 * [QEMUNET], whose buffer is the limit here.
 */
import { WireError } from './error.ts';

const HEADER = 4;
/** The longest frame on a stream in bytes: 64 KB and a page. What does not fit an Ethernet is the wire's to drop. */
export const MAX_STREAM_FRAME = 69_632;

/** A frame with its length before it, as a copy. */
export function encodeStreamFrame(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + frame.length);
  new DataView(bytes.buffer).setUint32(0, frame.length);
  bytes.set(frame, HEADER);
  return bytes;
}

/** Takes a stream apart, whatever pieces it comes in. */
export class StreamDecoder {
  readonly #header = new Uint8Array(HEADER);
  #frame: Uint8Array | undefined;
  /** Bytes had of the header, or of the frame when there is one. */
  #have = 0;
  #error: WireError | undefined;

  /**
   * The next piece: calls `each` with every frame that it completes, theirs to keep. Returns the error `link-frame` if the
   * peer has named an impossible length, now and for every later piece.
   */
  push(piece: Uint8Array, each: (frame: Uint8Array) => void): WireError | undefined {
    for (let at = 0; at < piece.length && this.#error === undefined;) {
      const into = this.#frame ?? this.#header;
      const part = piece.subarray(at, at + into.length - this.#have);
      into.set(part, this.#have);
      this.#have += part.length;
      at += part.length;
      if (this.#have < into.length) break;
      this.#have = 0;
      if (this.#frame === undefined) this.#begin(new DataView(into.buffer).getUint32(0));
      else {
        this.#frame = undefined;
        each(into);
      }
    }
    return this.#error;
  }

  #begin(length: number): void {
    if (length > 0 && length <= MAX_STREAM_FRAME) {
      this.#frame = new Uint8Array(length);
      return;
    }
    const message = `the peer sends a frame of ${length} bytes: 1 to ${MAX_STREAM_FRAME} are possible`;
    this.#error = new WireError('link-frame', message, { length, most: MAX_STREAM_FRAME });
  }
}
