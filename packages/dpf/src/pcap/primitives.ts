/** Tests that are words of their own: lengths, bytes, broadcast and multicast, LLC, direction, interface. */
import { BPF, BPF_ANCILLARY } from '../bpf/instruction.ts';
import { and, not, or, type Test } from './blocks.ts';
import { statement, type Generator } from './generator.ts';
import { ethernetHost } from './hosts.ts';
import { carries, ETHER, hasLinkHeader } from './link-tests.ts';

/** Whether the packet has at least this many bytes on the wire. */
export const atLeastLong = (g: Generator, length: number): Test =>
  g.blocks.test([statement(BPF.LD_LEN)], statement(BPF.JGE_K, length));

/** Whether the packet has at most this many bytes on the wire. */
export const atMostLong = (g: Generator, length: number): Test =>
  not(g.blocks.test([statement(BPF.LD_LEN)], statement(BPF.JGT_K, length)));

/** A byte of the link header's place: equal, less, greater, or with any bit set when combined with a value. */
export function byteTest(g: Generator, index: number, operator: string, value: number): Test {
  g.atMostOrRefuse('byte', value, 0xff);
  switch (operator) {
    case '=':
      return g.equal('header', index, 1, value);
    case '<':
      return not(g.compare(BPF.JGE_K, 'header', index, 1, value));
    case '>':
      return g.compare(BPF.JGT_K, 'header', index, 1, value);
    default: {
      const combine = statement(operator === '|' ? BPF.OR_K : BPF.AND_K, value);
      return not(g.blocks.test([...g.load('header', index, 1), combine], statement(BPF.JEQ_K, 0)));
    }
  }
}

const IPV4_DESTINATION = 16;
const IPV6_DESTINATION = 24;

/** `broadcast`: to Ethernet's broadcast address, or to the first or last address of an IPv4 network. */
export function broadcast(g: Generator, protocol: string | null): Test {
  if (protocol === null || protocol === 'link') return ethernetHost(g, { upper: 0xffff, lower: 0xffff_ffff }, 'dst');
  if (protocol !== 'ip') return g.misfit(protocol, 'broadcast');
  const { netmask } = g.options;
  if (netmask === null) return g.unsupported('"ip broadcast" without the option netmask');
  const hosts = ~netmask >>> 0;
  const link = carries(g, ETHER.IP);
  const first = g.masked('network', IPV4_DESTINATION, 4, 0, hosts);
  return and(link, or(first, g.masked('network', IPV4_DESTINATION, 4, hosts, hosts)));
}

/** `multicast`: to a group of Ethernet, of IPv4 or of IPv6. */
export function multicast(g: Generator, protocol: string | null): Test {
  switch (protocol) {
    case null:
    case 'link': {
      if (g.layer.linkType !== 'EN10MB') return g.unsupported('"multicast"');
      const link = hasLinkHeader(g);
      const group = g.blocks.test(g.load('header', 0, 1), statement(BPF.JSET_K, 1));
      return link === null ? group : and(link, group);
    }
    case 'ip':
      return and(carries(g, ETHER.IP), g.masked('network', IPV4_DESTINATION, 1, 0xe0, 0xf0));
    case 'ip6':
      return and(carries(g, ETHER.IPV6), g.equal('network', IPV6_DESTINATION, 1, 0xff));
    default:
      return g.misfit(protocol, 'multicast');
  }
}

/** Types of LLC frames, by their control byte and the mask under which it is looked at. */
const LLC_TYPES: ReadonlyMap<string, readonly [value: number, mask: number]> = new Map(
  Object.entries({
    s: [0x01, 0x03],
    u: [0x03, 0x03],
    rr: [0x01, 0x0f],
    rnr: [0x05, 0x0f],
    rej: [0x09, 0x0f],
    ui: [0x03, 0xef],
    ua: [0x63, 0xef],
    disc: [0x43, 0xef],
    dm: [0x0f, 0xef],
    sabme: [0x6f, 0xef],
    test: [0xe3, 0xef],
    xid: [0xaf, 0xef],
    frmr: [0x87, 0xef],
  } as const),
);

/** `llc`, with a type or without: a length in place of the Ethernet type, and not IPX without LLC. */
export function llc(g: Generator, type: string | null): Test {
  if (g.layer.linkType !== 'EN10MB') return g.unsupported('"llc"');
  const isIpx = g.equal('llc', 0, 2, 0xffff);
  const frame = and(g.atMost('type', 0, 2, 1500), not(isIpx));
  if (type === null) return frame;
  const name = type.toLowerCase();
  if (name === 'i') return and(frame, not(g.blocks.test(g.load('llc', 2, 1), statement(BPF.JSET_K, 1))));
  const [value, mask] = LLC_TYPES.get(name) ?? g.unknown('LLC has no type of this name', ['i', ...LLC_TYPES.keys()]);
  return and(frame, g.masked('llc', 2, 1, value, mask));
}

const OUTGOING = 4;
const PACKET_TYPE = BPF_ANCILLARY + 4;
const INTERFACE = BPF_ANCILLARY + 8;

/** `outbound`: that the host itself sent the packet; `inbound` is the contrary. */
export function direction(g: Generator, isOutbound: boolean): Test {
  const test = outbound(g);
  return isOutbound ? test : not(test);
}

function outbound(g: Generator): Test {
  switch (g.layer.linkType) {
    case 'LINUX_SLL':
      return g.equal('header', 0, 2, OUTGOING);
    case 'LINUX_SLL2':
      return g.equal('header', 10, 1, OUTGOING);
    default:
      if (!g.options.linuxExtensions) g.unsupported('the direction of a packet in a capture');
      return g.equal('header', PACKET_TYPE, 2, OUTGOING);
  }
}

/** `ifindex`: the number of the interface. */
export function interfaceIndex(g: Generator, index: number): Test {
  if (g.layer.linkType === 'LINUX_SLL2') return g.equal('header', 4, 4, index);
  if (!g.options.linuxExtensions) g.unsupported('the interface of a packet in a capture');
  return g.equal('header', INTERFACE, 4, index);
}
