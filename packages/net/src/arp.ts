/**
 * ARP packets for IPv4 over Ethernet.
 *
 *     0       2          4      5      6     8           14         18          24         28
 *     | htype | ptype    | hlen | plen | op  | sender mac | sender ip | target mac | target ip |
 *
 * Source: [RFC826].
 */
import type { Ipv4Address, MacAddress } from './addresses.ts';
import { getU16, getU32, getU48, putU16, putU32, putU48 } from './bytes.ts';

export const ARP_LENGTH = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export interface ArpPacket {
  readonly operation: typeof ARP_REQUEST | typeof ARP_REPLY;
  readonly senderMac: MacAddress;
  readonly senderIp: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly targetIp: Ipv4Address;
}

/** The packet in `bytes[at..]`; `undefined` if it is short, or not an IPv4-over-Ethernet request or reply. */
export function readArp(bytes: Uint8Array, at: number): ArpPacket | undefined {
  if (bytes.length - at < ARP_LENGTH) return undefined;
  if (getU32(bytes, at) !== 0x00010800 || getU16(bytes, at + 4) !== 0x0604) return undefined;
  const operation = getU16(bytes, at + 6);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return undefined;
  return {
    operation,
    senderMac: getU48(bytes, at + 8),
    senderIp: getU32(bytes, at + 14),
    targetMac: getU48(bytes, at + 18),
    targetIp: getU32(bytes, at + 24),
  };
}

export function writeArp(into: Uint8Array, at: number, packet: ArpPacket): void {
  putU32(into, at, 0x00010800);
  putU16(into, at + 4, 0x0604);
  putU16(into, at + 6, packet.operation);
  putU48(into, at + 8, packet.senderMac);
  putU32(into, at + 14, packet.senderIp);
  putU48(into, at + 18, packet.targetMac);
  putU32(into, at + 24, packet.targetIp);
}
