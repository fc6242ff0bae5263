/** Tests of protocols: by word, by number, and behind a chain of extension headers. */
import { BPF } from '../bpf/instruction.ts';
import { and, or, type Block, type Exit, type Test } from './blocks.ts';
import { IPV6_HEADER, statement, type Generator } from './generator.ts';
import { carries, ETHER, LLC } from './link-tests.ts';

/** What is known of a protocol's word: where it stands and as which number. */
interface Protocol {
  /** Over IPv4, over IPv6, over both. */
  readonly over?: 'ip' | 'ip6' | 'both';
  readonly number?: number;
  /** What the link header says. */
  readonly link?: number;
  /** The number among ISO's protocols. */
  readonly iso?: number;
  /** Types of IS-IS packets, any of them. */
  readonly isis?: readonly number[];
}

/** Protocols by word. */
export const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map<string, Protocol>(
  Object.entries({
    sctp: { over: 'both', number: 132 },
    tcp: { over: 'both', number: 6 },
    udp: { over: 'both', number: 17 },
    ah: { over: 'both', number: 51 },
    esp: { over: 'both', number: 50 },
    pim: { over: 'both', number: 103 },
    icmp: { over: 'ip', number: 1 },
    igmp: { over: 'ip', number: 2 },
    igrp: { over: 'ip', number: 9 },
    vrrp: { over: 'ip', number: 112 },
    carp: { over: 'ip', number: 112 },
    icmp6: { over: 'ip6', number: 58 },
    ip: { link: ETHER.IP },
    ip6: { link: ETHER.IPV6 },
    arp: { link: ETHER.ARP },
    rarp: { link: ETHER.RARP },
    atalk: { link: ETHER.ATALK },
    aarp: { link: ETHER.AARP },
    decnet: { link: ETHER.DECNET },
    sca: { link: ETHER.SCA },
    lat: { link: ETHER.LAT },
    mopdl: { link: ETHER.MOPDL },
    moprc: { link: ETHER.MOPRC },
    iso: { link: LLC.ISO },
    stp: { link: LLC.STP },
    ipx: { link: LLC.IPX },
    netbeui: { link: LLC.NETBEUI },
    clnp: { iso: 0x81 },
    esis: { iso: 0x82 },
    isis: { iso: 0x83 },
    l1: { isis: [15, 17, 18, 24, 26] },
    l2: { isis: [16, 17, 20, 25, 27] },
    iih: { isis: [15, 16, 17] },
    lsp: { isis: [18, 20] },
    snp: { isis: [24, 25, 26, 27] },
    csnp: { isis: [24, 25] },
    psnp: { isis: [26, 27] },
  } satisfies Record<string, Protocol>),
);

/** Names of what a link header carries, beside the words. */
const LINK_NAMES: ReadonlyMap<string, number> = new Map<string, number>([
  ...[
    'aarp',
    'arp',
    'atalk',
    'decnet',
    'ip',
    'ip6',
    'lat',
    'mopdl',
    'moprc',
    'rarp',
    'sca',
    'iso',
    'stp',
    'ipx',
    'netbeui',
  ].map((word) => [word, PROTOCOLS.get(word)?.link ?? 0] as const),
  ['lldp', ETHER.LLDP],
  ['loopback', ETHER.LOOPBACK],
  ['slow', ETHER.SLOW],
]);

/** Whether the IPv4 header names this protocol. */
export const ipv4Protocol = (g: Generator, number: number): Test => g.equal('network', 9, 1, number);
/** Whether the IPv6 header names this protocol. */
export const ipv6Protocol = (g: Generator, number: number): Test => g.equal('network', 6, 1, number);

const FRAGMENT = 44;

/** Protocol `number` over IPv4, over IPv6 (there also behind one Fragment header), or over both. */
function overIp(g: Generator, over: 'ip' | 'ip6' | 'both', number: number): Test {
  if (over === 'both') return or(overIp(g, 'ip', number), overIp(g, 'ip6', number));
  g.atMostOrRefuse('protocol', number, 0xff);
  if (over === 'ip') return and(carries(g, ETHER.IP), ipv4Protocol(g, number));
  const behind = and(ipv6Protocol(g, FRAGMENT), g.equal('network', IPV6_HEADER, 1, number));
  return and(carries(g, ETHER.IPV6), or(ipv6Protocol(g, number), behind));
}

function isoProtocol(g: Generator, number: number): Test {
  g.atMostOrRefuse('ISO protocol', number, 0xff);
  return and(carries(g, LLC.ISO), g.equal('iso', 0, 1, number));
}

const ISIS_TYPES = 0x1f;

function isisType(g: Generator, type: number): Test {
  g.atMostOrRefuse('IS-IS type', type, ISIS_TYPES);
  return and(isoProtocol(g, 0x83), g.masked('iso', 4, 1, type, ISIS_TYPES));
}

/** A protocol's word, alone. */
export function protocolWord(g: Generator, word: string): Test {
  const { over, number, link, iso, isis } = PROTOCOLS.get(word) ?? {};
  if (over !== undefined && number !== undefined) return overIp(g, over, number);
  if (link !== undefined) return carries(g, link);
  if (iso !== undefined) return isoProtocol(g, iso);
  if (isis !== undefined) return isis.map((type) => isisType(g, type)).reduce((all, one) => or(all, one));
  if (word === 'link') return g.misfit(word, 'nothing: it needs an address, a type or an index');
  return g.unsupported(`"${word}"`);
}

/** `proto` with a number, after an optional word. */
export function protocolNumber(g: Generator, qualifier: string | null, number: number): Test {
  switch (qualifier) {
    case null:
      return overIp(g, 'both', number);
    case 'ip':
    case 'ip6':
      return overIp(g, qualifier, number);
    case 'link':
      return carries(g, number);
    case 'iso':
      return isoProtocol(g, number);
    case 'isis':
      return isisType(g, number);
    default:
      return g.misfit(qualifier, 'proto');
  }
}

/** The number that a name has after `proto` or `protochain`. */
export function protocolName(g: Generator, qualifier: string | null, name: string): number {
  const { names } = g.options;
  switch (qualifier) {
    case null:
    case 'ip':
    case 'ip6':
      return names.protocol(g.where, name);
    case 'link':
      return LINK_NAMES.get(name) ?? g.unknown('no link protocol has this name', LINK_NAMES.keys());
    case 'iso':
      return (
        (name === 'clnp' || name === 'esis' || name === 'isis' ? PROTOCOLS.get(name)?.iso : undefined) ??
        g.unknown('no ISO protocol has this name', ['clnp', 'esis', 'isis'])
      );
    default:
      return g.misfit(qualifier, 'a protocol’s name');
  }
}

const NONE = 59;
const AUTHENTICATION = 51;
/** Hop-by-Hop, Destination Options, Routing, Fragment: the second byte counts eights of bytes after the first eight. */
const EXTENSIONS = [0, 60, 43, FRAGMENT];

/**
 * Protocol `number` anywhere in the chain of headers, up to `protochainHeaders` extension headers. libpcap walks the chain in a
 * loop without an end. As there, an Authentication header's length is taken for the place of the next header.
 */
export function protocolChain(g: Generator, qualifier: string | null, number: number): Test {
  // The word that the test of both takes stays taken, as in libpcap: later words of memory depend on it.
  const saved = g.allocate();
  if (qualifier === null) return or(protocolChain(g, 'ip', number), protocolChain(g, 'ip6', number));
  if (qualifier !== 'ip' && qualifier !== 'ip6') return g.misfit(qualifier, 'protochain');
  g.atMostOrRefuse('protocol', number, 0xff);
  if (g.layer.payload.register !== null) g.unsupported('"protochain" behind a header of variable length');
  const isIpv4 = qualifier === 'ip';
  const link = carries(g, isIpv4 ? ETHER.IP : ETHER.IPV6);
  const start = isIpv4
    ? [...g.load('network', 9, 1), ...g.ipv4HeaderLength()]
    : [...g.load('network', 6, 1), statement(BPF.LDX_IMM, IPV6_HEADER)];
  const first = g.blocks.block(start, null);
  const found = g.blocks.test([], { code: BPF.JEQ_K, k: number });
  let ways: readonly Exit[] = [first.yes];
  for (let round = 0; round <= g.options.protochainHeaders; round += 1) {
    const isLast = round === g.options.protochainHeaders;
    ways = chainRound(g, { number, saved, isIpv4, isLast, found }, ways);
  }
  const chain: Test = { entry: first, yes: found.yes, no: found.no, constant: null };
  g.release(saved);
  return and(link, chain);
}

interface Chain {
  readonly number: number;
  readonly saved: number;
  readonly isIpv4: boolean;
  readonly isLast: boolean;
  readonly found: Test;
}

/** Looks at one header, whose type is in A and whose place is in X; `ways` lead here. Returns the ways to the next header. */
function chainRound(
  g: Generator,
  { number, saved, isIpv4, isLast, found }: Chain,
  ways: readonly Exit[],
): readonly Exit[] {
  const when = (value: number): Block => g.blocks.block([], { code: BPF.JEQ_K, k: value });
  const base = g.networkConstant;
  const target = when(number);
  for (const way of ways) way.lead(target);
  target.yes.lead(found.entry);
  if (isLast) {
    target.no.follow(found.no);
    return [];
  }
  const none = when(NONE);
  target.no.lead(none);
  none.yes.lead(found.entry);
  const skip: Exit[] = [];
  let before = none;
  if (!isIpv4) {
    const advance = g.blocks.block(
      [
        statement(BPF.LDB_IND, base),
        statement(BPF.ST, saved),
        statement(BPF.LDB_IND, base + 1),
        statement(BPF.ADD_K, 1),
        statement(BPF.MUL_K, 8),
        statement(BPF.ADD_X),
        statement(BPF.TAX),
        statement(BPF.LD_MEM, saved),
      ],
      null,
    );
    skip.push(advance.yes);
    for (const type of EXTENSIONS) {
      const extension = when(type);
      before.no.lead(extension);
      extension.yes.lead(advance);
      before = extension;
    }
  }
  const authentication = when(AUTHENTICATION);
  before.no.lead(authentication);
  authentication.no.lead(found.entry);
  const behind = g.blocks.block(
    [
      statement(BPF.LDB_IND, base),
      statement(BPF.ST, saved),
      statement(BPF.TXA),
      statement(BPF.ADD_K, 1),
      statement(BPF.TAX),
      statement(BPF.LDB_IND, base),
      statement(BPF.ADD_K, 2),
      statement(BPF.MUL_K, 4),
      statement(BPF.TAX),
      statement(BPF.LD_MEM, saved),
    ],
    null,
  );
  authentication.yes.lead(behind);
  return [...skip, behind.yes];
}
