/** Window scaling [RFC7323 §2], and windows that are open and small [RFC9293 §3.8.6.2.1]. */
import { describe, expect, test } from 'vitest';
import type { TcpConnection, TcpTuning } from '../src/index.ts';
import { B_IP, Link, pattern, stackA } from './link.ts';
import { Peer, type Script } from './peer.ts';
import { transfer } from './transfer.ts';

/** A stack that listens, and a peer. */
function listening(tcp: TcpTuning = {}): { peer: Peer; accept: () => TcpConnection } {
  const stack = stackA({ tcp });
  const listener = stack.tcp.listen(80);
  return { peer: new Peer(stack, 80), accept: () => listener.accept() as TcpConnection };
}

describe('the option', () => {
  test.each([
    [256, 0, 256],
    [65_535, 0, 65_535],
    [65_536, 1, 65_535],
    [131_071, 1, 65_535],
    [131_072, 2, 65_535],
    [65_535 * 2 ** 14, 14, 65_535],
  ])('a SYN of a stack with a buffer of %i bytes', (receiveBuffer, scale, window) => {
    const stack = stackA({ tcp: { receiveBuffer } });
    const peer = new Peer(stack, 0);
    stack.tcp.connect(B_IP, 5000);
    expect(peer.answer()).toEqual([`S 0 win ${window} mss 1460 scale ${scale}`]);
  });

  test('is answered when the peer has it, and only then', () => {
    const syn: Script = { flags: 'S', mss: 1460, window: 1000 };
    expect(listening({ receiveBuffer: 2 ** 20 }).peer.send({ ...syn, scale: 0 })).toEqual([
      'SA 0 ack 1 win 65535 mss 1460 scale 5',
    ]);
    expect(listening({ receiveBuffer: 2 ** 20 }).peer.send(syn)).toEqual(['SA 0 ack 1 win 65535 mss 1460']);
  });
});

describe('what we offer', () => {
  test('after the SYN in units of the shift, and only to a peer that scales', () => {
    const { peer, accept } = listening({ receiveBuffer: 2 ** 20 });
    peer.open({ scale: 3 });
    peer.send({ flags: 'PA', seq: 1, ack: 1, data: new Uint8Array(1460) });
    peer.send({ flags: 'PA', seq: 1461, ack: 1, data: new Uint8Array(1460) });
    accept();
    expect(peer.send({ flags: 'PA', seq: 2921, ack: 1, data: 'x' })).toEqual([]);
    // 2^20 − 2921, as far as 32-byte units can say.
    expect(peer.wait(40)).toEqual([`+40 A 1 ack 2922 win ${Math.floor((2 ** 20 - 2921) / 32)}`]);
  });

  test('no more than the field holds to one that does not scale', () => {
    const { peer } = listening({ receiveBuffer: 2 ** 20 });
    peer.open();
    peer.send({ flags: 'PA', seq: 1, ack: 1, data: new Uint8Array(1460) });
    const [line] = peer.wait(40);
    expect(line).toBe('+40 A 1 ack 1461 win 64075');
  });

  test('data is taken up to the edge that was offered, and not beyond it', () => {
    const { peer, accept } = listening({ receiveBuffer: 100_000 });
    peer.open({ scale: 0 });
    const connection = accept();
    for (let at = 0; at < 100_000; at += 1000) {
      peer.send({ flags: 'A', seq: 1 + at, ack: 1, data: new Uint8Array(1000) });
    }
    expect(connection.readable).toBe(100_000);
    expect(peer.send({ flags: 'A', seq: 100_001, ack: 1, data: 'x' })).toEqual(['A 1 ack 100001 win 0']);
    expect(connection.readable).toBe(100_000);
  });
});

describe('what the peer offers', () => {
  test('of its SYN as it is, then shifted', () => {
    const { peer, accept } = listening({ sendBuffer: 2 ** 20 });
    peer.send({ flags: 'S', mss: 1000, window: 2, scale: 10 });
    // The acknowledgment of the handshake opens the window: 2 · 2^10 bytes.
    expect(peer.send({ flags: 'A', seq: 1, ack: 1, window: 2 })).toEqual([]);
    accept().write(new Uint8Array(10_000));
    expect(peer.answer()).toEqual(['A 1:1001 ack 1 win 32768', 'A 1001:2001 ack 1 win 32768']);
  });

  test('a shift above 14 counts as 14', () => {
    const { peer, accept } = listening();
    peer.send({ flags: 'S', mss: 1000, window: 1, scale: 255 });
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 1 });
    accept().write(new Uint8Array(40_000));
    let [una, rounds] = [1, 0];
    // Slow start up to the window of 2^14 bytes, where flights stay.
    let flight = 0;
    for (; rounds < 6; rounds += 1) {
      const lines = peer.answer();
      const ends = lines.map((line) => Number(/:(\d+)/.exec(line)?.[1]));
      flight = Math.max(...ends) - una;
      una = Math.max(...ends);
      peer.stack.receive(peer.frame({ flags: 'A', seq: 1, ack: una, window: 1 }), peer.now);
      if (una > 39_000) break;
    }
    expect(flight).toBeLessThanOrEqual(2 ** 14);
    expect(una).toBeGreaterThan(16_000);
  });

  test('without the option nothing is shifted, whatever the peer sends later', () => {
    const { peer, accept } = listening();
    peer.open({ window: 1000, mss: 1000 });
    peer.send({ flags: 'A', seq: 1, ack: 1, window: 1000, scale: 7 });
    accept().write(new Uint8Array(5000));
    expect(peer.answer()).toEqual(['A 1:1001 ack 1 win 32768']);
  });
});

test('both ways over a long path: a window of 1 MB fills it', () => {
  const link = new Link({
    faults: { delay: 50 },
    a: { receiveBuffer: 2 ** 20, sendBuffer: 2 ** 20 },
    b: { receiveBuffer: 2 ** 20, sendBuffer: 2 ** 20 },
  });
  const data = pattern(3_000_000, 5);
  // With 32 KB in each round trip of 100 ms this would take nine seconds.
  const { toClient, toServer } = transfer(link, data, data, { within: 3000 });
  expect(Buffer.compare(toClient, data)).toBe(0);
  expect(Buffer.compare(toServer, data)).toBe(0);
});

describe('a window that is open and smaller than half of the largest', () => {
  /** A connection whose peer has taken one segment, and then offers this window. */
  function narrowed(window: number): { peer: Peer; connection: TcpConnection } {
    const { peer, accept } = listening({ minRto: 1000 });
    peer.open({ window: 60_000 });
    const connection = accept();
    connection.write(new Uint8Array(1460));
    peer.answer();
    peer.send({ flags: 'A', seq: 1, ack: 1461, window });
    return { peer, connection };
  }

  test('lets out what fits after a tenth of a second, again and again, and never later', () => {
    const { peer, connection } = narrowed(324);
    connection.write(new Uint8Array(1400));
    connection.write(new Uint8Array(1400));
    for (let at = 1461; at < 2700; at += 324) {
      expect(peer.answer()).toEqual([]);
      expect(peer.wait(100)).toEqual([`+100 A ${at}:${at + 324} ack 1 win 32768`]);
      // The last piece of what was written fits, and waits for nothing.
      const rest = at + 324 === 2757 ? ['PA 2757:2861 ack 1 win 32768'] : [];
      expect(peer.send({ flags: 'A', seq: 1, ack: at + 324, window: 324 })).toEqual(rest);
    }
    expect(peer.stack.counters.tcpZeroWindowProbes).toBe(0);
  });

  test('what it let out is sent again by the retransmission timer', () => {
    const { peer, connection } = narrowed(100);
    connection.write(new Uint8Array(1460));
    expect(peer.wait(3200)).toEqual([
      '+100 A 1461:1561 ack 1 win 32768',
      '+1000 A 1461:1561 ack 1 win 32768',
      '+2000 A 1461:1561 ack 1 win 32768',
    ]);
  });

  test('that then closes is probed, later and later', () => {
    const { peer, connection } = narrowed(100);
    connection.write(new Uint8Array(1460));
    expect(peer.wait(50)).toEqual([]);
    expect(peer.send({ flags: 'A', seq: 1, ack: 1461, window: 0 })).toEqual([]);
    expect(peer.wait(3000)).toEqual(['+1000 A 1461:1462 ack 1 win 32768', '+2000 A 1461:1462 ack 1 win 32768']);
    // It opens a little: the probe's byte has to go again, and takes others along.
    expect(peer.send({ flags: 'A', seq: 1, ack: 1461, window: 100 })).toEqual(['A 1461:1561 ack 1 win 32768']);
  });
});
