import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { CONSUME, instantiateHandler, PASS, remoteIncrement, replyLengthOf, udpEcho, verdictOf } from '../src/index.ts';
import { onMips } from './on-mips.ts';

const PORT = 7;
const IP = 0x0a000001;

interface Shape {
  readonly payload: Uint8Array;
  readonly trailer?: number;
  readonly dstPort?: number;
  readonly dstIp?: number;
}

/** A right datagram with right checksums, and bytes behind it that are not part of it. */
function datagram({ payload, trailer = 0, dstPort = PORT, dstIp = IP }: Shape): Uint8Array {
  const total = 28 + payload.length;
  const bytes = new Uint8Array(14 + total + trailer).fill(0x99);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 17, 0, 0]);
  view.setUint16(16, total);
  view.setUint32(26, 0x0a000002);
  view.setUint32(30, dstIp);
  view.setUint16(24, checksum(bytes.subarray(14, 34), 0));
  view.setUint16(34, 4321);
  view.setUint16(36, dstPort);
  view.setUint16(38, 8 + payload.length);
  view.setUint16(40, 0);
  bytes.set(payload, 42);
  view.setUint16(40, checksum(bytes.subarray(26, 14 + total), 17 + 8 + payload.length) || 0xffff);
  return bytes;
}

/** [RFC1071]; `initial` stands for the pseudo-header's words. */
function checksum(bytes: Uint8Array, initial: number): number {
  let sum = initial;
  bytes.forEach((byte, i) => {
    sum += i % 2 === 0 ? byte << 8 : byte;
  });
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The echo, written down plainly: the answer, or nothing. */
function referenceEcho(frame: Uint8Array, ip: number | undefined): Uint8Array | undefined {
  if (frame.length < 42) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const total = view.getUint16(16);
  const isPlain = view.getUint16(12) === 0x0800 && frame[14] === 0x45 && (view.getUint16(20) & 0x3fff) === 0;
  if (!isPlain || frame[23] !== 17 || view.getUint16(36) !== PORT) return undefined;
  if (ip !== undefined && view.getUint32(30) !== ip) return undefined;
  if (total !== view.getUint16(38) + 20 || total < 28 || total + 14 > frame.length || total > 1500) return undefined;
  const reply = frame.slice(0, 14 + total);
  const swap = (a: number, b: number, length: number): void => {
    reply.set(frame.subarray(a, a + length), b);
    reply.set(frame.subarray(b, b + length), a);
  };
  swap(0, 6, 6);
  swap(26, 30, 4);
  swap(34, 36, 2);
  return reply;
}

describe('udpEcho', () => {
  for (const ip of [undefined, IP]) {
    const handler = udpEcho(ip === undefined ? { port: PORT } : { port: PORT, ip });
    const instance = instantiateHandler(handler);
    const counter = (window: Uint8Array): number => new DataView(window.buffer, window.byteOffset).getUint32(0, true);

    const compare = (frame: Uint8Array): boolean => {
      const expected = referenceEcho(frame, ip);
      const window = instance.window.slice();
      const before = counter(window);
      const verdict = instance.handle(frame);
      expect([instance.status, verdict]).toEqual([0, expected === undefined ? PASS : CONSUME]);
      expect(instance.reply).toEqual(expected ?? new Uint8Array(0));
      const mips = onMips(handler, frame, window);
      expect([mips.status, verdictOf(mips.result), mips.fuelUsed]).toEqual([0, verdict, instance.fuelUsed]);
      expect(mips.executed).toBeLessThanOrEqual(mips.fuelUsed);
      expect(mips.reply.subarray(0, replyLengthOf(mips.result))).toEqual(instance.reply);
      expect(window).toEqual(instance.window);
      expect(counter(instance.window)).toBe(before + (expected === undefined ? 0 : 1));
      return expected !== undefined;
    };

    test(`every length of payload, with and without a trailer (${ip === undefined ? 'any' : 'one'} address)`, () => {
      const payload = Uint8Array.from({ length: 1472 }, (_, i) => (7 * i) & 0xff);
      for (const length of [...Array.from({ length: 70 }, (_, i) => i), 1469, 1470, 1471, 1472]) {
        for (const trailer of [0, 1, 5])
          expect(compare(datagram({ payload: payload.subarray(0, length), trailer }))).toBe(true);
      }
    });

    test(`fuzzed frames against the plain reference (${ip === undefined ? 'any' : 'one'} address)`, () => {
      let answered = 0;
      const interesting = fc.constantFrom(12, 13, 14, 16, 17, 20, 21, 23, 30, 33, 36, 37, 38, 39);
      const change = fc.tuple(
        fc.oneof(interesting, fc.nat(60)),
        fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 7, 0x1c, 0x20, 0x45)),
      );
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 40 }),
          fc.nat(4),
          fc.array(change, { maxLength: 2 }),
          fc.option(fc.nat(90), { freq: 5 }),
          (payload, trailer, changes, cut) => {
            const frame = datagram({ payload, trailer });
            for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
            if (compare(cut === null ? frame : frame.slice(0, cut))) answered += 1;
          },
        ),
        { numRuns: 1000 },
      );
      expect(answered).toBeGreaterThan(100);
    });
  }

  test('the checksums of the answer are right', () => {
    const instance = instantiateHandler(udpEcho({ port: PORT }));
    instance.handle(datagram({ payload: Uint8Array.from([1, 2, 3, 4, 5]) }));
    const { reply } = instance;
    expect(checksum(reply.subarray(14, 34), 0)).toBe(0);
    expect(checksum(reply.subarray(26), 17 + 8 + 5)).toBe(0);
  });
  test('random frames are never answered', () => {
    const instance = instantiateHandler(udpEcho({ port: PORT }));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2000 }),
        (frame) => instance.handle(frame) === PASS && instance.status === 0,
      ),
    );
  });
  test('what a full frame costs', () => {
    const instance = instantiateHandler(udpEcho({ port: PORT }));
    instance.handle(datagram({ payload: new Uint8Array(1472) }));
    const full = instance.fuelUsed;
    instance.handle(datagram({ payload: new Uint8Array(18) }));
    expect({ full, small: instance.fuelUsed }).toMatchInlineSnapshot(`
      {
        "full": 2516,
        "small": 260,
      }
    `);
  });
});

describe('remoteIncrement', () => {
  const handler = remoteIncrement({ port: PORT, counters: 3, counterOffset: 8 });
  const instance = instantiateHandler(handler);
  const request = (number: number, amount: number): Uint8Array => {
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setUint32(0, number);
    new DataView(payload.buffer).setUint32(4, amount);
    return datagram({ payload });
  };
  test('numbers that are no counters, payloads that are no requests', () => {
    for (const frame of [
      request(3, 1),
      request(0xffffffff, 1),
      request(0x40000000, 1),
      datagram({ payload: new Uint8Array(7) }),
    ]) {
      expect([instance.handle(frame), instance.status]).toEqual([PASS, 0]);
    }
    expect(instance.window).toEqual(new Uint8Array(20));
  });
  test('adds, wraps, and answers the new value', () => {
    const values = [5, 10, 0xffffffff];
    let sum = 0;
    for (const amount of values) {
      sum = (sum + amount) >>> 0;
      const frame = request(2, amount);
      const window = instance.window.slice();
      expect(instance.handle(frame)).toBe(CONSUME);
      const reply = new DataView(instance.reply.buffer, instance.reply.byteOffset, instance.replyLength);
      expect([instance.replyLength, reply.getUint32(42), reply.getUint32(46), reply.getUint16(40)]).toEqual([
        50,
        2,
        sum,
        0,
      ]);
      expect([reply.getUint16(34), reply.getUint16(36), reply.getUint32(26)]).toEqual([PORT, 4321, IP]);
      expect(checksum(instance.reply.subarray(14, 34), 0)).toBe(0);
      expect(new DataView(instance.window.buffer, instance.window.byteOffset).getUint32(16, true)).toBe(sum);
      const mips = onMips(handler, frame, window);
      expect(mips.reply.subarray(0, 50)).toEqual(instance.reply);
      expect(window).toEqual(instance.window);
    }
  });
});
