/**
 * Ethernet's padding, and what a frame is without it. [RFC894]
 *
 * A frame of 60 bytes may be longer than what it carries. On a cable that is a must; a byte stream has no shortest frame, and Debian 12's
 * passt ignores packets behind which bytes follow.
 */
import { MIN_FRAME } from './frame.ts';

const HEADER = 14;
const IPV4 = 0x0800;
const ARP = 0x0806;
const IPV6 = 0x86dd;
const IPV6_HEADER = 40;
const ARP_HEADER = 8;

/** The frame as far as the packet in it goes: a view of it. What is not IPv4, IPv6 or ARP, or makes no sense, stays as it is. */
export function withoutPadding(frame: Uint8Array): Uint8Array {
  if (frame.length !== MIN_FRAME) return frame;
  const length = HEADER + packetLength(frame);
  return length > HEADER && length < frame.length ? frame.subarray(0, length) : frame;
}

/** By what the packet says of itself; 0 if that is nothing. */
function packetLength(frame: Uint8Array): number {
  const word = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  const byte = (at: number): number => frame[at] ?? 0;
  switch (word(12)) {
    case IPV4: {
      const total = word(HEADER + 2);
      return byte(HEADER) >>> 4 === 4 && total >= 4 * (byte(HEADER) & 15) ? total : 0;
    }
    case IPV6:
      return byte(HEADER) >>> 4 === 6 ? IPV6_HEADER + word(HEADER + 4) : 0;
    case ARP:
      return ARP_HEADER + 2 * (byte(HEADER + 4) + byte(HEADER + 5));
    default:
      return 0;
  }
}
