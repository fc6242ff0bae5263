/**
 * A growing byte buffer with the number formats of the binary format: little-endian base 128, unsigned and signed.
 *
 * Do not keep what `bytes()` returned while writing on: it is a view of the buffer. Source: [WASM §5.2].
 */
import { WasmError } from './error.ts';

/** Bytes being written. */
export class ByteWriter {
  #buffer = new Uint8Array(64);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** One byte; higher bits are dropped. */
  byte(value: number): void {
    if (this.#length === this.#buffer.length) this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  /** The bytes themselves, without their number. */
  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** An unsigned LEB128 number, 0 to 2^32 - 1, in the fewest bytes. Throws `WasmError` `value-range`. */
  unsigned(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new WasmError('value-range', `${value} is no unsigned 32-bit integer`, { value });
    }
    let rest = value;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** A signed LEB128 number of 32 bits; takes signed and unsigned notation alike. Throws `WasmError` `value-range`. */
  signed32(value: number): void {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
      throw new WasmError('value-range', `${value} is no 32-bit integer`, { value });
    }
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** A signed LEB128 number of 64 bits; takes signed and unsigned notation alike. Throws `WasmError` `value-range`. */
  signed64(value: bigint): void {
    if (value < -(1n << 63n) || value >= 1n << 64n) {
      throw new WasmError('value-range', `${value} is no 64-bit integer`, { value });
    }
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** A name: its UTF-8 bytes behind their number. */
  name(text: string): void {
    const bytes = utf8(text);
    this.unsigned(bytes.length);
    for (const byte of bytes) this.byte(byte);
  }

  /** Another writer's bytes behind their number: a section, or a function body. */
  sized(content: ByteWriter): void {
    this.unsigned(content.length);
    this.append(content.bytes());
  }

  /** A view of what was written. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#buffer.length, this.#length + more));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

/** UTF-8 of a well-formed string (the language has no encoder of its own). Throws `WasmError` `value-range`. */
function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point >= 0xd800 && point <= 0xdfff) throw new WasmError('value-range', 'a name holds half a surrogate pair');
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else {
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f));
      bytes.push(0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    }
  }
  return bytes;
}
