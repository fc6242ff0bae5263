/** Packets to this machine itself, and taps: copies of what comes and goes, for who may have them. */
import { ENV, ERRORS, TAP } from '@exokernel/abi';
import { defineHandler, encodeHandler } from '@exokernel/ash';
import { expect, test } from 'vitest';
import { KP, LOOPS_MAX } from '../src/layout.ts';
import { boot, checkInvariants, rawImage, type Booted, type Fiber, type Raw } from '../../testkit/src/index.ts';
import {
  bindFilter,
  download,
  makeRing,
  MAC,
  outside,
  packet,
  put,
  setBuffers,
  take,
  type Outside,
} from './network.ts';

type Main = (raw: Raw, net: Outside) => Fiber<number>;

function run(...mains: Main[]): { booted: Booted; net: Outside } {
  return runOn({}, ...mains);
}

function runOn(more: { readonly profile?: 'dec2100' }, ...mains: Main[]): { booted: Booted; net: Outside } {
  const net = outside();
  const booted = boot(
    mains.map((main) => rawImage({ main: (raw) => main(raw, net), tap: true })),
    { ...net.machine, ...more },
  );
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return { booted, net };
}

function to(address: number, bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => (i < 6 ? address : byte));
}

test('what is sent to the station itself or to all is delivered here and sent; what is for others is only sent', () => {
  const { booted, net } = run(function* (raw) {
    const out = yield* makeRing(raw, true);
    const ring = yield* makeRing(raw, false, 1, 0x300000);
    yield* bindFilter(raw, ring.capability, 0x9000);
    const lengths = [60, 61, 1514, 30];
    for (const [i, length] of lengths.entries()) {
      const bytes = i === 1 ? to(0xff, packet(0x9000, length)) : packet(0x9000, length);
      yield* put(raw, out, i % 2, bytes);
      expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 1 });
      // Delivered when the call returns; short ones as long as they are on the wire.
      const got = (yield* take(raw, ring, i % 2)).packet;
      expect(got).toHaveLength(Math.max(60, length));
      expect([...got.subarray(0, length)]).toEqual([...bytes]);
    }
    for (const [i, other] of [to(2, packet(0x9000)), to(0xfe, packet(0x9000))].entries()) {
      yield* put(raw, out, i, other);
      yield* raw.call('xmit', out.ring);
    }
    // One byte off, at either end.
    for (const [i, at] of [0, 5].entries()) {
      const other = packet(0x9000);
      other[at] = (other[at] ?? 0) ^ 2;
      yield* put(raw, out, i, other);
      yield* raw.call('xmit', out.ring);
    }
    yield* raw.sleep(2);
    expect(yield* raw.fibers.load(ring.slot(0))).toBe(0);
    return 0;
  });
  expect(net.received).toHaveLength(8);
  expect(booted.aegis.environment(0)).toMatchObject({ packetsIn: 4, packetsOut: 8 });
  expect(MAC).toHaveLength(6);
});

test('nothing of what lies behind a packet is delivered with it', () => {
  run(function* (raw) {
    const out = yield* makeRing(raw, true);
    const ring = yield* makeRing(raw, false, 1, 0x300000);
    yield* bindFilter(raw, ring.capability, 0x9000);
    const secret = new Uint8Array(200).fill(0x5e);
    secret.set(packet(0x9000, 61));
    yield* put(raw, out, 0, secret, 61);
    yield* raw.call('xmit', out.ring);
    yield* take(raw, ring, 0);
    const behind = new Uint8Array(8);
    yield* raw.fibers.read(ring.buffer(0) + 61, behind);
    expect([...behind]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    return 0;
  });
});

/** Answers a packet with one of this type, to this machine. */
function answering(type: number): Uint8Array {
  return encodeHandler(
    defineHandler('ping-pong', { windowBytes: 0 }, (h) => {
      for (let i = 0; i < 12; i += 4) h.code.store(h.reply, 4, 'little', i, h.message.le32(i));
      h.code.store(h.reply, 2, 'big', 12, type);
      h.consume(60);
    }),
  );
}

/** Binds a handler that answers packets of type `own` with one of type `other`. */
function* player(raw: Raw, own: number, other: number, va?: number): Fiber<void> {
  const ring = yield* makeRing(raw, false, 1, va);
  const filter = yield* bindFilter(raw, ring.capability, own);
  const bytes = answering(other);
  const attached = yield* download(raw, bytes, (code) =>
    raw.code('ash_attach', ...filter.capability, ...code.capability, bytes.length),
  );
  expect(attached).toBe(0);
}

test('handlers of one environment that answer each other here stop after so many, and the machine goes on', () => {
  // One that takes longer for an answer than the wire: otherwise a family's part of the controller's buffers ends it before.
  const { booted, net } = runOn({ profile: 'dec2100' }, function* (raw, { send }) {
    yield* player(raw, 0x9000, 0x9001, 0x310000);
    yield* player(raw, 0x9001, 0x9000, 0x320000);
    const out = yield* makeRing(raw, true, 2, 0x300000);
    for (let i = 0; i < 3; i += 1) {
      yield* put(raw, out, i, packet(0x9000));
      expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 1 });
      // The answers are on the wire too, and keep the controller busy.
      yield* raw.sleep(2);
    }
    send(packet(0x9000));
    yield* raw.sleep(4);
    return 0;
  });
  const { memory } = booted.aegis.parts;
  expect(memory.kernelPage(KP.loopsDropped)).toBeGreaterThanOrEqual(3);
  // Three calls and one arrival, and an answer for which the wire was too slow is lost.
  const played = memory.env(0, ENV.packetsIn);
  expect(played).toBeLessThanOrEqual(3 * LOOPS_MAX + 1);
  expect(played).toBeGreaterThan(LOOPS_MAX);
  expect(net.received.length).toBeLessThanOrEqual(played + 3);
});

test('an answer is for who sent what it answers, not for a third, nor for one here if that came from outside', () => {
  const shared = { ready: 0 };
  const { booted, net } = run(
    function* (raw, { send }) {
      const ring = yield* makeRing(raw, false, 1, 0x310000);
      yield* bindFilter(raw, ring.capability, 0x9002);
      while (shared.ready < 2) yield* raw.sleep(1);
      const out = yield* makeRing(raw, true, 2, 0x300000);
      // The first handler answers to this one, the second to the owner of the first.
      for (const [i, type] of [0x9000, 0x9001].entries()) {
        yield* put(raw, out, i, packet(type));
        expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 1 });
        yield* raw.sleep(2);
      }
      expect((yield* take(raw, ring, 0)).packet[13]).toBe(0x02);
      // From outside: answered there.
      send(packet(0x9000));
      yield* raw.sleep(4);
      return 0;
    },
    function* (raw) {
      yield* player(raw, 0x9000, 0x9002);
      shared.ready += 1;
      for (;;) yield* raw.sleep(1);
    },
    function* (raw) {
      yield* player(raw, 0x9001, 0x9000);
      shared.ready += 1;
      for (;;) yield* raw.sleep(1);
    },
  );
  const { memory } = booted.aegis.parts;
  expect([0, 1, 2].map((env) => memory.env(env, ENV.packetsIn))).toEqual([1, 2, 1]);
  expect(memory.kernelPage(KP.loopsDropped)).toBe(2);
  // Two packets, and an answer to each of them and to what came from outside.
  expect(net.received).toHaveLength(5);
});

test('a tap sees what comes, whoever’s it is, and what goes, once; until its ring is freed', () => {
  const { booted } = run(function* (raw, { send }) {
    const net = yield* raw.granted('net');
    const out = yield* makeRing(raw, true);
    const own = yield* makeRing(raw, false, 1, 0x300000);
    yield* bindFilter(raw, own.capability, 0x9000);
    const tap = yield* makeRing(raw, false, 2, 0x310000);
    expect(yield* raw.code('tap_bind', ...net, ...out.capability)).toBe(ERRORS.E_CAP);
    expect(yield* raw.code('tap_bind', ...net, ...tap.capability)).toBe(0);
    expect(yield* raw.code('tap_bind', ...net, ...tap.capability)).toBe(ERRORS.E_BUSY);
    send(packet(0x9001, 100, 1));
    expect(yield* take(raw, tap, 0)).toEqual({ packet: packet(0x9001, 100, 1), filter: TAP.in });
    yield* put(raw, out, 0, to(2, packet(0x9002, 99, 2)));
    yield* raw.call('xmit', out.ring);
    expect(yield* take(raw, tap, 1)).toEqual({ packet: to(2, packet(0x9002, 99, 2)), filter: TAP.out });
    // To oneself: the tap sees it go; the filter has it; the tap does not see it come.
    yield* put(raw, out, 1, packet(0x9000));
    yield* raw.call('xmit', out.ring);
    expect((yield* take(raw, tap, 2)).filter).toBe(TAP.out);
    yield* take(raw, own, 0);
    expect(yield* raw.fibers.load(tap.slot(3))).toBe(0);
    // A second tap, and one that is full: the others go on.
    const second = yield* makeRing(raw, false, 1, 0x320000);
    expect(yield* raw.code('tap_bind', ...net, ...second.capability)).toBe(0);
    for (let i = 0; i < 3; i += 1) send(packet(0x9000, 64, i));
    yield* raw.sleep(2);
    expect((yield* take(raw, second, 1)).packet[20]).toBe(packet(0x9000, 64, 1)[20]);
    expect((yield* take(raw, tap, 3)).packet[20]).toBe(packet(0x9000, 64, 0)[20]);
    expect((yield* take(raw, tap, 1)).packet[20]).toBe(packet(0x9000, 64, 2)[20]);
    expect(yield* raw.code('ring_free', ...tap.capability)).toBe(0);
    yield* setBuffers(raw, second, 0, [[second.at(0), 1536]]);
    yield* raw.fibers.store(second.slot(0), 0);
    send(packet(0x9009, 64, 7));
    expect((yield* take(raw, second, 0)).packet[20]).toBe(packet(0x9000, 64, 7)[20]);
    return 0;
  });
  expect(booted.aegis.parts.memory.kernelPage(KP.tap)).toBe(0);
});

test('a transmit ring that its own tap fills again does not keep the kernel: a call looks at each slot once', () => {
  const slots = 8;
  const { booted } = run(function* (raw) {
    const net = yield* raw.granted('net');
    const out = yield* makeRing(raw, true, slots / 2);
    const tap = yield* makeRing(raw, false, 1, 0x310000);
    const [shared] = out.frames;
    expect(yield* raw.call('ring_extend', ...tap.capability, ...(shared?.capability ?? []))).toMatchObject({ code: 0 });
    expect(yield* raw.code('tap_bind', ...net, ...tap.capability)).toBe(0);
    // The packet of slots 0 and 4 is the image of all slots, and a word of zero: the tap has it where the slots are, and empties
    // its other slot with the word. The others are refused after a long copy, in which the controller sends.
    const image = new DataView(new ArrayBuffer(64 * slots + 4));
    for (let i = 0; i < slots; i += 1) {
      const sent = i % 4 === 0;
      const buffers = sent ? [out.at(2), image.byteLength] : [out.at(4), 1512, 1, 4];
      [sent ? image.byteLength : 1514, 0, ...buffers].forEach((word, n) => {
        image.setUint32(64 * i + 4 * n, word, true);
      });
    }
    for (const i of [0, 1]) {
      yield* setBuffers(raw, tap, i, [
        [4096, 64 * slots],
        [64 * (1 - i), 4],
      ]);
    }
    const bytes = new Uint8Array(image.buffer);
    yield* raw.fibers.write(out.buffer(2), bytes);
    yield* raw.fibers.write(out.slot(0), bytes.subarray(0, 64 * slots));
    for (let i = 0; i < 4; i += 1) expect(yield* raw.call('xmit', out.ring)).toMatchObject({ code: 0, value: 2 });
    return 0;
  });
  expect(booted.aegis.environment(0).packetsOut).toBe(8);
});
