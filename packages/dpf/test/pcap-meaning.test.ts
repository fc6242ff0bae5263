/** What expressions mean where a good guess is wrong, as libpcap has it without optimizing. */
import { describe, expect, test } from 'vitest';
import { formatBpf, runBpf, validateBpf } from '../src/bpf/index.ts';
import { compilePcap, linkTypeOf, type LinkType, type PcapOptions } from '../src/pcap/index.ts';
import { packet } from './packets.ts';

const bytes = (hex: string): number[] => (hex.replaceAll(' ', '').match(/../g) ?? []).map((pair) => parseInt(pair, 16));
const frame = (type: string, ...parts: string[]): Uint8Array =>
  Uint8Array.from(bytes(`020000000001 020000000002 ${type} ${parts.join('')}`));
const code = (expression: string, options: Partial<PcapOptions> = {}): string => {
  const { program } = compilePcap(expression, { linkType: 'EN10MB', ...options });
  validateBpf(program);
  return formatBpf(program);
};
const holds = (expression: string, bytes: Uint8Array, options: Partial<PcapOptions> = {}): boolean =>
  runBpf(compilePcap(expression, { linkType: 'EN10MB', ...options }).program, bytes) !== 0;

/** IPv6 with this next header and payload; from fe80::1 to ff02::2. */
const ipv6 = (next: string, payload: string): string =>
  `60000000 0040${next}40 fe800000000000000000000000000001 ff020000000000000000000000000002 ${payload}`;
const IPV4_TCP = '4500002800000000 40060000 0a000001 0a010002';
const TCP_PORTS = (source: string, destination: string): string =>
  `${source}${destination} ${'00'.repeat(8)} 5002 ${'00'.repeat(6)}`;
const tcp = packet({ protocol: 6, srcIp: '10.0.0.1', dstIp: '10.1.0.2', srcPort: 4000, dstPort: 80 });
const udp = packet({ protocol: 17, srcPort: 4000, dstPort: 80 });
const sctp = packet({ protocol: 132, srcPort: 4000, dstPort: 80 });
const arp = frame('0806', '0001 0800 06 04 0001 020000000002 0a000001 000000000000 0a010002', '00'.repeat(18));
const tagged = (tag: string, inner: string): Uint8Array => frame('8100', `00${tag}`, inner);
const IP_BEHIND = `0800 ${IPV4_TCP} ${TCP_PORTS('0fa0', '0050')}`;

describe('loads', () => {
  test('one beyond the packet makes the whole expression false, also under not', () => {
    expect(holds('ip', tcp)).toBe(true);
    expect(holds('ip or ip[60] = 1', tcp)).toBe(true);
    expect(holds('ip[60] = 1 or ip', tcp)).toBe(false);
    expect(holds('not ip[60] = 1', tcp)).toBe(false);
    expect(holds('not tcp', tcp.subarray(0, 20))).toBe(false);
  });

  test('a negative index is a large one, but behind a header it goes back', () => {
    expect(holds('ip[-2:2] = 0x0800', tcp)).toBe(false);
    expect(holds('not ip[-2:2] = 1', tcp)).toBe(false);
    expect(holds('tcp[-20] = 0x45', tcp)).toBe(true);
  });

  test('a division by 0 when the packet is there makes it false, one in the expression is refused', () => {
    expect(holds('1 / (ip[9] - 6) = 0 or ip', tcp)).toBe(false);
    expect(holds('1 / (ip[9] - 6) = 0 or ip', udp)).toBe(true);
    expect(() => compilePcap('ip[0] / 0 = 1', { linkType: 'EN10MB' })).toThrow('divides by 0');
    expect(() => compilePcap('ip[0] % 0 = 1', { linkType: 'EN10MB' })).toThrow('divides by 0');
    expect(() => compilePcap('ip[0] << 32 = 1', { linkType: 'EN10MB' })).toThrow('31 bits');
  });
});

describe('arithmetic', () => {
  test('only the left operand’s protocol is tested', () => {
    const other = frame('1234', '00'.repeat(9), '06', '00'.repeat(36));
    expect(holds('ip[9] + 1 = 7', tcp)).toBe(true);
    expect(holds('ip[9] + 1 = 7', other)).toBe(false);
    expect(holds('1 + ip[9] = 7', other)).toBe(true);
    expect(holds('7 = ip[9] + 1', other)).toBe(false);
  });

  test.each([
    ['2 + 3 * 4 = 14', true],
    ['(2 + 3) * 4 = 20', true],
    ['10 - 3 - 2 = 5', true],
    ['1 | 2 & 2 = 3', true],
    ['1 + 1 << 2 = 8', true],
    ['-1 = 4294967295', true],
    ['- -1 = 1', true],
    // What follows % or ^ is its right side, and both take what stands before them from other operators.
    ['7 % 4 + 1 = 2', true],
    ['7 % 4 + 1 = 4', false],
    ['2 * 7 % 4 = 6', true],
    ['1 + 6 ^ 3 = 6', true],
    ['0x10 = 16', true],
    ['010 = 8', true],
    ['0 - 1 > 0', true],
    ['1 != 2', true],
    ['2 <= 2', true],
    ['2 < 2', false],
    ['len = 54', false],
    ['len = 72', true],
    ['tcp[tcpflags] & (tcp-syn | tcp-fin) = 0', true],
    ['icmp-echo = 8 and icmp6-echo = 128', true],
  ])('%s: %s', (expression, expected) => {
    expect(holds(expression, tcp)).toBe(expected);
  });

  test('`len` is the length on the wire', () => {
    const { program } = compilePcap('len = 1500', { linkType: 'EN10MB' });
    expect(runBpf(program, tcp, 1500)).toBe(262_144);
    expect(runBpf(program, tcp)).toBe(0);
  });
});

describe('ports', () => {
  test('a port is one of TCP, UDP and SCTP, over IPv4 and IPv6', () => {
    for (const one of [tcp, udp, sctp]) expect(holds('port 80', one)).toBe(true);
    for (const next of ['06', '11', '84'])
      expect(holds('dst port 80', frame('86dd', ipv6(next, TCP_PORTS('0fa0', '0050'))))).toBe(true);
  });

  test('a service’s name means the transports that have it', () => {
    expect([tcp, udp, sctp].map((one) => holds('port http', one))).toEqual([true, false, false]);
    const dns = (protocol: number): Uint8Array => packet({ protocol, dstPort: 53 });
    expect([6, 17, 132].map((protocol) => holds('port domain', dns(protocol)))).toEqual([true, true, true]);
    expect(() => compilePcap('udp port http', { linkType: 'EN10MB' })).toThrow('of tcp only');
  });

  test('a range may be turned round, and may name services', () => {
    expect(holds('portrange 90-80', tcp)).toBe(true);
    expect(holds('portrange smtp-90', tcp)).toBe(true);
    expect(holds('portrange 81-90', tcp)).toBe(false);
    expect(holds('tcp dst portrange 80', tcp)).toBe(true);
    expect(code('portrange 0x-5')).toBe(code('portrange 0-5'));
    expect(code('portrange 08-09')).toBe(code('portrange 8-9'));
  });

  test('a later fragment has no ports over IPv4', () => {
    expect(holds('tcp', packet({ protocol: 6, dstPort: 80, fragmentOffset: 10 }))).toBe(true);
    expect(holds('port 80', packet({ protocol: 6, dstPort: 80, fragmentOffset: 10 }))).toBe(false);
  });

  test('options of IPv4 are stepped over', () => {
    expect(holds('dst port 80', packet({ protocol: 6, dstPort: 80, optionWords: 4 }))).toBe(true);
  });
});

describe('addresses', () => {
  test('fewer than four parts are a network, a number is an address, zeros in front are nothing', () => {
    expect(holds('host 10.1', tcp)).toBe(true);
    expect(holds('src host 10.1', tcp)).toBe(false);
    expect(holds('host 10', tcp)).toBe(false);
    expect(code('ip host 10')).toContain('#0xa ');
    expect(holds('dst host 010.001.000.002', tcp)).toBe(true);
    expect(holds('net 10', tcp)).toBe(true);
    expect(holds('src net 10.0.0.0/16 and dst net 10.1.0.0 mask 255.255.0.0', tcp)).toBe(true);
    expect(holds('host 0x0a010002', tcp)).toBe(true);
  });

  test('a host is looked for in ARP and RARP too', () => {
    expect(holds('host 10.1.0.2', arp)).toBe(true);
    expect(holds('arp dst 10.1.0.2', arp)).toBe(true);
    expect(holds('ip host 10.1.0.2', arp)).toBe(false);
    const rarp = arp.slice();
    rarp.set([0x80, 0x35], 12);
    const words = ['rarp src 10.0.0.1', 'rarp dst 10.1.0.2', 'src 10.0.0.1', 'rarp src 10.1.0.2', 'arp host 10.0.0.1'];
    expect(words.map((word) => holds(word, rarp))).toEqual([true, true, true, false, false]);
  });

  test('IPv6', () => {
    const one = frame('86dd', ipv6('06', TCP_PORTS('0fa0', '0050')));
    expect(holds('src fe80::1 and dst host ff02::2', one)).toBe(true);
    expect(holds('net fe80::/10', one)).toBe(true);
    expect(holds('net ::/0', one)).toBe(true);
    expect(holds('host fe80::0.0.0.1', one)).toBe(true);
    expect(code('host ::19.209.90.99')).toBe(code('host ::13d1:5a63'));
    expect(code('host 1:2:3:4:5:6:19.209.90.99')).toBe(code('host 1:2:3:4:5:6:13d1:5a63'));
    expect(code('net 1:2:3:4:5:6:7::/112')).toBe(code('net 1:2:3:4:5:6:7:0/112'));
    expect(holds('src and dst net fe80::/10', one)).toBe(false);
    expect(holds('ip6 multicast and not ip multicast', one)).toBe(true);
    expect(holds('ip6 multicast', tcp)).toBe(false);
    expect(holds('ip multicast', packet({ dstIp: '224.0.0.5' }))).toBe(true);
    expect(holds('ip multicast', packet({ dstIp: '240.0.0.5' }))).toBe(false);
  });

  test.each(['02:00:00:00:00:01', '2-0-0-0-0-1', '2.0.0.0.0.1', '0200.0000.0001', '020000000001'])(
    'ether host %s',
    (address) => {
      expect(holds(`ether dst ${address}`, tcp)).toBe(true);
      expect(holds(`ether src host ${address}`, tcp)).toBe(false);
    },
  );

  test('an identifier alone takes the qualifiers before it', () => {
    expect(holds('dst port 25 or 80', tcp)).toBe(true);
    expect(holds('src port 25 or 80', tcp)).toBe(false);
    expect(holds('host 1.2.3.4 or 10.1.0.2 and (tcp) and 10.0.0.1', tcp)).toBe(true);
    expect(holds('port (25 or 80)', tcp)).toBe(true);
    expect(holds('dst not 1.2.3.4', tcp)).toBe(true);
    expect(holds('dst port (not 25) and (not 443 and not (7 or 9))', tcp)).toBe(true);
    expect(holds('dst port (not 80) or (not (80))', tcp)).toBe(false);
    expect(holds('dst port 80 and (not udp)', tcp)).toBe(true);
    expect(() => compilePcap('tcp and 80', { linkType: 'EN10MB' })).toThrow('nothing says what this is');
  });

  test('broadcast of IPv4 needs the netmask', () => {
    const last = packet({ dstIp: '10.0.0.255' });
    expect(holds('ip broadcast', last, { netmask: '255.255.255.0' })).toBe(true);
    expect(holds('ip broadcast', last, { netmask: '255.255.0.0' })).toBe(false);
    for (const options of [{}, { netmask: '255.255.255.255' }])
      expect(() => compilePcap('ip broadcast', { linkType: 'EN10MB', ...options })).toThrow('netmask');
  });

  test.each([
    ['short', '0900 02 0104 0208 00'],
    ['short and padded', '0a00 81 02 0104 0208 00'],
    ['long', '1600 06 0000 aa000400 0104 0000 aa000400 0208 00000000'],
    ['long and padded', '1700 81 06 0000 aa000400 0104 0000 aa000400 0208 00000000'],
  ])('the %s header of DECnet, from 2.2 to 1.1', (_, header) => {
    const one = frame('6003', header, '00'.repeat(30));
    const words = ['dst 1.1', 'src 2.2', 'host 1.1', 'host 2.2', 'src 1.1', 'dst 2.2', 'host 3.3', 'src and dst 1.1'];
    expect(words.map((word) => holds(`decnet ${word}`, one))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test('DECnet addresses are little-endian', () => {
    const short = frame('6003', '0900 02 0104 ffff 00 00000000');
    expect(holds('decnet dst 1.1', short)).toBe(true);
    expect(holds('decnet src 63.1023', short)).toBe(true);
    expect(holds('decnet src host 1.1', short)).toBe(false);
  });
});

describe('protocols', () => {
  test('over IPv6 one Fragment header is looked behind, no other', () => {
    const behind = (next: string, header: string): Uint8Array =>
      frame('86dd', ipv6(next, header + TCP_PORTS('0fa0', '0050')));
    expect(holds('tcp', behind('2c', '0600000000000000'))).toBe(true);
    expect(holds('tcp', behind('2c', '060000b800000000'))).toBe(true);
    expect(holds('tcp', behind('00', '0600000000000000'))).toBe(false);
    expect(holds('ip6 protochain \\tcp', behind('00', '0600000000000000'))).toBe(true);
    expect(holds('icmp6[0] = 128', behind('3a', '8000'))).toBe(true);
    expect(holds('icmp6[0] = 128', behind('00', '3a000000000000008000'))).toBe(false);
    expect(holds('port 80', behind('2c', '0600000000000000'))).toBe(false);
  });

  test('protochain follows as many headers as it is told', () => {
    const headers = '00'.repeat(8).repeat(15) + '0600000000000000';
    const long = frame('86dd', ipv6('00', headers + TCP_PORTS('0fa0', '0050')));
    expect(holds('ip6 protochain 6', long)).toBe(true);
    expect(holds('ip6 protochain 6', long, { protochainHeaders: 15 })).toBe(false);
    expect(holds('not ip6 protochain 6', long, { protochainHeaders: 15 })).toBe(true);
    expect(holds('ip6 protochain 59', frame('86dd', ipv6('3b', '')))).toBe(true);
    const authenticated = frame(
      '0800',
      '4500003000000000 40330000 0a000001 0a010002',
      '0604 0000 00000000',
      '00'.repeat(40),
    );
    expect(holds('ip protochain 51 and ip protochain 6', authenticated)).toBe(true);
  });

  test('a packet of nothing but headers ends protochain', () => {
    const endless = Uint8Array.from([
      ...bytes('020000000001 020000000002 86dd 60000000 ffff0040'),
      ...new Array<number>(60_000).fill(0),
    ]);
    expect(holds('ip6 protochain 6', endless)).toBe(false);
  });

  test('a word that is a protocol is no name: the backslash makes it one', () => {
    expect(() => compilePcap('ether proto ip', { linkType: 'EN10MB' })).toThrow('cannot stand here');
    expect(holds('ether proto \\ip', tcp)).toBe(true);
    expect(holds('ip proto \\tcp and proto 6', tcp)).toBe(true);
  });

  test('what cannot be is compiled, and is refused when asked to be', () => {
    expect(holds('ip and arp', tcp)).toBe(false);
    expect(compilePcap('arp', { linkType: 'RAW' }).constant).toBe(false);
    expect(compilePcap('ip or not ip', { linkType: 'IPV4' }).constant).toBe(true);
    expect(compilePcap('ip', { linkType: 'EN10MB' }).constant).toBeNull();
    expect(() => compilePcap('arp', { linkType: 'RAW', refuseEmpty: true })).toThrow('no packet');
  });

  test('LLC', () => {
    const stp = frame('0026', '424203', '00'.repeat(40));
    expect(holds('stp and llc and llc u and llc ui and not llc rnr', stp)).toBe(true);
    expect(holds('iso', frame('0026', 'fefe0383', '00'.repeat(40)))).toBe(true);
    expect(holds('llc', frame('0026', 'ffff', '00'.repeat(40)))).toBe(false);
    expect(holds('ipx', frame('0026', 'ffff', '00'.repeat(40)))).toBe(true);
    expect(holds('atalk', frame('0026', 'aaaa03080007809b', '00'.repeat(40)))).toBe(true);
  });

  test('less, greater and byte', () => {
    expect(holds('less 72 and greater 72', tcp)).toBe(true);
    expect(holds('byte 12 = 8 and byte 12 > 7 and byte 12 < 9 and byte 12 & 12 and byte 0 | 1', tcp)).toBe(true);
    expect(holds('byte 12 & 4', tcp)).toBe(false);
  });
});

describe('encapsulation', () => {
  test('a tagged packet matches nothing without vlan', () => {
    const one = tagged('05', IP_BEHIND);
    expect(['ip', 'tcp', 'port 80', 'host 10.0.0.1'].map((word) => holds(word, one))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(['vlan', 'vlan 5', 'vlan and ip', 'vlan 5 and port 80'].map((word) => holds(word, one))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  test('each vlan reads one tag further, whatever joins them', () => {
    expect(holds('vlan 6 or vlan 5', tagged('05', IP_BEHIND))).toBe(false);
    expect(holds('vlan 6 or vlan 5', tagged('07', `8100 0005 ${IP_BEHIND}`))).toBe(true);
    expect(code('not vlan and ip')).toContain('[16]\n(007) jeq      #0x800');
    expect(code('pppoes and ip or ip').match(/ldh {6}\[20\]/g)).toHaveLength(2);
    expect(code('mpls or ip')).toContain('ldb      [16]');
  });

  test('parentheses do not keep it, unless they are asked to', () => {
    const expression = '(vlan 5 and port 80) or ip';
    expect(holds(expression, tcp)).toBe(false);
    expect(holds(expression, tcp, { scope: 'lexical' })).toBe(true);
    expect(holds(expression, tagged('05', IP_BEHIND), { scope: 'lexical' })).toBe(true);
    expect(holds('(vlan 5) or (vlan 6)', tagged('06', IP_BEHIND))).toBe(false);
    expect(holds('(vlan 5) or (vlan 6)', tagged('06', IP_BEHIND), { scope: 'lexical' })).toBe(true);
  });

  test('scoped tunnels use their words of memory again', () => {
    const many = `${'(geneve and tcp) or (vxlan and udp) or '.repeat(20)}tcp`;
    expect(holds(many, tcp, { scope: 'lexical' })).toBe(true);
    expect(() => compilePcap(many, { linkType: 'EN10MB' })).toThrow('words of memory');
  });

  test('MPLS: labels, and what is behind the last', () => {
    const two = frame('8847', '0007b040 0007b140', IPV4_TCP, TCP_PORTS('0fa0', '0050'));
    expect(holds('mpls 123 and mpls 123 and tcp dst port 80', two)).toBe(true);
    expect(holds('mpls and ip', two)).toBe(false);
    const single = frame('8847', '0007b140', IPV4_TCP, TCP_PORTS('0fa0', '0050'));
    expect(holds('mpls and host 10.0.0.1 and tcp dst port 80', single)).toBe(true);
    expect(holds('mpls 124', single)).toBe(false);
    expect(holds('mpls and mpls and host 10.0.0.1', two)).toBe(true);
    expect(() => compilePcap('mpls and arp', { linkType: 'EN10MB' })).toThrow('inside MPLS');
  });

  test('PPPoE', () => {
    const session = frame('8864', '1100 003b 0030 0021', IPV4_TCP, TCP_PORTS('0fa0', '0050'));
    expect(holds('pppoes 0x3b and tcp dst port 80', session)).toBe(true);
    expect(holds('pppoes 0x3c', session)).toBe(false);
    expect(holds('pppoed', session)).toBe(false);
  });

  const outer = (port: string, length: string, inner: string): Uint8Array =>
    frame('0800', `4500${length}00000000 40110000 0a000009 0a000008 9c40${port} 00000000 ${inner}`);
  const INNER = `020000000003 020000000004 ${IP_BEHIND}`;

  test('Geneve, with Ethernet and with IP inside, and options', () => {
    const ethernet = outer('17c1', '0070', `0100 6558 00000b00 00000000 ${INNER}`);
    expect(holds('geneve 11 and tcp dst port 80 and src host 10.0.0.1', ethernet)).toBe(true);
    expect(holds('geneve 12', ethernet)).toBe(false);
    expect(holds('geneve and ether src 02:00:00:00:00:04', ethernet)).toBe(true);
    const ip = outer('17c1', '0060', `0000 0800 00000b00 ${IPV4_TCP} ${TCP_PORTS('0fa0', '0050')}`);
    expect(holds('geneve and tcp dst port 80', ip)).toBe(true);
    expect(holds('geneve and multicast', ip)).toBe(false);
    expect(holds('geneve and not multicast', ip)).toBe(true);
  });

  test('tunnels over IPv6', () => {
    const over = (port: string, header: string): Uint8Array =>
      frame('86dd', ipv6('11', `9c40${port} 00000000 ${header} ${INNER}`));
    const geneve = over('17c1', '0000 6558 00000b00');
    const vxlan = over('12b5', '08000000 00000a00');
    const words = ['geneve', 'geneve 11', 'geneve 10', 'vxlan', 'vxlan 10', 'vxlan 11'];
    expect(words.map((word) => holds(`${word} and src host 10.0.0.1`, geneve))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(words.map((word) => holds(`${word} and src host 10.0.0.1`, vxlan))).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(holds('vxlan', over('12b5', '09000000 00000a00'))).toBe(false);
    expect(holds('geneve', over('17c1', '4000 6558 00000b00'))).toBe(false);
  });

  test('a tunnel in a tunnel', () => {
    const inner = `0800 4500006000000000 40110000 0a000007 0a000006 9c4012b5 00000000 08000000 00000a00 ${INNER}`;
    const both = outer('17c1', '00a0', `0000 6558 00000b00 020000000003 020000000004 ${inner}`);
    expect(holds('geneve 11 and vxlan 10 and src host 10.0.0.1', both)).toBe(true);
    expect(holds('geneve 11 and src host 10.0.0.7', both)).toBe(true);
    expect(holds('geneve and src host 10.0.0.1', both)).toBe(false);
    expect(holds('pppoes and geneve', both)).toBe(false);
  });

  test('VXLAN, and a tag inside', () => {
    const one = outer('12b5', '0070', `08000000 00000a00 ${INNER}`);
    expect(holds('vxlan 10 and tcp dst port 80', one)).toBe(true);
    const both = outer('12b5', '0070', `08000000 00000a00 020000000003 020000000004 8100 0005 ${IP_BEHIND}`);
    expect(holds('vxlan and vlan 5 and tcp dst port 80', both)).toBe(true);
    expect(holds('vxlan and tcp', both)).toBe(false);
  });

  test('a tag that Linux took out of the packet', () => {
    const { program } = compilePcap('vlan 5 and ip', { linkType: 'EN10MB', linuxExtensions: true });
    const beside = (offset: number): number | undefined =>
      new Map([
        [44, 0x2005],
        [48, 1],
      ]).get(offset);
    const without = (offset: number): number | undefined =>
      new Map([
        [44, 0],
        [48, 0],
      ]).get(offset);
    expect(runBpf(program, tcp, tcp.length, beside)).not.toBe(0);
    expect(runBpf(program, tcp, tcp.length, without)).toBe(0);
    expect(runBpf(program, tagged('05', IP_BEHIND), 100, without)).not.toBe(0);
  });
});

describe('link types', () => {
  const ip = Uint8Array.from(bytes(`${IPV4_TCP} ${TCP_PORTS('0fa0', '0050')}`));
  const ip6 = Uint8Array.from(bytes(ipv6('06', TCP_PORTS('0fa0', '0050'))));
  const after = (front: string, rest: Uint8Array): Uint8Array => Uint8Array.from([...bytes(front), ...rest]);

  test.each<[LinkType, Uint8Array]>([
    ['RAW', ip],
    ['IPV4', ip],
    ['RAW', ip6],
    ['IPV6', ip6],
    ['NULL', after('02000000', ip)],
    ['NULL', after('00000002', ip)],
    ['LOOP', after('00000002', ip)],
    ...['18', '1c', '1e'].flatMap((family): [LinkType, Uint8Array][] => [
      ['NULL', after(`${family}000000`, ip6)],
      ['NULL', after(`000000${family}`, ip6)],
      ['LOOP', after(`000000${family}`, ip6)],
    ]),
    ['LINUX_SLL', after('0000 0001 0006 0102030405060000 0800', ip)],
    ['LINUX_SLL', after('0000 0001 0006 0102030405060000 86dd', ip6)],
    ['LINUX_SLL2', after('0800 0000 00000001 0001 00 06 0102030405060000', ip)],
  ])('%s', (linkType, bytes) => {
    expect(holds('tcp dst port 80', bytes, { linkType })).toBe(true);
    expect(holds('udp or arp', bytes, { linkType })).toBe(false);
  });

  test('the cooked header says LLC by 4, and IPX without LLC by 1', () => {
    const cooked = (type: string, rest: string): Uint8Array =>
      Uint8Array.from(bytes(`0000 0001 0006 0102030405060000 ${type} ${rest} ${'00'.repeat(20)}`));
    const words = ['stp', 'iso', 'netbeui', 'ipx', 'atalk', 'aarp', 'link proto 6', 'link proto 7'];
    const holding = (packet: Uint8Array): string[] =>
      words.filter((word) => holds(word, packet, { linkType: 'LINUX_SLL' }));
    expect(holding(cooked('0004', '4242'))).toEqual(['stp']);
    expect(holding(cooked('0004', 'fefe'))).toEqual(['iso']);
    expect(holding(cooked('0004', 'f0f0'))).toEqual(['netbeui']);
    expect(holding(cooked('0004', 'e0e0'))).toEqual(['ipx']);
    expect(holding(cooked('0004', '0606'))).toEqual(['link proto 6']);
    expect(holding(cooked('0004', '0701'))).toEqual(['link proto 7']);
    expect(holding(cooked('0004', 'aaaa03 000000 8137'))).toEqual(['ipx']);
    expect(holding(cooked('0004', 'aaaa03 080007 809b'))).toEqual(['atalk']);
    expect(holding(cooked('0004', 'aaaa03 000000 80f3'))).toEqual(['aarp']);
    expect(holding(cooked('0001', '4242'))).toEqual(['ipx']);
    expect(holding(cooked('8137', ''))).toEqual(['ipx']);
    expect(holding(cooked('809b', ''))).toEqual(['atalk']);
    expect(holding(cooked('0005', '4242'))).toEqual([]);
  });

  test('PPP inside PPPoE has numbers of its own', () => {
    const carried = (type: string): Uint8Array => frame('8864', `1100 003b 0030 ${type}`, '00'.repeat(40));
    const words = ['iso', 'decnet', 'atalk', 'ipx', 'stp', 'mpls', 'ip', 'ip6', 'ether proto 0x600', 'arp'];
    const types = ['0023', '0027', '0029', '002b', '0031', '0281', '0021', '0057', '0025', '0806'];
    for (const [at, type] of types.entries())
      expect(words.filter((word) => holds(`pppoes and ${word}`, carried(type)))).toEqual([words[at]]);
  });

  test('on a socket of Linux the direction and the interface are beside the packet', () => {
    const linuxExtensions = true;
    expect(code('outbound', { linuxExtensions })).toContain(
      '(000) ldh      [type]\n(001) jeq      #0x4             jt 2\tjf 3',
    );
    expect(code('inbound', { linuxExtensions })).toContain('(001) jeq      #0x4             jt 3\tjf 2');
    expect(code('ifindex 10', { linuxExtensions })).toContain('(000) ld       [ifidx]\n(001) jeq      #0xa ');
  });

  test('LOOP is in network order', () => {
    expect(holds('ip', after('02000000', ip), { linkType: 'LOOP' })).toBe(false);
  });

  test('the direction and the interface are in the cooked headers only', () => {
    const sent = after('0004 0001 0006 0102030405060000 0800', ip);
    expect(holds('outbound', sent, { linkType: 'LINUX_SLL' })).toBe(true);
    expect(holds('inbound', sent, { linkType: 'LINUX_SLL' })).toBe(false);
    const second = after('0800 0000 00000007 0001 04 06 0102030405060000', ip);
    expect(holds('outbound and ifindex 7', second, { linkType: 'LINUX_SLL2' })).toBe(true);
    for (const word of ['inbound', 'outbound', 'not inbound', 'ifindex 1'])
      expect(() => compilePcap(word, { linkType: 'EN10MB' })).toThrow('in a capture');
  });

  test('numbers of capture files', () => {
    expect([1, 101, 228, 229, 0, 108, 113, 276].map(linkTypeOf)).toEqual([
      'EN10MB',
      'RAW',
      'IPV4',
      'IPV6',
      'NULL',
      'LOOP',
      'LINUX_SLL',
      'LINUX_SLL2',
    ]);
    expect(linkTypeOf(105)).toBeUndefined();
  });
});

describe('names', () => {
  const resolver = {
    host: (name: string) =>
      new Map([
        ['server', ['10.1.0.2', 'fe80::1']],
        ['six', ['fe80::1']],
        ['odd', ['10.1']],
      ]).get(name),
    network: (name: string) => (name === 'lab' ? '10.1' : undefined),
    ethernet: (name: string) => (name === 'server' ? '02:00:00:00:00:01' : undefined),
    service: (name: string, transport: string) => (name === 'mine' && transport === 'tcp' ? 80 : undefined),
    protocol: (name: string) => (name === 'mine' ? 6 : name === 'wrong' ? 256 : undefined),
  };

  test('of hosts, networks, stations, services and protocols come from the resolver', () => {
    const six = frame('86dd', ipv6('06', TCP_PORTS('0fa0', '0050')));
    expect(holds('host server', tcp, { resolver })).toBe(true);
    expect(holds('src server', six, { resolver })).toBe(true);
    expect(holds('ip host server', six, { resolver })).toBe(false);
    expect(holds('dst net lab', tcp, { resolver })).toBe(true);
    expect(holds('ether dst server', tcp, { resolver })).toBe(true);
    expect(holds('port mine and proto mine and port http', tcp, { resolver })).toBe(true);
  });

  test('the order in which a resolver gives addresses is nothing', () => {
    const addresses = ['10.0.0.9', '10.0.0.1', 'fe80::1:2', '10.0.0.5', 'fe80::2:1', 'fd00::9'];
    const compile = (given: readonly string[]): unknown =>
      compilePcap('host many', { linkType: 'EN10MB', resolver: { host: () => given } }).program;
    expect(compile(addresses.toReversed())).toEqual(compile(addresses));
    for (const wrong of ['1:2:3:4::5:6:7:8', '1:2:3', '1::2::3', '12345::', '::1.2.3', '::1.2.3.256', '::01.2.3.4', ''])
      expect(() => compile([wrong]), wrong).toThrow('no address');
  });

  test('a gateway’s packets go over it but not to it', () => {
    const over = packet({ dstIp: '10.9.9.9' });
    const station = Uint8Array.from(bytes('020000000001'));
    over.set(station);
    const to = packet({ dstIp: '10.1.0.2' });
    to.set(station);
    expect(holds('gateway server', over, { resolver })).toBe(true);
    expect(holds('gateway server', to, { resolver })).toBe(false);
  });

  test.each([
    ['host unknown', 'no resolver knows'],
    ['net nowhere', 'no resolver knows'],
    ['ether host unknown', 'no resolver knows'],
    ['gateway unknown', 'no resolver knows'],
    ['port nothing', 'no service'],
    ['proto nothing', 'no IP protocol'],
    ['host odd', 'which is no address'],
    ['proto wrong', 'gave 256'],
    ['ip host six', 'no address of that kind'],
  ])('%s: %s', (expression, message) => {
    expect(() => compilePcap(expression, { linkType: 'EN10MB', resolver })).toThrow(message);
  });
});
