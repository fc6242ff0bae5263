/**
 * UDP of ExOS for programs in TypeScript: calls of the compiled library (library.ts). A child has its parent's memory but not its rings: it opens
 * sockets of its own.
 */
import { ERRORS, PAGE_BYTES } from '@exokernel/abi';
import { LibosError, type Fiber, type Fibers, type LinkedLibrary, type Memory, type Udp } from '@exokernel/libos-kit';
import { bouncePage } from './bounce.ts';

/** Where the bounce page has the sender's two words, behind the longest datagram. */
const SENDER = 2048;

/** The interface for TypeScript programs, by way of the bounce page. */
export function fiberUdp(fibers: Fibers, library: LinkedLibrary | undefined, memory: Memory): Udp {
  const call = (name: string, ...args: readonly number[]): Fiber<number> => {
    const entry = library?.entries.get(name);
    if (entry === undefined) throw new LibosError('needs', 'the program does not say that it needs udp', { name });
    return fibers.call(entry, ...args);
  };
  return {
    open: (port) => call('udp_open', port),
    close: (socket) => call('udp_close', socket),
    *send(socket, host, port, bytes) {
      if (bytes.length > PAGE_BYTES) return ERRORS.E_RANGE;
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      yield* fibers.write(at, bytes);
      return yield* call('udp_send', socket, host, port, at, bytes.length);
    },
    *receive(socket, ticks = -1) {
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      const length = yield* call('udp_receive', socket, at, SENDER, at + SENDER, ticks);
      if (length < 0) return length;
      const bytes = new Uint8Array(length);
      yield* fibers.read(at, bytes);
      const from = yield* fibers.load(at + SENDER);
      return { address: from >>> 0, port: yield* fibers.load(at + SENDER + 4), bytes };
    },
  };
}
