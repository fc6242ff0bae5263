/**
 * Addresses: IPv4 as unsigned 32-bit numbers, Ethernet as numbers below 2^48, both in the order in which they are
 * written (`10.0.0.1` is 0x0a000001), so that they compare with `===` and serve as map keys.
 *
 * Source: [RFC791 §3.2], [RFC1122 §3.2.1.3].
 */
import { getU48 } from './bytes.ts';
import { NetError } from './error.ts';

/** An IPv4 address, 0 to 2^32 - 1. */
export type Ipv4Address = number;
/** An Ethernet address, 0 to 2^48 - 1. */
export type MacAddress = number;

export const BROADCAST_MAC: MacAddress = 0xffffffffffff;
export const BROADCAST_IPV4: Ipv4Address = 0xffffffff;

/** Reads `a.b.c.d`, decimal, without leading zeros. Throws `NetError` `address`. */
export function parseIpv4(text: string): Ipv4Address {
  const parts = text.split('.');
  const valid = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  if (!valid) throw new NetError('address', `${text} is no IPv4 address: write a.b.c.d`, { text });
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

/** Dotted decimal. */
export function formatIpv4(address: Ipv4Address): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** Reads `aa:bb:cc:dd:ee:ff`. Throws `NetError` `address`. */
export function parseMac(text: string): MacAddress {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text)) {
    throw new NetError('address', `${text} is no Ethernet address: write aa:bb:cc:dd:ee:ff`, { text });
  }
  return Number(`0x${text.replaceAll(':', '')}`);
}

/** Six bytes in hexadecimal, with colons. */
export function formatMac(address: MacAddress): string {
  return (address.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');
}

/** The Ethernet address in six bytes. Throws `NetError` `address` for another length. */
export function macFromBytes(bytes: Uint8Array): MacAddress {
  if (bytes.length !== 6) {
    throw new NetError('address', `an Ethernet address has 6 bytes, not ${bytes.length}`, { length: bytes.length });
  }
  return getU48(bytes, 0);
}

/** The address may be that of one host: not 0.0.0.0/8, not loopback, not multicast, reserved or broadcast. */
export function isHostIpv4(address: Ipv4Address): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** The address of a group of stations, or of all. */
export function isGroupMac(address: MacAddress): boolean {
  return (Math.floor(address / 0x10000000000) & 1) !== 0;
}

export function checkIpv4(address: Ipv4Address): void {
  if (Number.isInteger(address) && address >= 0 && address <= 0xffffffff) return;
  throw new NetError('address', `${address} is no IPv4 address: use parseIpv4`, { address });
}

/** Throws `NetError` `port` unless `port` is 1 to 65535. */
export function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return;
  throw new NetError('port', `port ${port} does not exist: use 1 to 65535`, { port });
}
