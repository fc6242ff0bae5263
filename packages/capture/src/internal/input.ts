/**
 * The window through which a capture is read: bytes of the file, one piece after the other.
 *
 * `bytes[start]` up to `bytes[end]` are read but not consumed; `offset` is where `bytes[0]` stands in the file. What is
 * left of a piece moves to the beginning before the next is read. A window grows with the bytes that arrive, not with
 * the lengths that a file announces.
 */
import { CaptureError } from '../error.ts';
import type { ByteSource } from '../source.ts';

export class Input {
  bytes: Uint8Array;
  view: DataView;
  start = 0;
  end = 0;
  offset = 0;
  ended = false;
  /** Bytes from `start` on without which the parser cannot go on. */
  wanted = 1;
  readonly #source: ByteSource | undefined;
  readonly #growing: boolean;

  /** `window` is the caller's if `growing` is false. Without a source, `window` is the whole file. */
  constructor(window: Uint8Array, source?: ByteSource, growing = false) {
    this.bytes = plain(window);
    this.view = viewOf(window);
    this.#source = source;
    this.#growing = growing;
    if (source === undefined) {
      this.end = window.length;
      this.ended = true;
    }
  }

  /** Where the first byte that is not consumed stands in the file. */
  get position(): number {
    return this.offset + this.start;
  }

  /** Reads at least one byte more, or finds the end. Throws `limit` if the caller's window is too small. */
  async fill(): Promise<void> {
    if (this.ended || this.#source === undefined) return;
    if (this.start > 0) {
      if (this.start < this.end) this.bytes.copyWithin(0, this.start, this.end);
      this.offset += this.start;
      this.end -= this.start;
      this.start = 0;
    }
    if (this.wanted > this.bytes.length && !this.#growing) {
      const offset = this.position;
      throw new CaptureError('limit', `a block of ${this.wanted} bytes at byte ${offset} is larger than the window of ${this.bytes.length}`, { offset, length: this.wanted }); // prettier-ignore
    }
    if (this.end === this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = viewOf(larger);
    }
    const length = await this.#source.readInto(this.bytes.subarray(this.end));
    if (length === 0) this.ended = true;
    this.end += length;
  }

  async close(): Promise<void> {
    this.ended = true;
    await this.#source?.close?.();
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The same bytes as a `Uint8Array` proper: `slice` of a Node `Buffer` makes no copy. */
function plain(bytes: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(bytes) === Uint8Array.prototype) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
