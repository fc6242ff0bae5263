/** Tests of addresses: IPv4 and with it ARP and RARP, IPv6, Ethernet, DECnet. */
import { decnetOf, ethernetOf, ipv4Of, ipv6Of, type Ipv6 } from './addresses.ts';
import { and, not, or, type Test } from './blocks.ts';
import type { Generator } from './generator.ts';
import { carries, ETHER, hasLinkHeader } from './link-tests.ts';
import { refuse } from './refusal.ts';
import type { Direction, Identifier, Kind, Qualifier } from './syntax.ts';

/** An address under a mask. */
interface Masked<Address> {
  readonly address: Address;
  readonly mask: Address;
}

/** The test of one side or of both, the source first. */
export function sides(direction: Direction, make: (side: 'src' | 'dst') => Test): Test {
  switch (direction) {
    case 'src':
    case 'dst':
      return make(direction);
    case 'both':
      return and(make('src'), make('dst'));
    case 'either':
      return or(make('src'), make('dst'));
  }
}

/** Protocols whose packets have IPv4 addresses, with the places of those. */
const IPV4_CARRIERS = {
  ip: { link: ETHER.IP, src: 12, dst: 16 },
  arp: { link: ETHER.ARP, src: 14, dst: 24 },
  rarp: { link: ETHER.RARP, src: 14, dst: 24 },
} as const;

function ipv4Within(
  g: Generator,
  carrier: keyof typeof IPV4_CARRIERS,
  addresses: readonly Masked<number>[],
  direction: Direction,
  isOther: boolean,
): Test {
  const places = IPV4_CARRIERS[carrier];
  const link = carries(g, places.link);
  if (link.constant === false) return link;
  const any = addresses
    .map(({ address, mask }) => sides(direction, (side) => g.masked('network', places[side], 4, address, mask)))
    .reduce((all, one) => or(all, one), g.blocks.constant(false));
  return and(link, isOther ? not(any) : any);
}

/** One of some IPv4 addresses, or with `isOther` none of them. Without a protocol: of IPv4, ARP and RARP, but of IPv4 alone inside MPLS. */
function ipv4Hosts(
  g: Generator,
  protocol: string | null,
  addresses: readonly Masked<number>[],
  direction: Direction,
  isOther = false,
): Test {
  if (protocol === 'ip' || protocol === 'arp' || protocol === 'rarp')
    return ipv4Within(g, protocol, addresses, direction, isOther);
  if (protocol !== null) return g.misfit(protocol, 'an IPv4 address');
  const ip = ipv4Within(g, 'ip', addresses, direction, isOther);
  if (g.layer.labels > 0) return ip;
  const withArp = or(ip, ipv4Within(g, 'arp', addresses, direction, isOther));
  return or(withArp, ipv4Within(g, 'rarp', addresses, direction, isOther));
}

const IPV6_PLACES = { src: 8, dst: 24 } as const;

function ipv6Hosts(
  g: Generator,
  protocol: string | null,
  addresses: readonly Masked<Ipv6>[],
  direction: Direction,
): Test {
  if (protocol !== null && protocol !== 'ip6') return g.misfit(protocol, 'an IPv6 address');
  const link = carries(g, ETHER.IPV6);
  const one = ({ address, mask }: Masked<Ipv6>, side: 'src' | 'dst'): Test =>
    address
      .map((word, at) => g.masked('network', IPV6_PLACES[side] + 4 * at, 4, word, mask[at] ?? 0))
      .reduce((all, word) => and(all, word), g.blocks.constant(true));
  const any = addresses
    .map((address) => sides(direction, (side) => one(address, side)))
    .reduce((all, test) => or(all, test), g.blocks.constant(false));
  return and(link, any);
}

const ETHERNET_PLACES = { src: 6, dst: 0 } as const;

/** An Ethernet address on one side, or on both. */
export function ethernetHost(
  g: Generator,
  { upper, lower }: { readonly upper: number; readonly lower: number },
  direction: Direction,
): Test {
  if (g.layer.linkType !== 'EN10MB') g.unsupported('an Ethernet address');
  const link = hasLinkHeader(g);
  const address = sides(direction, (side) => g.ethernet(ETHERNET_PLACES[side], upper, lower));
  return link === null ? address : and(link, address);
}

const swapped = (address: number): number => ((address & 0xff) << 8) | (address >>> 8);

/** The four forms of a DECnet header: long and short, with and without a byte of padding. Lengths are little-endian. */
function decnetSide(g: Generator, address: number, side: 'src' | 'dst'): Test {
  const wanted = swapped(address);
  const [short, long] = side === 'dst' ? [1, 7] : [3, 15];
  const at = (offset: number): Test => g.equal('network', offset, 2, wanted);
  const paddedLong = and(g.masked('network', 2, 2, 0x8106, 0xff07), at(3 + long));
  const plainLong = and(g.masked('network', 2, 1, 0x06, 0x07), at(2 + long));
  const anyLong = or(plainLong, paddedLong);
  const isShort = side === 'dst';
  const paddedShort = isShort
    ? g.masked('network', 2, 4, 0x8102_0000 + wanted, 0xff07_ffff)
    : and(g.masked('network', 2, 2, 0x8102, 0xff07), at(3 + short));
  const withPadded = or(paddedShort, anyLong);
  const plainShort = isShort
    ? g.masked('network', 2, 4, 0x0200_0000 + wanted * 0x100, 0x07ff_ff00)
    : and(g.masked('network', 2, 1, 0x02, 0x07), at(2 + short));
  return or(plainShort, withPadded);
}

function decnetHost(g: Generator, { direction, kind }: Qualifier, text: string): Test {
  if (kind !== 'none' && kind !== 'host') g.misfit('decnet', kind);
  const address = decnetOf(text) ?? g.misfit('decnet', 'what is no address area.node');
  return and(
    carries(g, ETHER.DECNET),
    sides(direction, (side) => decnetSide(g, address, side)),
  );
}

const ALL = 0xffff_ffff;

/** The words of a mask of this many bits. */
const wordMask = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? ALL : (ALL << (32 - bits)) >>> 0);

/** A single IPv4 network, of numbers, or of a name. */
function oneIpv4(g: Generator, { protocol, direction }: Qualifier, address: number, mask: number): Test {
  return ipv4Hosts(g, protocol, [{ address, mask }], direction);
}

/** A bare number after `net` is the upper bytes of a network: leading zero bytes are dropped. */
function shiftedNet(value: number): Masked<number> {
  let [address, mask] = [value, ALL];
  while (address !== 0 && address <= 0xff_ffff) {
    address = (address << 8) >>> 0;
    mask = (mask << 8) >>> 0;
  }
  return { address, mask };
}

/** A number after `host` or `net`. */
export function numberHost(g: Generator, qualifier: Qualifier, value: number): Test {
  if (qualifier.protocol === 'decnet') g.misfit('decnet', 'a number');
  if (qualifier.protocol === 'link') g.misfit('link', 'a number as an address');
  const { address, mask } = qualifier.kind === 'net' ? shiftedNet(value) : { address: value, mask: ALL };
  return oneIpv4(g, qualifier, address, mask);
}

/** Refuses what cannot follow the kind. Without a kind it can only be a network that is refused. */
function misfit(g: Generator, kind: Kind, what: string): never {
  if (kind !== 'none') return g.misfit(kind, what);
  return refuse('syntax', g.where, `${what} needs the word "net" before it`, { expected: ['net'] });
}

/** An IPv4 address, with a prefix length or a mask or of fewer than four parts a network. */
export function ipv4Identifier(
  g: Generator,
  qualifier: Qualifier,
  { token, prefix, mask: maskToken }: Identifier,
): Test {
  const { protocol, kind } = qualifier;
  const isPlain = prefix === undefined && maskToken === undefined;
  if (protocol === 'decnet') return isPlain ? decnetHost(g, qualifier, token.text) : g.misfit('decnet', 'a network');
  const given = ipv4Of(token.text) ?? g.invalid('an IPv4 address has up to four numbers, none above 255');
  const isFitting = isPlain ? kind === 'none' || kind === 'host' || kind === 'net' : kind === 'net';
  if (!isFitting) misfit(g, kind, isPlain ? 'an IPv4 address' : 'an IPv4 network');
  if (protocol === 'link') g.misfit('link', 'an IPv4 address');
  let mask = wordMask(given.bits);
  if (prefix !== undefined) {
    g.atMostOrRefuse('prefix length', prefix.value, 32);
    mask = wordMask(prefix.value);
  } else if (maskToken !== undefined) {
    g.where = maskToken;
    mask = ipv4Of(maskToken.text)?.address ?? g.invalid('a mask has up to four numbers, none above 255');
    g.where = token;
  }
  if ((given.address & ~mask) !== 0) g.invalid('the address has bits that the mask has not');
  return oneIpv4(g, qualifier, given.address, mask);
}

/** An IPv6 address or network. */
export function ipv6Identifier(g: Generator, qualifier: Qualifier, { token, prefix }: Identifier): Test {
  const { protocol, direction, kind } = qualifier;
  const bits = prefix?.value ?? 128;
  g.atMostOrRefuse('prefix length', bits, 128);
  const address = ipv6Of(token.text) ?? g.invalid('this is no IPv6 address');
  const mask: Ipv6 = [wordMask(bits), wordMask(bits - 32), wordMask(bits - 64), wordMask(bits - 96)];
  if (address.some((word, at) => (word & ~(mask[at] ?? 0)) !== 0))
    g.invalid('the address has bits behind the prefix length');
  const isFitting = kind === 'net' || ((kind === 'none' || kind === 'host') && bits === 128);
  if (!isFitting) misfit(g, kind, bits === 128 ? 'an IPv6 address' : 'an IPv6 network');
  return ipv6Hosts(g, protocol, [{ address, mask }], direction);
}

/** An Ethernet address, which needs `ether` before it. */
export function ethernetIdentifier(
  g: Generator,
  { protocol, direction, kind }: Qualifier,
  { token }: Identifier,
): Test {
  if (protocol !== 'link' || (kind !== 'none' && kind !== 'host'))
    g.misfit(protocol ?? kind, 'an Ethernet address: "ether host" can');
  return ethernetHost(g, ethernetOf(token.text) ?? g.invalid('this is no Ethernet address'), direction);
}

/** The host of this name. `over6` is what its IPv6 addresses are looked for in. */
function namedHost(g: Generator, name: string, qualifier: Qualifier, over6: string | null, isOther: boolean): Test {
  const { protocol, direction } = qualifier;
  const { ipv4, ipv6 } = g.options.names.host(g.where, name);
  const four =
    protocol === 'ip6' || ipv4.length === 0
      ? null
      : ipv4Hosts(
          g,
          protocol,
          ipv4.map((address) => ({ address, mask: ALL })),
          direction,
          isOther,
        );
  const six =
    ipv6.length === 0 || over6 === 'ip' || over6 === 'arp' || over6 === 'rarp'
      ? null
      : ipv6Hosts(
          g,
          over6,
          ipv6.map((address) => ({ address, mask: [ALL, ALL, ALL, ALL] })),
          direction,
        );
  if (four !== null && six !== null) return or(four, six);
  return four ?? six ?? g.unknown('this host has no address of that kind', []);
}

/** A name after `host`, `net` or `gateway`. */
export function nameHost(g: Generator, qualifier: Qualifier, name: string): Test {
  const { protocol, direction, kind } = qualifier;
  if (kind === 'net') {
    const { address, bits } = g.options.names.network(g.where, name);
    return oneIpv4(g, qualifier, address, wordMask(bits));
  }
  if (kind === 'gateway') return gateway(g, qualifier, name);
  if (protocol !== 'link') return namedHost(g, name, qualifier, protocol, false);
  if (g.layer.linkType !== 'EN10MB') g.unsupported('an Ethernet address');
  return ethernetHost(g, g.options.names.ethernet(g.where, name), direction);
}

/** Packets that a gateway forwards: from or to its Ethernet address, neither from nor to its IPv4 addresses. */
function gateway(g: Generator, { protocol }: Qualifier, name: string): Test {
  if (protocol !== null && !(protocol in IPV4_CARRIERS)) g.misfit(protocol, 'gateway');
  if (g.layer.labels > 0 || g.layer.isTunnel) g.unsupported('"gateway" inside MPLS or a tunnel');
  if (g.layer.linkType !== 'EN10MB') g.unsupported('"gateway"');
  const station = ethernetHost(g, g.options.names.ethernet(g.where, name), 'either');
  const qualifier: Qualifier = { protocol, direction: 'either', kind: 'host' };
  return and(station, namedHost(g, name, qualifier, 'ip', true));
}
