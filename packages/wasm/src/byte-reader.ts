/**
 * Reads the binary format: LEB128 numbers, names, bytes. Every read beyond the end throws `WasmError` `malformed`.
 *
 * Source: [WASM §5.2].
 */
import { WasmError } from './error.ts';

export class ByteReader {
  readonly bytes: Uint8Array;
  /** The next byte, from the start of the module. */
  position: number;
  /** Where this reader ends. */
  readonly end: number;

  constructor(bytes: Uint8Array, position = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  /** Throws; `what` completes "…: ". */
  fail(what: string): never {
    throw new WasmError('malformed', `at ${this.position}: ${what}`, { offset: this.position });
  }

  byte(): number {
    if (this.position >= this.end) this.fail('unexpected end');
    const value = this.bytes[this.position] ?? 0;
    this.position += 1;
    return value;
  }

  /** An unsigned number of up to 32 bits. */
  unsigned(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f)
        this.fail(byte >= 0x80 ? 'integer representation too long' : 'integer too large');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return this.fail('integer representation too long');
  }

  /** A signed number of up to 32 bits. */
  signed(): number {
    return Number(this.#signed(32));
  }

  /** A signed number of up to 64 bits. */
  signed64(): bigint {
    return this.#signed(64);
  }

  /** A signed number of up to 33 bits: a block's type. */
  signed33(): number {
    return Number(this.#signed(33));
  }

  #signed(bits: number): bigint {
    let value = 0n;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      const left = bits - shift;
      if (left < 7) {
        // The last byte: what is above the sign repeats it.
        const above = (byte & 0x7f) >> (left - 1);
        if (byte >= 0x80) this.fail('integer representation too long');
        if (above !== 0 && above !== (1 << (8 - left)) - 1) this.fail('integer too large');
      }
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      shift += 7;
      if (byte < 0x80) return BigInt.asIntN(Math.min(shift, 64), value);
    }
  }

  /** So many bytes, as a view. */
  take(length: number): Uint8Array {
    if (length > this.end - this.position) this.fail('unexpected end');
    const view = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return view;
  }

  /** A name: UTF-8 with its length. */
  name(): string {
    const bytes = this.take(this.unsigned());
    const text = decodeUtf8(bytes);
    return text ?? this.fail('malformed UTF-8 encoding');
  }

  /** How many entries a vector has; no more than there are bytes left. */
  count(): number {
    const count = this.unsigned();
    if (count > this.end - this.position) this.fail('unexpected end');
    return count;
  }
}

/** Strict UTF-8; `undefined` for anything else. Packages know no host, so there is no TextDecoder. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  let text = '';
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i] ?? 0;
    i += 1;
    const more =
      first < 0x80
        ? 0
        : first >= 0xc2 && first < 0xe0
          ? 1
          : (first & 0xf0) === 0xe0
            ? 2
            : first >= 0xf0 && first < 0xf5
              ? 3
              : -1;
    if (more < 0 || i + more > bytes.length) return undefined;
    let code = more === 0 ? first : first & (0x3f >> more);
    for (let k = 0; k < more; k += 1, i += 1) {
      const next = bytes[i] ?? 0;
      if ((next & 0xc0) !== 0x80) return undefined;
      code = (code << 6) | (next & 0x3f);
    }
    const least = [0, 0x80, 0x800, 0x10000][more] ?? 0;
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
    text += String.fromCodePoint(code);
  }
  return text;
}
