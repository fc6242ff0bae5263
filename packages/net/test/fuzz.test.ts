/** Random, truncated and mutated frames at a stack in use: it never throws, never hangs, never grows. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameBytes, type NetworkStack, type TcpConnection } from '../src/index.ts';
import { checksum, fold, sumBytes } from '../src/checksum.ts';
import { getU16, putU16 } from '../src/bytes.ts';
import { createRandom } from '../src/random.ts';
import { Link, pattern, stackA } from './link.ts';
import { fromHex, LINUX_FRAMES } from './linux-frames.ts';
import { Peer } from './peer.ts';
import { transfer } from './transfer.ts';

/** Makes the checksums right where there are any, so that the mutation gets past them. */
function repair(frame: Uint8Array): Uint8Array {
  if (frame.length < 34 || getU16(frame, 12) !== 0x0800) return frame;
  const header = ((frame[14] ?? 0) & 15) * 4;
  if (header < 20 || 14 + header > frame.length) return frame;
  putU16(frame, 24, 0);
  putU16(frame, 24, checksum(sumBytes(frame, 14, 14 + header)));
  const from = 14 + header;
  const to = 14 + getU16(frame, 16);
  const protocol = frame[23] ?? 0;
  const field = { 1: 2, 6: 16, 17: 6 }[protocol];
  if (field === undefined || to > frame.length || from + field + 2 > to) return frame;
  putU16(frame, from + field, 0);
  const pseudo = protocol === 1 ? 0 : sumBytes(frame, 26, 34) + protocol + to - from;
  putU16(frame, from + field, checksum(fold(pseudo) + sumBytes(frame, from, to)));
  return frame;
}

function check(stack: NetworkStack): void {
  expect(stack.tcp.size.connections).toBeLessThanOrEqual(1024);
  expect(stack.tcp.size.timeWaits).toBeLessThanOrEqual(256);
  expect(stack.neighbours).toBeLessThanOrEqual(128);
  let frames = 0;
  stack.transmit((frame) => {
    expect(frameBytes(frame).length).toBeGreaterThanOrEqual(60);
    frames += 1;
    return true;
  }, stack.now);
  // One frame in: a few out. More would be an amplifier.
  expect(frames).toBeLessThanOrEqual(48);
}

/** A stack with a listener, a UDP socket, an open connection with data both ways, and one being opened. */
function busy(): { stack: NetworkStack; peer: Peer; c: TcpConnection } {
  const stack = stackA();
  stack.udp.bind(7);
  const listener = stack.tcp.listen(80);
  const peer = new Peer(stack, 80);
  peer.open();
  const c = listener.accept() as TcpConnection;
  c.write(pattern(5000, 1));
  peer.answer();
  peer.send({ flags: 'A', seq: 1, ack: 1, data: 'hello' });
  peer.send({ flags: 'A', seq: 10, ack: 1, data: 'gap' });
  return { stack, peer, c };
}

test('random bytes', () => {
  const { stack } = busy();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(10), (bytes, ms) => {
      stack.receive(bytes, stack.now + ms);
      stack.poll(stack.now);
      check(stack);
    }),
    { numRuns: 1000 },
  );
});

test('mutated frames, their checksums made right', () => {
  const { stack, peer } = busy();
  const seeds = [
    ...Object.values(LINUX_FRAMES).map(fromHex),
    peer.frame({ flags: 'A', seq: 6, ack: 1, data: 'more' }),
    peer.frame({ flags: 'FA', seq: 6, ack: 1 }),
    peer.frame({ flags: 'R', seq: 6 }),
    peer.frame({ flags: 'S', mss: 1460, fromPort: 77 }),
    peer.frame({ flags: 'SA', ack: 1, mss: 1460 }),
  ];
  const mutation = fc.tuple(fc.nat(80), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(mutation, { maxLength: 4 }),
      fc.nat(100),
      fc.nat(500),
      (seed, mutations, length, ms) => {
        const frame = seed.slice(0, length < 20 ? Math.floor((seed.length * length) / 20) : undefined);
        for (const [at, value] of mutations) if (at < frame.length) frame[at] = value;
        frame.set(seed.subarray(0, Math.min(6, frame.length)));
        stack.receive(repair(frame), stack.now + ms);
        stack.poll(stack.now);
        check(stack);
      },
    ),
    { numRuns: 4000 },
  );
});

test('any segment in any state', () => {
  const segment = fc.record({
    flags: fc.subarray([...'FSRPA']).map((letters) => letters.join('')),
    seq: fc.oneof(fc.integer({ min: -3, max: 12 }), fc.integer({ min: 32_760, max: 32_775 }), fc.integer()),
    ack: fc.oneof(fc.integer({ min: -3, max: 12 }), fc.integer({ min: 4998, max: 5004 }), fc.integer()),
    window: fc.constantFrom(0, 1, 100, 8192, 65535),
    mss: fc.constantFrom(0, 1, 536, 65535),
    data: fc.constantFrom('', 'x', 'hello', 'a longer piece of text'),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: segment.map((script) => ({ kind: 'segment' as const, script })) },
    { weight: 1, arbitrary: fc.nat(5000).map((ms) => ({ kind: 'wait' as const, ms })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('read', 'write', 'close', 'abort').map((what) => ({ kind: 'user' as const, what })),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, isActive) => {
      const { stack, peer, c: passive } = busy();
      let c = passive;
      if (isActive) {
        c = stack.tcp.connect(peer.frame({ flags: '' }).length > 0 ? 0x0a000002 : 0, 5000);
        peer.answer();
      }
      for (const todo of steps) {
        if (todo.kind === 'segment') peer.stack.receive(peer.frame(todo.script), peer.now);
        else if (todo.kind === 'wait') peer.wait(todo.ms);
        else if (todo.what === 'read') c.read(3);
        else if (todo.what === 'write') c.write(new Uint8Array(10));
        else if (todo.what === 'close') c.close();
        else c.abort();
        check(stack);
        expect(c.finished).toBe(c.state === 'closed' || c.state === 'time-wait');
        if (c.error !== undefined) expect(c.state).toBe('closed');
        expect(c.readable).toBeLessThanOrEqual(32768);
      }
      // Whatever happened, an end comes: the program aborts, time passes, and nothing is left.
      c.abort();
      passive.abort();
      stack.poll(stack.now + 1e6);
      stack.poll(stack.now + 1e6);
      stack.transmit(() => true, stack.now);
      for (let i = 0; i < 30; i++) {
        stack.poll(stack.now + 100_000);
        stack.transmit(() => true, stack.now);
      }
      expect(stack.nextDeadline).toBeUndefined();
    }),
    { numRuns: 600 },
  );
});

test('a transfer goes on while an attacker throws mutated copies of its own frames', () => {
  const link = new Link({ seed: 3 });
  link.keepsSent = true;
  const random = createRandom(77);
  const { a, b } = link;
  const data = pattern(60_000, 9);
  const attack = (): void => {
    const target = random() % 2 === 0 ? a : b;
    const seen = link.sent[random() % Math.max(link.sent.length, 1)];
    if (seen === undefined) return;
    const frame = seen.frame.slice();
    // Not the addresses and ports, or it hits nothing; not a segment that is right by chance.
    const at = 38 + (random() % 10);
    if (getU16(frame, 12) !== 0x0800) return;
    frame[at] = (frame[at] ?? 0) ^ (0x80 >>> (random() % 4));
    target.receive(repair(frame), link.now);
  };
  const step = link.step.bind(link);
  link.step = (until) => {
    for (let i = 0; i < 3; i++) attack();
    return step(until);
  };
  const { isComplete, toServer, toClient } = transfer(link, data, data);
  expect([isComplete, toServer.length, toClient.length]).toEqual([true, data.length, data.length]);
});
