/** A host at the other end of a wire: a stack of `net` in the test itself, without a machine. */
import type { Wire } from '@exokernel/hardware';
import { NetworkStack, frameBytes } from '@exokernel/net';

/** What the test has of it. */
export interface Peer {
  readonly stack: NetworkStack;
  /** Sends what the stack has to send: call it after anything that the test asks of the stack. */
  readonly flush: () => void;
  /** Sends any frame. */
  readonly send: (frame: Uint8Array) => void;
}

/** Plugs one in. Its time is that of the frames that it gets. */
export function peer(wire: Wire, options: ConstructorParameters<typeof NetworkStack>[0]): Peer {
  const stack = new NetworkStack(options);
  const station = wire.attach({
    receive: (frame, time) => {
      stack.receive(frame, time / 1e6);
      flush();
    },
  });
  const flush = (): void => {
    stack.transmit((frame) => {
      station.send(frameBytes(frame));
      return true;
    }, stack.now);
  };
  flush();
  return { stack, flush, send: (frame) => void station.send(frame) };
}
