import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIpv4, formatMac, macFromBytes, NetError, parseIpv4, parseMac } from '../src/index.ts';
import { ARP_REPLY, readArp, writeArp } from '../src/arp.ts';
import { isGroupMac, isHostIpv4 } from '../src/addresses.ts';
import { getU16, getU32, putU16 } from '../src/bytes.ts';
import { checksum, fold, sumBytes } from '../src/checksum.ts';
import { readEthernet, writeEthernet } from '../src/ethernet.ts';
import { readIcmp, writeIcmp } from '../src/icmp.ts';
import { readIpv4, writeIpv4 } from '../src/ipv4.ts';
import { ACK, FIN, PSH, readTcp, SYN, tcpHeaderLength, writeTcp } from '../src/tcp-segment.ts';
import { readUdp, writeUdp } from '../src/udp.ts';
import { A_IP, A_MAC, B_IP, B_MAC } from './link.ts';
import { fromHex, LINUX_FRAMES, toHex } from './linux-frames.ts';

const linux = Object.fromEntries(Object.entries(LINUX_FRAMES).map(([name, hex]) => [name, fromHex(hex)])) as Record<
  keyof typeof LINUX_FRAMES,
  Uint8Array
>;

/** The frame with some bytes replaced. */
function patched(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(bytes, at);
  return copy;
}

/** The same, with the IPv4 header checksum made right again. */
function patchedIp(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = patched(frame, at, ...bytes);
  putU16(copy, 24, 0);
  putU16(copy, 24, checksum(sumBytes(copy, 14, 14 + Math.max(((copy[14] ?? 0) & 15) * 4, 20))));
  return copy;
}

/** The same for the TCP checksum. */
function patchedTcp(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = patched(frame, at, ...bytes);
  putU16(copy, 50, 0);
  const pseudo = sumBytes(copy, 26, 34) + 6 + copy.length - 34;
  putU16(copy, 50, checksum(fold(pseudo) + sumBytes(copy, 34, copy.length)));
  return copy;
}

describe('lengths that lie', () => {
  test('no reader accepts any truncation, or reads beyond its end', () => {
    for (const frame of Object.values(linux)) {
      for (let length = 0; length < frame.length; length++) {
        const cut = frame.slice(0, length);
        if (length < 14) expect(readEthernet(cut)).toBeUndefined();
        expect(readArp(cut, 14)).toBeUndefined();
        expect(readIpv4(cut, 14)).toBe('malformed');
        expect(readUdp(cut, 34, frame.length, B_IP, A_IP)).toBeUndefined();
        expect(readTcp(cut, 34, frame.length, B_IP, A_IP)).toBeUndefined();
        expect(readIcmp(cut, 34, frame.length)).toBeUndefined();
        expect(readTcp(cut, 34, length, B_IP, A_IP)).toBeUndefined();
        expect(readIcmp(cut, 34, length)).toBeUndefined();
      }
    }
  });

  test.each([
    ['version 6', 14, [0x65], 'malformed'],
    ['a header of 16 bytes', 14, [0x44], 'malformed'],
    ['a header of 0 bytes', 14, [0x40], 'malformed'],
    ['a header longer than the packet', 14, [0x4f], 'malformed'],
    ['a total length of 0', 16, [0, 0], 'malformed'],
    ['a total length below the header', 16, [0, 19], 'malformed'],
    ['a total length one beyond the frame', 16, [0, 0x22], 'malformed'],
    ['a total length of 65535', 16, [0xff, 0xff], 'malformed'],
  ] as const)('IPv4: %s', (_, at, bytes, fault) => {
    expect(readIpv4(patchedIp(linux.udpHello, at, ...bytes), 14)).toBe(fault);
  });

  test('IPv4: any flipped bit of the header is seen', () => {
    for (let bit = 0; bit < 160; bit++) {
      const at = 14 + (bit >>> 3);
      const flipped = patched(linux.udpHello, at, (linux.udpHello[at] ?? 0) ^ (1 << (bit & 7)));
      expect(readIpv4(flipped, 14), `bit ${bit}`).toBeTypeOf('string');
    }
  });

  test.each([0, 7, 14, 0xffff])('UDP: a length of %d', (length) => {
    expect(readUdp(patched(linux.udpHello, 38, length >>> 8, length), 34, 47, B_IP, A_IP)).toBeUndefined();
  });

  test.each([0, 1, 4, 11, 15])('TCP: a data offset of %d words', (offset) => {
    expect(readTcp(patchedTcp(linux.tcpSyn, 46, offset << 4), 34, 74, B_IP, A_IP)).toBeUndefined();
  });

  test.each([
    ['an option of length 0', [3, 0]],
    ['an option of length 1', [3, 1]],
    ['an option that leaves the header', [3, 30]],
    ['a segment size of 3 bytes', [2, 3, 5]],
    ['a segment size of 6 bytes', [2, 6, 5, 0xb4, 0, 0]],
  ])('TCP: %s', (_, option) => {
    const frame = patchedTcp(linux.tcpSyn, 54, ...option);
    expect(readTcp(frame, 34, 74, B_IP, A_IP)).toBeUndefined();
    expect(readTcp(patchedTcp(linux.tcpSyn, 54, 0, 0), 34, 74, B_IP, A_IP)).toMatchObject({ mss: 0 });
  });

  test('TCP: an option whose length byte would lie in the data', () => {
    // Offset 6 words: four bytes of options, three fillers and a kind.
    const frame = patchedTcp(patched(linux.tcpSyn, 46, 0x60), 54, 1, 1, 1, 2);
    expect(readTcp(frame, 34, 74, B_IP, A_IP)).toBeUndefined();
  });

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(130), fc.nat(130), (bytes, from, to) => {
        readEthernet(bytes);
        readArp(bytes, from);
        readIpv4(bytes, from);
        readUdp(bytes, from, to, 1, 2);
        readTcp(bytes, from, to, 1, 2);
        readIcmp(bytes, from, to);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('frames of another implementation', () => {
  test('Ethernet', () => {
    expect(readEthernet(linux.arpRequest)).toEqual({ destination: 0xffffffffffff, source: B_MAC, etherType: 0x0806 });
    const frame = new Uint8Array(14);
    writeEthernet(frame, { destination: A_MAC, source: B_MAC, etherType: 0x0800 });
    expect(frame).toEqual(linux.udpHello.slice(0, 14));
  });

  test('ARP', () => {
    const packet = readArp(linux.arpRequest, 14);
    expect(packet).toEqual({ operation: 1, senderMac: B_MAC, senderIp: B_IP, targetMac: 0, targetIp: A_IP });
    const bytes = new Uint8Array(28);
    if (packet !== undefined) writeArp(bytes, 0, packet);
    expect(toHex(bytes)).toBe(toHex(linux.arpRequest.slice(14)));
    writeArp(bytes, 0, { operation: ARP_REPLY, senderMac: A_MAC, senderIp: A_IP, targetMac: B_MAC, targetIp: B_IP });
    expect(toHex(bytes)).toBe('000108000604000202000000000a0a00000102000000000b0a000002');
  });

  test.each([
    [14, 'another hardware'],
    [16, 'another protocol'],
    [18, 'another address length'],
    [21, 'another operation'],
  ])('ARP: byte %d, %s', (at) => {
    expect(readArp(patched(linux.arpRequest, at, 9), 14)).toBeUndefined();
  });

  test('IPv4', () => {
    expect(readIpv4(linux.udpHello, 14)).toEqual({
      source: B_IP,
      destination: A_IP,
      protocol: 17,
      isFragment: false,
      from: 34,
      to: 47,
    });
    // The example that encyclopedias give: UDP, 95 bytes, from 192.168.0.1 to 192.168.0.199.
    const header = new Uint8Array(20);
    writeIpv4(header, 0, parseIpv4('192.168.0.1'), parseIpv4('192.168.0.199'), 17, 95);
    expect(toHex(header)).toBe('45000073000040004011b861c0a80001c0a800c7');
  });

  test('IPv4: padding is not data, options are skipped, fragments are marked', () => {
    const padded = new Uint8Array(60);
    padded.set(linux.udpHello);
    expect(readIpv4(padded, 14)).toMatchObject({ from: 34, to: 47 });
    expect(readIpv4(patchedIp(linux.udpHello, 14, 0x46), 14)).toMatchObject({ from: 38, to: 47 });
    expect(readIpv4(patchedIp(linux.udpHello, 20, 0x20, 0), 14)).toMatchObject({ isFragment: true });
    expect(readIpv4(patchedIp(linux.udpHello, 20, 0, 1), 14)).toMatchObject({ isFragment: true });
    expect(readIpv4(patchedIp(linux.udpHello, 20, 0, 0), 14)).toMatchObject({ isFragment: false });
  });

  test('ICMP', () => {
    expect(readIcmp(linux.icmpEcho, 34, 46)).toEqual({ type: 8, code: 0, rest: 0x12340001, from: 42, to: 46 });
    const bytes = linux.icmpEcho.slice(34);
    writeIcmp(bytes, 0, 8, 0, 0x12340001, sumBytes(bytes, 8, 12));
    expect(bytes).toEqual(linux.icmpEcho.slice(34));
    expect(readIcmp(patched(linux.icmpEcho, 45, 0), 34, 46)).toBeUndefined();
  });

  test('UDP', () => {
    expect(readUdp(linux.udpHello, 34, 47, B_IP, A_IP)).toEqual({
      sourcePort: 1234,
      destinationPort: 7,
      from: 42,
      to: 47,
    });
    const bytes = linux.udpHello.slice(34);
    writeUdp(bytes, 0, B_IP, A_IP, 1234, 7, 5, sumBytes(bytes, 8, 13));
    expect(bytes).toEqual(linux.udpHello.slice(34));
    expect(readUdp(patched(linux.udpHello, 46, 0), 34, 47, B_IP, A_IP)).toBeUndefined();
    // The pseudo header counts: the same bytes from another host are wrong.
    expect(readUdp(linux.udpHello, 34, 47, B_IP + 1, A_IP)).toBeUndefined();
    expect(readUdp(patched(linux.udpHello, 40, 0, 0), 34, 47, B_IP, A_IP), 'no checksum').toBeDefined();
  });

  test('UDP: a checksum that comes out as 0 is sent as 0xffff', () => {
    const bytes = new Uint8Array(10);
    writeUdp(bytes, 0, B_IP, A_IP, 1234, 7, 2, 0);
    const rest = getU16(bytes, 6);
    bytes.set([rest >>> 8, rest], 8);
    writeUdp(bytes, 0, B_IP, A_IP, 1234, 7, 2, sumBytes(bytes, 8, 10));
    expect(getU16(bytes, 6)).toBe(0xffff);
    expect(readUdp(bytes, 0, 10, B_IP, A_IP)).toBeDefined();
  });

  test.each([
    ['tcpSyn', SYN, 0, 40, 1460],
    ['tcpAck', ACK, 0, 20, 0],
    ['tcpData', ACK | PSH, 3, 20, 0],
    ['tcpFin', ACK | FIN, 0, 20, 0],
  ] as const)('TCP: %s', (name, flags, length, headerLength, mss) => {
    const frame = linux[name];
    const segment = readTcp(frame, 34, frame.length, B_IP, A_IP);
    expect(segment).toMatchObject({
      sourcePort: 0xee24,
      destinationPort: 7,
      seq: getU32(frame, 38),
      ack: getU32(frame, 42),
      window: getU16(frame, 48),
      flags,
      mss,
      from: 34 + headerLength,
      to: 34 + headerLength + length,
    });
    expect(readTcp(patched(frame, 40, 0), 34, frame.length, B_IP, A_IP)).toBeUndefined();
    if (segment === undefined || headerLength !== 20) return;
    const bytes = frame.slice(34);
    writeTcp(bytes, 0, B_IP, A_IP, segment, length, sumBytes(bytes, 20, bytes.length));
    expect(toHex(bytes)).toBe(toHex(frame.slice(34)));
  });

  test('TCP: a header with a segment size reads back', () => {
    const header = {
      sourcePort: 1,
      destinationPort: 65535,
      seq: 0xffffffff,
      ack: 0x80000000,
      flags: 0x3f,
      window: 65535,
      mss: 536,
    };
    const bytes = new Uint8Array(tcpHeaderLength(header));
    writeTcp(bytes, 0, B_IP, A_IP, header, 0, 0);
    expect(toHex(bytes.slice(0, 16))).toBe('0001ffffffffffff80000000603fffff');
    expect(toHex(bytes.slice(20))).toBe('02040218');
    expect(readTcp(bytes, 0, 24, B_IP, A_IP)).toMatchObject({ ...header, from: 24, to: 24 });
  });
});

describe('checksum [RFC1071]', () => {
  /** As the definition says: 16-bit words, end-around carry. */
  function naive(bytes: Uint8Array): number {
    let sum = 0;
    for (let i = 0; i < bytes.length; i += 2) {
      sum += (bytes[i] ?? 0) * 256 + (bytes[i + 1] ?? 0);
      if (sum > 0xffff) sum -= 0xffff;
    }
    return sum;
  }

  test('the example of section 3', () => {
    expect(sumBytes(fromHex('0001f203f4f5f6f7'), 0, 8)).toBe(0xddf2);
    expect(checksum(0xddf2)).toBe(0x220d);
  });

  test('is the naive sum, for any bytes at any offset', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(9), fc.nat(20), (bytes, offset, from) => {
        const room = new Uint8Array(offset + bytes.length);
        room.set(bytes, offset);
        const view = room.subarray(offset);
        const start = Math.min(from, bytes.length);
        expect(sumBytes(view, start, bytes.length)).toBe(naive(bytes.slice(start)));
      }),
      { numRuns: 500 },
    );
  });

  test('does not overflow on the largest and longest bytes', () => {
    for (const length of [65535, 65536, 200_001]) {
      for (const offset of [0, 1]) {
        const bytes = new Uint8Array(length + offset).fill(0xff);
        expect(sumBytes(bytes, offset, length + offset)).toBe(naive(bytes.slice(offset)));
      }
    }
  });

  test('partial sums at even offsets add up', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(150), (bytes, half) => {
        const at = Math.min(half * 2, bytes.length & ~1);
        const sum = fold(sumBytes(bytes, 0, at) + sumBytes(bytes, at, bytes.length));
        expect(sum % 0xffff).toBe(sumBytes(bytes, 0, bytes.length) % 0xffff);
      }),
    );
  });
});

describe('addresses', () => {
  test.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.a', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4e1'])(
    '%j is refused',
    (text) => {
      expect(() => parseIpv4(text)).toThrow(NetError);
    },
  );

  test.each(['', '02:00:00:00:00', '02:00:00:00:00:0', '02-00-00-00-00-00', '02:00:00:00:00:0g'])(
    '%j is refused',
    (text) => {
      expect(() => parseMac(text)).toThrow(NetError);
    },
  );

  test('read and print', () => {
    for (const text of ['0.0.0.0', '10.0.0.1', '255.255.255.255', '192.168.1.20']) {
      expect(formatIpv4(parseIpv4(text))).toBe(text);
    }
    expect(parseIpv4('128.0.0.1')).toBe(0x80000001);
    for (const text of ['00:00:00:00:00:00', '02:00:00:00:00:0a', 'ff:ff:ff:ff:ff:ff']) {
      expect(formatMac(parseMac(text))).toBe(text);
    }
    expect(macFromBytes(Uint8Array.of(2, 0, 0, 0, 0, 10))).toBe(parseMac('02:00:00:00:00:0a'));
    expect(() => macFromBytes(new Uint8Array(5))).toThrow(NetError);
  });

  test.each([
    ['0.0.0.0', false],
    ['0.1.2.3', false],
    ['127.0.0.1', false],
    ['224.0.0.1', false],
    ['240.0.0.1', false],
    ['255.255.255.255', false],
    ['10.0.0.1', true],
    ['223.255.255.254', true],
  ])('%s can be a host: %s', (text, expected) => {
    expect(isHostIpv4(parseIpv4(text))).toBe(expected);
  });

  test('group addresses', () => {
    expect(isGroupMac(parseMac('01:00:5e:00:00:01'))).toBe(true);
    expect(isGroupMac(parseMac('ff:ff:ff:ff:ff:ff'))).toBe(true);
    expect(isGroupMac(parseMac('fe:ff:ff:ff:ff:ff'))).toBe(false);
  });
});
