/** "Fragmentation needed": what a router says of a path, and what an attacker says [RFC1191], [RFC5927]. */
import { describe, expect, test } from 'vitest';
import { frameBytes, type NetworkStack, type TcpConnection } from '../src/index.ts';
import { putU16 } from '../src/bytes.ts';
import { sumBytes } from '../src/checksum.ts';
import { writeEthernet } from '../src/ethernet.ts';
import { writeIcmp } from '../src/icmp.ts';
import { writeIpv4 } from '../src/ipv4.ts';
import { PathMtu } from '../src/path-mtu.ts';
import { A_IP, A_MAC, B_IP, B_MAC, stackA } from './link.ts';
import { Peer } from './peer.ts';

const ROUTER = B_IP + 1;

/** The complaint of a router about a frame of the stack: its IP header and eight bytes more are quoted. */
function complaint(frame: Uint8Array, mtu: number, change: (quoted: Uint8Array) => void = () => undefined): Uint8Array {
  const quoted = frame.slice(14, 42);
  change(quoted);
  const bytes = new Uint8Array(14 + 20 + 8 + quoted.length);
  writeEthernet(bytes, { destination: A_MAC, source: B_MAC, etherType: 0x0800 });
  writeIpv4(bytes, 14, ROUTER, A_IP, 1, 8 + quoted.length);
  writeIcmp(bytes, 34, 3, 4, mtu, sumBytes(quoted, 0, quoted.length));
  bytes.set(quoted, 42);
  return bytes;
}

/** A connection with a flight of three full segments, and their frames. */
function flying(): { stack: NetworkStack; peer: Peer; c: TcpConnection; frames: Uint8Array[] } {
  const stack = stackA();
  const listener = stack.tcp.listen(80);
  const peer = new Peer(stack, 80);
  peer.open({ window: 60_000 });
  const c = listener.accept() as TcpConnection;
  c.write(new Uint8Array(20_000));
  const frames = peer.frames();
  expect(frames.map((frame) => frame.length)).toEqual([1514, 1514, 1514]);
  return { stack, peer, c, frames };
}

/** Whether the frame must not be fragmented. */
function isWhole(frame: Uint8Array): boolean {
  return ((frame[20] ?? 0) & 0x40) !== 0;
}

describe('a router on the way', () => {
  test('makes segments shorter at once, without a timeout, also those of later connections to the host', () => {
    const { stack, peer, frames } = flying();
    stack.receive(complaint(frames[0] as Uint8Array, 1400), 1);
    expect(peer.answer()).toEqual([
      'A 1:1361 ack 1 win 32768',
      'A 1361:2721 ack 1 win 32768',
      'A 2721:4081 ack 1 win 32768',
    ]);
    expect(stack.counters.tcpPathMtu).toBe(1);
    // The same again, about a segment that is no longer in flight as it was.
    stack.receive(complaint(frames[1] as Uint8Array, 1400), 1);
    expect(peer.answer()).toEqual([]);
    stack.tcp.connect(B_IP, 5000);
    peer.answer();
    peer.peerPort = 6000;
    peer.send({ flags: 'S', mss: 1460, window: 60_000 });
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 60_000 });
  });

  test('that does not say how long packets may be: the next usual length', () => {
    const { stack, peer, frames } = flying();
    stack.receive(complaint(frames[0] as Uint8Array, 0), 1);
    expect(peer.answer()[0]).toBe('A 1:1453 ack 1 win 32768'); // 1492 − 40
  });

  test('that takes less than every host must: segments of 536 bytes, which may be fragmented', () => {
    const { stack, peer, frames } = flying();
    expect(frames.map(isWhole)).toEqual([true, true, true]);
    stack.receive(complaint(frames[0] as Uint8Array, 68), 1);
    const again = peer.frames();
    expect(again[0]?.length).toBe(14 + 576);
    expect(again.map(isWhole)).toEqual(again.map(() => false));
    const identifications = again.map((frame) => ((frame[18] ?? 0) << 8) | (frame[19] ?? 0));
    expect(new Set(identifications).size).toBe(again.length);
  });

  test('the congestion window stays: nothing was congested', () => {
    const { stack, peer, frames } = flying();
    stack.receive(complaint(frames[2] as Uint8Array, 700), 1);
    // 4380 bytes of it, in segments of 660.
    expect(peer.frames().length).toBe(6);
  });
});

describe('an attacker: nothing changes', () => {
  test.each<[string, number, (quoted: Uint8Array) => void]>([
    ['a number that was acknowledged, or never sent', 600, (quoted) => quoted.set([1, 2, 3, 4], 24)],
    ['another port', 600, (quoted) => putU16(quoted, 22, 5001)],
    ['another host', 600, (quoted) => quoted.set([10, 0, 0, 9], 16)],
    ['a packet that is not ours', 600, (quoted) => quoted.set([10, 0, 0, 9], 12)],
    ['another protocol', 600, (quoted) => quoted.set([17], 9)],
    ['a length that the packet had', 1500, () => undefined],
    ['a length beyond it', 9000, () => undefined],
    ['no IPv4', 600, (quoted) => quoted.set([0x65], 0)],
    ['a header longer than what is quoted', 600, (quoted) => quoted.set([0x4f], 0)],
    ['a header shorter than one', 600, (quoted) => quoted.set([0x44], 0)],
  ])('%s', (_, mtu, change) => {
    const { stack, peer, frames } = flying();
    stack.receive(complaint(frames[0] as Uint8Array, mtu, change), 1);
    expect(peer.answer()).toEqual([]);
    expect(stack.counters.tcpPathMtu).toBe(0);
  });

  test('cut anywhere', () => {
    const { stack, peer, frames } = flying();
    const whole = complaint(frames[0] as Uint8Array, 600);
    for (let length = 0; length < whole.length; length += 1) stack.receive(whole.slice(0, length), 1);
    expect([peer.answer(), stack.counters.tcpPathMtu]).toEqual([[], 0]);
  });
});

describe('what is known of paths', () => {
  test('lasts ten minutes', () => {
    const paths = new PathMtu();
    expect(paths.lower(B_IP, 1500, 1000, 5)).toBe(1000);
    expect([paths.of(B_IP, 600_004), paths.of(B_IP, 600_005), paths.of(A_IP, 5)]).toEqual([1000, undefined, undefined]);
  });

  test('never gets longer by what a router says', () => {
    const paths = new PathMtu();
    paths.lower(B_IP, 1500, 700, 0);
    expect(paths.lower(B_IP, 1500, 1000, 0)).toBe(700);
    expect(paths.of(B_IP, 0)).toBe(700);
  });

  test('is bounded', () => {
    const paths = new PathMtu();
    for (let ip = 0; ip < 1000; ip += 1) paths.lower(ip, 1500, 1000, 0);
    const known = Array.from({ length: 1000 }, (_, ip) => paths.of(ip, 0)).filter((mtu) => mtu !== undefined);
    expect(known.length).toBe(64);
    expect(paths.of(999, 0)).toBe(1000);
  });
});

test('UDP does not learn a path’s length, so its packets may be fragmented, each with a number of its own', () => {
  const stack = stackA();
  new Peer(stack, 80);
  const socket = stack.udp.bind(9);
  for (let i = 0; i < 3; i += 1) socket.send(B_IP, 9, new Uint8Array(1400));
  const frames: Uint8Array[] = [];
  stack.transmit((frame) => frames.push(frameBytes(frame)) > 0, 1);
  expect(frames.map(isWhole)).toEqual([false, false, false]);
  expect(new Set(frames.map((frame) => ((frame[18] ?? 0) << 8) | (frame[19] ?? 0))).size).toBe(3);
});
