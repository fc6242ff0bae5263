/** The reserved words of the pcap language, and the named numbers. A word means the first of its group in the tables below. */

/** Words that stand for another word. */
const SYNONYMS: readonly string[] = [
  'link ether ppp slip fddi tr wlan',
  'esis es-is',
  'isis is-is',
  'dir direction',
  'addr1 address1',
  'addr2 address2',
  'addr3 address3',
  'addr4 address4',
  'len length',
  'on ifname',
  'rset ruleset',
  'rnr rulenum',
  'srnr subrulenum',
  'lssu lsu',
];

/** Protocols, as qualifiers and alone. */
export const PROTOCOL_WORDS: readonly string[] =
  'link ip arp rarp sctp tcp udp icmp igmp igrp pim vrrp carp atalk aarp decnet lat sca moprc mopdl ip6 icmp6 ah esp iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui radio'.split(
    ' ',
  );

/** Words of link types that this package does not compile for, by what they need. */
export const FOREIGN_WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '802.11': 'type subtype dir addr1 addr2 addr3 addr4 ra ta',
    PFLOG: 'on rset rnr srnr reason action',
    SunATM: 'lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect',
    SS7: 'fisu lssu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls',
  }).flatMap(([link, words]) => words.split(' ').map((word) => [word, link] as const)),
);

const OTHER_WORDS =
  'src dst host net mask port portrange proto protochain gateway less greater byte broadcast multicast and or not len inbound outbound ifindex vlan mpls pppoed pppoes geneve vxlan llc';

/** Every reserved word, with the word that it stands for. */
export const KEYWORDS: ReadonlyMap<string, string> = new Map<string, string>([
  ...[...PROTOCOL_WORDS, ...OTHER_WORDS.split(' '), ...FOREIGN_WORDS.keys()].map((word) => [word, word] as const),
  ...SYNONYMS.flatMap((group) => {
    const [meaning = '', ...others] = group.split(' ');
    return others.map((word) => [word, meaning] as const);
  }),
]);

const ICMP =
  'echoreply 0 unreach 3 sourcequench 4 redirect 5 echo 8 routeradvert 9 routersolicit 10 timxceed 11 paramprob 12 tstamp 13 tstampreply 14 ireq 15 ireqreply 16 maskreq 17 maskreply 18';
const ICMP6 =
  'destinationunreach 1 packettoobig 2 timeexceeded 3 parameterproblem 4 echo 128 echoreply 129 multicastlistenerquery 130 multicastlistenerreportv1 131 multicastlistenerdone 132 routersolicit 133 routeradvert 134 neighborsolicit 135 neighboradvert 136 redirect 137 routerrenum 138 nodeinformationquery 139 nodeinformationresponse 140 ineighbordiscoverysolicit 141 ineighbordiscoveryadvert 142 multicastlistenerreportv2 143 homeagentdiscoveryrequest 144 homeagentdiscoveryreply 145 mobileprefixsolicit 146 mobileprefixadvert 147 certpathsolicit 148 certpathadvert 149 multicastrouteradvert 151 multicastroutersolicit 152 multicastrouterterm 153';
const TCP = 'fin 1 syn 2 rst 4 push 8 ack 16 urg 32 ece 64 cwr 128';

function* named(prefix: string, table: string): Generator<readonly [string, number]> {
  const words = table.split(' ');
  for (let at = 0; at < words.length; at += 2) yield [`${prefix}-${words[at] ?? ''}`, Number(words[at + 1])];
}

/** Names of numbers: offsets of fields, types of ICMP, flags of TCP. */
export const NUMBERS: ReadonlyMap<string, number> = new Map<string, number>([
  ['icmptype', 0],
  ['icmpcode', 1],
  ['icmp6type', 0],
  ['icmp6code', 1],
  ['tcpflags', 13],
  ...named('icmp', ICMP),
  ...named('icmp6', ICMP6),
  ...named('tcp', TCP),
]);
