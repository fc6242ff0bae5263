import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  arp,
  decodeFilter,
  DpfError,
  encodeFilter,
  etherType,
  FilterSet,
  icmpEcho,
  ipv4,
  matches,
  tcp,
  udp,
  type Atom,
} from '../src/index.ts';
import { packet } from './packets.ts';

describe('hostile bytes for decodeFilter', () => {
  const good = encodeFilter(udp({ dstPort: 7, dstIp: '10.0.0.1' }));
  test('every truncation and extension', () => {
    for (let length = 0; length < good.length; length += 1)
      expect(() => decodeFilter(good.subarray(0, length))).toThrow(DpfError);
    expect(() => decodeFilter(Uint8Array.from([...good, 0]))).toThrow(DpfError);
  });
  test('mutations are refused or are filters', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const bytes = good.slice();
          for (const [at, value] of changes) bytes[at] = value;
          try {
            const atoms = decodeFilter(bytes);
            new FilterSet().insert(atoms);
            expect(encodeFilter(atoms)).toEqual(bytes);
            accepted += 1;
          } catch (error) {
            expect(error).toBeInstanceOf(DpfError);
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
  test('the round trip', () => {
    for (const atoms of [udp({ dstPort: 7 }), tcp({ srcIp: '1.2.3.4' }), arp({ operation: 1 }), icmpEcho()]) {
      expect(decodeFilter(encodeFilter(atoms))).toEqual(atoms);
    }
  });
});

describe('ready-made filters', () => {
  const icmp = packet({ protocol: 1, srcPort: 0x0800 });
  const arpRequest = Uint8Array.from([
    ...new Array<number>(6).fill(255),
    2,
    0,
    0,
    0,
    0,
    2,
    8,
    6,
    0,
    1,
    8,
    0,
    6,
    4,
    0,
    1,
    ...new Array<number>(16).fill(0),
    10,
    0,
    0,
    1,
  ]);
  test.each<[string, Atom[], Uint8Array, boolean]>([
    ['udp to a port', udp({ dstPort: 7 }), packet(), true],
    ['udp with IP options', udp({ dstPort: 7 }), packet({ optionWords: 10 }), true],
    ['udp to another port', udp({ dstPort: 8 }), packet(), false],
    ['udp to another address', udp({ dstPort: 7, dstIp: '10.0.0.9' }), packet(), false],
    ['udp, all four', udp({ dstPort: 7, srcPort: 1024, dstIp: '10.0.0.1', srcIp: 0x0a000002 }), packet(), true],
    ['a first fragment', udp({ dstPort: 7 }), packet({ fragmentOffset: 0x2000 }), true],
    ['a later fragment', udp({ dstPort: 7 }), packet({ fragmentOffset: 1 }), false],
    ['tcp is not udp', tcp({ dstPort: 7 }), packet(), false],
    ['tcp', tcp({ dstPort: 7 }), packet({ protocol: 6 }), true],
    ['a packet cut before the port', udp({ dstPort: 7 }), packet().subarray(0, 37), false],
    ['a packet cut behind the port', udp({ dstPort: 7 }), packet().subarray(0, 38), true],
    ['icmp echo', icmpEcho({ dstIp: '10.0.0.1' }), icmp, true],
    ['icmp echo to another', icmpEcho({ dstIp: '10.0.0.3' }), icmp, false],
    ['arp', arp({ operation: 1, targetIp: '10.0.0.1' }), arpRequest, true],
    ['arp for another', arp({ targetIp: '10.0.0.2' }), arpRequest, false],
    ['an EtherType', etherType(0x0806), arpRequest, true],
    ['nothing at all', etherType(0x0806), new Uint8Array(0), false],
  ])('%s', (_, atoms, bytes, expected) => {
    expect(matches(atoms, bytes)).toBe(expected);
    const set = new FilterSet();
    set.insert(atoms);
    expect(set.demux(bytes)).toBe(expected ? 0 : -1);
  });
  test.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.x', '0x1.2.3.4'])('%s is no address', (text) => {
    expect(() => ipv4(text)).toThrow(DpfError);
  });
});

test('explain shows what is shared', () => {
  const set = new FilterSet();
  for (const port of [7, 53]) set.insert(udp({ dstPort: port }));
  set.insert(arp());
  expect(set.explain()).toMatchInlineSnapshot(`
    "switch [12:2]
      0x0800
        [20:4] & 0x1fff00ff == 0x00000011
          skip ([14:1] & 0x0f) << 2
            switch [16:2]
              0x0007
                filter 0
              0x0035
                filter 1
      0x0806
        filter 2"
  `);
});
