/**
 * TCP segments: the header, the two options that are understood (maximum segment size, window scale), the checksum.
 *
 *     0              4    8          16                           31
 *     | source port                   | destination port           |
 *     | sequence number                                            |
 *     | acknowledgment number                                      |
 *     | data offset  | -   | CEUAPRSF | window                     |
 *     | checksum                      | urgent pointer             |
 *     | options, up to 40 bytes                                    |
 *
 * Source: [RFC9293 §3.1, §3.2], [RFC7323 §2.2].
 */
import type { Ipv4Address } from './addresses.ts';
import { getU16, getU32, putU16, putU32 } from './bytes.ts';
import { checksum, sumBytes, sumPseudoHeader } from './checksum.ts';
import { PROTOCOL_TCP } from './ipv4.ts';

export const TCP_HEADER = 20;
const MSS_OPTION = 4;
const SCALE_OPTION = 3;
/** The largest shift; a peer's larger one counts as this one [RFC7323 §2.3]. */
const MAX_SCALE = 14;

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

/** A segment that arrived. Its data is `bytes[from..to)`, valid only until the frame is reused. */
export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  /** The value of the option; 0 if it is absent. */
  readonly mss: number;
  /** The shift of the windows to come, 0 to 14, if the option is there: only that of a SYN means something. */
  readonly scale: number | undefined;
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** The header of a segment to send. With `mss` other than 0 the option follows it, and with a `scale` that one. */
export interface TcpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly mss: number;
  readonly scale?: number | undefined;
}

/** How much of the sequence space a segment takes: its data, SYN and FIN. */
export function sequenceLength(segment: TcpSegment): number {
  return segment.to - segment.from + (segment.flags & SYN ? 1 : 0) + (segment.flags & FIN ? 1 : 0);
}

/** The segment in `bytes[from..to)`; `undefined` if its offset or an option lies or its checksum is wrong. */
export function readTcp(
  bytes: Uint8Array,
  from: number,
  to: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): TcpSegment | undefined {
  const length = to - from;
  if (length < TCP_HEADER || to > bytes.length) return undefined;
  const offset = ((bytes[from + 12] ?? 0) >>> 4) * 4;
  if (offset < TCP_HEADER || offset > length) return undefined;
  if (checksum(sumPseudoHeader(source, destination, PROTOCOL_TCP, length) + sumBytes(bytes, from, to)) !== 0) {
    return undefined;
  }
  const options = offset === TCP_HEADER ? NO_OPTIONS : readOptions(bytes, from + TCP_HEADER, from + offset);
  if (options === undefined) return undefined;
  return {
    sourcePort: getU16(bytes, from),
    destinationPort: getU16(bytes, from + 2),
    seq: getU32(bytes, from + 4),
    ack: getU32(bytes, from + 8),
    flags: bytes[from + 13] ?? 0,
    window: getU16(bytes, from + 14),
    mss: options.mss,
    scale: options.scale,
    bytes,
    from: from + offset,
    to,
  };
}

type Options = Pick<TcpSegment, 'mss' | 'scale'>;

const NO_OPTIONS: Options = { mss: 0, scale: undefined };

/** The options in `[at, end)`; `undefined` if a length is impossible. */
function readOptions(bytes: Uint8Array, at: number, end: number): Options | undefined {
  let { mss, scale } = NO_OPTIONS;
  while (at < end) {
    const kind = bytes[at] ?? 0;
    if (kind === 0) break;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const length = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
    if (length < 2 || at + length > end) return undefined;
    if (kind === 2) {
      if (length !== MSS_OPTION) return undefined;
      mss = getU16(bytes, at + 2);
    } else if (kind === 3) {
      if (length !== SCALE_OPTION) return undefined;
      scale = Math.min(bytes[at + 2] ?? 0, MAX_SCALE);
    }
    at += length;
  }
  return { mss, scale };
}

/** The bytes that `writeTcp` writes for this header. */
export function tcpHeaderLength(header: TcpHeader): number {
  // The shorter option is padded to a word.
  return TCP_HEADER + (header.mss === 0 ? 0 : MSS_OPTION) + (header.scale === undefined ? 0 : SCALE_OPTION + 1);
}

/** Writes a header at `into[at..]`, for `dataLength` bytes of data with the partial sum `dataSum`. */
export function writeTcp(
  into: Uint8Array,
  at: number,
  source: Ipv4Address,
  destination: Ipv4Address,
  header: TcpHeader,
  dataLength: number,
  dataSum: number,
): void {
  const length = tcpHeaderLength(header);
  putU16(into, at, header.sourcePort);
  putU16(into, at + 2, header.destinationPort);
  putU32(into, at + 4, header.seq);
  putU32(into, at + 8, header.ack);
  putU16(into, at + 12, (length << 10) | header.flags);
  putU16(into, at + 14, header.window);
  putU32(into, at + 16, 0);
  if (header.mss !== 0) putU32(into, at + TCP_HEADER, 0x02040000 | header.mss);
  if (header.scale !== undefined) putU32(into, at + length - 4, 0x01030300 | header.scale);
  const pseudo = sumPseudoHeader(source, destination, PROTOCOL_TCP, length + dataLength);
  putU16(into, at + 16, checksum(pseudo + sumBytes(into, at, at + length) + dataSum));
}
