/** TIME-WAIT in numbers, and initial sequence numbers [RFC6528], [RFC9293 §3.4.1, §3.6.1]. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../src/random.ts';
import { createInitialNumbers } from '../src/tcp-initial-number.ts';
import { ACK, FIN, RST, SYN, type TcpSegment } from '../src/tcp-segment.ts';
import { TimeWaits } from '../src/tcp-time-wait.ts';
import { Timers } from '../src/timers.ts';
import { A_IP, B_IP, stackA } from './link.ts';
import { Peer } from './peer.ts';

const MS = 60_000;

function segment(flags: number, seq: number): TcpSegment {
  const bytes = new Uint8Array(0);
  const rest = { ack: 0, window: 0, mss: 0, scale: undefined, bytes, from: 0, to: 0 };
  return { sourcePort: 0, destinationPort: 0, flags, seq, ...rest };
}

function ends(i: number): { localPort: number; remoteIp: number; remotePort: number } {
  return { localPort: 80 + (i % 3), remoteIp: 0xff000000 + (i % 7), remotePort: 1 + i };
}

describe('entries', () => {
  test('twenty thousand, each found, each gone after its time, none before', () => {
    const timers = new Timers();
    const waits = new TimeWaits(timers, 20_000, MS);
    for (let i = 0; i < 20_000; i += 1) {
      expect(waits.add(ends(i), { nxt: i, peerNxt: 2 * i }, i / 10)).toBe(false);
    }
    expect([waits.size, timers.next]).toEqual([20_000, MS]);
    for (let i = 0; i < 20_000; i += 97) {
      expect(waits.receive(ends(i), segment(ACK, 0), 2000)).toMatchObject({ nxt: i, peerNxt: 2 * i });
    }
    timers.fire(MS + 1000);
    expect([waits.size, waits.has(ends(10_000)), waits.has(ends(10_001))]).toEqual([9999, false, true]);
    timers.fire(MS + 2000);
    expect([waits.size, timers.next]).toEqual([0, undefined]);
  });

  test('one too many takes the place of the oldest', () => {
    const waits = new TimeWaits(new Timers(), 3, MS);
    expect([0, 1, 2, 3].map((i) => waits.add(ends(i), { nxt: 0, peerNxt: 0 }, i))).toEqual([false, false, false, true]);
    expect([0, 1, 2, 3].map((i) => waits.has(ends(i)))).toEqual([false, true, true, true]);
  });

  test('the same as a list of them, whatever happens', () => {
    const happening = fc.record({
      what: fc.constantFrom('add', 'FIN', 'RST', 'SYN', 'time'),
      which: fc.nat(12),
    });
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 120 }), fc.integer({ min: 1, max: 8 }), (happenings, most) => {
        const timers = new Timers();
        const waits = new TimeWaits(timers, most, 100);
        let model: { which: number; until: number }[] = [];
        let now = 0;
        for (const { what, which } of happenings) {
          const known = model.some((entry) => entry.which === which);
          const without = model.filter((entry) => entry.which !== which);
          if (what === 'time') {
            now += 5 * which;
            timers.fire(now);
            model = model.filter(({ until }) => until > now);
          } else if (what === 'add') {
            if (known) continue;
            const evicts = waits.add(ends(which), { nxt: which, peerNxt: 1000 }, now);
            if (evicts) model.shift();
            model.push({ which, until: now + 100 });
          } else {
            const flags = { FIN, RST, SYN }[what as 'FIN'];
            const answer = waits.receive(
              ends(which),
              segment(flags, what === 'FIN' ? 999 : what === 'RST' ? 1000 : 1001),
              now,
            );
            expect(answer === undefined).toBe(!known);
            if (!known) continue;
            if (what !== 'FIN') model = without;
            else if (answer?.kind === 'acknowledge') model = [...without, { which, until: now + 100 }];
          }
          expect(waits.size).toBe(model.length);
          for (let i = 0; i <= 12; i += 1) expect(waits.has(ends(i))).toBe(model.some((entry) => entry.which === i));
          expect(model.length).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  test('take 51 bytes each', () => {
    const waits = new TimeWaits(new Timers(), 2 ** 16, MS);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 2 ** 16; i += 1) waits.add(ends(i), { nxt: 0, peerNxt: 0 }, 0);
    // Also what was there before it grew, if nothing has collected it yet.
    expect((process.memoryUsage().arrayBuffers - before) / 2 ** 16).toBeLessThan(2 * 51);
    expect(waits.size).toBe(2 ** 16);
  });
});

describe('a new connection from TIME-WAIT [RFC9293 §3.6.1, MAY-2]', () => {
  /** A connection that the stack closed first, in TIME-WAIT. Our next number is 1002 after the first. */
  function waiting(seed: number): Peer {
    const stack = stackA({ seed });
    const listener = stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    peer.open();
    const c = listener.accept();
    c?.write(new Uint8Array(1000));
    peer.answer();
    peer.send({ flags: 'A', seq: 1, ack: 1001 });
    c?.close();
    peer.answer();
    peer.send({ flags: 'FA', seq: 1, ack: 1002 });
    expect(stack.tcp.size).toEqual({ connections: 0, timeWaits: 1 });
    return peer;
  }

  test.each([1, 2, 3, 4, 5])('begins beyond all numbers of the old one, seed %i', (seed) => {
    const peer = waiting(seed);
    const old = (peer.stackIss + 1002) >>> 0;
    expect(peer.send({ flags: 'S', seq: 100_000, mss: 1460 })[0]).toMatch(/^SA 0 ack 100001/);
    expect((peer.stackIss - old) | 0).toBeGreaterThan(0);
    expect(peer.stack.tcp.size).toEqual({ connections: 1, timeWaits: 0 });
  });

  test('goes back to TIME-WAIT if its SYN was an old one', () => {
    const peer = waiting(1);
    const iss = peer.stackIss;
    peer.send({ flags: 'S', seq: 100_000, mss: 1460 });
    peer.send({ flags: 'R', seq: 100_001 });
    expect(peer.stack.tcp.size).toEqual({ connections: 0, timeWaits: 1 });
    peer.stackIss = iss;
    expect(peer.send({ flags: 'FA', seq: 1, ack: 1002 })).toEqual(['A 1002 ack 2 win 32768']);
  });

  test('that was established does not', () => {
    const peer = waiting(1);
    peer.send({ flags: 'S', seq: 100_000, mss: 1460 });
    peer.send({ flags: 'A', seq: 100_001, ack: 1 });
    peer.send({ flags: 'R', seq: 100_001 });
    expect(peer.stack.tcp.size).toEqual({ connections: 0, timeWaits: 0 });
  });
});

describe('initial sequence numbers [RFC6528 §3]', () => {
  const between = ends(5);

  test('of the same ends go up by 250 each millisecond', () => {
    const number = createInitialNumbers(A_IP, createRandom(1));
    const first = number(between, 0);
    expect([1, 10, 1000].map((now) => (number(between, now) - first) >>> 0)).toEqual([250, 2500, 250_000]);
  });

  test('of other ends, and under another key, say nothing about them', () => {
    const number = createInitialNumbers(A_IP, createRandom(1));
    const others = [
      number(between, 0),
      number({ ...between, localPort: 443 }, 0),
      number({ ...between, remotePort: 7 }, 0),
      number({ ...between, remoteIp: B_IP }, 0),
      createInitialNumbers(B_IP, createRandom(1))(between, 0),
      createInitialNumbers(A_IP, createRandom(2))(between, 0),
    ];
    expect(new Set(others).size).toBe(6);
    for (const [i, a] of others.entries()) {
      for (const b of others.slice(i + 1)) expect(Math.abs((a - b) | 0)).toBeGreaterThan(1000);
    }
  });
});
