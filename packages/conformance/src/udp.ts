/** Interface `udp`: datagrams between the program and a host at the other end of the wire; and what is no port, no socket. */
import { ERRORS } from '@exokernel/abi';
import { V0 } from '@exokernel/isa';
import { decodeUtf8, encodeUtf8, type Datagram } from '@exokernel/libos-kit';
import { assembledCase } from './assembled.ts';
import { compiledCase, fiberCase, type Check, type ProgramCase } from './case.ts';
import { ABSENT, FAR, PEER, PEER_PORT, asked, heard, type Peer, type Script } from './peer.ts';

/** Numbers that no socket has. */
const NONE = [0, 7, -1, 1 << 30];
/** Lengths of datagrams: the shortest and the longest, those that a frame is filled up for, and odd ones. */
const LENGTHS = [2, 3, 18, 500, 1471, 1472, 0];
/** Ports of the program. The client's second socket is for OTHER. */
const [PORT, OTHER] = [7, 8];
/** Longest wait for a datagram: 8 s. */
const WAIT = 512;

/** The host of the echo: it sends datagrams of all lengths, and ends the program by one of a byte. */
function* echoes(peer: Peer, check: Check): Script {
  let last: Uint8Array | undefined;
  for (const length of LENGTHS) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff);
    const { ip, port, data } = yield* asked(peer, PORT, bytes, last);
    check.is(`the echo of ${length} bytes`, data.join(), bytes.join());
    check.is('where the echo comes from', `${ip}, port ${port}`, `167772161, port ${PORT}`);
    last = bytes;
  }
  peer.send(PORT, Uint8Array.of(0));
}

/** The host of the client: it hears a datagram, answers first to the other port, and then hears what has come there. */
function* answers(peer: Peer, check: Check): Script {
  const { port, data } = yield* heard(peer);
  check.is('the first datagram', decodeUtf8(data), 'begin');
  check.is('the port that it comes from', port, PORT);
  peer.send(OTHER, encodeUtf8('to the other'));
  peer.send(PORT, encodeUtf8('to the first'));
  const second = yield* heard(peer);
  check.is('the second datagram', decodeUtf8(second.data), 'to the other');
  check.is('the port that it comes from', second.port, OTHER);
}

const bytesOf = (got: Datagram | number): string | number => (typeof got === 'number' ? got : decodeUtf8(got.bytes));

export const UDP: readonly ProgramCase[] = [
  fiberCase('what is no port and what is no socket is refused', ['udp'], function* ({ udp }, check) {
    for (const port of [0, -1, 65536]) check.is(`open(${port})`, yield* udp.open(port), ERRORS.E_RANGE);
    for (const socket of NONE) {
      check.is(`send on socket ${socket}`, yield* udp.send(socket, PEER, 7, Uint8Array.of(1)), ERRORS.E_CAP);
      check.is(`receive on socket ${socket}`, bytesOf(yield* udp.receive(socket, 0)), ERRORS.E_CAP);
      check.is(`close(${socket})`, yield* udp.close(socket), ERRORS.E_CAP);
    }
  }),
  fiberCase(
    'datagrams of all lengths come as they were sent, and go back',
    ['udp'],
    function* ({ udp }, check) {
      const socket = yield* udp.open(PORT);
      check.isBetween('open(7)', socket, 0, 0x7fffffff);
      for (;;) {
        const got = yield* udp.receive(socket);
        if (typeof got === 'number') check.is('receive without end', got, 'a datagram');
        else if (got.bytes.length === 1) return;
        else check.is('send', yield* udp.send(socket, got.address, got.port, got.bytes), 0);
      }
    },
    { host: echoes },
  ),
  fiberCase(
    'each socket gets what is for its port, and what cannot be sent is refused',
    ['udp'],
    function* ({ udp }, check) {
      const [first, other] = [yield* udp.open(PORT), yield* udp.open(OTHER)];
      check.isBetween('open(7)', first, 0, 0x7fffffff);
      check.isBetween('open(8)', other, 0, 0x7fffffff);
      check.is('both are one socket', first === other, false);
      check.is('open(7) once more', yield* udp.open(PORT), ERRORS.E_BUSY);
      for (const ticks of [0, 2]) {
        check.is(`receive for ${ticks} ticks`, bytesOf(yield* udp.receive(first, ticks)), ERRORS.E_AGAIN);
      }
      const begin = encodeUtf8('begin');
      check.is('send to port 0', yield* udp.send(first, PEER, 0, begin), ERRORS.E_RANGE);
      check.is('send of 1473 bytes', yield* udp.send(first, PEER, PEER_PORT, new Uint8Array(1473)), ERRORS.E_RANGE);
      check.is('send to another network', yield* udp.send(first, FAR, PEER_PORT, begin), ERRORS.E_RANGE);
      check.is('send to a host that is not there', yield* udp.send(first, ABSENT, PEER_PORT, begin), ERRORS.E_NONE);
      check.is('send', yield* udp.send(first, PEER, PEER_PORT, begin), 0);
      const got = yield* udp.receive(first, WAIT);
      check.is('receive at port 7', bytesOf(got), 'to the first');
      if (typeof got === 'number') return;
      check.is('the sender', `${got.address}, port ${got.port}`, `${PEER}, port ${PEER_PORT}`);
      const waiting = yield* udp.receive(other, WAIT);
      check.is('receive at port 8', bytesOf(waiting), 'to the other');
      if (typeof waiting === 'number') return;
      check.is('send from port 8', yield* udp.send(other, PEER, PEER_PORT, waiting.bytes), 0);
      check.is('close', yield* udp.close(first), 0);
      check.is('close once more', yield* udp.close(first), ERRORS.E_CAP);
      check.is('send on what is closed', yield* udp.send(first, PEER, PEER_PORT, begin), ERRORS.E_CAP);
      check.is('receive on what is closed', bytesOf(yield* udp.receive(first, 0)), ERRORS.E_CAP);
      check.isBetween('open(7) after that', yield* udp.open(PORT), 0, 0x7fffffff);
    },
    { host: answers },
  ),
  assembledCase('what is no port and what is no socket is refused', ['udp'], ({ keeping, is, data }) => {
    for (const port of [0, -1, 65536]) {
      keeping('udp_open', port);
      is(`udp_open(${port})`, V0, ERRORS.E_RANGE);
    }
    for (const socket of NONE) {
      keeping('udp_send', socket, PEER, 7, data);
      is(`udp_send(${socket}, …)`, V0, ERRORS.E_CAP);
      keeping('udp_receive', socket, data, 4, data + 8);
      is(`udp_receive(${socket}, …)`, V0, ERRORS.E_CAP);
      keeping('udp_close', socket);
      is(`udp_close(${socket})`, V0, ERRORS.E_CAP);
    }
  }),
  compiledCase('udp', 'echo', { host: echoes }),
  compiledCase('udp', 'sockets', { host: answers }),
];
