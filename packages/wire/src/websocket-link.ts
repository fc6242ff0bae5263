/**
 * A link through a WebSocket: one binary message is one frame, as v86 and its relays speak it.
 *
 * The socket is the caller's to make, in a browser or in Node, and may still be connecting: until it is open, frames to it
 * are dropped. Text is no frame.
 */
import { WireError } from './error.ts';
import type { Wire } from './wire.ts';
import { Link } from './link.ts';

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close' | 'error', listener: () => void): void;
}

const OPEN = 1;
/** Bytes that may wait to be sent. */
const BACKLOG = 256 * 1024;

/** Joins a socket to a wire. The link closes with the socket; an error of the socket closes it with `link`. */
export function webSocketLink(wire: Wire, socket: WebSocketLike): Link {
  socket.binaryType = 'arraybuffer';
  const link = new Link(wire, {
    send: (frame) => {
      if (socket.readyState !== OPEN || socket.bufferedAmount > BACKLOG) return false;
      socket.send(frame.slice());
      return true;
    },
    close: () => {
      socket.close();
    },
  });
  socket.addEventListener('message', ({ data }) => {
    if (data instanceof ArrayBuffer) link.enter(new Uint8Array(data));
    else link.drop('in');
  });
  socket.addEventListener('close', () => {
    link.close();
  });
  socket.addEventListener('error', () => {
    link.close(new WireError('link', 'the WebSocket failed'));
  });
  return link;
}
