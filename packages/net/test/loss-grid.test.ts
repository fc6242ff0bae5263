/** Two stacks back to back over a faulty wire: whatever it does, what arrives is what was sent, and both ends close. */
import { describe, expect, test } from 'vitest';
import { B_IP, type Faults, Link, pattern } from './link.ts';
import { transfer } from './transfer.ts';

const MEGABYTE = 1 << 20;

const WIRES: readonly (readonly [string, Faults])[] = [
  ['a perfect wire', {}],
  ['a tenth lost', { drop: 0.1 }],
  ['a tenth doubled', { duplicate: 0.1, jitter: 3 }],
  ['a third late', { reorder: 0.3, jitter: 2 }],
  ['a tenth corrupt', { corrupt: 0.1 }],
  ['50 ms away', { delay: 50 }],
  ['everything at once', { drop: 0.1, duplicate: 0.1, reorder: 0.2, corrupt: 0.05, jitter: 5, delay: 3 }],
];

describe.each(WIRES)('%s', (_, faults) => {
  test.each([
    [0, 0, 1],
    [1, 0, 2],
    [0, 1, 3],
    [1, 1, 4],
    [MEGABYTE, 0, 5],
    [0, MEGABYTE, 6],
    [MEGABYTE, MEGABYTE, 7],
  ])('%d bytes up, %d down, seed %d', (upLength, downLength, seed) => {
    const link = new Link({ faults, seed });
    const up = pattern(upLength, seed);
    const down = pattern(downLength, seed + 100);
    const { isComplete, client, server, toServer, toClient } = transfer(link, up, down);
    expect([isComplete, client.error, server?.error]).toEqual([true, undefined, undefined]);
    expect(Buffer.compare(toServer, up)).toBe(0);
    expect(Buffer.compare(toClient, down)).toBe(0);
    expect([client.state, server?.state].toSorted()[1]).toBe('time-wait');
    // After TIME-WAIT nothing is left of either side: no connection, no timer but ARP's, nothing to send.
    link.run(200_000);
    for (const stack of [link.a, link.b]) {
      expect(stack.tcp.size).toEqual({ connections: 0, timeWaits: 0 });
      expect([stack.hasOutput, stack.nextDeadline]).toEqual([false, undefined]);
    }
  });
});

test('a perfect wire loses no time: nothing is sent twice, no timer expires', () => {
  const link = new Link();
  const data = pattern(MEGABYTE, 1);
  transfer(link, data, data);
  for (const { counters } of [link.a, link.b]) {
    expect(counters).toMatchObject({ tcpRetransmissions: 0, tcpOutOfOrder: 0, tcpUnacceptable: 0, tcpTimeouts: 0 });
  }
  expect(link.now).toBeLessThan(100);
});

test.each([
  [256, 65535],
  [1000, 1000],
  [256, 256],
  [4096, 65535],
])('windows of %d and %d bytes', (a, b) => {
  const link = new Link({ a: { receiveBuffer: a }, b: { receiveBuffer: b }, faults: { drop: 0.02 }, seed: 3 });
  const up = pattern(50_000, 1);
  const down = pattern(50_000, 2);
  const { isComplete, toServer, toClient } = transfer(link, up, down, { piece: 777 });
  expect([isComplete, Buffer.compare(toServer, up), Buffer.compare(toClient, down)]).toEqual([true, 0, 0]);
});

test.each([1, 2, 3, 4, 5, 6])('writes of every size, read at leisure: seed %d', (seed) => {
  const link = new Link({ faults: { drop: 0.05, reorder: 0.1, jitter: 2 }, seed, b: { receiveBuffer: 2000 } });
  const data = pattern(30_000, seed);
  const listener = link.b.tcp.listen(80);
  const client = link.a.tcp.connect(B_IP, 80);
  let server = listener.accept();
  let at = 0;
  const out: number[] = [];
  let reads = 0;
  const pump = (): boolean => {
    const piece = 1 + ((at * 7919) % 3000);
    if (at < data.length && client.write(data.subarray(at, at + piece))) at = Math.min(at + piece, data.length);
    else if (at === data.length) client.close();
    server ??= listener.accept();
    reads += 1;
    // The reader sleeps often, so that the window closes.
    if (server !== undefined && reads % 5 === 0) out.push(...server.read(1 + (reads % 1700)));
    if (server?.ended === true) server.close();
    return client.finished && server?.finished === true;
  };
  // The program wakes every 10 ms, also when nothing happens on the wire.
  let isComplete = false;
  for (let i = 0; i < 100_000 && !isComplete; i++) isComplete = link.run(10, pump);
  expect([isComplete, client.error, server?.error]).toEqual([true, undefined, undefined]);
  expect(out).toEqual([...data]);
});

test('the same seeds give the same frames at the same times', () => {
  const run = (): unknown => {
    const link = new Link({ faults: { drop: 0.1, reorder: 0.1, corrupt: 0.05, jitter: 3 }, seed: 9 });
    link.keepsSent = true;
    const data = pattern(50_000, 1);
    transfer(link, data, data);
    return link.sent.map(({ at, from, frame }) => `${at} ${from} ${Buffer.from(frame).toString('hex')}`).join('\n');
  };
  expect(run()).toBe(run());
});

test('a wire that is cut: both ends give up, neither hangs', () => {
  const link = new Link({ faults: { drop: 1 } });
  const client = link.a.tcp.connect(B_IP, 80);
  link.run(300_000, () => client.finished);
  expect(client.error).toBe('unreachable');
});

test('many connections at once', () => {
  const link = new Link({ faults: { drop: 0.05 }, seed: 4 });
  const listener = link.b.tcp.listen(80, { backlog: 64 });
  const data = pattern(20_000, 5);
  const clients = Array.from({ length: 40 }, () => link.a.tcp.connect(B_IP, 80));
  const received = new Map<number, number[]>();
  for (const client of clients) {
    client.write(data);
    client.close();
    received.set(client.localPort, []);
  }
  link.b.tcp.onChange = (c) => {
    received.get(c.remotePort)?.push(...c.read());
    if (c.ended) c.close();
  };
  expect(
    link.run(600_000, () => {
      while (listener.accept() !== undefined);
      return clients.every((client) => client.finished);
    }),
  ).toBe(true);
  for (const bytes of received.values()) expect(Buffer.compare(Uint8Array.from(bytes), data)).toBe(0);
});
