/**
 * The Internet checksum: the one's complement of the one's complement sum of 16-bit big-endian words.
 *
 * A *partial sum* is a folded sum, 0 to 0xffff, of bytes taken as if they started at an even offset; an odd last byte
 * counts as the high half of a word. Partial sums are combined by adding them and folding. Byte order does not matter
 * until the end [RFC1071 §2(B)], so the long loop adds words in the order of the host.
 *
 * Source: [RFC1071].
 */
import type { Ipv4Address } from './addresses.ts';

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
/** Below this many bytes a word view costs more than it saves. */
const SHORT = 64;
/** So many 16-bit words fit into a sum of 31 bits. */
const CHUNK_WORDS = 32768;

/** Folds a sum of at most 32 bits to 16. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The partial sum of `bytes[from..to)`; both must lie inside. */
export function sumBytes(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  const start = bytes.byteOffset + from;
  if (length < SHORT || start % 2 !== 0) return sumShort(bytes, from, to);
  const words = new Uint16Array(bytes.buffer, start, length >>> 1);
  let total = 0;
  for (let chunk = 0; chunk < words.length; chunk += CHUNK_WORDS) {
    const end = Math.min(words.length, chunk + CHUNK_WORDS);
    let sum = 0;
    // The index is in range; a default here costs a fifth of the loop.
    for (let i = chunk; i < end; i++) sum += words[i] as number;
    total = fold(total + fold(sum));
  }
  if (IS_LITTLE_ENDIAN) total = ((total & 0xff) << 8) | (total >>> 8);
  return length % 2 === 0 ? total : fold(total + ((bytes[to - 1] ?? 0) << 8));
}

function sumShort(bytes: Uint8Array, from: number, to: number): number {
  let total = 0;
  let sum = 0;
  const even = from + ((to - from) & ~1);
  for (let i = from; i < even; i += 2) {
    sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
    if (sum >= 0x7fff0000) {
      total = fold(total + fold(sum));
      sum = 0;
    }
  }
  if (even < to) sum += (bytes[even] ?? 0) << 8;
  return fold(total + fold(sum));
}

/** The partial sum of the pseudo header of UDP and TCP; `length` of transport header and data. */
export function sumPseudoHeader(
  source: Ipv4Address,
  destination: Ipv4Address,
  protocol: number,
  length: number,
): number {
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  return fold(addresses + protocol + length);
}

/** The checksum field for a sum of partial sums: 0 to 0xffff. Over a packet with its field in place the result is 0. */
export function checksum(sum: number): number {
  return ~fold(sum) & 0xffff;
}
