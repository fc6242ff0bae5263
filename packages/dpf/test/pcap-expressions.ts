/** Random expressions of the pcap language, most of which can be compiled. */
import { below, pick } from './pcap-packets.ts';

type Random = () => number;

const FIELDS = ['ip', 'ip6', 'tcp', 'udp', 'icmp', 'icmp6', 'ether', 'arp', 'sctp', 'igmp', 'rarp', 'pim', 'decnet'];
const WORDS =
  'ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat sca mopdl moprc iso esis isis clnp l1 l2 iih lsp snp csnp psnp stp ipx netbeui'.split(
    ' ',
  );
const HOSTS = ['192.0.2.20', '1.2.3.4', '172.17.89.30', '10.1', '10', '0xac11591e', '192.168.0.1'];
const HOSTS6 = ['2001:db8:1011:1213:1415:1617:1819:1a1b', 'fe80::1122:33ff:fe44:5566', '::', '10::1', 'ff02::12'];
const STATIONS = ['ab:cd:ef:0:0:1', 'ff-ff-ff-ff-ff-ff', '0102.0304.0506', '0180c2000000'];
const NETS = [
  '10/8',
  '10.0.0.0/8',
  '192.168',
  '172.16.0.0/12',
  '10.0.1',
  '192.168.0.0 mask 255.255.0.0',
  '0.0.0.0/0',
  '10',
];
const PORTS = ['80', '25', '53', 'http', 'smtp', 'domain', '0x19', '6081', '443'];
const RANGES = ['25-53', '1023-1', 'smtp-domain', '80', '67-bootpc', '1-65535', '53-http'];
const DIRECTIONS = ['', '', 'src ', 'dst ', 'src or dst ', 'src and dst ', 'dst or src '];
const NUMBERS = [
  '0',
  '1',
  '2',
  '5',
  '6',
  '0x45',
  '0xf',
  '17',
  '80',
  '255',
  '0x0800',
  '1500',
  'tcp-syn',
  'icmp-echo',
  '4294967295',
];

function number(random: Random): string {
  return random() < 0.8 ? pick(random, NUMBERS) : String(below(random, 70_000));
}

function arithmetic(random: Random, depth: number): string {
  const roll = random();
  if (depth <= 0 || roll < 0.25) return number(random);
  if (roll < 0.65) {
    const index = random() < 0.8 ? String(below(random, 40)) : arithmetic(random, depth - 1);
    return `${pick(random, FIELDS)}[${index}${pick(random, ['', '', ':1', ':2', ':4'])}]`;
  }
  if (roll < 0.7) return 'len';
  if (roll < 0.75) return `-${arithmetic(random, depth - 1)}`;
  if (roll < 0.8) return `(${arithmetic(random, depth - 1)})`;
  const operator = pick(random, ['+', '-', '*', '/', '%', '&', '|', '^', '<<', '>>', '&', '+']);
  return `${arithmetic(random, depth - 1)} ${operator} ${arithmetic(random, depth - 1)}`;
}

function address(random: Random): string {
  const protocol = pick(random, ['', '', '', 'ip ', 'arp ', 'rarp ']);
  const direction = pick(random, DIRECTIONS);
  switch (below(random, 6)) {
    case 0:
      return `${pick(random, ['', 'ip6 '])}${direction}host ${pick(random, HOSTS6)}`;
    case 1:
      return `ether ${direction}host ${pick(random, STATIONS)}`;
    case 2:
      return `${protocol}${direction}net ${pick(random, NETS)}`;
    case 3:
      return `${direction}net ${pick(random, ['fe80::/10', 'ff00::/8', 'ff11:2233:4455:6677:8899::/80', '::/0'])}`;
    case 4:
      return `decnet ${direction}host ${pick(random, ['1.1', '63.1023', '2.2'])}`;
    default:
      return `${protocol}${direction}host ${pick(random, HOSTS)}`;
  }
}

function primitive(random: Random): string {
  const transport = pick(random, ['', '', 'tcp ', 'udp ', 'sctp ']);
  switch (below(random, 12)) {
    case 0:
    case 1:
      return pick(random, WORDS);
    case 2:
      return address(random);
    case 3:
      return `${transport}${pick(random, DIRECTIONS)}port ${pick(random, PORTS)}`;
    case 4:
      return `${transport}${pick(random, DIRECTIONS)}portrange ${pick(random, RANGES)}`;
    case 5:
      return pick(random, [
        'broadcast',
        'multicast',
        'ip multicast',
        'ip6 multicast',
        'ip broadcast',
        'ether multicast',
      ]);
    case 6:
      return `${pick(random, ['', 'ip ', 'ip6 ', 'ether ', 'iso ', 'isis '])}proto ${pick(random, ['6', '17', '\\udp', '\\ip', '\\arp', '\\isis', '0x83', '1', '27'])}`;
    case 7:
      return `${pick(random, ['', 'ip ', 'ip6 '])}protochain ${pick(random, ['6', '17', '\\tcp', '51', '58', '59'])}`;
    case 8:
      return `${pick(random, ['less', 'greater'])} ${pick(random, ['60', '100', '0x40'])}`;
    case 9:
      return `byte ${below(random, 60)} ${pick(random, ['=', '<', '>', '&', '|'])} ${below(random, 256)}`;
    case 10:
      return `llc${pick(random, ['', ' i', ' s', ' u', ' rr', ' rnr', ' rej', ' ui', ' UA', ' disc', ' dm', ' sabme', ' test', ' xid', ' frmr'])}`;
    default:
      return encapsulation(random);
  }
}

function encapsulation(random: Random): string {
  return pick(random, [
    'vlan',
    'vlan 5',
    'vlan (10)',
    'mpls',
    'mpls 123',
    'pppoed',
    'pppoes',
    'pppoes 0x3b',
    'geneve',
    'geneve 11',
    'vxlan',
    'vxlan 10',
  ]);
}

/** An expression with this many levels of parentheses and arithmetic at most. */
export function expression(random: Random, depth: number): string {
  const roll = random();
  if (roll < 0.15)
    return `${arithmetic(random, 3)} ${pick(random, ['=', '==', '!=', '<', '>', '<=', '>='])} ${arithmetic(random, 2)}`;
  if (depth <= 0 || roll < 0.35) return primitive(random);
  if (roll < 0.45) return `not ${expression(random, depth - 1)}`;
  if (roll < 0.55) return `(${expression(random, depth - 1)})`;
  if (roll < 0.6)
    return `${primitive(random)} ${pick(random, ['and', 'or'])} ${pick(random, [...HOSTS, ...PORTS, '(80 or 443)', '(not tcp)', 'not 25'])}`;
  if (roll < 0.7) return `${encapsulation(random)} ${pick(random, ['and', 'or'])} ${expression(random, depth - 1)}`;
  return `${expression(random, depth - 1)} ${pick(random, ['and', 'or', '&&', '||'])} ${expression(random, depth - 1)}`;
}
