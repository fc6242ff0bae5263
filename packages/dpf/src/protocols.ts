/**
 * Filters for common protocols over Ethernet II: atoms ready for `FilterSet.insert`.
 *
 * They test what identifies a packet, not that it is well formed: lengths and checksums are the receiver's business. IPv4
 * filters match unfragmented packets and first fragments, and step over IP options. No VLAN tags, no IPv6.
 *
 * Sources: [RFC894], [RFC791], [RFC826], [RFC792], [RFC768], [RFC9293].
 */
import type { Atom } from './atoms.ts';
import { DpfError } from './error.ts';

/** An IPv4 address: dotted decimal, or the number in host order. */
export type Ipv4 = string | number;

/** Which packets of a transport protocol; what is left out may be anything. */
export interface Endpoints {
  readonly dstPort?: number;
  readonly srcPort?: number;
  readonly dstIp?: Ipv4;
  readonly srcIp?: Ipv4;
}

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV4 = 0x0800;
const ICMP_ECHO_REQUEST = 8;

/** The address as a number. Throws `DpfError` `malformed`. */
export function ipv4(address: Ipv4): number {
  if (typeof address === 'number') return address >>> 0;
  const bytes = address.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) {
    throw new DpfError('malformed', `${address} is no IPv4 address`, { address });
  }
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** All frames of an EtherType. */
export function etherType(type: number): Atom[] {
  return [{ kind: 'eq', offset: 12, size: 2, value: type }];
}

/** ARP packets, of one operation (1 request, 2 reply), about one target address. */
export function arp({ operation, targetIp }: { readonly operation?: number; readonly targetIp?: Ipv4 } = {}): Atom[] {
  const atoms = etherType(ETHERTYPE_ARP);
  if (operation !== undefined) atoms.push({ kind: 'eq', offset: 20, size: 2, value: operation });
  if (targetIp !== undefined) atoms.push({ kind: 'eq', offset: 38, size: 4, value: ipv4(targetIp) });
  return atoms;
}

/** UDP datagrams. */
export function udp(endpoints: Endpoints = {}): Atom[] {
  return withPorts(UDP, endpoints);
}

/** TCP segments. */
export function tcp(endpoints: Endpoints = {}): Atom[] {
  return withPorts(TCP, endpoints);
}

/** ICMP echo requests. */
export function icmpEcho(endpoints: Pick<Endpoints, 'dstIp' | 'srcIp'> = {}): Atom[] {
  return [...ip(ICMP, endpoints), ...afterHeader({ kind: 'eq', offset: 0, size: 2, value: ICMP_ECHO_REQUEST << 8 })];
}

/**
 * IPv4 packets of a protocol. Fragment offset and protocol are one masked word, which is aligned when the frame is.
 */
function ip(protocol: number, { dstIp, srcIp }: Endpoints): Atom[] {
  const atoms = etherType(ETHERTYPE_IPV4);
  atoms.push({ kind: 'meq', offset: 20, size: 4, mask: 0x1fff00ff, value: protocol });
  if (srcIp !== undefined) atoms.push({ kind: 'eq', offset: 26, size: 4, value: ipv4(srcIp) });
  if (dstIp !== undefined) atoms.push({ kind: 'eq', offset: 30, size: 4, value: ipv4(dstIp) });
  return atoms;
}

function withPorts(protocol: number, { srcPort, dstPort, ...addresses }: Endpoints): Atom[] {
  const ports: Exclude<Atom, { kind: 'shift' }>[] = [];
  if (srcPort !== undefined) ports.push({ kind: 'eq', offset: 0, size: 2, value: srcPort });
  if (dstPort !== undefined) ports.push({ kind: 'eq', offset: 2, size: 2, value: dstPort });
  return [...ip(protocol, addresses), ...(ports.length === 0 ? [] : afterHeader(...ports))];
}

/** Atoms whose offsets count from the end of the IPv4 header. */
function afterHeader(...atoms: Exclude<Atom, { kind: 'shift' }>[]): Atom[] {
  const skip = { kind: 'shift', offset: 14, size: 1, mask: 0x0f, shift: 2 } as const;
  return [skip, ...atoms.map((atom) => ({ ...atom, offset: 14 + atom.offset }))];
}
