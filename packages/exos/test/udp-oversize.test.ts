/** A frame that is longer than Ethernet's, and that the controller takes all the same, does not keep a datagram behind it from the process that waits for it. */
import { compose, program } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { Wire } from '../../hardware/src/index.ts';
import { boot, checkInvariants, exitOf, peer } from '../../testkit/src/index.ts';
import { exos } from '../src/index.ts';

const OWN = { ip: 0x0a000001, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), netmask: 0xffffff00 };
const PEER = { ip: 0x0a000002, mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 2), netmask: 0xffffff00, seed: 1 };

/** What the filter of a socket for port 7 accepts, so long. */
function oversize(length: number): Uint8Array {
  const frame = new Uint8Array(length);
  frame.set(OWN.mac);
  frame.set(PEER.mac, 6);
  frame.set([8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 0x13, 0x88, 0, 7], 12);
  return frame;
}

test.each([1514, 1515, 1518])('a frame of %i bytes before the datagram', (length) => {
  const wire = new Wire();
  const { stack, flush, send } = peer(wire, PEER);
  const image = compose(
    exos,
    program('waits', ['udp'], function* ({ udp }) {
      const socket = yield* udp.open(7);
      yield* udp.receive(socket);
      const got = yield* udp.receive(socket);
      return typeof got === 'number' ? 1 : (got.bytes[0] ?? 2);
    }),
    { station: OWN },
  );
  const booted = boot([image], { lance: { mac: OWN.mac, wire } });
  const socket = stack.udp.bind(5000);
  booted.runUntil(() => false, 0.5);
  // The first one has the addresses found out.
  socket.send(OWN.ip, 7, Uint8Array.of(1));
  flush();
  booted.runUntil(() => false, 1);
  send(oversize(length));
  socket.send(OWN.ip, 7, Uint8Array.of(42));
  flush();
  const ended = booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 20);
  expect(ended).toBe(true);
  expect(exitOf(booted.aegis.environment(0))).toBe(42);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
