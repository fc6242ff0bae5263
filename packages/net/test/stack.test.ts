/** Below TCP: frames, ARP, IPv4, ICMP, UDP, queues, options. */
import { describe, expect, test } from 'vitest';
import {
  bytesPayload,
  formatMac,
  frameBytes,
  frameLength,
  NetError,
  NetworkStack,
  type NetErrorCode,
  type OutgoingFrame,
  parseIpv4,
  type StackOptions,
} from '../src/index.ts';
import { ARP_REPLY, ARP_REQUEST, readArp, writeArp } from '../src/arp.ts';
import { putU16 } from '../src/bytes.ts';
import { checksum, sumBytes } from '../src/checksum.ts';
import { ETHERTYPE_ARP, writeEthernet } from '../src/ethernet.ts';
import { writeIcmp } from '../src/icmp.ts';
import { writeIpv4 } from '../src/ipv4.ts';
import { A_IP, A_MAC, B_IP, B_MAC, Link, NETMASK, stackA } from './link.ts';
import { fromHex, LINUX_FRAMES, toHex } from './linux-frames.ts';
import { Peer } from './peer.ts';

function sent(stack: NetworkStack, now: number): string[] {
  const frames: string[] = [];
  stack.transmit((frame) => frames.push(toHex(frameBytes(frame))) > 0, now);
  return frames;
}

function arp(operation: 1 | 2, senderIp: number, senderMac = B_MAC, targetIp = A_IP): Uint8Array {
  const frame = new Uint8Array(60);
  writeEthernet(frame, { destination: 0xffffffffffff, source: senderMac, etherType: ETHERTYPE_ARP });
  writeArp(frame, 14, { operation, senderMac, senderIp, targetMac: 0, targetIp });
  return frame;
}

/** The UDP datagram recorded from Linux, with other bytes and a right IPv4 checksum. */
function udp(...patches: (readonly [at: number, ...bytes: number[]])[]): Uint8Array {
  const frame = fromHex(LINUX_FRAMES.udpHello);
  for (const [at, ...bytes] of patches) frame.set(bytes, at);
  putU16(frame, 24, 0);
  putU16(frame, 24, checksum(sumBytes(frame, 14, 14 + ((frame[14] ?? 0) & 15) * 4)));
  return frame;
}

describe('the answers to the frames of another implementation, byte for byte', () => {
  test('ARP, UDP, ICMP', () => {
    const stack = stackA();
    const echo = stack.udp.bind(7);
    stack.receive(fromHex(LINUX_FRAMES.arpRequest), 0);
    expect(sent(stack, 0)).toEqual([
      '02000000000b02000000000a0806000108000604000202000000000a0a00000102000000000b0a000002' + '00'.repeat(18),
    ]);
    stack.receive(fromHex(LINUX_FRAMES.udpHello), 1);
    const datagram = echo.receive();
    expect(datagram).toEqual({ ip: B_IP, port: 1234, data: fromHex('68656c6c6f') });
    expect(echo.receive()).toBeUndefined();
    echo.send(B_IP, 1234, fromHex('68656c6c6f'));
    expect(sent(stack, 1)).toEqual([
      '02000000000b02000000000a08004500002100010000401166c90a0000010a000002000704d2000da32668656c6c6f' +
        '00'.repeat(13),
    ]);
    stack.receive(fromHex(LINUX_FRAMES.icmpEcho), 2);
    expect(sent(stack, 2)).toEqual([
      '02000000000b02000000000a08004500002000020000400166d90a0000010a00000200000efa1234000170696e67' + '00'.repeat(14),
    ]);
    expect(stack.counters).toMatchObject({ framesIn: 3, framesOut: 4, udpIn: 1, udpOut: 1, icmpEchoes: 1 });
  });

  test('TCP: a whole connection, as it was recorded', () => {
    const stack = stackA({ seed: 5 });
    // When the stack's first number is the recorded one: 3931807732 ticks of 4 µs later than at 1 ms.
    const start = 1 + 3931807732 / 250;
    const listener = stack.tcp.listen(7);
    stack.receive(fromHex(LINUX_FRAMES.arpRequest), start - 1);
    sent(stack, start - 1);
    const ip = '02000000000b02000000000a08004500';
    stack.receive(fromHex(LINUX_FRAMES.tcpSyn), start);
    expect(sent(stack, start)).toEqual([
      `${ip}003000004000400626c60a0000010a0000020007ee24b09516ac7854fe6470128000c3e50000020405b401030300`,
    ]);
    stack.receive(fromHex(LINUX_FRAMES.tcpAck), start + 1);
    const c = listener.accept();
    stack.receive(fromHex(LINUX_FRAMES.tcpData), start + 2);
    c?.write(c.read());
    expect(sent(stack, start + 2)).toEqual([
      `${ip}002b00004000400626cb0a0000010a0000020007ee24b09516ad7854fe6750187ffd54590000474554000000`,
    ]);
    stack.receive(fromHex(LINUX_FRAMES.tcpFin), start + 3);
    c?.close();
    expect(sent(stack, start + 3)).toEqual([
      `${ip}002800004000400626ce0a0000010a0000020007ee24b09516b07854fe6850117ffcefa50000000000000000`,
    ]);
    stack.receive(fromHex(LINUX_FRAMES.tcpLastAck), start + 4);
    expect([c?.state, c?.error, stack.tcp.size]).toEqual(['closed', undefined, { connections: 0, timeWaits: 0 }]);
  });
});

describe('Ethernet', () => {
  test.each([
    ['nothing', ''],
    ['less than a header', '02000000000a02000000000b08'],
    ['another station', `02000000000c02000000000b0806${LINUX_FRAMES.arpRequest.slice(28)}`],
    ['a group', `01005e00000102000000000b0806${LINUX_FRAMES.arpRequest.slice(28)}`],
    ['IPv6', `02000000000a02000000000b86dd${LINUX_FRAMES.arpRequest.slice(28)}`],
  ])('%s is ignored', (_, hex) => {
    const stack = stackA();
    stack.receive(fromHex(hex), 0);
    expect([stack.counters.framesIgnored, sent(stack, 0)]).toEqual([1, []]);
  });
});

describe('ARP', () => {
  test('a request is sent three times, a second apart, then the address fails and the packet is given up', () => {
    const stack = stackA();
    const socket = stack.udp.bind(9);
    expect(socket.send(B_IP, 9, new Uint8Array(100))).toBe(true);
    const request = 'ffffffffffff02000000000a0806000108000604000102000000000a0a000001' + '000000000000' + '0a000002';
    expect(sent(stack, 0)).toEqual([request.padEnd(120, '0')]);
    expect(stack.nextDeadline).toBe(1000);
    for (const now of [1000, 2000, 3000]) stack.poll(now);
    expect(sent(stack, 3000).length).toBe(2);
    expect(stack.counters).toMatchObject({ arpFailed: 1, arpDropped: 1, arpRequestsOut: 3 });
    expect([stack.neighbours, stack.nextDeadline]).toEqual([0, undefined]);
  });

  test('32 packets wait for each address, the newest; they go in their order when the answer comes', () => {
    const stack = stackA();
    const socket = stack.udp.bind(9);
    for (let i = 0; i < 34; i++) socket.send(B_IP, 9, new Uint8Array(100).fill(i));
    expect(sent(stack, 0).length).toBe(1);
    stack.receive(arp(ARP_REPLY, B_IP), 5);
    const frames = sent(stack, 5);
    expect(frames.map((frame) => parseInt(frame.slice(-2), 16))).toEqual(Array.from({ length: 32 }, (_, i) => i + 2));
    expect(frames.every((frame) => frame.startsWith('02000000000b02000000000a0800'))).toBe(true);
    expect(stack.counters.arpDropped).toBe(2);
  });

  test('a new stack tells its addresses, and again when asked [RFC5227 §3]', () => {
    const stack = new NetworkStack({ mac: A_MAC, ip: A_IP, netmask: NETMASK, seed: 1 });
    const announcement = `ffffffffffff02000000000a0806000108000604000102000000000a0a000001${'00'.repeat(6)}0a000001`;
    expect(sent(stack, 0)).toEqual([announcement.padEnd(120, '0')]);
    expect([sent(stack, 1), stack.nextDeadline]).toEqual([[], undefined]);
    stack.announce();
    expect(sent(stack, 2)).toEqual([announcement.padEnd(120, '0')]);
  });

  test('a gratuitous request is not answered, and renews what is known', () => {
    const stack = stackA();
    stack.receive(arp(ARP_REQUEST, B_IP), 0);
    expect(sent(stack, 0).length).toBe(1);
    const moved = B_MAC + 1;
    stack.receive(arp(ARP_REQUEST, B_IP, moved, B_IP), 1);
    expect(sent(stack, 1)).toEqual([]);
    stack.udp.bind(9).send(B_IP, 9, new Uint8Array(1));
    expect(sent(stack, 2)[0]?.slice(0, 12)).toBe('02000000000c');
  });

  test('an answer nobody asked for teaches nothing, a gratuitous one only what is known', () => {
    const stack = stackA();
    stack.receive(arp(ARP_REPLY, B_IP), 0);
    stack.receive(arp(ARP_REQUEST, B_IP, B_MAC, B_IP), 0);
    expect([stack.neighbours, sent(stack, 0)]).toEqual([0, []]);
    stack.receive(arp(ARP_REQUEST, B_IP), 0);
    expect([stack.neighbours, sent(stack, 0).length]).toEqual([1, 1]);
    stack.receive(arp(ARP_REQUEST, B_IP, 0x020000000077, B_IP), 1);
    stack.udp.bind(9).send(B_IP, 9, new Uint8Array(100));
    expect(sent(stack, 1)[0]?.slice(0, 12)).toBe('020000000077');
  });

  test('an old entry is used while its owner is asked again', () => {
    const stack = stackA();
    stack.receive(arp(ARP_REQUEST, B_IP), 0);
    sent(stack, 0);
    stack.poll(60_000);
    stack.udp.bind(9).send(B_IP, 9, new Uint8Array(100));
    const frames = sent(stack, 60_000);
    expect(frames.map((frame) => frame.slice(0, 12))).toEqual(['ffffffffffff', '02000000000b']);
    stack.receive(arp(ARP_REPLY, B_IP), 60_001);
    expect(stack.nextDeadline).toBeUndefined();
  });

  test('the cache is bounded against requests from everybody', () => {
    const stack = new NetworkStack({ mac: A_MAC, ip: A_IP, netmask: parseIpv4('255.0.0.0'), seed: 1 });
    for (let i = 0; i < 10_000; i++) {
      stack.receive(arp(ARP_REQUEST, 0x0a010000 + i), i);
      sent(stack, i);
    }
    expect(stack.neighbours).toBe(128);
  });

  test('the entry longest unconfirmed gives way', () => {
    const stack = new NetworkStack({ mac: A_MAC, ip: A_IP, netmask: parseIpv4('255.0.0.0'), seed: 1 });
    const host = (i: number): number => 0x0a010000 + i;
    for (let i = 0; i < 128; i++) stack.receive(arp(ARP_REQUEST, host(i)), i);
    stack.receive(arp(ARP_REQUEST, host(0)), 200);
    stack.receive(arp(ARP_REQUEST, host(128)), 201);
    sent(stack, 202);
    const socket = stack.udp.bind(9);
    const isKnown = (i: number): boolean => {
      socket.send(host(i), 9, new Uint8Array(100));
      return !sent(stack, 203).join().startsWith('ffffffffffff');
    };
    expect([isKnown(0), isKnown(128), isKnown(2), isKnown(1)]).toEqual([true, true, true, false]);
  });

  test('nor can sending to everybody grow it, or its timers', () => {
    const stack = new NetworkStack({ mac: A_MAC, ip: A_IP, netmask: parseIpv4('255.0.0.0'), seed: 1 });
    const socket = stack.udp.bind(9);
    for (let i = 0; i < 5000; i++) socket.send(0x0a010000 + i, 9, new Uint8Array(10));
    expect(stack.neighbours).toBe(128);
    expect(sent(stack, 0).length).toBe(256);
    for (let now = 0; now < 5000; now += 1000) stack.poll(now);
    expect([stack.neighbours, stack.nextDeadline]).toEqual([0, undefined]);
  });

  test.each([
    ['from our own address', arp(ARP_REQUEST, A_IP)],
    ['for another host', arp(ARP_REQUEST, B_IP, B_MAC, B_IP + 1)],
    ['from a group', arp(ARP_REQUEST, B_IP, 0x010000000001)],
    ['from no station', arp(ARP_REQUEST, B_IP, 0)],
    ['cut short', arp(ARP_REQUEST, B_IP).slice(0, 41)],
  ])('a request %s is not answered and teaches nothing', (_, frame) => {
    const stack = stackA();
    stack.receive(frame, 0);
    expect([sent(stack, 0), stack.neighbours]).toEqual([[], 0]);
  });

  test('a probe, without a sender, is answered and teaches nothing; so is a request from another network', () => {
    for (const ip of [0, parseIpv4('192.168.0.1')]) {
      const stack = stackA();
      stack.receive(arp(ARP_REQUEST, ip), 0);
      expect([sent(stack, 0).length, stack.neighbours]).toEqual([1, 0]);
    }
  });

  test('packets for other networks go to the gateway', () => {
    const gateway = parseIpv4('10.0.0.254');
    const stack = stackA({ gateway });
    stack.udp.bind(9).send(parseIpv4('192.168.0.1'), 9, new Uint8Array(1));
    const [request = ''] = sent(stack, 0);
    expect(readArp(fromHex(request), 14)?.targetIp).toBe(gateway);
  });
});

describe('IPv4', () => {
  const receive = (frame: Uint8Array): NetworkStack => {
    const stack = stackA();
    stack.udp.bind(7);
    stack.receive(frame, 0);
    return stack;
  };

  test.each([
    ['as recorded', udp(), 'udpIn'],
    ['a fragment: more follow', udp([20, 0x20, 0]), 'ipFragments'],
    ['a fragment: the last', udp([20, 0, 5]), 'ipFragments'],
    ['a wrong checksum', fromHex(LINUX_FRAMES.udpHello.replace('f036', 'f037')), 'ipChecksum'],
    ['longer than the frame', udp([16, 0, 34]), 'ipMalformed'],
    ['a header longer than the packet', udp([14, 0x49]), 'ipMalformed'],
    ['an unknown protocol', udp([23, 99]), 'ipUnknownProtocol'],
    ['another host', udp([30, 10, 0, 0, 7]), 'ipMisaddressed'],
    ['a group', udp([30, 224, 0, 0, 1]), 'ipMisaddressed'],
    ['from a group', udp([26, 224, 0, 0, 1]), 'ipMisaddressed'],
    ['from loopback', udp([26, 127, 0, 0, 1]), 'ipMisaddressed'],
    ['from us', udp([26, 10, 0, 0, 1]), 'ipMisaddressed'],
    ['TTL of 0', udp([22, 0]), 'udpIn'],
    ['with padding behind', new Uint8Array([...udp(), ...new Uint8Array(30)]), 'udpIn'],
    ['to our address, by Ethernet broadcast', udp([0, 255, 255, 255, 255, 255, 255]), 'ipMisaddressed'],
    ['ICMP, truncated', udp([23, 1], [16, 0, 27]), 'icmpMalformed'],
    ['TCP, truncated', udp([23, 6]), 'tcpMalformed'],
    ['UDP, truncated', udp([16, 0, 27]), 'udpMalformed'],
  ] as const)('%s: %s', (_, frame, counter) => {
    expect(receive(frame).counters[counter]).toBe(1);
  });

  test('options are skipped', () => {
    const plain = udp();
    const frame = new Uint8Array([...plain.slice(0, 34), 1, 1, 1, 0, ...plain.slice(34)]);
    frame[14] = 0x46;
    frame[17] = 37;
    putU16(frame, 24, 0);
    putU16(frame, 24, checksum(sumBytes(frame, 14, 38)));
    expect(receive(frame).counters.udpIn).toBe(1);
  });
});

describe('ICMP', () => {
  test('a closed UDP port is unreachable: the header and eight bytes go back, ten times per second', () => {
    const stack = stackA();
    stack.receive(arp(ARP_REQUEST, B_IP), 0);
    sent(stack, 0);
    const original = udp();
    stack.receive(original, 1);
    const [answer = ''] = sent(stack, 1);
    expect(answer.slice(28, 68)).toMatch(/^45000038000100004001....0a0000010a000002$/);
    expect(answer.slice(68)).toBe(`0303${answer.slice(72, 76)}00000000${toHex(original.slice(14, 42))}`);
    expect(checksum(sumBytes(fromHex(answer), 34, answer.length / 2))).toBe(0);
    for (let i = 0; i < 100; i++) stack.receive(original, 2);
    expect(sent(stack, 2).length).toBe(9);
    expect(stack.counters.icmpLimited).toBe(91);
    stack.receive(original, 1001);
    expect(sent(stack, 1001).length).toBe(1);
  });

  test('a broadcast to a closed port, or an echo to all, is not answered', () => {
    const stack = stackA();
    stack.receive(arp(ARP_REQUEST, B_IP), 0);
    sent(stack, 0);
    // Without checksum, so that the address may change.
    stack.receive(udp([30, 255, 255, 255, 255], [40, 0, 0]), 1);
    stack.receive(udp([30, 10, 0, 0, 255], [40, 0, 0]), 1);
    const echo = fromHex(LINUX_FRAMES.icmpEcho);
    echo.set([10, 0, 0, 255], 30);
    putU16(echo, 24, 0);
    putU16(echo, 24, checksum(sumBytes(echo, 14, 34)));
    stack.receive(echo, 1);
    expect(sent(stack, 1)).toEqual([]);
    expect(stack.counters).toMatchObject({ udpClosedPort: 2, ipMisaddressed: 1 });
  });

  test('an echo larger than this host may send is ignored', () => {
    for (const [mtu, echoes] of [
      [1500, 1],
      [576, 0],
    ] as const) {
      const stack = stackA({ mtu });
      const frame = new Uint8Array(34 + 8 + 600);
      writeEthernet(frame, { destination: A_MAC, source: B_MAC, etherType: 0x0800 });
      writeIpv4(frame, 14, B_IP, A_IP, 1, 608);
      writeIcmp(frame, 34, 8, 0, 1, 0);
      stack.receive(frame, 0);
      expect([stack.counters.icmpEchoes, stack.counters.icmpIgnored]).toEqual([echoes, 1 - echoes]);
    }
  });

  test('messages other than an echo request are ignored', () => {
    const stack = stackA();
    for (const type of [0, 3, 5, 11, 13]) {
      const frame = fromHex(LINUX_FRAMES.icmpEcho);
      frame[34] = type;
      putU16(frame, 36, 0);
      putU16(frame, 36, checksum(sumBytes(frame, 34, frame.length)));
      stack.receive(frame, 0);
    }
    expect([stack.counters.icmpIgnored, sent(stack, 0)]).toEqual([5, []]);
  });
});

describe('UDP', () => {
  test('between two stacks, both ways, with payloads of every size up to the largest', () => {
    const link = new Link();
    const a = link.a.udp.bind(1000);
    const b = link.b.udp.bind(2000);
    expect(a.maxPayload).toBe(1472);
    for (const length of [0, 1, 17, 18, 19, 1471, 1472]) {
      const data = new Uint8Array(length).fill(length);
      a.send(link.b.ip, 2000, data);
      link.run(10);
      const got = b.receive();
      expect(got).toEqual({ ip: link.a.ip, port: 1000, data });
      b.send(link.a.ip, 1000, bytesPayload(data));
      link.run(10);
      expect(a.receive()?.data).toEqual(data);
    }
  });

  test('broadcast, both kinds', () => {
    const link = new Link();
    const b = link.b.udp.bind(2000);
    const a = link.a.udp.bind(1000);
    for (const ip of ['255.255.255.255', '10.0.0.255']) {
      expect(a.send(parseIpv4(ip), 2000, Uint8Array.of(1))).toBe(true);
      link.run(10);
      expect(b.receive()?.ip).toBe(link.a.ip);
    }
  });

  test('a socket that nobody reads keeps 64 datagrams; a closed one none', () => {
    const stack = stackA();
    const socket = stack.udp.bind(7);
    for (let i = 0; i < 100; i++) stack.receive(udp(), i);
    expect(stack.counters).toMatchObject({ udpIn: 64, udpOverflow: 36 });
    socket.close();
    expect([socket.receive(), socket.send(B_IP, 1, new Uint8Array(1))]).toEqual([undefined, false]);
    stack.udp.bind(7).close();
    socket.close();
  });

  test('no route, no packet', () => {
    const stack = stackA();
    const socket = stack.udp.bind(7);
    for (const ip of ['192.168.0.1', '10.0.0.1', '224.0.0.1', '127.0.0.1']) {
      expect(socket.send(parseIpv4(ip), 9, new Uint8Array(1))).toBe(false);
    }
    expect(sent(stack, 0)).toEqual([]);
  });
});

describe('the sink', () => {
  test('a frame it has no room for stays, and comes first the next time', () => {
    const stack = stackA();
    const listener = stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    peer.open({ window: 65535 });
    const c = listener.accept();
    c?.write(new Uint8Array(3000));
    const frames: string[] = [];
    let room = 1;
    const sink = (frame: Parameters<typeof frameBytes>[0]): boolean => {
      if (room === 0) return false;
      room -= 1;
      frames.push(toHex(frameBytes(frame)));
      return true;
    };
    for (let i = 0; i < 5; i++) {
      room = 1;
      stack.transmit(sink, peer.now);
      if (i < 2) expect(stack.hasOutput).toBe(true);
    }
    expect(frames.length).toBe(3);
    expect(stack.hasOutput).toBe(false);
    expect(frames.map((frame) => parseInt(frame.slice(76, 84), 16) - (peer.stackIss + 1))).toEqual([0, 1460, 2920]);
    expect(stack.counters.tcpRetransmissions).toBe(0);
  });

  test('connections take turns', () => {
    const stack = stackA();
    stack.tcp.listen(80);
    const peers = [1, 2, 3].map((port) => {
      const peer = new Peer(stack, 80);
      peer.peerPort = port;
      peer.open({ window: 65535 });
      return peer;
    });
    stack.tcp.listen(81);
    const ports: number[] = [];
    const listener = stack.tcp.listen(82);
    for (const peer of peers) {
      peer.stackPort = 82;
      peer.open({ window: 65535 });
    }
    for (let c = listener.accept(); c !== undefined; c = listener.accept()) c.write(new Uint8Array(2920));
    stack.transmit((frame) => ports.push(((frame.header[36] ?? 0) << 8) | (frame.header[37] ?? 0)) > 0, 1);
    expect(ports).toEqual([1, 2, 3, 1, 2, 3]);
  });

  test('payloads reach it by reference, with the very sums that they gave', () => {
    const stack = stackA();
    const listener = stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    peer.open({ mss: 1000, window: 65535 });
    const bytes = new Uint8Array(2500).fill(3);
    const ranges: string[] = [];
    const payload = {
      ...bytesPayload(bytes),
      sum: (from: number, to: number): number => {
        ranges.push(`${from}-${to}`);
        return sumBytes(bytes, from, to);
      },
    };
    listener.accept()?.write(payload);
    stack.transmit((frame) => {
      expect(frame.payload).toBe(payload);
      return true;
    }, peer.now);
    expect(ranges).toEqual(['0-1000', '1000-2000', '2000-2500']);
    // A retransmission is cut the same way.
    stack.poll(peer.now + 1000);
    stack.transmit(() => true, peer.now + 1000);
    expect(ranges.slice(3)).toEqual(['0-1000']);
  });
});

test('no payload is copied by the stack: not a short last segment, not a probe, not a retransmission', () => {
  const stack = stackA({ tcp: { minRto: 1000 } });
  const listener = stack.tcp.listen(80);
  const peer = new Peer(stack, 80);
  peer.open({ window: 0 });
  const payload = {
    length: 1461,
    sum: () => 0,
    copy: (): void => {
      throw new Error('copied');
    },
  };
  listener.accept()?.write(payload);
  const lengths: number[] = [];
  const sink = (frame: OutgoingFrame): boolean => lengths.push(frame.to - frame.from, frameLength(frame)) > 0;
  stack.transmit(sink, peer.now);
  stack.poll(2000);
  stack.transmit(sink, 2000);
  stack.receive(peer.frame({ flags: 'A', seq: 1, ack: 1 }), 2001);
  stack.transmit(sink, 2001);
  stack.poll(9000);
  stack.transmit(sink, 9000);
  expect(lengths).toEqual([1, 60, 1460, 1514, 1, 60, 1460, 1514]);
});

describe('misuse by the host', () => {
  const base: StackOptions = { mac: A_MAC, ip: A_IP, netmask: NETMASK, seed: 1 };
  const codeOf = (run: () => unknown): NetErrorCode | undefined => {
    try {
      run();
    } catch (error) {
      if (error instanceof NetError) return error.code;
      throw error;
    }
    return undefined;
  };

  test.each<[NetErrorCode, string, Partial<Record<keyof StackOptions, unknown>>]>([
    ['address', 'a group as its Ethernet address', { mac: 0x010000000000 }],
    ['address', 'no Ethernet address', { mac: 0 }],
    ['address', 'seven bytes of Ethernet address', { mac: new Uint8Array(7) }],
    ['address', 'a fraction', { ip: 0.5 }],
    ['address', 'a negative address', { ip: -1 }],
    ['address', 'loopback', { ip: parseIpv4('127.0.0.1') }],
    ['address', 'the address of the network', { ip: parseIpv4('10.0.0.0') }],
    ['address', 'the broadcast address', { ip: parseIpv4('10.0.0.255') }],
    ['address', 'a netmask with holes', { netmask: parseIpv4('255.0.255.0') }],
    ['address', 'a network of two', { netmask: parseIpv4('255.255.255.254') }],
    ['address', 'a gateway elsewhere', { gateway: parseIpv4('10.0.1.1') }],
    ['address', 'itself as the gateway', { gateway: A_IP }],
    ['option', 'a seed that is no number', { seed: NaN }],
    ['option', 'an mtu of 575', { mtu: 575 }],
    ['option', 'an mtu of 9001', { mtu: 9001 }],
    ['option', 'a window beyond what scaling can say', { tcp: { receiveBuffer: 65535 * 2 ** 14 + 1 } }],
    ['option', 'no connections', { tcp: { maxConnections: 0 } }],
    ['option', 'an acknowledgment after 501 ms', { tcp: { delayedAck: 501 } }],
    ['option', 'a timeout of 0', { tcp: { minRto: 0 } }],
  ])('%s: %s', (code, _, options) => {
    expect(codeOf(() => new NetworkStack({ ...base, ...options } as StackOptions))).toBe(code);
  });

  test('ports, times, sizes, addresses', () => {
    const stack = stackA();
    stack.tcp.listen(80);
    stack.udp.bind(80);
    for (const port of [0, 65536, 1.5, NaN, -1]) {
      expect(codeOf(() => stack.tcp.listen(port))).toBe('port');
      expect(codeOf(() => stack.tcp.connect(B_IP, port))).toBe('port');
      expect(codeOf(() => stack.udp.bind(port))).toBe('port');
    }
    expect(codeOf(() => stack.tcp.listen(80))).toBe('port-in-use');
    expect(codeOf(() => stack.udp.bind(80))).toBe('port-in-use');
    expect(codeOf(() => stack.tcp.listen(81, { backlog: 0 }))).toBe('option');
    expect(codeOf(() => stack.tcp.connect(2 ** 32, 80))).toBe('address');
    expect(codeOf(() => stack.udp.bind(9).send(B_IP, 9, new Uint8Array(1473)))).toBe('too-long');
    const huge = { length: 2 ** 30 + 1, sum: () => 0, copy: () => undefined };
    expect(codeOf(() => stack.tcp.connect(B_IP, 80).write(huge))).toBe('too-long');
    for (const time of [NaN, Infinity]) {
      expect(
        codeOf(() => {
          stack.poll(time);
        }),
      ).toBe('time');
      expect(
        codeOf(() => {
          stack.receive(new Uint8Array(0), time);
        }),
      ).toBe('time');
      expect(
        codeOf(() => {
          stack.transmit(() => true, time);
        }),
      ).toBe('time');
    }
  });

  test('a clock that goes back stands still', () => {
    const stack = stackA();
    stack.poll(1000);
    stack.poll(500);
    expect(stack.now).toBe(1000);
  });
});

test('connections to where nothing is', () => {
  const stack = stackA();
  for (const ip of ['192.168.0.1', '10.0.0.1', '10.0.0.255', '255.255.255.255', '224.0.0.1']) {
    expect(stack.tcp.connect(parseIpv4(ip), 80).error).toBe('unreachable');
  }
  const seen: (string | undefined)[] = [];
  stack.tcp.onChange = (c) => seen.push(c.error);
  const c = stack.tcp.connect(B_IP, 80);
  sent(stack, 0);
  for (const now of [1000, 2000, 3000]) stack.poll(now);
  expect([c.error, seen, stack.tcp.size.connections]).toEqual(['unreachable', ['unreachable'], 0]);
  expect(formatMac(stack.mac)).toBe('02:00:00:00:00:0a');
});
