/**
 * UDP headers.
 *
 *     0             2                  4        6          8
 *     | source port | destination port | length | checksum | data
 *
 * Source: [RFC768]. A checksum of 0 means none.
 */
import type { Ipv4Address } from './addresses.ts';
import { getU16, putU16 } from './bytes.ts';
import { checksum, sumBytes, sumPseudoHeader } from './checksum.ts';
import { PROTOCOL_UDP } from './ipv4.ts';

export const UDP_HEADER = 8;

export interface UdpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Where the data starts and ends in the bytes that were read. */
  readonly from: number;
  readonly to: number;
}

/** The datagram in `bytes[from..to)`; `undefined` if its length lies or its checksum is wrong. */
export function readUdp(
  bytes: Uint8Array,
  from: number,
  to: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): UdpHeader | undefined {
  if (to - from < UDP_HEADER || to > bytes.length) return undefined;
  const length = getU16(bytes, from + 4);
  if (length < UDP_HEADER || length > to - from) return undefined;
  if (getU16(bytes, from + 6) !== 0) {
    const sum = sumPseudoHeader(source, destination, PROTOCOL_UDP, length) + sumBytes(bytes, from, from + length);
    if (checksum(sum) !== 0) return undefined;
  }
  return {
    sourcePort: getU16(bytes, from),
    destinationPort: getU16(bytes, from + 2),
    from: from + UDP_HEADER,
    to: from + length,
  };
}

/** Writes a header for `dataLength` bytes of data with the partial sum `dataSum`. */
export function writeUdp(
  into: Uint8Array,
  at: number,
  source: Ipv4Address,
  destination: Ipv4Address,
  sourcePort: number,
  destinationPort: number,
  dataLength: number,
  dataSum: number,
): void {
  const length = UDP_HEADER + dataLength;
  putU16(into, at, sourcePort);
  putU16(into, at + 2, destinationPort);
  putU16(into, at + 4, length);
  putU16(into, at + 6, 0);
  const headerSum = sumPseudoHeader(source, destination, PROTOCOL_UDP, length) + sumBytes(into, at, at + UDP_HEADER);
  const field = checksum(headerSum + dataSum);
  putU16(into, at + 6, field === 0 ? 0xffff : field);
}
