/** Scripted segments with time: each test is a dialogue with a peer that sends exactly what is written here. */
import { describe, expect, test } from 'vitest';
import {
  type NetworkStack,
  type StackOptions,
  type TcpConnection,
  type TcpListener,
  type TcpTuning,
} from '../src/index.ts';
import { B_IP, pattern, stackA } from './link.ts';
import { Peer } from './peer.ts';

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const bytesOf = (letters: string): Uint8Array => Uint8Array.from(letters, (letter) => letter.charCodeAt(0));

function listening(
  tcp: TcpTuning = {},
  options: Partial<StackOptions> = {},
): { peer: Peer; listener: TcpListener; stack: NetworkStack } {
  // Round numbers: no timeout is below a second, whatever round trip the handshake shows.
  const stack = stackA({ tcp: { minRto: 1000, ...tcp }, ...options });
  const listener = stack.tcp.listen(80);
  return { peer: new Peer(stack, 80), listener, stack };
}

/** A connection that the stack accepted. */
function accepted(
  tcp: TcpTuning = {},
  handshake: { window?: number; mss?: number } = {},
): {
  peer: Peer;
  c: TcpConnection;
  stack: NetworkStack;
} {
  const { peer, listener, stack } = listening(tcp);
  peer.open(handshake);
  return { peer, c: listener.accept() as TcpConnection, stack };
}

/** A connection that the stack accepted, over a path with this round-trip time. */
function measured(roundTrip: number, minRto: number): { peer: Peer; c: TcpConnection } {
  const { peer, listener } = listening({ minRto });
  peer.send({ flags: 'S', mss: 1460 });
  peer.wait(roundTrip);
  peer.send({ flags: 'A', seq: 1, ack: 1 });
  return { peer, c: listener.accept() as TcpConnection };
}

/** A connection that the stack is opening; its SYN is on the way. */
function opening(tcp: TcpTuning = {}): { peer: Peer; c: TcpConnection; stack: NetworkStack } {
  const stack = stackA({ tcp });
  const peer = new Peer(stack, 0);
  const c = stack.tcp.connect(B_IP, 5000);
  expect(peer.answer()).toEqual(['S 0 win 32768 mss 1460 scale 0']);
  return { peer, c, stack };
}

/** A connection that the stack opened. */
function connected(tcp: TcpTuning = {}): { peer: Peer; c: TcpConnection; stack: NetworkStack } {
  const all = opening(tcp);
  all.peer.send({ flags: 'SA', ack: 1, mss: 1460 });
  expect(all.c.state).toBe('established');
  return all;
}

describe('opening', () => {
  test('passive: SYN, SYN|ACK, ACK', () => {
    const { peer, listener } = listening();
    expect(peer.send({ flags: 'S', mss: 1460 })).toEqual(['SA 0 ack 1 win 32768 mss 1460']);
    expect(listener.accept()).toBeUndefined();
    expect(peer.send({ flags: 'A', seq: 1, ack: 1 })).toEqual([]);
    expect(listener.accept()?.state).toBe('established');
    expect(listener.accept()).toBeUndefined();
  });

  test('active: SYN, SYN|ACK, ACK', () => {
    const { peer, c } = opening();
    expect(peer.send({ flags: 'SA', ack: 1 })).toEqual(['A 1 ack 1 win 32768']);
    expect(c.state).toBe('established');
  });

  test('active: data written before the handshake rides on its last acknowledgment, FIN on the data', () => {
    const { peer, c } = opening();
    expect(c.write(bytesOf('hello'))).toBe(true);
    c.close();
    expect(peer.answer()).toEqual([]);
    expect(peer.send({ flags: 'SA', ack: 1 })).toEqual(['FPA 1:6 ack 1 win 32768']);
    expect(c.state).toBe('fin-wait-1');
  });

  test('simultaneous [RFC9293 §3.5, figure 7]', () => {
    const { peer, c } = opening();
    expect(peer.send({ flags: 'S' })).toEqual(['SA 0 ack 1 win 32768 mss 1460']);
    expect(c.state).toBe('syn-received');
    expect(peer.send({ flags: 'SA', ack: 1 })).toEqual(['A 1 ack 1 win 32768']);
    expect(c.state).toBe('established');
  });

  test('simultaneous, completed by a plain acknowledgment', () => {
    const { peer, c } = opening();
    peer.send({ flags: 'S' });
    expect(peer.send({ flags: 'A', seq: 1, ack: 1 })).toEqual([]);
    expect(c.state).toBe('established');
  });

  test('simultaneous, completed by an acknowledgment with data', () => {
    const { peer, c } = opening();
    peer.send({ flags: 'S' });
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'x' });
    expect(text(c.read())).toBe('x');
  });

  test('refused: RST with the acknowledgment of our SYN', () => {
    const { peer, c } = opening();
    expect(peer.send({ flags: 'RA', ack: 1 })).toEqual([]);
    expect([c.state, c.error, c.finished]).toEqual(['closed', 'refused', true]);
  });

  test('refused during a simultaneous open', () => {
    const { peer, c } = opening();
    peer.send({ flags: 'S' });
    peer.send({ flags: 'R', seq: 1 });
    expect(c.error).toBe('refused');
  });

  test('SYN is sent again after 1, 2, 4 … s, and given up after three minutes', () => {
    const { peer, c } = opening();
    expect(peer.wait(182_000)).toEqual(
      ['+1000', '+2000', '+4000', '+8000', '+16000', '+32000', '+60000'].map(
        (at) => `${at} S 0 win 32768 mss 1460 scale 0`,
      ),
    );
    expect(c.error).toBeUndefined();
    peer.wait(3000);
    expect(c.error).toBe('timeout');
  });

  test('SYN|ACK is sent again, also when the SYN is', () => {
    const { peer } = listening();
    peer.send({ flags: 'S' });
    expect(peer.send({ flags: 'S' })).toEqual(['SA 0 ack 1 win 32768 mss 1460']);
    expect(peer.wait(1000)).toEqual(['+1000 SA 0 ack 1 win 32768 mss 1460']);
  });

  test('a half-open connection that is reset is forgotten, and its port listens on', () => {
    const { peer, listener, stack } = listening();
    peer.send({ flags: 'S' });
    expect(stack.tcp.size.connections).toBe(1);
    expect(peer.send({ flags: 'R', seq: 1 })).toEqual([]);
    expect(stack.tcp.size.connections).toBe(0);
    peer.open();
    expect(listener.accept()?.state).toBe('established');
  });

  test('a wrong acknowledgment of the SYN is answered by RST with its number', () => {
    const { peer, c } = opening();
    expect(peer.send({ flags: 'SA', ack: 2 })).toEqual(['R 2']);
    expect(peer.send({ flags: 'A', ack: 0 })).toEqual(['R 0']);
    expect(peer.send({ flags: 'RA', ack: 2 })).toEqual([]);
    expect(peer.send({ flags: 'R', ack: 1 })).toEqual([]);
    expect(c.state).toBe('syn-sent');
    const passive = listening().peer;
    passive.send({ flags: 'S' });
    expect(passive.send({ flags: 'A', seq: 1, ack: 2 })).toEqual(['R 2']);
    expect(passive.send({ flags: 'A', seq: 1, ack: 0 })).toEqual(['R 0']);
  });

  test('the segment size is the smaller of both, 536 if the peer names none', () => {
    for (const [mss, expected] of [
      [0, 536],
      [1000, 1000],
      [9000, 1460],
      [1, 64],
    ] as const) {
      const { peer, c } = accepted({}, { mss });
      c.write(new Uint8Array(1500));
      expect(peer.answer()[0]).toBe(`A 1:${1 + expected} ack 1 win 32768`);
    }
  });
});

describe('no connection', () => {
  test('SYN to a closed port', () => {
    const peer = new Peer(stackA(), 81);
    expect(peer.send({ flags: 'S' })).toEqual(['RA 0 ack 1']);
    expect(peer.send({ flags: 'S', data: 'abc' })).toEqual(['RA 0 ack 4']);
  });

  test('anything with ACK gets RST with that number; RST gets nothing', () => {
    const peer = new Peer(stackA(), 81);
    expect(peer.send({ flags: 'A', ack: 77 })).toEqual(['R 77']);
    expect(peer.send({ flags: 'SA', ack: 77 })).toEqual(['R 77']);
    expect(peer.send({ flags: 'R' })).toEqual([]);
    expect(peer.send({ flags: 'RA', ack: 77 })).toEqual([]);
    expect(peer.send({ flags: 'F', data: 'x' })).toEqual(['RA 0 ack 2']);
  });

  test('a listening port resets what acknowledges nothing, ignores what opens nothing', () => {
    const { peer } = listening();
    expect(peer.send({ flags: 'A', ack: 5 })).toEqual(['R 5']);
    expect(peer.send({ flags: 'F' })).toEqual([]);
    expect(peer.send({ flags: '' })).toEqual([]);
    expect(peer.send({ flags: 'S', fromPort: 0 })).toEqual([]);
  });
});

describe('data', () => {
  test('arrives in order, and its acknowledgment waits 40 ms for data to ride on', () => {
    const { peer, c } = accepted();
    expect(peer.send({ flags: 'PA', seq: 1, ack: 1, data: 'hello' })).toEqual([]);
    expect(peer.wait(39)).toEqual([]);
    expect(peer.wait(1)).toEqual(['+1 A 1 ack 6 win 32763']);
    expect([c.readable, text(c.peek(2)), text(c.read(2)), text(c.read()), c.readable]).toEqual([
      5,
      'he',
      'he',
      'llo',
      0,
    ]);
  });

  test('acknowledgment of a request rides on the answer, FIN rides on its last segment', () => {
    const { peer, c } = accepted();
    peer.stack.receive(peer.frame({ flags: 'PA', seq: 1, ack: 1, data: 'GET' }), peer.now);
    c.read();
    c.write(new Uint8Array(2000));
    c.close();
    expect(peer.answer()).toEqual(['A 1:1461 ack 4 win 32765', 'FPA 1461:2001 ack 4 win 32765']);
  });

  test('every second full segment is acknowledged at once', () => {
    const { peer } = accepted();
    const data = new Uint8Array(1460);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1, data })).toEqual([]);
    expect(peer.send({ flags: 'A', seq: 1461, ack: 1, data })).toEqual(['A 1 ack 2921 win 29848']);
  });

  test('ahead of its turn is kept, and both edges of a gap are acknowledged at once', () => {
    const { peer, c, stack } = accepted();
    expect(peer.send({ flags: 'A', seq: 4, ack: 1, data: 'def' })).toEqual(['A 1 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 10, ack: 1, data: 'jkl' })).toEqual(['A 1 ack 1 win 32768']);
    expect(c.readable).toBe(0);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' })).toEqual(['A 1 ack 7 win 32762']);
    expect(peer.send({ flags: 'A', seq: 7, ack: 1, data: 'ghi' })).toEqual(['A 1 ack 13 win 32756']);
    expect(text(c.read())).toBe('abcdefghijkl');
    expect(stack.counters.tcpOutOfOrder).toBe(2);
  });

  test('that came before is acknowledged again and not delivered again', () => {
    const { peer, c } = accepted();
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' });
    expect(peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' })).toEqual(['A 1 ack 4 win 32765']);
    expect(peer.send({ flags: 'A', seq: 2, ack: 1, data: 'bcde' })).toEqual([]);
    expect(text(c.read())).toBe('abcde');
  });

  test('and FIN ahead of their turn end the stream in their turn', () => {
    const { peer, c } = accepted();
    expect(peer.send({ flags: 'FA', seq: 4, ack: 1, data: 'def' })).toEqual(['A 1 ack 1 win 32768']);
    expect([c.state, c.ended]).toEqual(['established', false]);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' })).toEqual(['A 1 ack 8 win 32761']);
    expect([c.state, c.ended, text(c.read()), c.ended]).toEqual(['close-wait', false, 'abcdef', true]);
  });

  test('beyond the FIN is not delivered', () => {
    const { peer, c } = accepted();
    peer.send({ flags: 'FA', seq: 4, ack: 1 });
    peer.send({ flags: 'A', seq: 4, ack: 1, data: 'xyz' });
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abcdef' });
    expect([text(c.read()), c.ended]).toEqual(['abc', true]);
  });

  test('of a segment that fills more than the window is cut', () => {
    const { peer, c } = accepted({ receiveBuffer: 256 });
    const data = pattern(300, 1);
    peer.send({ flags: 'A', seq: 1, ack: 1, data });
    expect(peer.wait(40)).toEqual(['+40 A 1 ack 257 win 0']);
    expect(c.read()).toEqual(data.slice(0, 256));
  });

  test('goes out in segments, each payload by itself, cut at multiples of the segment size from its start', () => {
    const { peer, c } = accepted({}, { window: 65535 });
    c.write(new Uint8Array(100));
    c.write(new Uint8Array(3000));
    expect(peer.answer()).toEqual([
      'PA 1:101 ack 1 win 32768',
      'A 101:1561 ack 1 win 32768',
      'A 1561:3021 ack 1 win 32768',
      'PA 3021:3101 ack 1 win 32768',
    ]);
    peer.send({ flags: 'A', seq: 1, ack: 3021, window: 65535 });
    expect(c.queued).toBe(80);
  });

  test('payloads are released when acknowledged, and when the connection ends', () => {
    const { peer, c } = accepted();
    const released: string[] = [];
    const payload = (name: string): Parameters<TcpConnection['write']>[0] => ({
      length: 10,
      sum: () => 0,
      copy: () => undefined,
      release: () => released.push(name),
    });
    expect([c.write(payload('a')), c.write(payload('b')), c.write(payload('c'))]).toEqual([true, true, true]);
    peer.frames();
    peer.send({ flags: 'A', seq: 1, ack: 20 });
    expect(released).toEqual(['a']);
    peer.send({ flags: 'A', seq: 1, ack: 21 });
    expect(released).toEqual(['a', 'b']);
    c.abort();
    expect(released).toEqual(['a', 'b', 'c']);
    expect(c.write(payload('d'))).toBe(false);
  });

  test('is read even after the peer reset the connection', () => {
    const { peer, c } = accepted();
    peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' });
    peer.send({ flags: 'R', seq: 4 });
    expect([c.error, c.finished, text(c.read())]).toEqual(['reset', true, 'abc']);
  });
});

describe('closing', () => {
  test('active: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT for 60 s', () => {
    const { peer, c, stack } = accepted();
    c.close();
    expect(peer.answer()).toEqual(['FA 1 ack 1 win 32768']);
    expect(c.state).toBe('fin-wait-1');
    expect(peer.send({ flags: 'A', seq: 1, ack: 2 })).toEqual([]);
    expect(c.state).toBe('fin-wait-2');
    expect(peer.send({ flags: 'FA', seq: 1, ack: 2 })).toEqual(['A 2 ack 2 win 32768']);
    expect([c.state, c.finished, c.ended, stack.tcp.size]).toEqual([
      'time-wait',
      true,
      true,
      { connections: 0, timeWaits: 1 },
    ]);
    peer.wait(59_999);
    expect(stack.tcp.size.timeWaits).toBe(1);
    peer.wait(1);
    expect(stack.tcp.size.timeWaits).toBe(0);
    expect(stack.nextDeadline).toBeUndefined();
  });

  test('active, the peer acknowledges and closes in one segment', () => {
    const { peer, c } = accepted();
    c.close();
    peer.answer();
    expect(peer.send({ flags: 'FA', seq: 1, ack: 2 })).toEqual(['A 2 ack 2 win 32768']);
    expect(c.state).toBe('time-wait');
  });

  test('passive: CLOSE-WAIT, LAST-ACK, CLOSED', () => {
    const { peer, c, stack } = accepted();
    expect(peer.send({ flags: 'FA', seq: 1, ack: 1 })).toEqual(['A 1 ack 2 win 32767']);
    expect([c.state, c.ended]).toEqual(['close-wait', true]);
    expect(c.write(bytesOf('bye'))).toBe(true);
    c.close();
    expect(peer.answer()).toEqual(['FPA 1:4 ack 2 win 32767']);
    expect(c.state).toBe('last-ack');
    expect(peer.send({ flags: 'A', seq: 2, ack: 5 })).toEqual([]);
    expect([c.state, c.error, stack.tcp.size]).toEqual(['closed', undefined, { connections: 0, timeWaits: 0 }]);
    expect(stack.nextDeadline).toBeUndefined();
  });

  test('simultaneous: FIN-WAIT-1, CLOSING, TIME-WAIT', () => {
    const { peer, c } = accepted();
    c.close();
    peer.answer();
    expect(peer.send({ flags: 'FA', seq: 1, ack: 1 })).toEqual(['A 2 ack 2 win 32767']);
    expect(c.state).toBe('closing');
    expect(peer.send({ flags: 'A', seq: 2, ack: 2 })).toEqual(['A 2 ack 2 win 32768']);
    expect(c.state).toBe('time-wait');
  });

  test('half: after our FIN the peer may send for as long as it likes', () => {
    const { peer, c } = accepted();
    c.close();
    peer.answer();
    peer.send({ flags: 'A', seq: 1, ack: 2 });
    peer.wait(600_000);
    peer.send({ flags: 'PA', seq: 1, ack: 2, data: 'late' });
    expect([c.state, text(c.read()), c.write(bytesOf('x'))]).toEqual(['fin-wait-2', 'late', false]);
    peer.send({ flags: 'FA', seq: 5, ack: 2 });
    expect(c.state).toBe('time-wait');
  });

  test('a FIN that got lost is sent again', () => {
    const { peer, c } = accepted();
    c.close();
    peer.answer();
    expect(peer.wait(1000)).toEqual(['+1000 FA 1 ack 1 win 32768']);
  });

  test('TIME-WAIT acknowledges a FIN again and waits anew', () => {
    const { peer, c, stack } = accepted();
    c.close();
    peer.answer();
    peer.send({ flags: 'FA', seq: 1, ack: 2 });
    peer.wait(50_000);
    expect(peer.send({ flags: 'FA', seq: 1, ack: 2 })).toEqual(['A 2 ack 2 win 32768']);
    peer.wait(50_000);
    expect(stack.tcp.size.timeWaits).toBe(1);
    // An acknowledgment gets nothing, a wrong reset nothing, the right one ends it.
    expect(peer.send({ flags: 'A', seq: 2, ack: 2 })).toEqual([]);
    expect(peer.send({ flags: 'R', seq: 3 })).toEqual([]);
    expect(stack.tcp.size.timeWaits).toBe(1);
    peer.send({ flags: 'R', seq: 2 });
    expect(stack.tcp.size.timeWaits).toBe(0);
  });

  test('TIME-WAIT does not last longer for anything but a FIN', () => {
    const { peer, c, stack } = accepted();
    c.close();
    peer.answer();
    peer.send({ flags: 'FA', seq: 1, ack: 2 });
    peer.wait(59_000);
    expect(peer.send({ flags: 'A', seq: 1, ack: 2, data: 'x' })).toEqual(['A 2 ack 2 win 32768']);
    peer.wait(1000);
    expect(stack.tcp.size.timeWaits).toBe(0);
  });

  test('TIME-WAIT gives way to a SYN beyond the old numbers, and only to that', () => {
    const { peer, listener, stack } = listening();
    peer.open();
    const c = listener.accept() as TcpConnection;
    c.close();
    peer.answer();
    peer.send({ flags: 'FA', seq: 1, ack: 2 });
    expect(peer.send({ flags: 'S', seq: 1 })).toEqual(['A 2 ack 2 win 32768']);
    expect(peer.send({ flags: 'S', seq: 3 })[0]).toMatch(/^SA 0 ack 4 /);
    expect(stack.tcp.size).toEqual({ connections: 1, timeWaits: 0 });
  });

  test('abort sends RST, and nothing of what was queued', () => {
    const { peer, c, stack } = accepted();
    c.write(bytesOf('abc'));
    c.abort();
    expect(peer.answer()).toEqual(['RA 1 ack 1']);
    expect([c.state, c.error, c.finished]).toEqual(['closed', 'aborted', true]);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1 })).toEqual(['R 1']);
    c.abort();
    c.close();
    expect([c.error, peer.answer(), stack.tcp.size.connections]).toEqual(['aborted', [], 0]);
  });

  test('a reset that only spares the last acknowledgment is no failure; one that loses data is', () => {
    for (const [ack, error] of [
      [4, undefined],
      [1, 'reset'],
    ] as const) {
      const { peer, c } = accepted();
      peer.send({ flags: 'FA', seq: 1, ack: 1 });
      c.write(bytesOf('bye'));
      c.close();
      peer.answer();
      peer.send({ flags: 'A', seq: 2, ack });
      peer.send({ flags: 'R', seq: 2 });
      expect([c.state, c.error]).toEqual(['closed', error]);
    }
  });

  test('closing a listener resets what nobody accepted', () => {
    const { peer, listener, stack } = listening();
    peer.open();
    listener.close();
    expect(peer.answer()).toEqual(['RA 1 ack 1']);
    peer.stackIss = 0;
    expect(peer.send({ flags: 'S', fromPort: 5001 })).toEqual(['RA 0 ack 1']);
    expect(stack.tcp.size.connections).toBe(0);
  });
});

describe('retransmission', () => {
  test('doubles its timeout and gives up after ten times [RFC6298]', () => {
    const { peer, c, stack } = accepted();
    c.write(bytesOf('abc'));
    expect(peer.answer()).toEqual(['PA 1:4 ack 1 win 32768']);
    expect(peer.wait(500_000)).toEqual(
      [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000, 60000].map((at) => `+${at} PA 1:4 ack 1 win 32768`),
    );
    expect([c.state, c.error, stack.counters.tcpTimeouts]).toEqual(['closed', 'timeout', 1]);
    expect(stack.counters.tcpRetransmissions).toBe(10);
    expect(stack.nextDeadline).toBeUndefined();
  });

  test('follows the measured round trip, never below the minimum', () => {
    const { peer, c } = measured(100, 200);
    for (let i = 0; i < 8; i++) {
      c.write(bytesOf('x'));
      peer.answer();
      peer.wait(100);
      peer.send({ flags: 'A', seq: 1, ack: 2 + i });
    }
    c.write(bytesOf('y'));
    peer.answer();
    // SRTT 100, RTTVAR 50 * 0.75^8 = 5: below the minimum of 200.
    expect(peer.wait(200)).toEqual(['+200 PA 9:10 ack 1 win 32768']);
    expect(peer.wait(400)).toEqual(['+400 PA 9:10 ack 1 win 32768']);
    // The backoff holds until something new is measured (Karn): the next timeout is still 800.
    peer.send({ flags: 'A', seq: 1, ack: 10 });
    c.write(bytesOf('z'));
    peer.answer();
    expect(peer.wait(799)).toEqual([]);
    expect(peer.wait(1)).toEqual(['+1 PA 10:11 ack 1 win 32768']);
  });

  test('the first measurement sets the timeout to three round trips [RFC6298 §2.2]', () => {
    const { peer, c } = measured(300, 200);
    c.write(bytesOf('y'));
    peer.answer();
    expect(peer.wait(899)).toEqual([]);
    expect(peer.wait(1)).toEqual(['+1 PA 1:2 ack 1 win 32768']);
  });

  test('starts slowly: three segments, then two for every one acknowledged [RFC5681]', () => {
    const { peer, c } = accepted({}, { window: 65535 });
    c.write(new Uint8Array(1460 * 30));
    expect(peer.answer().length).toBe(3);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1461, window: 65535 }).length).toBe(2);
    expect(peer.send({ flags: 'A', seq: 1, ack: 2921, window: 65535 }).length).toBe(2);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1 + 1460 * 7, window: 65535 }).length).toBe(6);
  });

  test('after a timeout everything is sent again, one segment first', () => {
    const { peer, c } = accepted({}, { window: 65535 });
    c.write(new Uint8Array(1460 * 3));
    peer.answer();
    expect(peer.wait(1000)).toEqual(['+1000 A 1:1461 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1461, window: 65535 })).toEqual([
      'A 1461:2921 ack 1 win 32768',
      'PA 2921:4381 ack 1 win 32768',
    ]);
    // The peer had the others already: nothing remains.
    expect(peer.send({ flags: 'A', seq: 1, ack: 4381, window: 65535 })).toEqual([]);
    expect([c.queued, peer.wait(60_000)]).toEqual([0, []]);
  });

  test('fast: three duplicates, recovery, a partial acknowledgment [RFC6582]', () => {
    const { peer, c, stack } = accepted({}, { window: 65535 });
    c.write(new Uint8Array(1460 * 20));
    expect(peer.answer().length).toBe(3);
    expect(peer.send({ flags: 'A', seq: 1, ack: 4381, window: 65535 }).length).toBe(4);
    expect(peer.send({ flags: 'A', seq: 1, ack: 4381 + 5840, window: 65535 }).length).toBe(5);
    const una = 4381 + 5840;
    const duplicate = { flags: 'A', seq: 1, ack: una, window: 65535 };
    expect(peer.send(duplicate)).toEqual([]);
    expect(peer.send(duplicate)).toEqual([]);
    expect(peer.send(duplicate)).toEqual([`A ${una}:${una + 1460} ack 1 win 32768`]);
    expect(stack.counters.tcpFastRetransmissions).toBe(1);
    // ssthresh = half of five segments in flight = 2.5; the window is 5.5 and grows by one for each duplicate.
    expect(peer.send(duplicate)).toEqual([`A ${una + 7300}:${una + 8760} ack 1 win 32768`]);
    // A second hole: the partial acknowledgment has the next one sent at once.
    expect(peer.send({ ...duplicate, ack: una + 2920 })[0]).toBe(`A ${una + 2920}:${una + 4380} ack 1 win 32768`);
    // Everything sent before the loss is acknowledged: the window is ssthresh.
    expect(peer.send({ ...duplicate, ack: una + 7300 }).length).toBeLessThanOrEqual(2);
    expect(stack.counters.tcpTimeouts).toBe(0);
  });

  test('what a lost SYN teaches is not that the path is full', () => {
    const { peer, c } = opening();
    peer.wait(1000);
    peer.send({ flags: 'SA', ack: 1, mss: 1460, window: 65535 });
    c.write(new Uint8Array(1460 * 10));
    expect(peer.answer().length).toBe(3);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1461, window: 65535 }).length).toBe(2);
    expect(peer.send({ flags: 'A', seq: 1, ack: 2921, window: 65535 }).length).toBe(2);
  });

  test('duplicates of what was sent before a timeout mean nothing new [RFC6582]', () => {
    const { peer, c, stack } = accepted({}, { window: 65535 });
    c.write(new Uint8Array(1460 * 3));
    peer.answer();
    peer.wait(1000);
    for (let i = 0; i < 5; i++) peer.send({ flags: 'A', seq: 1, ack: 1, window: 65535 });
    expect([stack.counters.tcpFastRetransmissions, stack.counters.tcpRetransmissions]).toEqual([0, 1]);
  });

  test('duplicates count only in a row', () => {
    const { peer, c, stack } = accepted({}, { window: 65535 });
    c.write(new Uint8Array(1460 * 20));
    peer.answer();
    // One that brings news and two duplicates, again and again, are never three duplicates.
    for (let una = 1461; una < 1460 * 6; una += 1460) {
      for (let i = 0; i < 3; i++) peer.send({ flags: 'A', seq: 1, ack: una, window: 65535 });
    }
    expect(stack.counters.tcpFastRetransmissions).toBe(0);
  });

  test('a window update or data is no duplicate acknowledgment', () => {
    const { peer, c, stack } = accepted({}, { window: 4380 });
    c.write(new Uint8Array(1460 * 3));
    expect(peer.answer().length).toBe(3);
    for (let i = 1; i <= 4; i++) peer.send({ flags: 'A', seq: 1, ack: 1, window: 4380 + i });
    for (let i = 0; i < 4; i++) peer.send({ flags: 'A', seq: 1 + i, ack: 1, window: 4384, data: 'x' });
    expect(stack.counters.tcpFastRetransmissions).toBe(0);
  });
});

describe('windows', () => {
  test('a closed window is probed with one byte, less and less often, for as long as the peer answers', () => {
    const { peer, c, stack } = accepted({}, { window: 0 });
    c.write(bytesOf('abc'));
    expect(peer.answer()).toEqual([]);
    expect(peer.wait(1000)).toEqual(['+1000 A 1:2 ack 1 win 32768']);
    const closed = { flags: 'A', seq: 1, ack: 1, window: 0 };
    const gaps = [2000, 4000, 8000, 16000, 32000, 60000, ...Array<number>(20).fill(60000)];
    for (const gap of gaps) {
      expect(peer.send(closed)).toEqual([]);
      expect(peer.wait(gap)).toEqual([`+${gap} A 1:2 ack 1 win 32768`]);
    }
    expect(c.error).toBeUndefined();
    expect(peer.send({ ...closed, window: 8192 })).toEqual(['PA 1:4 ack 1 win 32768']);
    expect(peer.send({ ...closed, ack: 4, window: 8192 })).toEqual([]);
    expect(peer.wait(120_000)).toEqual([]);
    expect(stack.counters.tcpZeroWindowProbes).toBe(gaps.length + 1);
  });

  test('a peer that takes the byte of the probe gets the rest', () => {
    const { peer, c } = accepted({}, { window: 0 });
    c.write(bytesOf('abc'));
    peer.answer();
    peer.wait(1000);
    expect(peer.send({ flags: 'A', seq: 1, ack: 2, window: 1 })).toEqual(['A 2:3 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 3, window: 1 })).toEqual(['PA 3:4 ack 1 win 32768']);
  });

  test('nobody answers the probes: given up', () => {
    const { peer, c } = accepted({}, { window: 0 });
    c.write(bytesOf('abc'));
    peer.answer();
    expect(peer.wait(600_000).length).toBe(10);
    expect(c.error).toBe('timeout');
  });

  test('FIN waits for the window too, and is its own probe', () => {
    const { peer, c } = accepted({}, { window: 0 });
    c.close();
    expect(peer.answer()).toEqual([]);
    expect(peer.wait(1000)).toEqual(['+1000 FA 1 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 2, window: 0 })).toEqual([]);
    expect(c.state).toBe('fin-wait-2');
  });

  test('FIN does not ride on data that fills the window to its edge', () => {
    const { peer, c } = accepted({}, { window: 3 });
    c.write(bytesOf('abc'));
    c.close();
    expect(peer.answer()).toEqual(['PA 1:4 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 4, window: 1 })).toEqual(['FA 4 ack 1 win 32768']);
  });

  test('after a part of a segment the next one ends at the next multiple of the segment size', () => {
    const { peer, c } = accepted({}, { window: 1000 });
    c.write(new Uint8Array(4000));
    expect(peer.answer()).toEqual(['A 1:1001 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1001, window: 8192 })).toEqual([
      'A 1001:1461 ack 1 win 32768',
      'A 1461:2921 ack 1 win 32768',
      'PA 2921:4001 ack 1 win 32768',
    ]);
  });

  test('a peer that has filled our window stands at its edge, and is heard there', () => {
    const { peer, c } = accepted({ receiveBuffer: 256 });
    c.write(bytesOf('abc'));
    peer.answer();
    // Its data, 1 to 257, was lost or is late; its acknowledgment comes first.
    expect(peer.send({ flags: 'A', seq: 257, ack: 4 })).toEqual([]);
    expect(c.queued).toBe(0);
    expect(peer.send({ flags: 'A', seq: 258, ack: 4 })).toEqual(['A 4 ack 1 win 256']);
  });

  test('a window smaller than a segment: nothing silly is sent, then what fits', () => {
    const { peer, c } = accepted({}, { window: 8192 });
    c.write(new Uint8Array(1460));
    expect(peer.answer()).toEqual(['PA 1:1461 ack 1 win 32768']);
    c.write(new Uint8Array(1460));
    expect(peer.send({ flags: 'A', seq: 1, ack: 1461, window: 100 })).toEqual([]);
    expect(peer.wait(1000)).toEqual(['+100 A 1461:1561 ack 1 win 32768']);
  });

  test('a peer whose whole window is smaller than a segment gets segments of that size', () => {
    const { peer, c } = accepted({}, { window: 500 });
    c.write(new Uint8Array(1460));
    expect(peer.answer()).toEqual(['A 1:501 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 501, window: 500 })).toEqual(['A 501:1001 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1001, window: 500 })).toEqual(['PA 1001:1461 ack 1 win 32768']);
  });

  test('ours closes when nobody reads, answers probes, and opens when it is worth it', () => {
    const { peer, c } = accepted({ receiveBuffer: 4000 });
    peer.send({ flags: 'A', seq: 1, ack: 1, data: new Uint8Array(1460) });
    expect(peer.send({ flags: 'A', seq: 1461, ack: 1, data: new Uint8Array(2540) })).toEqual(['A 1 ack 4001 win 0']);
    expect(peer.send({ flags: 'A', seq: 4001, ack: 1, data: 'x' })).toEqual(['A 1 ack 4001 win 0']);
    c.read(100);
    expect(peer.answer()).toEqual([]);
    expect(peer.send({ flags: 'A', seq: 4001, ack: 1, data: 'x' })).toEqual(['A 1 ack 4001 win 0']);
    c.read(1900);
    expect(peer.answer()).toEqual(['A 1 ack 4001 win 2000']);
  });

  test('a probe of our closed window still acknowledges our data', () => {
    const { peer, c } = accepted({ receiveBuffer: 256 });
    c.write(bytesOf('abc'));
    peer.answer();
    peer.send({ flags: 'A', seq: 1, ack: 1, data: new Uint8Array(256) });
    expect(peer.send({ flags: 'A', seq: 257, ack: 4, data: 'x' })).toEqual(['A 4 ack 257 win 0']);
    expect(c.queued).toBe(0);
  });

  test('both windows closed: neither side loses the other', () => {
    const { peer, c } = accepted({ receiveBuffer: 256 }, { window: 0 });
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 0, data: new Uint8Array(256) });
    c.write(bytesOf('abc'));
    expect(peer.wait(1000)).toEqual(['+40 A 1 ack 257 win 0', '+960 A 1:2 ack 257 win 0']);
    c.read();
    // Not at 2, where the probe ended: a peer with a closed window takes only what stands at its edge.
    expect(peer.answer()).toEqual(['A 1 ack 257 win 256']);
  });

  test('the send queue takes one payload beyond its limit', () => {
    const { c } = accepted({ sendBuffer: 10 });
    expect([c.write(new Uint8Array(9)), c.writable, c.write(new Uint8Array(100_000))]).toEqual([true, true, true]);
    expect([c.writable, c.write(new Uint8Array(1)), c.queued]).toEqual([false, false, 100_009]);
  });
});

describe('sequence numbers over the wrap', () => {
  test.each([0xffffffff, 0xfffffffe, 0xfffffff0, 0x7fffffff])('of the peer: its first is %i', (iss) => {
    const stack = stackA();
    const listener = stack.tcp.listen(80);
    const peer = new Peer(stack, 80, iss);
    peer.open();
    const c = listener.accept() as TcpConnection;
    expect(peer.send({ flags: 'A', seq: 11, ack: 1, data: 'klmno' })).toEqual(['A 1 ack 1 win 32768']);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abcdefghij' })).toEqual(['A 1 ack 16 win 32753']);
    expect(text(c.read())).toBe('abcdefghijklmno');
    expect(peer.send({ flags: 'R', seq: 15 })).toEqual([]);
    expect(c.state).toBe('established');
    peer.send({ flags: 'FA', seq: 16, ack: 1 });
    expect(c.state).toBe('close-wait');
  });

  test('of the stack: it sends across the wrap, and once more after a loss', () => {
    const probe = listening().peer;
    probe.send({ flags: 'S' });
    const { peer, listener } = listening();
    // A time at which the first number lies just below the wrap: it grows by 250 each millisecond.
    peer.now += Math.ceil((0xffff4000 - probe.stackIss) / 250);
    peer.send({ flags: 'S', mss: 1460, window: 65535 });
    expect(peer.stackIss).toBeGreaterThanOrEqual(0xffff4000);
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 65535 });
    const c = listener.accept() as TcpConnection;
    const released: number[] = [];
    for (let i = 0; i < 40; i++) {
      const isTaken = c.write({ length: 1460, sum: () => 0, copy: () => undefined, release: () => released.push(i) });
      expect(isTaken).toBe(true);
    }
    c.close();
    let una = 1;
    let isLost = false;
    for (let round = 0; round < 100 && c.state === 'fin-wait-1'; round++) {
      let lines = peer.answer();
      if (!isLost && una > 20_000) {
        // A whole flight is lost; what the timeout sends again arrives.
        isLost = true;
        expect(lines.length).toBeGreaterThan(3);
        lines = peer.wait(1000);
        expect(lines.length).toBe(1);
      }
      for (const line of lines) una = Math.max(una, Number(/\d:(\d+)/.exec(line)?.[1] ?? una));
      const fin = lines.some((line) => /^(\+\d+ )?F/.test(line)) ? 1 : 0;
      peer.stack.receive(peer.frame({ flags: 'A', seq: 1, ack: una + fin, window: 65535 }), peer.now);
    }
    expect([isLost, released.length, una, c.state]).toEqual([true, 40, 1 + 40 * 1460, 'fin-wait-2']);
    expect(released).toEqual(released.toSorted((x, y) => x - y));
    expect(peer.stackIss + una).toBeGreaterThan(2 ** 32);
  });
});

test('what a program sees changes when it is told so, and only then', () => {
  const { peer, listener, stack } = listening();
  const seen: string[] = [];
  stack.tcp.onChange = (c) => seen.push(`${c.state} ${c.readable} ${c.queued}`);
  peer.open();
  const c = listener.accept() as TcpConnection;
  expect(seen.splice(0)).toEqual(['established 0 0']);
  peer.send({ flags: 'A', seq: 1, ack: 1, data: 'abc' });
  expect(seen.splice(0)).toEqual(['established 3 0']);
  peer.send({ flags: 'A', seq: 4, ack: 1, window: 100 });
  expect(seen.splice(0)).toEqual([]);
  c.write(bytesOf('x'));
  peer.answer();
  peer.send({ flags: 'A', seq: 4, ack: 2 });
  expect(seen.splice(0)).toEqual(['established 3 0']);
  c.write(bytesOf('y'));
  peer.wait(600_000);
  expect(seen.splice(0)).toEqual(['closed 3 1']);
});

test('a program never hears of a connection that was not established', () => {
  const { peer, stack } = listening();
  const seen: string[] = [];
  stack.tcp.onChange = (c) => seen.push(c.state);
  peer.send({ flags: 'S' });
  peer.send({ flags: 'R', seq: 1 });
  peer.send({ flags: 'S' });
  peer.wait(200_000);
  expect([seen, stack.tcp.size.connections, stack.counters.tcpTimeouts]).toEqual([[], 0, 1]);
});

test('connections can be used from the change handler', () => {
  const { peer, listener, stack } = listening();
  stack.tcp.onChange = (c) => {
    if (c.readable > 0) c.write(c.read());
    if (c.ended) c.close();
  };
  peer.open();
  listener.accept();
  expect(peer.send({ flags: 'FPA', seq: 1, ack: 1, data: 'echo' })).toEqual(['FPA 1:5 ack 6 win 32763']);
});

test('an active connection works like a passive one', () => {
  const { peer, c } = connected();
  c.write(bytesOf('abc'));
  expect(peer.answer()).toEqual(['PA 1:4 ack 1 win 32768']);
  peer.send({ flags: 'PA', seq: 1, ack: 4, data: 'def' });
  expect([text(c.read()), c.queued, c.lastHeard]).toEqual(['def', 0, peer.now]);
});
