/** Every word of a protocol and every type of LLC, on a packet of every protocol: which of them hold. And every named number. */
import { describe, expect, test } from 'vitest';
import { runBpf } from '../src/bpf/index.ts';
import { compilePcap } from '../src/pcap/index.ts';

const WORDS = [
  ...'ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp ah esp atalk aarp decnet lat sca mopdl moprc iso esis isis clnp l1 l2 iih lsp snp csnp psnp stp ipx netbeui pppoed mpls vlan pppoes'.split(
    ' ',
  ),
  ...[
    '',
    ' i',
    ' s',
    ' u',
    ' rr',
    ' rnr',
    ' rej',
    ' ui',
    ' ua',
    ' disc',
    ' dm',
    ' sabme',
    ' test',
    ' xid',
    ' frmr',
  ].map((type) => `llc${type}`),
  'ether proto lldp',
  'ether proto loopback',
  'ether proto slow',
];
const programs = WORDS.map((word) => [word, compilePcap(word, { linkType: 'EN10MB' }).program] as const);

/** An Ethernet frame of a type, padded to sixty bytes. */
function frame(type: string, payload = ''): Uint8Array {
  const hex = `020000000001020000000002${type}${payload}`.replaceAll(' ', '').padEnd(120, '0');
  return Uint8Array.from((hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
}
const ipv4 = (protocol: string): Uint8Array => frame('0800', `4500002800000000 40${protocol}0000 0a0000010a000002`);
const ipv6 = (next: string): Uint8Array => frame('86dd', `60000000 0014${next}40`);
const llc = (hex: string): Uint8Array => frame('002e', hex);
const isis = (type: string): Uint8Array => llc(`fefe03 83 1b0100 ${type}`);

const UI = 'llc, llc u, llc ui';
const ISIS = `iso, isis, ${UI}`;

describe('the words that hold', () => {
  test.each<[name: string, packet: Uint8Array, words: string]>([
    ['ARP', frame('0806'), 'arp'],
    ['RARP', frame('8035'), 'rarp'],
    ['TCP', ipv4('06'), 'ip, tcp'],
    ['UDP', ipv4('11'), 'ip, udp'],
    ['SCTP', ipv4('84'), 'ip, sctp'],
    ['ICMP', ipv4('01'), 'ip, icmp'],
    ['IGMP', ipv4('02'), 'ip, igmp'],
    ['IGRP', ipv4('09'), 'ip, igrp'],
    ['PIM', ipv4('67'), 'ip, pim'],
    ['VRRP or CARP', ipv4('70'), 'ip, vrrp'],
    ['AH', ipv4('33'), 'ip, ah'],
    ['ESP', ipv4('32'), 'ip, esp'],
    ['ICMPv6 over IPv4', ipv4('3a'), 'ip'],
    ['TCP over IPv6', ipv6('06'), 'ip6, tcp'],
    ['UDP over IPv6', ipv6('11'), 'ip6, udp'],
    ['SCTP over IPv6', ipv6('84'), 'ip6, sctp'],
    ['ICMPv6', ipv6('3a'), 'ip6, icmp6'],
    ['PIM over IPv6', ipv6('67'), 'ip6, pim'],
    ['AH over IPv6', ipv6('33'), 'ip6, ah'],
    ['ESP over IPv6', ipv6('32'), 'ip6, esp'],
    ['VRRP over IPv6', ipv6('70'), 'ip6'],
    ['ICMP over IPv6', ipv6('01'), 'ip6'],
    ['AppleTalk', frame('809b'), 'atalk'],
    ['AppleTalk in SNAP', llc('aaaa03 080007 809b'), `atalk, ${UI}`],
    ['address resolution of AppleTalk', frame('80f3'), 'aarp'],
    ['the same in SNAP', llc('aaaa03 000000 80f3'), `aarp, ${UI}`],
    ['AppleTalk in SNAP of another organization', llc('aaaa03 000000 809b'), UI],
    ['DECnet', frame('6003'), 'decnet'],
    ['LAT', frame('6004'), 'lat'],
    ['SCA', frame('6007'), 'sca'],
    ['MOP dump/load', frame('6001'), 'mopdl'],
    ['MOP remote console', frame('6002'), 'moprc'],
    ['LLDP', frame('88cc'), 'ether proto lldp'],
    ['loopback', frame('9000'), 'ether proto loopback'],
    ['slow protocols', frame('8809'), 'ether proto slow'],
    ['PPPoE discovery', frame('8863'), 'pppoed'],
    ['PPPoE session', frame('8864'), 'pppoes'],
    ['MPLS', frame('8847'), 'mpls'],
    ['MPLS multicast', frame('8848'), ''],
    ['a tag', frame('8100'), 'vlan'],
    ['a tag of a provider', frame('88a8'), 'vlan'],
    ['a tag of the old kind', frame('9100'), 'vlan'],
    ['IPX', frame('8137'), 'ipx'],
    ['IPX in LLC', llc('e0e003'), `ipx, ${UI}`],
    ['IPX in LLC from another access point', llc('e00403'), `ipx, ${UI}`],
    ['IPX without LLC', llc('ffff'), 'ipx'],
    ['IPX in SNAP', llc('aaaa03 000000 8137'), `ipx, ${UI}`],
    ['NetBEUI', llc('f0f003'), `netbeui, ${UI}`],
    ['spanning tree', llc('424203'), `stp, ${UI}`],
    ['CLNP', llc('fefe03 81'), `iso, clnp, ${UI}`],
    ['ES-IS', llc('fefe03 82'), `iso, esis, ${UI}`],
    ['another type of IS-IS', isis('01'), ISIS],
    ['IS-IS hello, level 1', isis('0f'), `${ISIS}, l1, iih`],
    ['IS-IS hello, level 2', isis('10'), `${ISIS}, l2, iih`],
    ['IS-IS hello, point to point', isis('11'), `${ISIS}, l1, l2, iih`],
    ['IS-IS link state, level 1, under reserved bits', isis('f2'), `${ISIS}, l1, lsp`],
    ['IS-IS link state, level 2', isis('14'), `${ISIS}, l2, lsp`],
    ['IS-IS complete sequence, level 1', isis('18'), `${ISIS}, l1, snp, csnp`],
    ['IS-IS complete sequence, level 2', isis('19'), `${ISIS}, l2, snp, csnp`],
    ['IS-IS partial sequence, level 1', isis('1a'), `${ISIS}, l1, snp, psnp`],
    ['IS-IS partial sequence, level 2', isis('1b'), `${ISIS}, l2, snp, psnp`],
    ['LLC information', llc('0202 02'), 'llc, llc i'],
    ['LLC receiver ready', llc('0202 01'), 'llc, llc s, llc rr'],
    ['LLC receiver not ready', llc('0202 05'), 'llc, llc s, llc rnr'],
    ['LLC reject', llc('0202 09'), 'llc, llc s, llc rej'],
    ['LLC acknowledgment, with the final bit', llc('0202 73'), 'llc, llc u, llc ua'],
    ['LLC disconnect', llc('0202 43'), 'llc, llc u, llc disc'],
    ['LLC disconnected', llc('0202 0f'), 'llc, llc u, llc dm'],
    ['LLC connect', llc('0202 6f'), 'llc, llc u, llc sabme'],
    ['LLC test', llc('0202 e3'), 'llc, llc u, llc test'],
    ['LLC identification', llc('0202 af'), 'llc, llc u, llc xid'],
    ['LLC frame reject', llc('0202 87'), 'llc, llc u, llc frmr'],
    ['the greatest length', frame('05dc', '424203'), `stp, ${UI}`],
    ['a number that is neither a length nor a type', frame('05dd', '424203'), ''],
  ])('%s', (_, packet, words) => {
    const holding = programs.filter(([, program]) => runBpf(program, packet) !== 0).map(([word]) => word);
    const expected = words === '' ? [] : words.split(', ');
    expect(holding.sort()).toEqual(expected.sort());
  });
});

test('words that mean the same', () => {
  const groups = [
    ['vrrp', 'carp', 'ip proto 112', 'ip proto \\vrrp'],
    ['es-is', 'esis', 'iso proto \\esis', 'iso proto 0x82'],
    ['is-is', 'isis'],
    ['ether proto \\stp', 'stp', 'link proto 0x42', 'tr proto \\stp'],
    ['len = 60', 'length == 60'],
    ['tcp && udp || ! ip', 'tcp and udp or not ip'],
    ['broadcast', 'ether broadcast', 'ether dst ff:ff:ff:ff:ff:ff'],
    ['llc rnr', 'llc RNR', 'llc rulenum'],
    ['src or dst port 80', 'dst or src port 80', 'port 80', 'port 0x50', 'port 0120'],
  ];
  for (const [first = '', ...others] of groups) {
    const { program } = compilePcap(first, { linkType: 'EN10MB' });
    for (const other of others) expect(compilePcap(other, { linkType: 'EN10MB' }).program, other).toEqual(program);
  }
});

test('named numbers', () => {
  const numbers = {
    icmptype: 0,
    icmpcode: 1,
    icmp6type: 0,
    icmp6code: 1,
    tcpflags: 13,
    'tcp-fin': 1,
    'tcp-syn': 2,
    'tcp-rst': 4,
    'tcp-push': 8,
    'tcp-ack': 16,
    'tcp-urg': 32,
    'tcp-ece': 64,
    'tcp-cwr': 128,
    'icmp-echoreply': 0,
    'icmp-unreach': 3,
    'icmp-sourcequench': 4,
    'icmp-redirect': 5,
    'icmp-echo': 8,
    'icmp-routeradvert': 9,
    'icmp-routersolicit': 10,
    'icmp-timxceed': 11,
    'icmp-paramprob': 12,
    'icmp-tstamp': 13,
    'icmp-tstampreply': 14,
    'icmp-ireq': 15,
    'icmp-ireqreply': 16,
    'icmp-maskreq': 17,
    'icmp-maskreply': 18,
    'icmp6-destinationunreach': 1,
    'icmp6-packettoobig': 2,
    'icmp6-timeexceeded': 3,
    'icmp6-parameterproblem': 4,
    'icmp6-echo': 128,
    'icmp6-echoreply': 129,
    'icmp6-multicastlistenerquery': 130,
    'icmp6-multicastlistenerreportv1': 131,
    'icmp6-multicastlistenerdone': 132,
    'icmp6-routersolicit': 133,
    'icmp6-routeradvert': 134,
    'icmp6-neighborsolicit': 135,
    'icmp6-neighboradvert': 136,
    'icmp6-redirect': 137,
    'icmp6-routerrenum': 138,
    'icmp6-nodeinformationquery': 139,
    'icmp6-nodeinformationresponse': 140,
    'icmp6-ineighbordiscoverysolicit': 141,
    'icmp6-ineighbordiscoveryadvert': 142,
    'icmp6-multicastlistenerreportv2': 143,
    'icmp6-homeagentdiscoveryrequest': 144,
    'icmp6-homeagentdiscoveryreply': 145,
    'icmp6-mobileprefixsolicit': 146,
    'icmp6-mobileprefixadvert': 147,
    'icmp6-certpathsolicit': 148,
    'icmp6-certpathadvert': 149,
    'icmp6-multicastrouteradvert': 151,
    'icmp6-multicastroutersolicit': 152,
    'icmp6-multicastrouterterm': 153,
  };
  for (const [name, value] of Object.entries(numbers)) {
    const { program } = compilePcap(`${name} = ${value}`, { linkType: 'RAW' });
    expect(runBpf(program, new Uint8Array()), name).not.toBe(0);
  }
});
