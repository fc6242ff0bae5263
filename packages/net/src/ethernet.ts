/**
 * Ethernet II headers.
 *
 *     0            6            12          14
 *     | destination | source    | ethertype | data, padded by the sender to 46 bytes
 *
 * Source: [RFC894]. The trailing FCS is the device's matter and is not part of a frame here.
 */
import type { MacAddress } from './addresses.ts';
import { getU16, getU48, putU16, putU48 } from './bytes.ts';

export const ETHERNET_HEADER = 14;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;

export interface EthernetHeader {
  readonly destination: MacAddress;
  readonly source: MacAddress;
  readonly etherType: number;
}

/** The header of a frame; `undefined` if the frame is shorter than one. */
export function readEthernet(frame: Uint8Array): EthernetHeader | undefined {
  if (frame.length < ETHERNET_HEADER) return undefined;
  return { destination: getU48(frame, 0), source: getU48(frame, 6), etherType: getU16(frame, 12) };
}

export function writeEthernet(into: Uint8Array, { destination, source, etherType }: EthernetHeader): void {
  putU48(into, 0, destination);
  putU48(into, 6, source);
  putU16(into, 12, etherType);
}
