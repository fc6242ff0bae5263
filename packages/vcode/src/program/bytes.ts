/**
 * Reading and writing bytes: LEB128 numbers below 2^32, short ASCII names, lists behind their length.
 *
 * The reader trusts no bytes: everything that it returns is within the bound that it was given, and it throws
 * `VcodeError` `malformed` at the first byte that is not.
 */
import { VcodeError } from './error.ts';

/** Bytes being written. */
export class ByteSink {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  byte(value: number): void {
    this.#bytes.push(value & 0xff);
  }

  /** An unsigned 32-bit number. */
  number(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  /** ASCII text behind its length. */
  name(text: string): void {
    this.number(text.length);
    for (let i = 0; i < text.length; i += 1) this.byte(text.charCodeAt(i));
  }

  /** What was written. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Bytes being read. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Throws `malformed`. */
  fail(what: string): never {
    throw new VcodeError('malformed', `byte ${this.#at}: ${what}`, { at: this.#at, what });
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) return this.fail('the bytes end too early');
    this.#at += 1;
    return value;
  }

  /** A number of at most `most`. */
  number(most: number): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value <= most ? value : this.fail(`${value} is more than ${most}`);
    }
    return this.fail('a number of more than five bytes');
  }

  /** Printable ASCII text of at most `most` characters. */
  name(most: number): string {
    let text = '';
    for (let rest = this.number(most); rest > 0; rest -= 1) text += String.fromCharCode(this.byte());
    return text;
  }

  /** A list of at most `most` items. An item takes at least one byte, so the input bounds the list. */
  list<T>(most: number, read: () => T): T[] {
    const items: T[] = [];
    for (let rest = this.number(most); rest > 0; rest -= 1) items.push(read());
    return items;
  }
}
