/** Tests of ports, in TCP, UDP and SCTP over IPv4 (first fragments only) and IPv6 (without extension headers). */
import { numberOf, isWord } from './addresses.ts';
import { BPF } from '../bpf/instruction.ts';
import { and, not, or, type Test } from './blocks.ts';
import { statement, type Generator } from './generator.ts';
import { sides } from './hosts.ts';
import { carries, ETHER } from './link-tests.ts';
import type { Service } from './names-table.ts';
import { ipv4Protocol, ipv6Protocol } from './protocols.ts';
import type { Direction, Qualifier } from './syntax.ts';

const TRANSPORTS: Readonly<Record<string, number>> = { sctp: 132, tcp: 6, udp: 17 };
const TCP = 6;
const UDP = 17;

/** A port or a range of them. */
interface Ports {
  readonly low: number;
  readonly high: number;
  /** The one transport; null for all three. */
  readonly transport: number | null;
}

/** Whether this is the first fragment, or none. */
export function isFirstFragment(g: Generator): Test {
  return not(g.blocks.test(g.load('network', 6, 2), statement(BPF.JSET_K, 0x1fff)));
}

function portsWithin(g: Generator, version: 4 | 6, { low, high, transport }: Ports, direction: Direction): Test {
  const base = version === 4 ? 'transport4' : 'transport6';
  const protocol = version === 4 ? ipv4Protocol : ipv6Protocol;
  const port = sides(direction, (side) => {
    const offset = side === 'src' ? 0 : 2;
    if (low === high) return g.equal(base, offset, 2, low);
    return and(g.compare(BPF.JGE_K, base, offset, 2, low), g.atMost(base, offset, 2, high));
  });
  const numbers = transport === null ? [TCP, UDP, TRANSPORTS['sctp'] ?? 0] : [transport];
  const isTransport = numbers.map((number) => protocol(g, number)).reduce((all, one) => or(all, one));
  const inside = version === 4 ? and(isTransport, isFirstFragment(g)) : isTransport;
  return and(carries(g, version === 4 ? ETHER.IP : ETHER.IPV6), and(inside, port));
}

/** A port of UDP, over IPv4 or over IPv6. */
export function udpDestination(g: Generator, version: 4 | 6, port: number): Test {
  return portsWithin(g, version, { low: port, high: port, transport: UDP }, 'dst');
}

function anyVersion(g: Generator, ports: Ports, direction: Direction): Test {
  const over4 = portsWithin(g, 4, ports, direction);
  return or(portsWithin(g, 6, ports, direction), over4);
}

/** The transport that the qualifier asks for; refuses other protocols. */
function transportOf(g: Generator, { protocol, kind }: Qualifier): number | null {
  if (protocol === null) return null;
  return TRANSPORTS[protocol] ?? g.misfit(protocol, kind);
}

/** A number after `port` or `portrange`. */
export function numberedPort(g: Generator, qualifier: Qualifier, port: number): Test {
  const transport = transportOf(g, qualifier);
  g.atMostOrRefuse('port', port, 0xffff);
  return anyVersion(g, { low: port, high: port, transport }, qualifier.direction);
}

/** The port of a service and the transport that its name means: the TCP port, unless there is none; any transport if both have it. */
function portOf({ tcp, udp }: Service): readonly [port: number, transport: number | null] {
  if (tcp !== undefined) return [tcp, tcp === udp ? null : TCP];
  return [udp ?? 0, UDP];
}

/** The transport asked for, unless the name is that of a service of another one. */
function agreed(g: Generator, wanted: number | null, meant: number | null): number | null {
  if (wanted !== null && meant !== null && wanted !== meant)
    g.invalid(`this service is of ${meant === TCP ? 'tcp' : 'udp'} only`);
  return wanted ?? meant;
}

/** A service's name after `port`. */
export function namedPort(g: Generator, qualifier: Qualifier, name: string): Test {
  const wanted = transportOf(g, qualifier);
  const { names } = g.options;
  const service = names.service(g.where, name) ?? names.unknownService(g.where);
  const [port, meant] = portOf(service);
  return anyVersion(g, { low: port, high: port, transport: agreed(g, wanted, meant) }, qualifier.direction);
}

/** One end of a range: a number or a service's name. */
function rangeEnd(g: Generator, text: string): readonly [port: number, transport: number | null] {
  const number = numberOf(text);
  if (number !== undefined) {
    if (!isWord(number)) g.invalid('a port of the range has more than 32 bits');
    return [number, null];
  }
  // What is no octal number in spite of its 0 is looked up as a service, and a decimal number is one by itself.
  if (/^[0-9]+$/.test(text)) return [Number(text), null];
  const service = g.options.names.service(g.where, text) ?? g.options.names.unknownService(g.where);
  return portOf(service);
}

/** Two ports with a hyphen between, after `portrange`; in either order. */
export function portRange(g: Generator, qualifier: Qualifier, text: string): Test {
  const wanted = transportOf(g, qualifier);
  const ends = text.split('-');
  if (ends.length !== 2 || ends.includes('')) g.invalid('a range of ports is two ports with one hyphen between');
  const [[first, firstMeant], [second, secondMeant]] = [rangeEnd(g, ends[0] ?? ''), rangeEnd(g, ends[1] ?? '')];
  const meant = firstMeant === secondMeant ? firstMeant : null;
  g.atMostOrRefuse('port', Math.max(first, second), 0xffff);
  const [low, high] = [Math.min(first, second), Math.max(first, second)];
  return anyVersion(g, { low, high, transport: agreed(g, wanted, meant) }, qualifier.direction);
}
