/** The host at the other end of the wire: a stack of `net` in the suite itself. What it does is a script, of which a part runs at each tick. */
import { TICKS_PER_SECOND } from '@exokernel/abi';
import { NetworkStack, frameBytes, type Datagram } from '@exokernel/net';
import { STATION } from './devices.ts';
import type { ConformanceMachine } from './machine.ts';

/** The host's address, one of the same network that no host has, and one of another network. */
export const PEER = 0x0a000002;
export const ABSENT = 0x0a000009;
export const FAR = 0xc0a80001;
/** The port that it listens at. */
export const PEER_PORT = 5000;
/** Ticks after which it asks again. */
const AGAIN = 64;
const TICK_MILLISECONDS = 1000 / TICKS_PER_SECOND;

/** What a script uses. */
export interface Peer {
  /** Sends a datagram to a port of the program's. */
  readonly send: (port: number, bytes: Uint8Array) => void;
  /** The next datagram that has come. */
  readonly receive: () => Datagram | undefined;
  /** Lets a tick pass, for what the host asks again by itself. */
  readonly tick: () => void;
}

/** What a host does: it yields where a tick passes. */
export type Script = Generator<void, void, void>;

/** Plugs the host in. Throws `RangeError` for a machine without a wire: that is the fault of `boot`. */
export function peerOf({ wire }: ConformanceMachine): Peer {
  if (wire === undefined)
    throw new RangeError('this case needs a network: boot must make the devices that it is asked for');
  const stack = new NetworkStack({
    ip: PEER,
    mac: Uint8Array.of(0x08, 0, 0x2b, 0, 0, 2),
    netmask: STATION.netmask,
    seed: 1,
  });
  let now = 0;
  const plug = wire.attach({
    receive: (frame, time) => {
      now = Math.max(now, time / 1e6);
      stack.receive(frame, now);
      flush();
    },
  });
  const flush = (): void => {
    stack.transmit((frame) => {
      plug.send(frameBytes(frame));
      return true;
    }, now);
  };
  flush();
  const socket = stack.udp.bind(PEER_PORT);
  return {
    send: (port, bytes) => {
      socket.send(STATION.ip, port, bytes);
      flush();
    },
    receive: () => socket.receive(),
    tick: () => {
      now += TICK_MILLISECONDS;
      stack.poll(now);
      flush();
    },
  };
}

/** Waits for a datagram that is not `but`. */
export function* heard(peer: Peer, but?: Uint8Array): Generator<void, Datagram, void> {
  for (;;) {
    const got = peer.receive();
    if (got !== undefined && got.data.join() !== but?.join()) return got;
    if (got === undefined) yield;
  }
}

/** Asks, and asks again, until there is an answer, which is not `but`: that of the last question, which was asked twice. */
export function* asked(peer: Peer, port: number, bytes: Uint8Array, but?: Uint8Array): Generator<void, Datagram, void> {
  const answers = heard(peer, but);
  for (let ticks = 0; ; ticks += 1) {
    if (ticks % AGAIN === 0) peer.send(port, bytes);
    const { done, value } = answers.next();
    if (done === true) return value;
    yield;
  }
}
