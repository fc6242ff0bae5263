/**
 * Expressions of libpcap's own tables against the code that libpcap makes of them without optimizing: both run on the same
 * packets, plain, mutated, cut, and steered through either program.
 */
import { expect, test } from 'vitest';
import { encodeBpf, decodeBpf, formatBpf, parseBpf, runBpf, validateBpf } from '../src/bpf/index.ts';
import { compilePcap, type LinkType } from '../src/pcap/index.ts';
import { capture, cases, HAS_FIXTURES } from './pcap-fixtures.ts';
import { below, packetsFor, seeded } from './pcap-packets.ts';

interface Accepted {
  readonly name: string;
  readonly linktype: LinkType;
  readonly expressions: readonly string[];
  readonly bytecode: readonly string[];
  readonly snaplen?: number;
}

const CAPTURES = [
  'vxlan.pcap',
  'geneve.pcap',
  'pppoe.pcap',
  'pppoes.pcap',
  'decnet.pcap',
  'llc.pcap',
  'ISIS_external_lsp.pcap',
  'ipv6_ext_headers.pcap',
  'ipv6_ah_modes.pcap',
  'AH-IPcomp-IPv4.pcap',
  'AH-IPcomp-IPv6.pcap',
  'ah-ipip-ping.pcap',
  'vrrp.pcap',
  'carp.pcap',
  'isakmp4500.pcap',
  'rarp_req_reply.pcapng',
  'pim-packet-assortment.pcap',
  'dhcp-rfc3004.pcap',
  'gateway_or_not.pcap',
];
const PACKETS = 600;
const SEED = 20_261_201;

const accepted = (cases('accept.json') as readonly Accepted[]).filter(({ name }) => name !== 'bpf_image');
const captures = HAS_FIXTURES ? await Promise.all(CAPTURES.map(capture)) : [];
const frames = captures.flatMap(({ packets }) => packets.map(({ bytes }) => bytes));
/** Bytes in front of the network header of an Ethernet frame, by the link type in whose place it is put. */
const FRONTS: Readonly<Record<LinkType, readonly number[]>> = {
  EN10MB: [],
  RAW: [],
  IPV4: [],
  IPV6: [],
  NULL: [2, 0, 0, 0],
  LOOP: [0, 0, 0, 2],
  LINUX_SLL: [0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0],
  LINUX_SLL2: [],
};

function captured(linkType: LinkType): Uint8Array[] {
  if (linkType === 'EN10MB') return frames;
  // The cooked header ends with the frame's own type.
  return frames.map((frame) =>
    Uint8Array.from([...FRONTS[linkType], ...frame.subarray(linkType === 'LINUX_SLL' ? 12 : 14)]),
  );
}

test.runIf(!HAS_FIXTURES)('skipped: there are no fixtures for the pcap language', (context) => {
  context.skip();
});

test.runIf(HAS_FIXTURES)('listings are read and written as libpcap writes them, as are numbers', () => {
  for (const { name, bytecode } of cases('accept.json') as readonly Accepted[]) {
    const program = parseBpf(bytecode.join('\n'));
    expect(formatBpf(program), name).toBe(bytecode.map((line) => line.replace(/\s*;.*$/, '')).join('\n'));
    expect(decodeBpf(encodeBpf(program)), name).toEqual(program);
    for (const [at, line] of bytecode.entries()) {
      const code = /; 0x([0-9a-f]{4})$/.exec(line)?.[1];
      if (code !== undefined) expect(program[at]!.code, line).toBe(parseInt(code, 16));
    }
  }
});

const each = accepted.flatMap(({ expressions, ...one }) => expressions.map((expression) => ({ ...one, expression })));

test.runIf(HAS_FIXTURES).each(each)('$linktype: $expression', ({ name, linktype, expression, bytecode, snaplen }) => {
  const random = seeded(SEED);
  const linuxExtensions = name.includes('linuxext');
  const theirs = parseBpf(bytecode.join('\n'));
  const { program } = compilePcap(expression, {
    linkType: linktype,
    linuxExtensions,
    ...(snaplen === undefined ? {} : { snapLength: snaplen }),
  });
  validateBpf(program);
  const packets = [
    ...packetsFor(random, linktype, theirs, PACKETS / 2, captured(linktype)),
    ...packetsFor(random, linktype, program, PACKETS / 2, captured(linktype)),
  ];
  for (const packet of packets) {
    const tag = below(random, 20);
    const beside = new Map([
      [4, tag % 6],
      [8, tag],
      [44, tag],
      [48, tag & 1],
    ]);
    const ancillary = (offset: number): number | undefined => (linuxExtensions ? beside.get(offset) : undefined);
    const wireLength = packet.length + (random() < 0.2 ? below(random, 300) : 0);
    const wanted = runBpf(theirs, packet, wireLength, ancillary);
    const verdict = runBpf(program, packet, wireLength, ancillary);
    expect(verdict, `seed ${SEED}: ${Buffer.from(packet).toString('hex')}`).toBe(wanted);
  }
});
