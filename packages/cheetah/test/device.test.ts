/** The network device and what comes over it: odd peers, lost frames, full rings, and what leaves in a slot used before. */
import { encodeUtf8, machineProgram, compose } from '@exokernel/libos-kit';
import { T0, V0, ZERO } from '@exokernel/isa';
import { parseIpv4, type StackOptions } from '@exokernel/net';
import { describe, expect, test } from 'vitest';
import { echo } from '../../../apps/demos/src/echo.ts';
import { batch } from '../../batch/src/index.ts';
import { MACHINE_IP, MACHINE_MAC, STATION_IP, type Passes, type Reader, type Station } from './station.ts';
import { World, file, response } from './world.ts';

const ETHERNET = 14;
const IP = 20;
const STATION_MAC = [2, 0, 0, 0, 0, 3];

function view(frame: Uint8Array): DataView {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
}

function isFromMachine(frame: Uint8Array): boolean {
  return MACHINE_MAC.every((byte, i) => frame[6 + i] === byte);
}

/** What stands in a frame behind its IPv4 packet. */
function padding(frame: Uint8Array): Uint8Array {
  return view(frame).getUint16(12) === 0x0800
    ? frame.subarray(ETHERNET + view(frame).getUint16(16))
    : new Uint8Array(0);
}

const ACK = 16;
const RST = 4;

/** The shortest TCP segment to the server's port, of no connection: it answers with RST. */
function segmentToServer(): Uint8Array {
  const frame = new Uint8Array(60);
  const v = view(frame);
  frame.set([...MACHINE_MAC, ...STATION_MAC, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]);
  v.setUint32(26, STATION_IP);
  v.setUint32(30, MACHINE_IP);
  frame.set([0xff, 0xfe, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, ACK], ETHERNET + IP);
  putChecksum(frame, 24, ETHERNET, ETHERNET + IP, 0);
  putChecksum(frame, 50, 26, 54, 6 + 20);
  return frame;
}

/** The checksum of these bytes, and of `more`, at `at`. */
function putChecksum(frame: Uint8Array, at: number, from: number, to: number, more: number): void {
  let sum = more;
  for (let i = from; i < to; i += 1) sum += (frame[i] ?? 0) << (8 * ((i - from + 1) % 2));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view(frame).setUint16(at, ~sum & 0xffff);
}

const SIZES = [0, 1, 5, 1459, 1460, 1461, 100_000];
const FILES = SIZES.map((size) => file(`/${size}`, size));

function served(): World {
  const world = new World({ files: FILES });
  expect(world.serve()).toBe(true);
  return world;
}

describe('peers whose segments are not those on the disk: sums are made when the frame is', () => {
  test.each<[string, Partial<StackOptions>]>([
    ['a segment size of 536', { mtu: 576 }],
    ['an odd segment size', { mtu: 1039 }],
    ['a window below a segment', { tcp: { receiveBuffer: 1000 } }],
    ['an odd window', { tcp: { receiveBuffer: 4097 } }],
    ['the smallest window there is', { mtu: 576, tcp: { receiveBuffer: 256 } }],
  ])('%s', (_, options) => {
    const world = served();
    const station = world.station(options);
    for (const f of FILES) expect(world.fetch(station, f.path, 'GET', 60)).toEqual(response(f));
    expect(station.stack.counters.tcpMalformed).toBe(0);
    const lengths = station.seen.filter(isFromMachine).map((frame) => frame.length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual((options.mtu ?? 1500) + ETHERNET);
  });
});

describe('frames get lost', () => {
  const random = (seed: number): (() => number) => {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
  };

  test.each<[string, Passes]>([
    ['every tenth that arrives', (_, direction, n) => direction === 'out' || n % 10 !== 0],
    ['every third that leaves', (_, direction, n) => direction === 'in' || n % 3 !== 0],
    ['the first of each', (_, __, n) => n > 1],
    ['the last of a burst', (frame, direction, n) => direction === 'out' || frame.length === 1514 || n % 2 === 0],
    [
      'five in a hundred, both ways',
      (
        (next) => () =>
          next() > 0.05
      )(random(1)),
    ],
  ])('%s', (_, passes) => {
    const world = served();
    const station = world.station({ passes });
    const f = file('/100000', 100_000);
    expect(world.fetch(station, f.path, 'GET', 120)).toEqual(response(f));
    expect(station.stack.counters.tcpMalformed).toBe(0);
  });

  test('what got lost is sent again as soon as TCP wants it, not when somebody calls', () => {
    const world = served();
    // The last of two segments: the client, which waits for nothing but the server, is no help.
    let sent = 0;
    const passes: Passes = (frame, direction) => direction === 'out' || frame.length < 100 || (sent += 1) !== 2;
    const station = world.station({ passes });
    const before = station.now;
    expect(world.fetch(station, '/1460')).toEqual(response(file('/1460', 1460)));
    expect(sent).toBe(3);
    // Its first timeout after a measured round trip is at least 200 ms; ticks are 16 ms apart.
    expect(station.now - before).toBeLessThan(300);
  });

  test('bits turn over: what is damaged is not taken', () => {
    const world = served();
    const noise = random(2);
    const station = world.station({
      passes: (frame, direction) => {
        if (direction === 'out' && noise() < 0.1) {
          const at = ETHERNET + Math.floor(noise() * (frame.length - ETHERNET));
          frame[at] = (frame[at] ?? 0) ^ (1 << Math.floor(noise() * 8));
        }
        return true;
      },
    });
    for (const f of FILES) expect(world.fetch(station, f.path, 'GET', 60)).toEqual(response(f));
    expect(world.booted.aegis.environment(0).status).toBe('runnable');
  });
});

describe('what else it answers', () => {
  function ping(id: number, size: number): Uint8Array {
    const frame = new Uint8Array(ETHERNET + IP + 8 + size).fill(id);
    const v = view(frame);
    frame.set([...MACHINE_MAC, ...STATION_MAC, 8, 0]);
    frame.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0], ETHERNET);
    v.setUint16(16, IP + 8 + size);
    v.setUint32(26, STATION_IP);
    v.setUint32(30, MACHINE_IP);
    frame.set([8, 0, 0, 0, 0, id, 0, 1], ETHERNET + IP);
    putChecksum(frame, 24, ETHERNET, ETHERNET + IP, 0);
    putChecksum(frame, ETHERNET + IP + 2, ETHERNET + IP, frame.length, 0);
    return frame;
  }

  test('ping, of any size', () => {
    const world = served();
    const station = world.station();
    // The station is known to it by ARP after one fetch.
    world.fetch(station, '/1');
    for (const size of [0, 1, 17, 18, 56, 1472]) {
      station.seen.length = 0;
      const asked = ping(size & 0xff, size);
      station.inject(asked);
      expect(world.run(() => station.seen.some(isFromMachine), 1)).toBe(true);
      const answer = station.seen.find(isFromMachine) ?? new Uint8Array(0);
      expect(answer[ETHERNET + IP]).toBe(0);
      const end = ETHERNET + IP + 8 + size;
      expect(answer.subarray(ETHERNET + IP + 4, end)).toEqual(asked.subarray(ETHERNET + IP + 4));
      expect(answer.subarray(end)).toEqual(new Uint8Array(Math.max(0, 60 - end)));
    }
  });

  test('ARP for its address, and for no other', () => {
    const world = served();
    const station = world.station();
    const connection = station.stack.tcp.connect(parseIpv4('10.0.0.77'), 80);
    expect(world.run(() => connection.finished, 10)).toBe(true);
    expect(connection.error).toBe('unreachable');
    expect(world.fetch(station, '/1')).toEqual(response(file('/1', 1)));
  });

  test('a closed TCP port is reset, a closed UDP port unreachable [RFC1122 §3.2.2.1], [RFC9293 §3.10.7.1]', () => {
    const world = served();
    const station = world.station();
    const connection = station.stack.tcp.connect(MACHINE_IP, 81);
    station.stack.udp.bind(5000).send(MACHINE_IP, 9, encodeUtf8('x'));
    world.wait(0.2);
    expect(connection.error).toBe('refused');
    const icmp = station.seen.filter(
      (frame) => isFromMachine(frame) && view(frame).getUint16(12) === 0x0800 && frame[23] === 1,
    );
    expect(icmp.map((frame) => [frame[34], frame[35]])).toEqual([[3, 3]]);
  });

  test.each(['before', 'after'])(
    'a UDP port that another environment has a filter for is its own: bound %s ours',
    (when) => {
      const port = 4242;
      const other = echo({ ip: MACHINE_IP, port });
      const world = new World({ files: FILES, others: when === 'before' ? [other] : [] });
      expect(world.serve()).toBe(true);
      if (when === 'after') world.booted.aegis.load(other);
      world.wait(0.5);
      const station = world.station();
      const socket = station.stack.udp.bind(5000);
      for (const to of [port, port + 1]) socket.send(MACHINE_IP, to, encodeUtf8('x'));
      world.wait(0.3);
      expect(socket.receive()?.port).toBe(port);
      const icmp = station.seen.filter((frame) => isFromMachine(frame) && frame[23] === 1 && frame[34] === 3);
      // Of the datagram to the other port: the quoted UDP header has it.
      expect(icmp.map((frame) => view(frame).getUint16(42 + 22))).toEqual([port + 1]);
    },
  );

  test('a segment of no connection on its port is reset', () => {
    const world = served();
    const station = world.station();
    world.fetch(station, '/1');
    world.wait(0.2);
    const { tcpResetsIn } = station.stack.counters;
    station.inject(segmentToServer());
    world.wait(0.2);
    const reset = station.seen.at(-1) ?? new Uint8Array(0);
    expect([isFromMachine(reset), reset[47]]).toEqual([true, RST]);
    // The station has no such connection either, and says nothing to a reset.
    expect(station.stack.counters.tcpResetsIn).toBe(tcpResetsIn);
  });
});

test('packets merge: a small file costs three of them [SOSP97 §7.3]', () => {
  const world = served();
  const station = world.station();
  world.fetch(station, '/1');
  world.wait(0.2);
  const before = world.booted.aegis.environment(0).packetsOut;
  world.fetch(station, '/5');
  world.wait(0.2);
  // SYN with acknowledgment; acknowledgment, response and FIN; acknowledgment of the client's FIN.
  expect(world.booted.aegis.environment(0).packetsOut - before).toBe(3);
});

describe('slots are used again', () => {
  test('no byte of an earlier packet leaves as padding', () => {
    const world = served();
    const station = world.station({ mtu: 576 });
    for (const f of FILES) world.fetch(station, f.path);
    const short = station.seen.filter((frame) => isFromMachine(frame) && padding(frame).length > 0);
    expect(short.length).toBeGreaterThan(4);
    for (const frame of short) expect(padding(frame).every((byte) => byte === 0)).toBe(true);
  });

  test('one ring is not the limit of a response, nor of a crowd', () => {
    const world = served();
    const station = world.station();
    const readers = Array.from({ length: 60 }, () =>
      world.connect(station, 'GET /100000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    );
    const f = response(file('/100000', 100_000));
    const total = (): number => readers.reduce((n, reader) => n + reader.read(), 0);
    expect(world.run(() => total() === 60 * f.length, 60)).toBe(true);
    for (const reader of readers) expect(reader.bytes).toEqual(f);
    expect(station.stack.counters.tcpMalformed).toBe(0);
  });
});

describe('more packets than it can take', () => {
  /** Keeps the processor, but for the ends of its slices, for 30 million instructions. */
  const spin = machineProgram('spin', ['memory'], 0, (a) => {
    a.li(T0, 10_000_000);
    a.label('spin');
    a.addiu(T0, T0, -1);
    a.bne(T0, ZERO, 'spin');
    a.nop();
    a.ret();
    a.move(V0, ZERO);
  });

  function request(station: Station, world: World, path: string): Reader {
    return world.connect(station, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }

  test('while it does not run its ring overflows: the kernel drops, TCP sends again', () => {
    const files = [file('/1', 1), file('/1461', 1461)];
    const world = new World({ files, others: [compose(batch, spin, { slices: 6 })] });
    expect(world.serve()).toBe(true);
    const station = world.station();
    world.fetch(station, '/1');
    const readers = Array.from({ length: 40 }, () => request(station, world, '/1461'));
    const f = response(file('/1461', 1461));
    const total = (): number => readers.reduce((n, reader) => n + reader.read(), 0);
    expect(world.run(() => total() === 40 * f.length, 10)).toBe(true);
    for (const reader of readers) expect(reader.bytes).toEqual(f);
    expect(world.booted.aegis.environment(1).packetsDropped).toBeGreaterThan(4);
  });

  test('a flood that takes half of the wire, with the answers to it, does not stop it', () => {
    const world = served();
    const station = world.station();
    const reader = request(station, world, '/100000');
    const f = response(file('/100000', 100_000));
    const done = world.run(() => {
      // A millisecond has room for fifteen shortest frames.
      for (let i = 0; i < 4; i += 1) station.inject(segmentToServer());
      return reader.read() === f.length;
    }, 5);
    expect(done).toBe(true);
    expect(reader.bytes).toEqual(f);
  });

  test('impossible frames are nobody’s', () => {
    const world = served();
    const station = world.station();
    for (let length = 14; length < 80; length += 1) station.inject(new Uint8Array(length).fill(0xff));
    for (const junk of ['', 'x', 'GET / HTTP/1.1\r\n\r\n']) station.inject(encodeUtf8(junk.padEnd(60, '\0')));
    world.wait(0.2);
    expect(world.fetch(station, '/5')).toEqual(response(file('/5', 5)));
  });
});
