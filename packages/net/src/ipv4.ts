/**
 * IPv4 headers. Options are skipped on arrival and never sent; fragments are marked, and the stack drops them.
 *
 *     0                   8                  16     19                 31
 *     | version | ihl      | type of service | total length             |
 *     | identification                       | flags | fragment offset  |
 *     | time to live       | protocol        | header checksum          |
 *     | source address                                                  |
 *     | destination address                                             |
 *     | options, up to 40 bytes                                         |
 *
 * Source: [RFC791 §3.1], [RFC6864 §4]: a packet that must not be fragmented needs no identification of its own.
 */
import type { Ipv4Address } from './addresses.ts';
import { getU16, getU32, putU16, putU32 } from './bytes.ts';
import { checksum, sumBytes } from './checksum.ts';

export const IPV4_HEADER = 20;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

/** Assumption: the customary default; [RFC1122 §3.2.1.7] leaves it open. */
const TTL = 64;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS_OR_OFFSET = 0x3fff;

export interface Ipv4Header {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly isFragment: boolean;
  /** Where the data starts and ends in the bytes that were read. */
  readonly from: number;
  readonly to: number;
}

/** The header in `bytes[at..]`, or what is wrong with it. A header that is returned has consistent lengths. */
export function readIpv4(bytes: Uint8Array, at: number): Ipv4Header | 'malformed' | 'checksum' {
  const available = bytes.length - at;
  if (available < IPV4_HEADER) return 'malformed';
  const first = bytes[at] ?? 0;
  const headerLength = (first & 15) * 4;
  const totalLength = getU16(bytes, at + 2);
  if (first >>> 4 !== 4 || headerLength < IPV4_HEADER) return 'malformed';
  if (totalLength < headerLength || totalLength > available) return 'malformed';
  if (checksum(sumBytes(bytes, at, at + headerLength)) !== 0) return 'checksum';
  return {
    source: getU32(bytes, at + 12),
    destination: getU32(bytes, at + 16),
    protocol: bytes[at + 9] ?? 0,
    isFragment: (getU16(bytes, at + 6) & MORE_FRAGMENTS_OR_OFFSET) !== 0,
    from: at + headerLength,
    to: at + totalLength,
  };
}

/** The packet that an ICMP error quotes: its header, and where the first eight bytes behind it start. */
export interface QuotedPacket {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  /** Of the packet as it was sent. */
  readonly totalLength: number;
  readonly from: number;
}

/** The packet that is quoted in `bytes[from..to)`; `undefined` if that is none with eight bytes of data. */
export function readQuoted(bytes: Uint8Array, from: number, to: number): QuotedPacket | undefined {
  const first = bytes[from] ?? 0;
  const headerLength = (first & 15) * 4;
  if (first >>> 4 !== 4 || headerLength < IPV4_HEADER || from + headerLength + 8 > to) return undefined;
  return {
    source: getU32(bytes, from + 12),
    destination: getU32(bytes, from + 16),
    protocol: bytes[from + 9] ?? 0,
    totalLength: getU16(bytes, from + 2),
    from: from + headerLength,
  };
}

/** Writes a header without options for `dataLength` bytes of data. With an `identification` the packet may be fragmented. */
export function writeIpv4(
  into: Uint8Array,
  at: number,
  source: Ipv4Address,
  destination: Ipv4Address,
  protocol: number,
  dataLength: number,
  identification?: number,
): void {
  putU16(into, at, 0x4500);
  putU16(into, at + 2, IPV4_HEADER + dataLength);
  putU16(into, at + 4, identification ?? 0);
  putU16(into, at + 6, identification === undefined ? DONT_FRAGMENT : 0);
  putU16(into, at + 8, (TTL << 8) | protocol);
  putU16(into, at + 10, 0);
  putU32(into, at + 12, source);
  putU32(into, at + 16, destination);
  putU16(into, at + 10, checksum(sumBytes(into, at, at + IPV4_HEADER)));
}
