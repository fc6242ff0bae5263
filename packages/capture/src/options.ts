/**
 * Options of pcapng blocks: lists of a code and a value, among them comments.
 *
 * A value is the option's bytes without padding. Integers in known options are little-endian here, whatever the byte
 * order of their section, so that a list can be written to a section of the other order. Source: [PCAPNG §3.5, §3.6].
 */
import { CaptureError } from './error.ts';

/** One option. */
export interface CaptureOption {
  /** 1 is a comment in every block; the rest belongs to the kind of the block. */
  readonly code: number;
  /** At most 65,535 bytes. */
  readonly value: Uint8Array;
}

/** Which block an option stands in: its codes have a meaning there. */
export type OptionContext = 'section' | 'interface' | 'packet' | 'statistics' | 'other';

const END_OF_OPTIONS = 0;
const COMMENT = 1;
export const IF_NAME = 2;
export const IF_TSRESOL = 9;
export const IF_FCSLEN = 13;
export const IF_TSOFFSET = 14;
export const SHB_USERAPPL = 4;
export const EPB_FLAGS = 2;
export const EPB_DROPCOUNT = 4;

/** The custom options begin with their owner's number (PEN), in the section's byte order. */
const CUSTOM = [2988, 2989, 19372, 19373];

/** Widths in bytes of the integers that a known option is made of. All others are bytes or text. */
const WIDTHS: Readonly<Record<OptionContext, Readonly<Record<number, number>>>> = {
  section: {},
  interface: { 8: 8, [IF_TSOFFSET]: 8, 16: 8, 17: 8 },
  packet: { [EPB_FLAGS]: 4, [EPB_DROPCOUNT]: 8, 5: 8, 6: 4 },
  statistics: { 2: 4, 3: 4, 4: 8, 5: 8, 6: 8, 7: 8, 8: 8 },
  other: {},
};

/**
 * The options in `bytes` from `start` up to `end`. A list ends at its end mark or at the end of its block. Throws
 * `options` if one reaches beyond `end`; `offset` is where byte 0 of `bytes` stands in the file.
 */
export function parseOptions(
  bytes: Uint8Array,
  start: number,
  end: number,
  little: boolean,
  context: OptionContext,
  offset: number,
): readonly CaptureOption[] {
  if (start === end) return NONE;
  const list: CaptureOption[] = [];
  for (let at = start; at < end;) {
    if (end - at < 4) throw bad('ends in the middle of an option', offset + at);
    const code = read16(bytes, at, little);
    const length = read16(bytes, at + 2, little);
    if (code === END_OF_OPTIONS) break;
    at += 4;
    if (length > end - at) throw bad(`has an option of ${length} bytes where ${end - at} are left`, offset + at - 4);
    const value = bytes.slice(at, at + length);
    if (!little) swap(value, code, context);
    list.push({ code, value });
    at += (length + 3) & ~3;
  }
  return list;
}

const NONE: readonly CaptureOption[] = [];

function bad(what: string, offset: number): CaptureError {
  return new CaptureError('options', `an option list ${what}, at byte ${offset}`, { offset });
}

function read16(bytes: Uint8Array, at: number, little: boolean): number {
  const [first, second] = [bytes[at] ?? 0, bytes[at + 1] ?? 0];
  return little ? first | (second << 8) : (first << 8) | second;
}

/** Turns the integers of a known option round, in place. */
function swap(value: Uint8Array, code: number, context: OptionContext): void {
  if (CUSTOM.includes(code)) {
    value.subarray(0, 4).reverse();
    return;
  }
  const width = WIDTHS[context][code];
  if (width === undefined) return;
  for (let at = 0; at + width <= value.length; at += width) value.subarray(at, at + width).reverse();
}

/** The bytes of an option list with its end mark; none for an empty list. Throws `value` for what does not fit. */
export function encodeOptions(list: readonly CaptureOption[], little: boolean, context: OptionContext): Uint8Array {
  if (list.length === 0) return new Uint8Array(0);
  let size = 4;
  for (const { value } of list) size += 4 + ((value.length + 3) & ~3);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { code, value } of list) {
    if (!(Number.isInteger(code) && code > 0 && code < 0x10000) || value.length > 0xffff) {
      throw new CaptureError('value', `option ${code} of ${value.length} bytes: codes are 1 to 65535, values at most 65535 bytes`, { code, length: value.length }); // prettier-ignore
    }
    view.setUint16(at, code, little);
    view.setUint16(at + 2, value.length, little);
    bytes.set(value, at + 4);
    if (!little) swap(bytes.subarray(at + 4, at + 4 + value.length), code, context);
    at += 4 + ((value.length + 3) & ~3);
  }
  return bytes;
}

/** A comment, for the options of any block. Throws `value` if its UTF-8 is longer than 65,535 bytes. */
export function comment(text: string): CaptureOption {
  return textOption(COMMENT, text);
}

/** The comments of a block, a packet, an interface or a section, in order. Bytes that are no UTF-8 become U+FFFD. */
export function commentsOf({ options }: { readonly options: readonly CaptureOption[] }): readonly string[] {
  return options.filter(({ code }) => code === COMMENT).map(({ value }) => decodeUtf8(value));
}

/** An option whose value is text. Throws `value` if its UTF-8 is longer than 65,535 bytes. */
export function textOption(code: number, text: string): CaptureOption {
  const value = encodeUtf8(text);
  if (value.length > 0xffff) {
    throw new CaptureError('value', `a text of ${value.length} bytes is longer than an option can be`, { code });
  }
  return { code, value };
}

/** An option whose value is an integer of `width` bytes. */
export function integerOption(code: number, value: bigint | number, width: 1 | 4 | 8): CaptureOption {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return { code, value: bytes.slice(0, width) };
}

/** The integer that an option of at most 8 bytes holds; `undefined` without the option. */
export function integerOf(options: readonly CaptureOption[], code: number): bigint | undefined {
  const option = options.find((one) => one.code === code);
  if (option === undefined || option.value.length > 8) return undefined;
  return option.value.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The text of the first option of a code; `undefined` without one. */
export function textOf(options: readonly CaptureOption[], code: number): string | undefined {
  const option = options.find((one) => one.code === code);
  return option === undefined ? undefined : decodeUtf8(option.value);
}

interface TextCoders {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly TextDecoder: new () => { decode(bytes: Uint8Array): string };
}

function encodeUtf8(text: string): Uint8Array {
  return new (globalThis as unknown as TextCoders).TextEncoder().encode(text);
}

export function decodeUtf8(bytes: Uint8Array): string {
  return new (globalThis as unknown as TextCoders).TextDecoder().decode(bytes);
}
