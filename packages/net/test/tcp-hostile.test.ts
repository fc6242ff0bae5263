/** What an attacker on the path, or off it, can try: forged, overlapping, flooding segments. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NetworkStack, TcpConnection, TcpListener, TcpTuning } from '../src/index.ts';
import { checksum, sumBytes } from '../src/checksum.ts';
import { putU16, putU32 } from '../src/bytes.ts';
import { RingPool } from '../src/ring-pool.ts';
import { TcpReceiver } from '../src/tcp-receiver.ts';
import { FIN } from '../src/tcp-segment.ts';
import { A_IP, B_IP, pattern, stackA } from './link.ts';
import { Peer } from './peer.ts';

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function accepted(tcp: TcpTuning = {}): { peer: Peer; c: TcpConnection; stack: NetworkStack; listener: TcpListener } {
  const stack = stackA({ tcp });
  const listener = stack.tcp.listen(80);
  const peer = new Peer(stack, 80);
  peer.open();
  return { peer, c: listener.accept() as TcpConnection, stack, listener };
}

describe('forged segments [RFC5961]', () => {
  test('a reset inside the window but not at its edge is challenged; outside it is ignored', () => {
    const { peer, c, stack } = accepted();
    expect(peer.send({ flags: 'R', seq: 2 })).toEqual(['A 1 ack 1 win 32768']);
    expect(peer.send({ flags: 'R', seq: 32768 })).toEqual(['A 1 ack 1 win 32768']);
    expect(peer.send({ flags: 'R', seq: 32770 })).toEqual([]);
    expect(peer.send({ flags: 'R', seq: 0 })).toEqual([]);
    expect(peer.send({ flags: 'R', seq: -100_000 })).toEqual([]);
    expect([c.state, stack.counters.tcpChallengeAcks, stack.counters.tcpUnacceptable]).toEqual(['established', 2, 3]);
    peer.send({ flags: 'R', seq: 1 });
    expect(c.error).toBe('reset');
  });

  test('challenges are limited to ten per second and connection', () => {
    const { peer, stack } = accepted();
    let answers = 0;
    for (let i = 0; i < 100; i++) answers += peer.send({ flags: 'S', seq: 5 }).length;
    expect([answers, stack.counters.tcpChallengeAcks, stack.counters.tcpChallengesLimited]).toEqual([10, 10, 90]);
    peer.wait(1000);
    expect(peer.send({ flags: 'S', seq: 5 }).length).toBe(1);
  });

  test('a SYN anywhere in an open connection is challenged, never obeyed', () => {
    const { peer, c } = accepted();
    for (const seq of [0, 1, 100, 40_000, -5]) {
      expect(peer.send({ flags: 'S', seq })).toEqual(['A 1 ack 1 win 32768']);
      expect(peer.send({ flags: 'SA', seq, ack: 1 })).toEqual(['A 1 ack 1 win 32768']);
    }
    expect(c.state).toBe('established');
  });

  test('an acknowledgment of what was never sent is challenged and brings no data', () => {
    const { peer, c } = accepted();
    expect(peer.send({ flags: 'A', seq: 1, ack: 2, data: 'evil' })).toEqual(['A 1 ack 1 win 32768']);
    expect(c.readable).toBe(0);
    c.write(Uint8Array.of(1, 2, 3));
    peer.answer();
    expect(peer.send({ flags: 'A', seq: 1, ack: 5 })).toEqual(['A 4 ack 1 win 32768']);
    expect(c.queued).toBe(3);
  });

  test('an acknowledgment older than any window is challenged and brings no data', () => {
    const { peer, c } = accepted();
    expect(peer.send({ flags: 'A', seq: 1, ack: -8191, data: 'ok' })).toEqual([]);
    expect(text(c.read())).toBe('ok');
    expect(peer.send({ flags: 'A', seq: 3, ack: -8192, data: 'evil' })).toEqual(['A 1 ack 3 win 32766']);
    expect(c.readable).toBe(0);
  });

  test('data without ACK is dropped', () => {
    const { peer, c } = accepted();
    expect(peer.send({ flags: 'P', seq: 1, data: 'evil' })).toEqual([]);
    expect(c.readable).toBe(0);
  });

  test('data outside the window is acknowledged and dropped', () => {
    const { peer, c } = accepted();
    for (const seq of [32769, 1_000_000, -10, -1_000_000, 0x80000000]) {
      expect(peer.send({ flags: 'A', seq, ack: 1, data: 'evil' })).toEqual(['A 1 ack 1 win 32768']);
    }
    expect(c.readable).toBe(0);
  });

  test('a FIN outside the window closes nothing', () => {
    const { peer, c } = accepted();
    for (const seq of [32769, -1, 50_000]) peer.send({ flags: 'FA', seq, ack: 1 });
    expect(c.state).toBe('established');
  });

  test('a second FIN elsewhere does not move the end', () => {
    const { peer, c } = accepted();
    peer.send({ flags: 'FA', seq: 4, ack: 1, data: 'def' });
    peer.send({ flags: 'FA', seq: 2, ack: 1, data: 'b' });
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' });
    expect([text(c.read()), c.ended]).toEqual(['abcdef', true]);
  });

  test('an old window does not replace a newer one', () => {
    const { peer, c } = accepted();
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 5000, data: 'ab' });
    peer.send({ flags: 'A', seq: 3, ack: 1, window: 5000, data: 'c' });
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 0, data: 'abcd' });
    expect(text(c.read())).toBe('abcd');
    c.write(new Uint8Array(1000));
    expect(peer.answer()).toEqual(['PA 1:1001 ack 5 win 32764']);
  });

  test('every wrong bit of a segment is seen by the checksum', () => {
    const { peer, c, stack } = accepted();
    const frame = peer.frame({ flags: 'PA', seq: 1, ack: 1, data: 'hello, world' });
    const seen = stack.counters.tcpMalformed;
    let tried = 0;
    for (let bit = 34 * 8; bit < frame.length * 8; bit++) {
      const wrong = frame.slice();
      wrong[bit >>> 3] = (wrong[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      stack.receive(wrong, peer.now);
      tried += 1;
    }
    expect(stack.counters.tcpMalformed - seen).toBe(tried);
    expect([c.readable, peer.answer()]).toEqual([0, []]);
  });
});

describe('land and other addresses that cannot be', () => {
  /** A SYN with other addresses; all checksums right. */
  function syn(peer: Peer, source: number, destination: number): Uint8Array {
    const frame = peer.frame({ flags: 'S', fromPort: 80, port: 80 });
    putU32(frame, 26, source);
    putU32(frame, 30, destination);
    putU16(frame, 24, 0);
    putU16(frame, 24, checksum(sumBytes(frame, 14, 34)));
    putU16(frame, 50, 0);
    putU16(frame, 50, checksum(sumBytes(frame, 26, 34) + 6 + frame.length - 34 + sumBytes(frame, 34, frame.length)));
    return frame;
  }

  test.each([
    ['itself', A_IP, A_IP],
    ['loopback', 0x7f000001, A_IP],
    ['nobody', 0, A_IP],
    ['a group', 0xe0000001, A_IP],
    ['everybody', 0xffffffff, A_IP],
    ['its network', 0x0a0000ff, A_IP],
    ['to everybody', B_IP, 0xffffffff],
    ['to its network', B_IP, 0x0a0000ff],
    ['to another host', B_IP, A_IP + 5],
  ])('a SYN from %s', (_, source, destination) => {
    const stack = stackA();
    stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    stack.receive(syn(peer, source, destination), peer.now);
    expect([stack.counters.ipMisaddressed, stack.tcp.size.connections, peer.answer()]).toEqual([1, 0, []]);
  });

  test('the same SYN from a neighbour is answered', () => {
    const stack = stackA();
    stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    stack.receive(syn(peer, B_IP, A_IP), peer.now);
    expect(peer.answer().length).toBe(1);
  });
});

describe('floods', () => {
  test('SYNs: half-open connections are bounded, the oldest give way', () => {
    const stack = stackA();
    stack.tcp.listen(80, { backlog: 8 });
    const peer = new Peer(stack, 80);
    for (let port = 1; port < 5000; port++) {
      peer.send({ flags: 'S', fromPort: port });
      expect(stack.tcp.size.connections).toBeLessThanOrEqual(8);
    }
    expect(stack.counters.tcpSynEvicted).toBe(4999 - 8);
  });

  test('an honest handshake amid a flood completes', () => {
    const stack = stackA();
    const listener = stack.tcp.listen(80, { backlog: 8 });
    const flood = new Peer(stack, 80);
    const honest = new Peer(stack, 80);
    honest.peerPort = 6000;
    for (let port = 1; port < 100; port++) flood.send({ flags: 'S', fromPort: port });
    honest.send({ flags: 'S' });
    for (let port = 100; port < 107; port++) flood.send({ flags: 'S', fromPort: port });
    honest.send({ flags: 'A', seq: 1, ack: 1 });
    expect(listener.accept()?.remotePort).toBe(6000);
  });

  test('half-open connections expire by themselves', () => {
    const stack = stackA();
    stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    for (let port = 1; port <= 16; port++) peer.send({ flags: 'S', fromPort: port });
    expect(stack.tcp.size.connections).toBe(16);
    peer.wait(200_000);
    expect(stack.tcp.size.connections).toBe(0);
  });

  test('complete connections that nobody accepts: no more SYNs, no more handshakes', () => {
    const stack = stackA();
    const listener = stack.tcp.listen(80, { backlog: 2 });
    const peer = new Peer(stack, 80);
    peer.peerPort = 1;
    peer.open();
    for (peer.peerPort of [2, 3]) peer.send({ flags: 'S' });
    peer.send({ flags: 'A', seq: 1, ack: 1 });
    // Port 2's handshake completes the queue of two.
    peer.peerPort = 4;
    expect(peer.send({ flags: 'S' })).toEqual([]);
    expect(stack.counters.tcpSynDropped).toBe(1);
    expect([listener.accept()?.remotePort, listener.accept()?.remotePort, listener.accept()]).toEqual([
      1,
      3,
      undefined,
    ]);
  });

  test('a handshake that finds the queue full completes when there is room again', () => {
    const stack = stackA({ tcp: { minRto: 1000 } });
    const listener = stack.tcp.listen(80, { backlog: 2 });
    const [first, second, third] = [1, 2, 3].map((port) => {
      const peer = new Peer(stack, 80);
      peer.peerPort = port;
      return peer;
    }) as [Peer, Peer, Peer];
    first.send({ flags: 'S' });
    second.send({ flags: 'S' });
    first.send({ flags: 'A', seq: 1, ack: 1 });
    third.send({ flags: 'S' });
    second.send({ flags: 'A', seq: 1, ack: 1 });
    expect(third.send({ flags: 'A', seq: 1, ack: 1, data: 'early' })).toEqual([]);
    expect(listener.accept()?.remotePort).toBe(1);
    expect(third.wait(1000)).toEqual(['+1000 SA 0 ack 1 win 32768 mss 1460']);
    third.send({ flags: 'A', seq: 1, ack: 1, data: 'early' });
    expect(listener.accept()?.remotePort).toBe(2);
    expect(text(listener.accept()?.read() ?? new Uint8Array())).toBe('early');
  });

  test('an accepted connection is safe from later SYNs', () => {
    const stack = stackA();
    const listener = stack.tcp.listen(80, { backlog: 1 });
    const peer = new Peer(stack, 80);
    peer.open();
    const c = listener.accept();
    for (let port = 1; port < 10; port++) peer.send({ flags: 'S', fromPort: port });
    expect(c?.state).toBe('established');
  });

  test('connections are bounded, in and out', () => {
    const stack = stackA({ tcp: { maxConnections: 3 } });
    stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    for (peer.peerPort of [1, 2, 3, 4, 5]) peer.open();
    expect([stack.tcp.size.connections, stack.counters.tcpSynDropped]).toEqual([3, 2]);
    const c = stack.tcp.connect(B_IP, 80);
    expect([c.error, c.finished]).toEqual(['exhausted', true]);
  });

  test('TIME-WAIT entries are bounded', () => {
    const stack = stackA({ tcp: { maxTimeWaits: 4 } });
    const listener = stack.tcp.listen(80);
    const peer = new Peer(stack, 80);
    for (let port = 1; port <= 10; port++) {
      peer.peerPort = port;
      peer.open();
      listener.accept()?.close();
      peer.answer();
      peer.send({ flags: 'FA', seq: 1, ack: 2 });
    }
    expect([stack.tcp.size.timeWaits, stack.counters.tcpTimeWaitEvicted]).toEqual([4, 6]);
  });

  test('TIME-WAIT answers ten segments per second', () => {
    const { peer, c } = accepted();
    c.close();
    peer.answer();
    peer.send({ flags: 'FA', seq: 1, ack: 2 });
    let answers = 0;
    for (let i = 0; i < 100; i++) answers += peer.send({ flags: 'A', seq: 50, ack: 2, data: 'x' }).length;
    expect(answers).toBe(10);
  });

  test('one-byte segments with gaps: the ranges kept are bounded, and the stream stays right', () => {
    const { peer, c } = accepted();
    const data = pattern(4000, 1);
    for (let seq = 2; seq < 4000; seq += 2) {
      peer.send({ flags: 'A', seq: 1 + seq, ack: 1, data: data.subarray(seq, seq + 1) });
    }
    expect(c.readable).toBe(0);
    // Data in its turn has a place even so.
    peer.send({ flags: 'A', seq: 1, ack: 1, data: data.subarray(0, 1) });
    expect(c.readable).toBe(1);
    // Bytes 2, 4, … 16 were kept: eight ranges. Byte 18 was not.
    for (let seq = 1; seq <= 17; seq += 2)
      peer.send({ flags: 'A', seq: 1 + seq, ack: 1, data: data.subarray(seq, seq + 1) });
    expect(c.readable).toBe(18);
    peer.send({ flags: 'A', seq: 19, ack: 1, data: data.subarray(18) });
    expect(c.read()).toEqual(data);
  });

  test('resets and acknowledgments for nobody grow nothing', () => {
    const stack = stackA();
    const peer = new Peer(stack, 80);
    for (let i = 0; i < 5000; i++) {
      stack.receive(peer.frame({ flags: i % 2 ? 'A' : 'S', fromPort: 1 + i, ack: i }), peer.now);
    }
    expect([stack.tcp.size.connections, stack.nextDeadline]).toEqual([0, undefined]);
    // The device took nothing all the while: the queue is bounded.
    expect(peer.frames().length).toBe(256);
    expect(stack.counters.outputOverflow).toBe(5000 - 256);
  });
});

describe('overlapping segments', () => {
  test('any cover of a stream, in any order, twice, is that stream', () => {
    const piece = fc.record({ from: fc.nat(300), length: fc.integer({ min: 1, max: 80 }) });
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }),
        fc.integer(),
        fc.integer({ min: 1, max: 40 }),
        (pieces, iss, reads) => {
          const data = pattern(300, 7);
          const first = iss >>> 0;
          const receiver = new TcpReceiver(new RingPool(256), 256, first, 0);
          receiver.advertise(100);
          const out: number[] = [];
          const send = (from: number, to: number): void => {
            const end = Math.min(to, data.length);
            if (from >= end) return;
            receiver.accept({
              sourcePort: 0,
              destinationPort: 0,
              seq: (first + from) >>> 0,
              ack: 0,
              flags: end === data.length ? FIN : 0,
              window: 0,
              mss: 0,
              scale: undefined,
              bytes: data,
              from,
              to: end,
            });
            expect(receiver.readable).toBeLessThanOrEqual(256);
            out.push(...receiver.read(reads, true));
            receiver.advertise(100);
          };
          for (const { from, length } of pieces) send(from, from + length);
          // What is still missing comes in order, as a sender would repeat it.
          for (let round = 0; round < 100 && !receiver.isAtFin; round++) {
            const at = (receiver.nxt - first) | 0;
            send(at, at + 40);
            out.push(...receiver.read(1000, true));
            receiver.advertise(100);
          }
          expect(receiver.isAtFin).toBe(true);
          out.push(...receiver.read(1000, true));
          expect(out).toEqual([...data]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('what was delivered is not changed by a different second copy', () => {
    const { peer, c } = accepted();
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'good' });
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'evil' });
    peer.send({ flags: 'A', seq: 3, ack: 1, data: 'XXly' });
    expect(text(c.read())).toBe('goodly');
  });
});
