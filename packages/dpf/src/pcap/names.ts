/** Names of services, protocols, hosts, networks and Ethernet stations: from the caller's resolver, then from the built-in tables. */
import { ethernetOf, ipv4Of, ipv6Of, type Ethernet, type Ipv4, type Ipv6 } from './addresses.ts';
import { PROTOCOL_TABLE, SERVICE_TABLE, type Service } from './names-table.ts';
import { refuse, type Place } from './refusal.ts';

/**
 * Gives meaning to names, at once: a caller that must ask a server asks it before. Each function gives undefined for a name that it does
 * not know. For services and protocols the built-in tables are asked then.
 */
export interface Resolver {
  /** The port of a service. */
  readonly service?: (name: string, transport: 'tcp' | 'udp') => number | undefined;
  /** The number of an IP protocol. */
  readonly protocol?: (name: string) => number | undefined;
  /** The addresses of a host, IPv4 and IPv6, as text. At most 100 of each. */
  readonly host?: (name: string) => readonly string[] | undefined;
  /** A network of IPv4, as the parts of its prefix: `10.1` is 10.1.0.0/16. */
  readonly network?: (name: string) => string | undefined;
  /** The Ethernet address of a station. */
  readonly ethernet?: (name: string) => string | undefined;
}

/** Addresses of a host, sorted. */
export interface HostAddresses {
  readonly ipv4: readonly number[];
  readonly ipv6: readonly Ipv6[];
}

const MOST_ADDRESSES = 100;

const byWords = (one: Ipv6, other: Ipv6): number => {
  const at = one.findIndex((word, index) => word !== other[index]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
};

/** Looks names up, and refuses the unknown. */
export class Names {
  readonly #resolver: Resolver;

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  #bounded(where: Place, value: number | undefined, most: number): number | undefined {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= most))
      refuse('name', where, `the resolver gave ${value} for this name`);
    return value;
  }

  /** The ports of a service, or undefined. */
  service(where: Place, name: string): Service | undefined {
    const table = SERVICE_TABLE.get(name);
    const port = (transport: 'tcp' | 'udp'): number | undefined =>
      this.#bounded(where, this.#resolver.service?.(name, transport), 0xffff) ?? table?.[transport];
    const [tcp, udp] = [port('tcp'), port('udp')];
    if (tcp === undefined && udp === undefined) return undefined;
    return { ...(tcp === undefined ? {} : { tcp }), ...(udp === undefined ? {} : { udp }) };
  }

  /** Refuses a name that is no service. */
  unknownService(where: Place): never {
    return refuse('name', where, 'no service has this name', { among: SERVICE_TABLE.keys() });
  }

  /** The number of an IP protocol. */
  protocol(where: Place, name: string): number {
    const number = this.#bounded(where, this.#resolver.protocol?.(name), 0xff) ?? PROTOCOL_TABLE.get(name);
    return number ?? refuse('name', where, 'no IP protocol has this name', { among: PROTOCOL_TABLE.keys() });
  }

  /** The addresses of a host. */
  host(where: Place, name: string): HostAddresses {
    const given = this.#resolver.host?.(name) ?? refuse('name', where, 'no resolver knows a host of this name');
    const ipv4: number[] = [];
    const ipv6: Ipv6[] = [];
    for (const text of given) {
      const four: Ipv4 | undefined = ipv4Of(text);
      const six = ipv6Of(text);
      if (four?.bits === 32) ipv4.push(four.address);
      else if (six !== undefined) ipv6.push(six);
      else refuse('name', where, `the resolver gave "${text}" for this name, which is no address`);
    }
    if (ipv4.length > MOST_ADDRESSES || ipv6.length > MOST_ADDRESSES)
      refuse('limit', where, `this host has more than ${MOST_ADDRESSES} addresses`);
    return { ipv4: ipv4.toSorted((one, other) => one - other), ipv6: ipv6.toSorted(byWords) };
  }

  /** A network. */
  network(where: Place, name: string): Ipv4 {
    const text = this.#resolver.network?.(name) ?? refuse('name', where, 'no resolver knows a network of this name');
    return ipv4Of(text) ?? refuse('name', where, `the resolver gave "${text}" for this name, which is no network`);
  }

  /** The Ethernet address of a station. */
  ethernet(where: Place, name: string): Ethernet {
    const text = this.#resolver.ethernet?.(name) ?? refuse('name', where, 'no resolver knows a station of this name');
    return (
      ethernetOf(text) ??
      refuse('name', where, `the resolver gave "${text}" for this name, which is no Ethernet address`)
    );
  }
}
