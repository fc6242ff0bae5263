/**
 * The way out: route, neighbour, IPv4 and Ethernet header of a packet.
 *
 * A caller makes a header buffer with `newHeader`, writes its transport header at `TRANSPORT`, and calls `send`, which
 * fills in the rest. The frame that comes back is the caller's to pass on; none comes back while ARP asks for the
 * neighbour (the frame waits there) or when there is no route.
 *
 * TCP finds the length that a path takes, so its packets must not be fragmented. Others do not learn it, so theirs may be.
 *
 * Source: [RFC1122 §3.3.1], [RFC894], [RFC1191 §3].
 */
import { BROADCAST_IPV4, BROADCAST_MAC, type Ipv4Address, isHostIpv4, type MacAddress } from './addresses.ts';
import type { ArpCache } from './arp-cache.ts';
import type { Counters } from './counters.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, writeEthernet } from './ethernet.ts';
import { IPV4_HEADER, PROTOCOL_TCP, writeIpv4 } from './ipv4.ts';
import { PathMtu } from './path-mtu.ts';
import type { OutgoingFrame, Payload } from './payload.ts';

/** Where a transport header starts in a frame without IPv4 options. */
export const TRANSPORT: number = ETHERNET_HEADER + IPV4_HEADER;

/** Who this host is, and what lies behind its one network. */
export interface Interface {
  readonly mac: MacAddress;
  readonly ip: Ipv4Address;
  readonly netmask: Ipv4Address;
  readonly gateway: Ipv4Address | undefined;
}

/** A buffer for all headers of a packet whose transport header has `length` bytes. */
export function newHeader(length: number): Uint8Array {
  return new Uint8Array(TRANSPORT + length);
}

export class IpOutput {
  readonly paths: PathMtu = new PathMtu();
  readonly #self: Interface;
  readonly #arp: ArpCache;
  readonly #counters: Counters;
  readonly #broadcast: Ipv4Address;
  /** Of the next packet that may be fragmented. */
  #identification = 0;

  constructor(self: Interface, arp: ArpCache, counters: Counters) {
    this.#self = self;
    this.#arp = arp;
    this.#counters = counters;
    this.#broadcast = (self.ip | ~self.netmask) >>> 0;
  }

  /** All hosts of this network, or of any. */
  isBroadcast(ip: Ipv4Address): boolean {
    return ip === BROADCAST_IPV4 || ip === this.#broadcast;
  }

  /** The neighbour to whom a packet for `ip`, one host, goes; `undefined` without a route. A host has none to itself. */
  nextHop(ip: Ipv4Address): Ipv4Address | undefined {
    const { ip: own, netmask, gateway } = this.#self;
    if (ip === own || !isHostIpv4(ip)) return undefined;
    return ((ip ^ own) & netmask) === 0 ? ip : gateway;
  }

  /** Completes `header` and makes a frame of it and `payload[from..to)`. */
  send(
    header: Uint8Array,
    protocol: number,
    destination: Ipv4Address,
    now: number,
    payload?: Payload,
    from = 0,
    to = 0,
  ): OutgoingFrame | undefined {
    const { ip, mac } = this.#self;
    const length = header.length - TRANSPORT + to - from;
    const isWhole = protocol === PROTOCOL_TCP && !this.paths.mayFragment(destination, now);
    if (!isWhole) this.#identification = (this.#identification + 1) & 0xffff;
    const identification = isWhole ? undefined : this.#identification;
    writeIpv4(header, ETHERNET_HEADER, ip, destination, protocol, length, identification);
    const isBroadcast = this.isBroadcast(destination);
    const hop = isBroadcast ? destination : this.nextHop(destination);
    if (hop === undefined) {
      this.#counters.ipNoRoute += 1;
      return undefined;
    }
    const neighbour = isBroadcast ? BROADCAST_MAC : this.#arp.lookup(hop, now);
    writeEthernet(header, { destination: neighbour ?? 0, source: mac, etherType: ETHERTYPE_IPV4 });
    const frame: OutgoingFrame = { header, payload: to > from ? payload : undefined, from, to };
    if (neighbour !== undefined) return frame;
    this.#arp.hold(hop, frame);
    return undefined;
  }
}
