/** Expressions that are refused: what the refusal says, and that no expression costs more than its length. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runBpf, validateBpf } from '../src/bpf/index.ts';
import { DpfError } from '../src/index.ts';
import { compilePcap, type LinkType, type PcapOptions } from '../src/pcap/index.ts';
import { editDistance, nearest } from '../src/pcap/refusal.ts';
import { expression } from './pcap-expressions.ts';
import { plainPacket, seeded } from './pcap-packets.ts';

function refusal(text: string, options: Partial<PcapOptions> = {}): DpfError {
  try {
    compilePcap(text, { linkType: 'EN10MB', ...options });
  } catch (error) {
    if (error instanceof DpfError) return error;
    throw error;
  }
  throw new Error(`"${text}" is not refused`);
}

describe('a refusal says where and what', () => {
  test.each<[text: string, code: string, column: number, found: string, nearest?: string]>([
    ['tpc port 80', 'syntax', 1, 'tpc', 'tcp'],
    ['tcp prot 80', 'syntax', 5, 'prot', 'port'],
    ['host', 'syntax', 5, ''],
    ['tcp and', 'syntax', 8, ''],
    ['tcp or or udp', 'syntax', 8, 'or'],
    ['tcp)', 'syntax', 4, ')'],
    ['(tcp', 'syntax', 5, ''],
    ['tcp udp', 'syntax', 5, 'udp'],
    ['ip[0', 'syntax', 5, ''],
    ['ip[0:3] = 1', 'range', 6, '3'],
    ['ip[0] =', 'syntax', 8, ''],
    ['ip[0] 5', 'syntax', 7, '5'],
    ['ip[0] = 1 = 2', 'syntax', 11, '='],
    ['ip[0] = tcp', 'syntax', 12, ''],
    ['5', 'syntax', 2, ''],
    ['80 or 443', 'syntax', 4, 'or'],
    ['host (not 1.2.3.4 or tcp)', 'syntax', 22, 'tcp'],
    ['port 80 and (not 443 or tcp)', 'syntax', 25, 'tcp'],
    ['host ((1.2.3.4))', 'syntax', 8, '1.2.3.4'],
    ['host 1.2.3.4 or (5.6.7.8 and tcp)', 'syntax', 30, 'tcp'],
    ['src or port 80', 'syntax', 8, 'port'],
    ['net 10/8', 'syntax', 7, '/'],
    ['net 10.0.0.0 mask 255', 'syntax', 19, '255'],
    ['byte 5 + 5', 'syntax', 8, '+'],
    ['ip proto tcp', 'syntax', 10, 'tcp'],
    ['port "80"', 'syntax', 6, '"'],
    ['port 80 # web', 'syntax', 9, '#'],
    ['tcp\u0000', 'syntax', 4, '\u0000'],
    ['host 1::2::3', 'syntax', 6, '1::2::'],
    ['host ::1.2.3.256', 'syntax', 6, '::1.2.3.256'],
    ['ether host aa:bb:cc', 'syntax', 12, 'aa:bb:'],
    ['tcp and 80', 'syntax', 9, '80'],
    ['icmp port 80', 'syntax', 11, '80'],
    ['arp host fe80::1', 'syntax', 10, 'fe80::1'],
    ['host fe80::/10', 'syntax', 6, 'fe80::'],
    ['host 1.2.3.0/24', 'syntax', 6, '1.2.3.0'],
    ['src 1.2.3.0/24', 'syntax', 5, '1.2.3.0'],
    ['dst fe80::/10', 'syntax', 5, 'fe80::'],
    ['l1[0] = 1', 'syntax', 1, 'l1'],
    ['tcp broadcast', 'syntax', 5, 'broadcast'],
    ['port htpp', 'name', 6, 'htpp', 'http'],
    ['proto tpc', 'name', 7, 'tpc', 'tcp'],
    ['ether proto lddp', 'name', 13, 'lddp', 'lldp'],
    ['llc sabm', 'name', 5, 'sabm', 'sabme'],
    ['host example.org', 'name', 6, 'example.org'],
    ['host 1.2.3.256', 'range', 6, '1.2.3.256'],
    ['net 10.1.0.0/8', 'range', 5, '10.1.0.0'],
    ['net 10.0.0.0/33', 'range', 5, '10.0.0.0'],
    ['net ::/129', 'range', 5, '::'],
    ['port \\', 'syntax', 6, '\\'],
    ['host $c0', 'unsupported', 6, '$c0'],
    ['net 10.0.0.0 mask 255.300.0.0', 'range', 19, '255.300.0.0'],
    ['net fe80:1234:5678::/32', 'range', 5, 'fe80:1234:5678::'],
    ['port 65536', 'range', 6, '65536'],
    ['portrange 1-70000', 'range', 11, '1-70000'],
    ['portrange 1-2-3', 'range', 11, '1-2-3'],
    ['port 08', 'range', 6, '08'],
    ['less 4294967296', 'range', 6, '4294967296'],
    ['ip proto 256', 'range', 10, '256'],
    ['vlan 4096', 'range', 6, '4096'],
    ['mpls 1048576', 'range', 6, '1048576'],
    ['pppoes 65536', 'range', 8, '65536'],
    ['geneve 16777216', 'range', 8, '16777216'],
    ['isis proto 32', 'range', 12, '32'],
    ['byte 0 = 256', 'range', 10, '256'],
    ['decnet host 64.1', 'syntax', 13, '64.1'],
    ['type data', 'unsupported', 1, 'type'],
    ['wlan addr1 1.2.3.4', 'unsupported', 6, 'addr1'],
    ['radio[0] = 1', 'unsupported', 1, 'radio'],
    ['mpls and vlan', 'unsupported', 10, 'vlan'],
    ['geneve and protochain 4', 'unsupported', 23, '4'],
    ['link host $c0', 'unsupported', 11, '$c0'],
  ])('%s', (text, code, column, found, meant) => {
    const error = refusal(text);
    expect([error.code, error.details['column'], error.details['found'], error.details['nearest']]).toEqual([
      code,
      column,
      found,
      meant,
    ]);
    expect(error.message).toContain(`Column ${column}, `);
  });

  test('and what was expected', () => {
    expect(refusal('host').details['expected']).toEqual(['a name', 'a number', 'an address']);
    expect(refusal('ip[0] + 1').details['expected']).toContain('<=');
    expect(refusal('ip[0] 5').message).toBe(
      'Column 7, at "5": this cannot stand here. Expected: =, !=, >, >=, <, <=, an operator.',
    );
    expect(refusal('src 10.0.0.0/8').details['expected']).toEqual(['net']);
    expect(refusal('tpc').message).toContain('Did you mean "tcp"?');
  });

  test.each<[string, LinkType]>([
    ['vlan', 'RAW'],
    ['mpls', 'LINUX_SLL'],
    ['llc', 'IPV4'],
    ['broadcast', 'NULL'],
    ['multicast', 'IPV6'],
    ['ether host 1:2:3:4:5:6', 'LOOP'],
    ['gateway a', 'RAW'],
    ['pppoes and vlan', 'EN10MB'],
  ])('%s is not of %s', (text, linkType) => {
    expect(refusal(text, { linkType }).code).toBe('unsupported');
  });

  test('options that are none', () => {
    const bad: Partial<PcapOptions>[] = [
      { snapLength: 0 },
      { snapLength: 1.5 },
      { snapLength: 2 ** 32 },
      { protochainHeaders: -1 },
      { maxInstructions: 0 },
      { netmask: '255.255' },
      { netmask: 'x' },
    ];
    for (const options of bad) expect(refusal('tcp', options).code).toBe('range');
    expect(refusal('tcp', { linkType: 'FDDI' as LinkType }).code).toBe('unsupported');
    expect(refusal('tcp', { linkType: 'toString' as LinkType }).code).toBe('unsupported');
  });

  test('the distance of words', () => {
    const distances = [
      ['port', 'port', 0],
      ['prot', 'port', 1],
      ['ab', 'ba', 1],
      ['abc', 'acb', 1],
      ['abc', 'adc', 1],
      ['abcd', 'dcba', 3],
      ['', 'abc', 3],
      ['abc', '', 3],
      ['tcp', 'tpcx', 2],
      ['ca', 'abc', 3],
      ['kitten', 'sitting', 3],
    ] as const;
    for (const [one, other, distance] of distances) expect(editDistance(one, other), `${one} ${other}`).toBe(distance);
    expect(nearest('xyzzy', ['port', 'host'])).toBeUndefined();
    expect(nearest('a'.repeat(100), ['a'.repeat(99)])).toBeUndefined();
  });
});

describe('the empty expression', () => {
  test.each(['', ' \n\t\r'])('%j accepts every packet', (text) => {
    const { program, constant } = compilePcap(text, { linkType: 'EN10MB', snapLength: 96 });
    expect(runBpf(program, new Uint8Array())).toBe(96);
    expect(constant).toBe(true);
    expect(compilePcap(text, { linkType: 'EN10MB', maxInstructions: 1 }).program).toHaveLength(1);
  });
});

describe('bounds', () => {
  const long = (text: string, times: number, end: string, options: Partial<PcapOptions> = {}): number => {
    const { program } = compilePcap(text.repeat(times) + end, { linkType: 'EN10MB', ...options });
    validateBpf(program);
    return program.length;
  };

  test('100 kB of tests become a program, or are refused for its length', () => {
    const { code, details } = refusal(`${'port 80 or '.repeat(9000)}tcp`);
    expect([code, details['found']]).toEqual(['limit', '80']);
    const program = long('port 80 or ', 9000, 'tcp', { maxInstructions: 1_048_576 });
    expect(program).toBeGreaterThan(9000 * 20);
  });

  test('branches that are too far for a byte go over a jump', () => {
    const text = Array.from({ length: 300 }, (_, at) => `tcp dst port ${1000 + at}`).join(' or ');
    const { program } = compilePcap(text, { linkType: 'RAW' });
    validateBpf(program);
    const header = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 80];
    const to = (port: number): number => runBpf(program, Uint8Array.from([...header, port >>> 8, port & 255]));
    expect([999, 1000, 1150, 1299, 1300].map(to)).toEqual([0, 262_144, 262_144, 262_144, 0]);
  });

  test('10,000 parentheses are refused around tests and read around numbers', () => {
    const nested = (inner: string, depth: number): string => '('.repeat(depth) + inner + ')'.repeat(depth);
    expect(refusal(nested('tcp', 10_000))).toMatchObject({ code: 'limit', details: { column: 501 } });
    expect(refusal('not('.repeat(10_000)).code).toBe('limit');
    expect(refusal('host ' + '('.repeat(10_000)).code).toBe('syntax');
    expect(long('', 0, nested('tcp', 500))).toBe(long('', 0, 'tcp'));
    expect(long('', 0, `ip[0] = ${nested('5', 10_000)}`)).toBe(long('', 0, 'ip[0] = 5'));
    expect(long('', 0, `vlan ${nested('5', 10_000)}`)).toBe(long('', 0, 'vlan 5'));
  });

  test('what is repeated without end is read one by one', () => {
    expect(long('not ', 25_000, 'tcp')).toBe(long('', 0, 'tcp'));
    expect(long('!', 99_999, 'tcp')).toBe(long('', 0, 'tcp'));
    expect(refusal(`${'-'.repeat(90_000)}1 = 1`).code).toBe('limit');
    expect(refusal(`${'1^'.repeat(50_000)}1 = 1`).code).toBe('limit');
    expect(refusal('ip['.repeat(40_000)).code).toBe('syntax');
    for (const text of ['a', 'a:', '1.', 'ab', '1::', 'a-', '.', '\\', '$1', '0x', 'and ', '( '])
      expect(['syntax', 'range', 'limit']).toContain(refusal(text.repeat(100_000 / text.length)).code);
  });

  test('a megabyte is too much', () => {
    expect(refusal(' '.repeat(1_048_577)).code).toBe('limit');
  });

  test('sixteen words of memory', () => {
    expect(long('1+(', 14, `1${')'.repeat(14)} = 1`)).toBeGreaterThan(0);
    expect(refusal(`${'1+('.repeat(16)}1${')'.repeat(16)} = 1`).code).toBe('limit');
    expect(refusal(`${'geneve and '.repeat(6)}tcp`).code).toBe('limit');
  });
});

describe('random text', () => {
  const TYPES: readonly LinkType[] = ['EN10MB', 'RAW', 'IPV4', 'IPV6', 'NULL', 'LOOP', 'LINUX_SLL', 'LINUX_SLL2'];
  const words = fc.constantFrom(
    ...'( ) [ ] : + - * / % & | ^ << >> < > = ! not and or 5 0x10 08 1.2.3.4 10.1/16 ::1 fe80::/10 aa:bb:cc:dd:ee:ff $a1 http 1-2 \\tcp tcp ip6 host net port proto protochain gateway src dst vlan mpls pppoes geneve vxlan llc less byte broadcast mask len ether l1 addr1 type inbound rnr radio'.split(
      ' ',
    ),
  );

  test('is compiled to a program that may run, or refused', () => {
    const text = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 12 }).map((all) => all.join(' ')),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(...TYPES), fc.boolean(), (one, linkType, isLexical) => {
        try {
          validateBpf(compilePcap(one, { linkType, scope: isLexical ? 'lexical' : 'leaking' }).program);
        } catch (error) {
          if (!(error instanceof DpfError)) throw error;
          expect(error.code).not.toBe('malformed');
          expect(error.details['column']).toBeGreaterThan(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('`not` turns a verdict round, or both are false because a load was out of range', () => {
    const random = seeded(7);
    let [compiled, turned] = [0, 0];
    for (let round = 0; round < 600; round += 1) {
      const linkType = TYPES[round % TYPES.length]!;
      const text = expression(random, 3);
      try {
        const plain = compilePcap(text, { linkType, netmask: '255.255.255.0' }).program;
        const contrary = compilePcap(`not (${text})`, { linkType, netmask: '255.255.255.0' }).program;
        validateBpf(plain);
        compiled += 1;
        for (let count = 0; count < 20; count += 1) {
          const packet = plainPacket(random, linkType);
          const [one, other] = [runBpf(plain, packet), runBpf(contrary, packet)];
          expect(one !== 0 && other !== 0, text).toBe(false);
          turned += one !== other ? 1 : 0;
        }
      } catch (error) {
        if (!(error instanceof DpfError)) throw error;
      }
    }
    expect(compiled).toBeGreaterThan(250);
    expect(turned).toBeGreaterThan(compiled * 10);
  });

  test('without an encapsulation in parentheses, both scopes make the same program', () => {
    const random = seeded(11);
    let compared = 0;
    for (let round = 0; round < 400; round += 1) {
      const text = expression(random, 3);
      if (/vlan|mpls|pppoes|geneve|vxlan/.test(text)) continue;
      const compile = (scope: 'leaking' | 'lexical'): unknown => {
        try {
          return compilePcap(text, { linkType: 'EN10MB', netmask: '255.255.255.0', scope }).program;
        } catch (error) {
          return error instanceof DpfError ? error.code : error;
        }
      };
      expect(compile('lexical'), text).toEqual(compile('leaking'));
      compared += 1;
    }
    expect(compared).toBeGreaterThan(150);
  });

  test('in lexical scope, (A) or (B) accepts what A accepts, and nothing that neither accepts', () => {
    const random = seeded(13);
    let [accepted, encapsulated] = [0, 0];
    for (let round = 0; round < 400; round += 1) {
      const parts = [expression(random, 2), expression(random, 2)];
      try {
        const compile = (text: string): ReturnType<typeof compilePcap>['program'] =>
          compilePcap(text, { linkType: 'EN10MB', netmask: '255.255.255.0', scope: 'lexical' }).program;
        const [first, second] = parts.map(compile);
        const either = compile(`(${parts.join(') or (')})`);
        for (let count = 0; count < 20; count += 1) {
          const packet = plainPacket(random, 'EN10MB');
          const [one, other, all] = [first!, second!, either].map((program) => runBpf(program, packet) !== 0);
          if (one === true) expect(all, parts.join(' | ')).toBe(true);
          if (all === true) expect(one === true || other === true, parts.join(' | ')).toBe(true);
          accepted += all === true ? 1 : 0;
        }
        encapsulated += /vlan|mpls|pppoes|geneve|vxlan/.test(parts[0]!) ? 1 : 0;
      } catch (error) {
        if (!(error instanceof DpfError)) throw error;
      }
    }
    expect(encapsulated).toBeGreaterThan(40);
    expect(accepted).toBeGreaterThan(500);
  });
});
