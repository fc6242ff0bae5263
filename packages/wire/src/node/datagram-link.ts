/**
 * A link through UDP: one datagram is one frame, as with QEMU's `-netdev dgram`.
 *
 * Only the peer's datagrams are received. A peer that is not there yet only misses frames. Source: [QEMUNET].
 */
import { reasonOf } from './reason.ts';
import { createSocket } from 'node:dgram';
import { Link, WireError, type Wire } from '@exokernel/wire';

/** An IPv4 address and port; of this host unless given. */
export interface DatagramAddress {
  readonly port: number;
  readonly host?: string;
}

/** A link and the port that it got if it was asked for port 0. */
export interface DatagramLink {
  readonly link: Link;
  readonly port: number;
}

const THIS_HOST = '127.0.0.1';
/** Datagrams that may wait to be sent. */
const BACKLOG = 256;

/** Joins a wire to a peer. Rejects with `WireError` `link` if the addresses cannot be had. */
export async function datagramLink(wire: Wire, local: DatagramAddress, remote: DatagramAddress): Promise<DatagramLink> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve();
    });
    socket.bind(local.port, local.host ?? THIS_HOST, () => {
      try {
        // With a callback, Node would give it what else is an event.
        socket.connect(remote.port, remote.host ?? THIS_HOST);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error))); // no such port
      }
    });
  }).catch((cause: unknown) => {
    socket.close();
    const message = `no datagrams between ${shown(local)} and ${shown(remote)}: ${reasonOf(cause)}`;
    throw new WireError('link', message, { local, remote }, { cause });
  });
  let waiting = 0;
  const link = new Link(wire, {
    send: (frame) => {
      if (waiting >= BACKLOG) return false;
      waiting += 1;
      socket.send(frame.slice(), () => {
        waiting -= 1;
      });
      return true;
    },
    close: () => {
      socket.close();
    },
  });
  socket.on('message', (frame) => {
    link.enter(frame);
  });
  // What the host reports of a datagram that did not get through: the peer is not there.
  socket.on('error', () => {
    link.drop('out');
  });
  return { link, port: socket.address().port };
}

function shown({ port, host = THIS_HOST }: DatagramAddress): string {
  return `port ${port} of ${host}`;
}
