import { createServer } from 'node:net';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamDecoder, Wire, withoutPadding } from '../src/index.ts';
import { connectStream } from '../src/node/index.ts';
import { machineOn } from './support.ts';

/** A frame of 60 bytes (or `length`) with these bytes behind its addresses. */
function frame(hex: string, length = 60): Uint8Array {
  const bytes = new Uint8Array(length).fill(0xee);
  bytes.set(Buffer.from(hex, 'hex'), 12);
  return bytes;
}

describe('the length of a frame without its padding', () => {
  test.each([
    ['IPv4 of 40 bytes', frame('080045000028'), 54],
    ['IPv4 of 46 bytes', frame('08004500002e'), 60],
    ['IPv4 of 20 bytes', frame('080045000014'), 34],
    ['IPv4 with options, of 24 bytes', frame('080046000018'), 38],
    ['ARP for IPv4 over Ethernet', frame('080600010800060400'), 42],
    ['IPv6 of 40 bytes', frame('86dd600000000000'), 54],
    ['IPv6 of 47 bytes', frame('86dd600000000007'), 60],
    ['IPv4 that says more than there is', frame('08004500002f'), 60],
    ['IPv4 shorter than its header', frame('080045000013'), 60],
    ['IPv4 of nothing', frame('080045000000'), 60],
    ['IPv4 of another version', frame('080065000028'), 60],
    ['IPv6 of another version', frame('86dd400000000000'), 60],
    ['another type', frame('88cc45000028'), 60],
    ['a length in place of a type', frame('002645000028'), 60],
    ['a longer frame', frame('080045000028', 61), 61],
    ['a frame that is shorter already', frame('080045000014', 42), 42],
  ])('%s', (_, bytes, length) => {
    const trimmed = withoutPadding(bytes);
    expect(Buffer.compare(trimmed, bytes.subarray(0, length))).toBe(0);
  });

  test('whatever the bytes: a beginning of the frame that holds a header', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0, maxLength: 80 }),
        fc.constantFrom('0800', '0806', '86dd', ''),
        (bytes, type) => {
          if (bytes.length >= 14) bytes.set(Buffer.from(type, 'hex'), 12);
          const trimmed = withoutPadding(bytes);
          expect(trimmed.length).toBeGreaterThanOrEqual(Math.min(bytes.length, 15));
          expect(Buffer.compare(trimmed, bytes.subarray(0, trimmed.length))).toBe(0);
        },
      ),
    );
  });
});

test('frames leave a stream without padding, and enter a wire with it', async () => {
  const wire = new Wire();
  const machine = machineOn(wire);
  const got: Uint8Array[] = [];
  const decoder = new StreamDecoder();
  const server = createServer((socket) => {
    socket.on('data', (piece: Uint8Array) =>
      decoder.push(piece, (one) => {
        got.push(one);
        socket.write(Buffer.concat([Buffer.of(0, 0, 0, one.length), one]));
      }),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const link = await connectStream(wire, { port: typeof address === 'object' ? (address?.port ?? 0) : 0 });
  const heard: number[] = [];
  const { send } = wire.attach({ receive: (one) => heard.push(one.length) });
  send(frame('080045000028'));
  while (heard.length === 0) {
    machine.run(10_000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(got.map((one) => one.length)).toEqual([54]);
  expect(heard).toEqual([60]);
  link.close();
  server.close();
});
