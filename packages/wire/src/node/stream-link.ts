/**
 * Links through sockets that carry frames with their lengths: to passt, to QEMU's `-netdev stream`, to each other.
 *
 * Frames leave without Ethernet's padding (`padding.ts`), and the wire pads those that come. A client connects, a server takes the first peer that comes; both over unix or TCP sockets. A peer that leaves, breaks, or
 * sends an impossible length closes the link, and that is all: the link does not connect again. Source: [QEMUNET].
 */
import { reasonOf } from './reason.ts';
import { connect, createServer, type ListenOptions, type NetConnectOpts, type Server, type Socket } from 'node:net';
import { encodeStreamFrame, Link, StreamDecoder, WireError, withoutPadding, type Wire } from '@exokernel/wire';

/** A socket's address: a path of the file system, or a TCP port, of this host unless given. */
export type StreamAddress = { readonly path: string } | { readonly port: number; readonly host?: string };

/** Bytes that may wait in a socket before frames to it are dropped. */
const BACKLOG = 256 * 1024;
const THIS_HOST = '127.0.0.1';

/** Connects a wire to a server. Rejects with `WireError` `link` if there is none. */
export async function connectStream(wire: Wire, address: StreamAddress): Promise<Link> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const made = connect(options(address) as NetConnectOpts);
    made.once('error', reject);
    made.once('connect', () => {
      made.off('error', reject);
      resolve(made);
    });
  }).catch((cause: unknown) => {
    throw new WireError('link', `cannot connect to ${shown(address)}: ${reasonOf(cause)}`, { address }, { cause });
  });
  return joined(wire, socket);
}

/** A server that waits for its one peer. */
export interface StreamListener {
  /** Where it listens: the port that it got if it was asked for port 0. */
  readonly address: StreamAddress;
  /** The link to the first peer; it never resolves if `close` comes first. */
  readonly peer: Promise<Link>;
  /** Stops listening. A link that there is stays. */
  readonly close: () => void;
}

/** Listens for a peer of a wire. Rejects with `WireError` `link` if the address cannot be had. */
export async function listenStream(wire: Wire, address: StreamAddress): Promise<StreamListener> {
  const { promise: peer, resolve: arrived } = Promise.withResolvers<Link>();
  const server = createServer((socket) => {
    // A second one may come before the server has stopped.
    if (socket.destroyed || taken) {
      socket.destroy();
      return;
    }
    taken = true;
    server.close();
    arrived(joined(wire, socket));
  });
  let taken = false;
  await listening(server, address);
  const got = server.address();
  return {
    address: typeof got === 'object' && got !== null ? { port: got.port, host: got.address } : address,
    peer,
    close: () => {
      server.close();
    },
  };
}

function listening(server: Server, address: StreamAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', (cause) => {
      reject(new WireError('link', `cannot listen on ${shown(address)}: ${reasonOf(cause)}`, { address }, { cause }));
    });
    server.listen(options(address) as ListenOptions, resolve);
  });
}

function options(address: StreamAddress): StreamAddress {
  return 'path' in address ? address : { host: THIS_HOST, ...address };
}

function joined(wire: Wire, socket: Socket): Link {
  socket.setNoDelay(true);
  const decoder = new StreamDecoder();
  const link = new Link(wire, {
    send: (frame) => {
      if (socket.destroyed || socket.writableLength > BACKLOG) return false;
      socket.write(encodeStreamFrame(withoutPadding(frame)));
      return true;
    },
    close: () => {
      socket.destroy();
    },
  });
  socket.on('data', (piece: Uint8Array) => {
    const error = decoder.push(piece, (frame) => {
      link.enter(frame);
    });
    if (error !== undefined) link.close(error);
  });
  socket.on('error', (cause) => {
    link.close(new WireError('link', 'the connection broke', {}, { cause }));
  });
  // A peer that sends no more does not listen either; what the socket still holds is lost.
  socket.on('end', () => {
    link.close();
  });
  socket.on('close', () => {
    link.close();
  });
  return link;
}

function shown(address: StreamAddress): string {
  return 'path' in address ? address.path : `port ${address.port} of ${address.host ?? THIS_HOST}`;
}
