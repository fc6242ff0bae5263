/**
 * ICMP messages: eight bytes of header, then data.
 *
 *     0      1      2          4                  8
 *     | type | code | checksum | rest of header   | data
 *
 * Source: [RFC792], [RFC1122 §3.2.2].
 */
import { getU16, getU32, putU16, putU32 } from './bytes.ts';
import { checksum, sumBytes } from './checksum.ts';

export const ICMP_HEADER = 8;
export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_CODE_PORT = 3;
/** "Fragmentation needed and DF set": the low half of the second word is the next network's MTU [RFC1191 §4]. */
export const ICMP_CODE_TOO_LONG = 4;

export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** The second word of the header: identifier and sequence number of an echo. */
  readonly rest: number;
  /** Where the data starts and ends in the bytes that were read. */
  readonly from: number;
  readonly to: number;
}

/** The message in `bytes[from..to)`; `undefined` if it is short or its checksum is wrong. */
export function readIcmp(bytes: Uint8Array, from: number, to: number): IcmpMessage | undefined {
  if (to - from < ICMP_HEADER || to > bytes.length) return undefined;
  if (checksum(sumBytes(bytes, from, to)) !== 0) return undefined;
  const typeAndCode = getU16(bytes, from);
  return {
    type: typeAndCode >>> 8,
    code: typeAndCode & 0xff,
    rest: getU32(bytes, from + 4),
    from: from + ICMP_HEADER,
    to,
  };
}

/** Writes a header at `into[at..]`; `dataSum` is the partial sum of the data that follows it. */
export function writeIcmp(
  into: Uint8Array,
  at: number,
  type: number,
  code: number,
  rest: number,
  dataSum: number,
): void {
  putU16(into, at, (type << 8) | code);
  putU16(into, at + 2, 0);
  putU32(into, at + 4, rest);
  putU16(into, at + 2, checksum(dataSum + sumBytes(into, at, at + ICMP_HEADER)));
}
