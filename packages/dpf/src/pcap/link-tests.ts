/** Tests of what a link header carries: by Ethernet type, or by LLC service access point where the number is at most 1,500. */
import { BPF } from '../bpf/instruction.ts';
import { and, not, or, type Test } from './blocks.ts';
import { statement, type Generator } from './generator.ts';

/** Ethernet types. */
export const ETHER = {
  NS: 0x0600,
  IP: 0x0800,
  ARP: 0x0806,
  MOPDL: 0x6001,
  MOPRC: 0x6002,
  DECNET: 0x6003,
  LAT: 0x6004,
  SCA: 0x6007,
  TEB: 0x6558,
  RARP: 0x8035,
  ATALK: 0x809b,
  AARP: 0x80f3,
  VLAN: 0x8100,
  IPX: 0x8137,
  IPV6: 0x86dd,
  SLOW: 0x8809,
  MPLS: 0x8847,
  PPPOE_DISCOVERY: 0x8863,
  PPPOE_SESSION: 0x8864,
  VLAN_PROVIDER: 0x88a8,
  LLDP: 0x88cc,
  LOOPBACK: 0x9000,
  VLAN_QINQ: 0x9100,
} as const;

/** LLC service access points. */
export const LLC = { IP: 0x06, STP: 0x42, IPX: 0xe0, NETBEUI: 0xf0, ISO: 0xfe } as const;

const LONGEST_LENGTH = 1500;

const PPP_TYPES: ReadonlyMap<number, number> = new Map<number, number>([
  [ETHER.IP, 0x21],
  [ETHER.IPV6, 0x57],
  [ETHER.DECNET, 0x27],
  [ETHER.ATALK, 0x29],
  [ETHER.NS, 0x25],
  [LLC.ISO, 0x23],
  [LLC.STP, 0x31],
  [LLC.IPX, 0x2b],
]);

/** Numbers of the IPv6 address family in the loopback headers of the BSDs and Darwin. */
const FAMILIES_IPV6 = [24, 28, 30] as const;
const FAMILY_IPV4 = 2;

/** A SNAP header with this organization and type: its end is looked at first. */
function snap(g: Generator, organization: number, type: number): Test {
  const end = g.equal('llc', 4, 4, ((organization & 0xffff) << 16) | type);
  return and(end, g.equal('llc', 0, 4, 0xaaaa_0300 | (organization >>> 16)));
}

/** AppleTalk's own organization in SNAP; its address resolution has none. */
const organizationOf = (type: number): number => (type === ETHER.ATALK ? 0x08_0007 : 0);

function ethernetCarries(g: Generator, type: number): Test {
  const isLength = (): Test => g.atMost('type', 0, 2, LONGEST_LENGTH);
  switch (type) {
    case LLC.ISO:
    case LLC.IP:
    case LLC.NETBEUI:
      return and(isLength(), g.equal('llc', 0, 2, (type << 8) | type));
    case LLC.IPX: {
      const inLlc = or(g.equal('llc', 0, 1, LLC.IPX), g.equal('llc', 0, 2, 0xffff));
      const inFrame = and(isLength(), or(snap(g, 0, ETHER.IPX), inLlc));
      return or(g.equal('type', 0, 2, ETHER.IPX), inFrame);
    }
    case ETHER.ATALK:
    case ETHER.AARP:
      return or(g.equal('type', 0, 2, type), and(isLength(), snap(g, organizationOf(type), type)));
    default:
      if (type <= LONGEST_LENGTH) {
        g.atMostOrRefuse('LLC service access point', type, 0xff);
        return and(isLength(), g.equal('type', 2, 1, type));
      }
      g.atMostOrRefuse('Ethernet type', type, 0xffff);
      return g.equal('type', 0, 2, type);
  }
}

/** Linux's cooked header: its type is 4 before LLC, 1 before IPX without LLC. */
function cookedCarries(g: Generator, type: number): Test {
  const isLlc = (): Test => g.equal('type', 0, 2, 4);
  switch (type) {
    case LLC.ISO:
    case LLC.IP:
    case LLC.NETBEUI:
      return and(isLlc(), g.equal('llc', 0, 2, (type << 8) | type));
    case LLC.IPX: {
      const inLlc = and(isLlc(), or(g.equal('llc', 0, 1, LLC.IPX), snap(g, 0, ETHER.IPX)));
      return or(g.equal('type', 0, 2, ETHER.IPX), or(g.equal('type', 0, 2, 1), inLlc));
    }
    case ETHER.ATALK:
    case ETHER.AARP:
      return or(g.equal('type', 0, 2, type), and(isLlc(), snap(g, organizationOf(type), type)));
    default:
      if (type <= LONGEST_LENGTH) {
        g.atMostOrRefuse('LLC service access point', type, 0xff);
        return and(isLlc(), g.equal('llc', 0, 1, type));
      }
      g.atMostOrRefuse('Ethernet type', type, 0xffff);
      return g.equal('type', 0, 2, type);
  }
}

/** The number of a family, which is a byte, in the other byte order. */
const swapped = (family: number): number => family * 0x100_0000;

/** The loopback header is an address family: in either byte order for NULL, in network order for LOOP. */
function loopbackCarries(g: Generator, type: number): Test {
  const families: readonly number[] = type === ETHER.IP ? [FAMILY_IPV4] : type === ETHER.IPV6 ? FAMILIES_IPV6 : [];
  const words = g.layer.linkType === 'NULL' ? families.flatMap((one) => [one, swapped(one)]) : families;
  return words
    .map((word) => g.equal('header', 0, 4, word))
    .reduce((all, one) => or(all, one), g.blocks.constant(false));
}

/** Whether the version of an IP header at this base is 4 or 6. */
const hasVersion = (g: Generator, base: 'header' | 'network', version: number): Test =>
  g.masked(base, 0, 1, version << 4, 0xf0);

/** Whether the entry before the network header is the last of the MPLS stack. */
export function isLastLabel(g: Generator): Test {
  return g.blocks.test(g.load('label', 2, 1), statement(BPF.JSET_K, 1));
}

function mplsCarries(g: Generator, type: number): Test {
  if (type !== ETHER.IP && type !== ETHER.IPV6) g.unsupported('a protocol other than IPv4 and IPv6 inside MPLS');
  return and(isLastLabel(g), hasVersion(g, 'network', type === ETHER.IP ? 4 : 6));
}

/** Whether the link header says that it carries this. */
export function carries(g: Generator, type: number): Test {
  if (g.layer.labels > 0) return mplsCarries(g, type);
  switch (g.layer.linkType) {
    case 'EN10MB':
      return ethernetCarries(g, type);
    case 'LINUX_SLL':
      return cookedCarries(g, type);
    case 'RAW':
      if (type === ETHER.IP) return hasVersion(g, 'header', 4);
      if (type === ETHER.IPV6) return hasVersion(g, 'header', 6);
      return g.blocks.constant(false);
    case 'IPV4':
      return g.blocks.constant(type === ETHER.IP);
    case 'IPV6':
      return g.blocks.constant(type === ETHER.IPV6);
    case 'PPP': {
      const ppp = PPP_TYPES.get(type) ?? type;
      g.atMostOrRefuse('PPP protocol', ppp, 0xffff);
      return g.equal('type', 0, 2, ppp);
    }
    case 'NULL':
    case 'LOOP':
      return loopbackCarries(g, type);
    case 'LINUX_SLL2':
      g.atMostOrRefuse('Ethernet type', type, 0xffff);
      return g.equal('type', 0, 2, type);
  }
}

/** Inside a tunnel: whether there is a link header at all. Null where there always is. */
export function hasLinkHeader(g: Generator): Test | null {
  const { isTunnel, header, payload } = g.layer;
  if (!isTunnel) return null;
  const load = [...[header.register ?? 0].map((k) => statement(BPF.LD_MEM, k)), ...g.variable(payload)];
  return not(g.blocks.test(load, statement(BPF.JEQ_X)));
}
