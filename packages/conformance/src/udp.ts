/** Interface `udp`, as far as a machine without a wire can tell: what is no port, no socket. Datagrams need a peer, which the suite has not. */
import { ERRORS } from '@exokernel/abi';
import { V0 } from '@exokernel/isa';
import { assembledCase } from './assembled.ts';
import { fiberCase, type ProgramCase } from './case.ts';

/** Another host. */
const HOST = 0x0a000002;
/** Numbers that no socket has. */
const NONE = [0, 7, -1, 1 << 30];

export const UDP: readonly ProgramCase[] = [
  fiberCase('what is no port and what is no socket is refused', ['udp'], function* ({ udp }, check) {
    for (const port of [0, -1, 65536]) check.is(`open(${port})`, yield* udp.open(port), ERRORS.E_RANGE);
    for (const socket of NONE) {
      check.is(`send on socket ${socket}`, yield* udp.send(socket, HOST, 7, Uint8Array.of(1)), ERRORS.E_CAP);
      const got = yield* udp.receive(socket, 0);
      check.is(`receive on socket ${socket}`, typeof got === 'number' ? got : 'a datagram', ERRORS.E_CAP);
      check.is(`close(${socket})`, yield* udp.close(socket), ERRORS.E_CAP);
    }
  }),
  assembledCase('what is no port and what is no socket is refused', ['udp'], ({ keeping, is, data }) => {
    for (const port of [0, -1, 65536]) {
      keeping('udp_open', port);
      is(`udp_open(${port})`, V0, ERRORS.E_RANGE);
    }
    for (const socket of NONE) {
      keeping('udp_send', socket, HOST, 7, data);
      is(`udp_send(${socket}, …)`, V0, ERRORS.E_CAP);
      keeping('udp_receive', socket, data, 4, data + 8);
      is(`udp_receive(${socket}, …)`, V0, ERRORS.E_CAP);
      keeping('udp_close', socket);
      is(`udp_close(${socket})`, V0, ERRORS.E_CAP);
    }
  }),
];
