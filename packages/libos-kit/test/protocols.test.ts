/** The protocols of the kit, with packets that are right, and with thousands that are not: beside what @exokernel/net says of the same frames. */
import { ERRORS, RING_SLOT_LIMIT } from '@exokernel/abi';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NetworkStack, frameBytes, type Counters } from '../../net/src/index.ts';
import { LIBRARY_TEXT, PAGED_BASE } from '../src/index.ts';
import { HostNetwork, protocols } from './host-network.ts';

const RUNS = Number(process.env['PACKET_RUNS'] ?? 4000);
const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1) };
const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2) };
const [PORT, OTHER_PORT, CLOSED] = [7, 8, 9];
/** Where the program has its buffers. */
const BUFFER = PAGED_BASE + 0x1000;
const SENDER = PAGED_BASE + 0x3000;
const MS_PER_TICK = 1000 / 64;

const module = await protocols();

interface Fields {
  readonly ip?: number;
  readonly to?: number;
  readonly protocol?: number;
  readonly payload?: Uint8Array;
}

/** A frame of the peer's with right checksums. */
function ipFrame({ ip = PEER.ip, to = OWN.ip, protocol = 17, payload = new Uint8Array(0) }: Fields): Uint8Array {
  const frame = new Uint8Array(Math.max(60, 34 + payload.length));
  const view = new DataView(frame.buffer);
  frame.set(OWN.mac);
  frame.set(PEER.mac, 6);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, 20 + payload.length);
  view.setUint16(22, (64 << 8) | protocol);
  view.setUint32(26, ip);
  view.setUint32(30, to);
  frame.set(payload, 34);
  view.setUint16(24, sum(frame.subarray(14, 34)));
  return frame;
}

/** The checksum of bytes, and a sum to begin with. */
function sum(bytes: Uint8Array, start = 0): number {
  let total = start;
  for (let i = 0; i < bytes.length; i += 2) total += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

function udpFrame(port: number, data: Uint8Array, source = 5000, fields: Fields = {}): Uint8Array {
  const { ip = PEER.ip, to = OWN.ip } = fields;
  const payload = new Uint8Array(8 + data.length);
  const view = new DataView(payload.buffer);
  view.setUint16(0, source);
  view.setUint16(2, port);
  view.setUint16(4, payload.length);
  payload.set(data, 8);
  const pseudo = (ip >>> 16) + (ip & 0xffff) + (to >>> 16) + (to & 0xffff) + 17 + payload.length;
  view.setUint16(6, sum(payload, pseudo) || 0xffff);
  return ipFrame({ ...fields, payload });
}

function icmpFrame(type: number, code: number, rest: number, data: Uint8Array): Uint8Array {
  const payload = new Uint8Array(8 + data.length);
  const view = new DataView(payload.buffer);
  view.setUint16(0, (type << 8) | code);
  view.setUint32(4, rest);
  payload.set(data, 8);
  view.setUint16(2, sum(payload));
  return ipFrame({ protocol: 1, payload });
}

function arpFrame(
  operation: number,
  how: { readonly ip?: number; readonly mac?: Uint8Array; readonly target?: number } = {},
): Uint8Array {
  const { ip = PEER.ip, mac = PEER.mac, target = OWN.ip } = how;
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  frame.set(OWN.mac);
  frame.set(mac, 6);
  view.setUint16(12, 0x0806);
  view.setUint32(14, 0x00010800);
  view.setUint16(18, 0x0604);
  view.setUint16(20, operation);
  frame.set(mac, 22);
  view.setUint32(28, ip);
  frame.set(OWN.mac, 32);
  view.setUint32(38, target);
  return frame;
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Opens both sockets. */
function opened(): HostNetwork {
  const host = new HostNetwork(module, OWN);
  expect(host.exports.udp_open(PORT)).toBe(0);
  expect(host.exports.udp_open(OTHER_PORT)).toBe(1);
  host.changed();
  return host;
}

interface Got {
  readonly ip: number;
  readonly port: number;
  readonly data: Uint8Array;
}

function receive(host: HostNetwork, socket: number, ticks = 0): Got | number {
  const length = host.exports.udp_receive(socket, BUFFER, 4096, SENDER, ticks);
  if (length < 0) return length;
  return { ip: host.load(SENDER), port: host.load(SENDER + 4), data: host.bytes.slice(BUFFER, BUFFER + length) };
}

function send(host: HostNetwork, ip: number, port: number, data: Uint8Array): number {
  host.bytes.set(data, BUFFER);
  return host.exports.udp_send(0, ip, port, BUFFER, data.length);
}

describe('sockets', () => {
  test('go on when frames of the rings were taken by force: what waited is lost, and nothing is bound twice', () => {
    const host = opened();
    host.deliver(arpFrame(1));
    host.deliver(udpFrame(OTHER_PORT, text('waits')));
    host.deliver(udpFrame(PORT, text('first')));
    expect(receive(host, 0)).toMatchObject({ data: text('first') });
    const before = host.bound;
    host.lose(true);
    expect(host.deliver(udpFrame(PORT, text('lost')))).toBe(false);
    expect(receive(host, 0)).toBe(ERRORS.E_AGAIN);
    expect(host.bound).toEqual(before);
    for (let i = 0; i < 40; i += 1) {
      expect(host.deliver(udpFrame(PORT, text(`next ${i}`)))).toBe(true);
      expect(host.deliver(udpFrame(OTHER_PORT, text(`other ${i}`)))).toBe(true);
      expect(receive(host, 0)).toMatchObject({ data: text(`next ${i}`) });
      expect(receive(host, 1)).toMatchObject({ data: text(`other ${i}`) });
    }
    host.lose(true);
    expect(send(host, PEER.ip, 5000, text('sent'))).toBe(0);
    expect(host.bound).toEqual(before);
    expect(host.exports.udp_open(9000)).toBe(2);
    expect([0, 1, 2].map((socket) => host.exports.udp_close(socket))).toEqual([0, 0, 0]);
    expect(host.bound).toEqual({ rings: 2, filters: 2 });
  });

  test('keep what waits when other frames were taken', () => {
    const host = opened();
    host.deliver(udpFrame(OTHER_PORT, text('waits')));
    host.deliver(udpFrame(PORT, text('first')));
    host.lose(false);
    expect(receive(host, 0)).toMatchObject({ data: text('first') });
    host.lose(false);
    expect(receive(host, 1)).toMatchObject({ data: text('waits') });
  });

  test.each(['ring_bind', 'ring_extend', 'filter_bind'])('are bound later where the kernel refuses: %s', (call) => {
    const host = opened();
    const before = host.bound;
    host.lose(true);
    host.refusals.set(call, ERRORS.E_NONE);
    expect(host.exports.udp_open(9000)).toBe(ERRORS.E_NONE);
    expect(send(host, PEER.ip, 5000, text('sent'))).toBe(ERRORS.E_NONE);
    expect(receive(host, 0)).toBe(ERRORS.E_AGAIN);
    let sleeps = 0;
    host.slept = () => {
      sleeps += 1;
      if (sleeps === 20) host.refusals.delete(call);
      if (sleeps > 20 && host.bound.filters === before.filters) host.deliver(udpFrame(PORT, text('at last')));
    };
    expect(receive(host, 0, -1)).toMatchObject({ data: text('at last') });
    expect(sleeps).toBeLessThan(50);
    expect(host.bound).toEqual(before);
  });

  test('whose port another environment has got meanwhile are closed', () => {
    const host = opened();
    host.lose(true);
    host.foreign.add(PORT);
    expect(receive(host, 0)).toBe(ERRORS.E_CAP);
    expect(host.deliver(udpFrame(OTHER_PORT, text('other')))).toBe(true);
    expect(receive(host, 1)).toMatchObject({ data: text('other') });
    expect(host.exports.udp_open(PORT)).toBe(ERRORS.E_OVERLAP);
    expect(host.bound).toEqual({ rings: 2, filters: 3 });
  });

  test('a datagram arrives, and one is sent', () => {
    const host = opened();
    host.deliver(arpFrame(1));
    host.deliver(udpFrame(PORT, text('hello')));
    expect(receive(host, 0)).toEqual({ ip: PEER.ip, port: 5000, data: text('hello') });
    expect(receive(host, 0)).toBe(ERRORS.E_AGAIN);
    expect(send(host, PEER.ip, 5000, text('odd'))).toBe(0);
    const peer = new NetworkStack({ ...PEER, netmask: 0xffffff00, seed: 1 });
    const socket = peer.udp.bind(5000);
    for (const frame of host.sent) peer.receive(frame, 0);
    expect(socket.receive()).toEqual({ ip: OWN.ip, port: PORT, data: text('odd') });
  });

  test('datagrams of 0 to 1472 bytes come and go whole, at any address', () => {
    const host = opened();
    const peer = new NetworkStack({ ...PEER, netmask: 0xffffff00, seed: 1 });
    const socket = peer.udp.bind(5000);
    host.deliver(arpFrame(1));
    for (let length = 0; length <= 1472; length += length < 40 ? 1 : 61) {
      const data = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff);
      expect(host.deliver(udpFrame(PORT, data))).toBe(true);
      const at = BUFFER + (length % 4);
      expect(host.exports.udp_receive(0, at, 1472, 0, 0)).toBe(length);
      expect(host.bytes.slice(at, at + length)).toEqual(data);
      host.sent.length = 0;
      expect(host.exports.udp_send(0, PEER.ip, 5000, at, length)).toBe(0);
      for (const frame of host.sent) peer.receive(frame, 0);
      expect(socket.receive()?.data).toEqual(data);
    }
    expect(host.exports.udp_send(0, PEER.ip, 5000, BUFFER, 1473)).toBe(ERRORS.E_RANGE);
  });

  test('what is beyond the buffer is lost, and nothing behind it is written', () => {
    const host = opened();
    host.deliver(udpFrame(PORT, new Uint8Array(100).fill(1)));
    expect(host.exports.udp_receive(0, BUFFER, 10, 0, 0)).toBe(100);
    expect(host.bytes.slice(BUFFER, BUFFER + 12)).toEqual(Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0));
  });

  test('each socket has a queue, which is bounded, and an order', () => {
    const host = opened();
    for (let i = 0; i < 10; i += 1) expect(host.deliver(udpFrame(OTHER_PORT, Uint8Array.of(i)))).toBe(true);
    host.deliver(udpFrame(PORT, text('a')));
    expect(receive(host, 0)).toMatchObject({ data: text('a') });
    host.deliver(udpFrame(OTHER_PORT, Uint8Array.of(10)));
    const got: unknown[] = [];
    for (let next = receive(host, 1); typeof next !== 'number'; next = receive(host, 1)) got.push(next.data[0]);
    expect(got).toEqual([0, 1, 2, 3, 10]);
    expect(host.counter('udpOverflow')).toBe(6);
    // And with no buffer lost.
    for (let round = 0; round < 100; round += 1) {
      for (let i = 0; i < 3; i += 1) host.deliver(udpFrame(OTHER_PORT, Uint8Array.of(i)));
      expect(receive(host, 0)).toBe(ERRORS.E_AGAIN);
      if (round % 2 === 0) {
        expect(host.exports.udp_close(1)).toBe(0);
        expect(host.exports.udp_open(OTHER_PORT)).toBe(1);
      } else for (let i = 0; i < 3; i += 1) expect(receive(host, 1)).toMatchObject({ data: Uint8Array.of(i) });
    }
    expect(host.counter('udpOverflow')).toBe(6);
  });

  test('waits as long as it is told, and sleeps meanwhile', () => {
    const host = opened();
    const from = host.now;
    expect(receive(host, 0, 10)).toBe(ERRORS.E_AGAIN);
    expect(host.now - from).toBe(10);
    host.slept = () => {
      if (host.now === from + 13) host.deliver(udpFrame(PORT, text('late')));
    };
    expect(receive(host, 0, -1)).toMatchObject({ data: text('late') });
  });

  test('codes say what cannot be', () => {
    const host = new HostNetwork(module, OWN);
    const { udp_open, udp_close, udp_send, udp_receive } = host.exports;
    expect(udp_receive(0, BUFFER, 1, 0, 0)).toBe(ERRORS.E_CAP);
    for (const port of [0, -1, 65536, 1 << 31]) expect(udp_open(port)).toBe(ERRORS.E_RANGE);
    host.refusals.set('filter_bind', ERRORS.E_CODE);
    expect(udp_open(PORT)).toBe(ERRORS.E_CODE);
    host.refusals.set('filter_bind', ERRORS.E_NONE);
    expect(udp_open(PORT)).toBe(ERRORS.E_NONE);
    host.refusals.clear();
    host.refusals.set('xmit', ERRORS.E_DEVICE);
    expect(udp_open(PORT)).toBe(ERRORS.E_DEVICE);
    host.refusals.clear();
    for (let i = 0; i < 8; i += 1) expect(udp_open(1000 + i)).toBe(i);
    expect(udp_open(1000)).toBe(ERRORS.E_BUSY);
    expect(udp_open(2000)).toBe(ERRORS.E_NONE);
    expect(udp_close(3)).toBe(0);
    expect(udp_close(3)).toBe(ERRORS.E_CAP);
    for (const socket of [3, 8, -1, 1 << 30, 1 << 31]) {
      expect(udp_send(socket, PEER.ip, 1, BUFFER, 1)).toBe(ERRORS.E_CAP);
      expect(udp_receive(socket, BUFFER, 1, 0, 0)).toBe(ERRORS.E_CAP);
      expect(udp_close(socket)).toBe(ERRORS.E_CAP);
    }
    expect(udp_receive(0, BUFFER, -1, 0, 0)).toBe(ERRORS.E_RANGE);
    for (const [ip, port, bytes] of [
      [PEER.ip, 0, 1],
      [PEER.ip, 65536, 1],
      [PEER.ip, 1, -1],
      [PEER.ip, 1, 1 << 31],
      [OWN.ip, 1, 1],
      [0, 1, 1],
      [0x7f000001, 1, 1],
      [0xe0000001, 1, 1],
      [0x0a0000ff, 1, 1],
      [0xffffffff, 1, 1],
      [0x0b000001, 1, 1],
    ] as const) {
      expect(udp_send(0, ip, port, BUFFER, bytes)).toBe(ERRORS.E_RANGE);
    }
    expect(host.sent).toEqual([]);
    expect(host.changed()).toEqual([]);
  });

  test('a child has none of its parent, and opens its own', () => {
    const host = opened();
    host.become(1);
    expect(receive(host, 0)).toBe(ERRORS.E_CAP);
    expect(host.exports.udp_send(0, PEER.ip, 1, BUFFER, 1)).toBe(ERRORS.E_CAP);
    expect(host.exports.udp_open(PORT)).toBe(0);
  });
});

describe('neighbours', () => {
  const asked = (host: HostNetwork): number =>
    host.sent.filter((frame) => frame[12] === 8 && frame[13] === 6 && frame[21] === 1).length;

  test('are asked for three times, a second apart, and then there is none', () => {
    const host = opened();
    const from = host.now;
    expect(send(host, PEER.ip, 1, text('x'))).toBe(ERRORS.E_NONE);
    expect(asked(host)).toBe(3);
    expect(host.now - from).toBe(192);
    expect(host.counter('arpFailed')).toBe(1);
  });

  test('answer, are remembered for a minute, and then asked again', () => {
    const host = opened();
    host.slept = () => void host.deliver(arpFrame(2));
    expect(send(host, PEER.ip, 1, text('x'))).toBe(0);
    expect(send(host, PEER.ip, 1, text('x'))).toBe(0);
    expect(asked(host)).toBe(1);
    host.now += 60 * 64 + 1;
    expect(send(host, PEER.ip, 1, text('x'))).toBe(0);
    expect(asked(host)).toBe(2);
  });

  test('beyond the network are reached by the gateway', () => {
    const host = new HostNetwork(module, { ...OWN, gateway: PEER.ip });
    host.exports.udp_open(PORT);
    host.slept = () => void host.deliver(arpFrame(2));
    expect(send(host, 0x08080808, 53, text('x'))).toBe(0);
    expect(host.sent.at(-1)?.subarray(0, 6)).toEqual(PEER.mac);
    expect(new DataView(host.sent.at(-1)?.buffer ?? new ArrayBuffer(40)).getUint32(30)).toBe(0x08080808);
  });

  test('forged: answers that were not asked for, groups, our own address, other networks make no entry', () => {
    const host = opened();
    const forged = [
      arpFrame(2),
      arpFrame(1, { mac: Uint8Array.of(1, 0, 0, 0, 0, 1) }),
      arpFrame(1, { mac: new Uint8Array(6) }),
      arpFrame(1, { ip: OWN.ip }),
      arpFrame(1, { ip: 0x0b000002 }),
      arpFrame(1, { ip: 0 }),
      arpFrame(1, { target: 0x0a000009 }),
      arpFrame(3),
    ];
    for (const frame of forged) host.put(frame);
    expect(receive(host, 0)).toBe(ERRORS.E_AGAIN);
    host.sent.length = 0;
    expect(send(host, PEER.ip, 1, text('x'))).toBe(ERRORS.E_NONE);
    expect(asked(host)).toBe(3);
  });

  test('more than can be remembered push out the oldest', () => {
    const host = opened();
    for (let i = 0; i < 40; i += 1) {
      host.now += 1;
      host.deliver(arpFrame(1, { ip: 0x0a000010 + i }));
      expect(receive(host, 0)).toBe(ERRORS.E_AGAIN);
    }
    host.sent.length = 0;
    for (let i = 24; i < 40; i += 1) expect(send(host, 0x0a000010 + i, 1, text('x'))).toBe(0);
    expect(asked(host)).toBe(0);
    expect(send(host, 0x0a000010, 1, text('x'))).toBe(ERRORS.E_NONE);
  });
});

describe('ICMP', () => {
  test('echoes 64 times a second, and no more', () => {
    const host = opened();
    for (let i = 0; i < 100; i += 1) {
      host.deliver(icmpFrame(8, 0, i, text('ping')));
      receive(host, 0);
    }
    expect(host.sent.length).toBe(64);
    expect(host.counter('icmpLimited')).toBe(36);
    host.now += 64;
    host.deliver(icmpFrame(8, 0, 1, text('ping')));
    receive(host, 0);
    expect(host.sent.length).toBe(65);
  });
});

/** Frames from right ones by a few changes. */
const frames = fc
  .record({
    frame: fc.oneof(
      fc
        .record({
          port: fc.constantFrom(PORT, OTHER_PORT, CLOSED, 0),
          data: fc.uint8Array({ maxLength: 80 }),
          source: fc.constantFrom(5000, 0, 7),
        })
        .map(({ port, data, source }) => udpFrame(port, data, source)),
      fc.uint8Array({ minLength: 1400, maxLength: 1472 }).map((data) => udpFrame(PORT, data)),
      fc
        .tuple(fc.constantFrom(8, 0, 3, 5), fc.uint8Array({ maxLength: 60 }))
        .map(([type, data]) => icmpFrame(type, 0, 77, data)),
      fc.constantFrom(1, 2, 3).map((operation) => arpFrame(operation)),
      fc
        .record({
          ip: fc.constantFrom(0, OWN.ip, 0xe0000001, 0xffffffff, 0x0a0000ff, 0x7f000001, 0x08080808),
          to: fc.constantFrom(OWN.ip, 0x0a000009),
        })
        .map((fields) => udpFrame(PORT, text('?'), 1, fields)),
      fc.constantFrom(2, 6, 17, 255).map((protocol) => ipFrame({ protocol, payload: new Uint8Array(30) })),
    ),
    /** Lengths that lie, with a right header checksum: IP's, UDP's, the header's; and fragments. */
    lie: fc.option(
      fc.record({
        at: fc.constantFrom(16, 38, 20, 14),
        value: fc.oneof(fc.nat(0xffff), fc.nat(80), fc.constantFrom(0x4600, 0x4f00, 0x4400, 0x5500, 0x2000, 0x4000)),
      }),
      { freq: 2 },
    ),
    flips: fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 2 }),
    cut: fc.option(fc.integer({ min: 1, max: 70 }), { freq: 5 }),
    longer: fc.option(fc.uint8Array({ maxLength: 30 }), { freq: 5 }),
  })
  .map(({ frame, lie, flips, cut, longer }) => {
    let bytes = Uint8Array.from(frame);
    if (lie !== null) {
      const view = new DataView(bytes.buffer);
      view.setUint16(lie.at, lie.value);
      view.setUint16(24, 0);
      view.setUint16(24, sum(bytes.subarray(14, 14 + 4 * ((bytes[14] ?? 0) & 15))));
    }
    for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
    if (cut !== null) bytes = bytes.slice(0, cut);
    if (longer !== null) bytes = Uint8Array.from([...bytes, ...longer]).slice(0, 1514);
    return bytes;
  });

const COMPARED = [
  'arpMalformed',
  'arpRepliesOut',
  'ipMalformed',
  'ipChecksum',
  'ipFragments',
  'ipMisaddressed',
  'ipUnknownProtocol',
  'icmpMalformed',
  'icmpIgnored',
  'icmpEchoes',
  'icmpUnreachablesOut',
  'icmpLimited',
  'udpMalformed',
  'udpIn',
  'udpClosedPort',
] as const satisfies readonly (keyof Counters)[];

/** Where the two are not meant to say the same: TCP and what ICMP tells it, broadcasts of UDP, frames for other stations. */
function hasBoth(frame: Uint8Array): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const isForUs = Buffer.compare(frame.subarray(0, 6), OWN.mac) === 0;
  if (!isForUs || frame.length < 14) return false;
  if (view.getUint16(12) !== 0x0800 || frame.length < 34) return true;
  const header = 4 * ((frame[14] ?? 0) & 15);
  const isTold = frame[23] === 1 && frame[14 + header] === 3 && frame[15 + header] === 4;
  return frame[23] !== 6 && ![0x0a0000ff, 0xffffffff].includes(view.getUint32(30)) && !isTold;
}

/** What is told of a frame that was sent, but for the identification of IP, and the checksum that comes of it. */
function told(frame: Uint8Array): string {
  const copy = Uint8Array.from(frame);
  if (copy[13] === 0) copy.fill(0, 18, 20).fill(0, 24, 26);
  // To whom: @exokernel/net asks its cache.
  return Buffer.from(copy.subarray(6)).toString('hex');
}

test(`changed packets: an error, or what @exokernel/net says; nothing else is written`, () => {
  const host = opened();
  const stack = new NetworkStack({ ...OWN, netmask: 0xffffff00, seed: 1 });
  const sockets = [PORT, OTHER_PORT].map((port) => stack.udp.bind(port));
  let compared = 0;
  let runs = 0;
  fc.assert(
    fc.property(frames, (frame) => {
      host.now += 2;
      const now = host.now * MS_PER_TICK;
      const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
      // The neighbours know each other, and the stack has nothing else to say.
      stack.receive(arpFrame(1), now);
      host.put(arpFrame(1));
      expect(receive(host, 1)).toBe(ERRORS.E_AGAIN);
      const answers: string[] = [];
      stack.poll(now);
      stack.transmit(() => true, now);
      const before = COMPARED.map((name) => [host.counter(name), stack.counters[name]] as const);
      host.sent.length = 0;
      stack.receive(frame, now);
      stack.transmit((out) => answers.push(told(frameBytes(out))) > 0, now);
      expect(host.put(frame)).toBe(true);
      const got = [receive(host, 0), receive(host, 1)].map((one) => (typeof one === 'number' ? undefined : one));
      runs += 1;
      if (runs % 64 === 0) expect(host.changed().filter((at) => at < BUFFER || at >= SENDER + 8)).toEqual([]);
      if (!hasBoth(frame)) return;
      compared += 1;
      const expected = sockets.map((socket) => socket.receive());
      expect(got).toEqual(expected);
      const differences = COMPARED.map((name, i) => [
        name,
        host.counter(name) - (before[i]?.[0] ?? 0),
        stack.counters[name] - (before[i]?.[1] ?? 0),
      ]);
      expect(differences.filter(([, ours, theirs]) => ours !== theirs)).toEqual([]);
      const isFromPeer = frame.length >= 34 && view.getUint16(12) === 0x0800 && view.getUint32(26) === PEER.ip;
      const isGroup = ((frame[6] ?? 0) & 1) !== 0;
      if (isFromPeer && !isGroup) expect(host.sent.map(told)).toEqual(answers);
    }),
    { numRuns: RUNS, seed: 1 },
  );
  expect(compared).toBeGreaterThan(RUNS / 2);
});

test('slots with nonsense from another that may write the ring: dropped or refused, and nothing else is written', () => {
  const words = fc.oneof(
    fc.nat(1514),
    fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff, 1515, 2048, 4096, LIBRARY_TEXT),
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ slot: fc.nat(15), word: fc.nat(15), value: words }), { maxLength: 40 }),
      fc.array(frames, { maxLength: 20 }),
      (writes, all) => {
        const host = opened();
        for (const { slot, word, value } of writes) {
          if (word === 0 || word === 1) host.write(host.slot(slot) + 4 * word, value);
          for (let i = 0; i < RING_SLOT_LIMIT; i += 1) {
            const got = receive(host, i % 2);
            if (typeof got === 'number') break;
            expect(got.data.length).toBeLessThanOrEqual(1472);
          }
        }
        for (const frame of all) host.put(frame, 0xffffffff);
        for (let i = 0; i < 2; i += 1) while (typeof receive(host, i) !== 'number');
        expect(host.changed().filter((at) => at < BUFFER || at >= SENDER + 8)).toEqual([]);
      },
    ),
    { numRuns: 20, seed: 1 },
  );
});
