/**
 * The gateway: TCP connections of the host, carried over to TCP on the machine's wire.
 *
 * It listens on 127.0.0.1 only. For every connection that the host's clients open it opens one from its own address on the wire, and
 * copies bytes both ways with flow control on both sides. An end is an end and a reset a reset on the other side. Its
 * stack lives on the machine's time: nothing moves unless the caller calls `pump` and runs the machine.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Machine } from '@exokernel/hardware';
import { NetworkStack, frameBytes, type StackOptions, type TcpConnection } from '@exokernel/net';
import type { Attachment, Wire } from '@exokernel/wire';
import { Doze } from './doze.ts';

export interface GatewayOptions {
  readonly machine: Machine;
  readonly wire: Wire;
  /** Address on the wire. */
  readonly self: StackOptions;
  /** Where connections go to. */
  readonly server: { readonly ip: number; readonly port: number };
}

/** Bytes for the host that may wait in a socket before the wire's side is no longer read. */
const SOCKET_BACKLOG = 256 * 1024;

interface Bridge {
  readonly socket: Socket;
  readonly connection: TcpConnection;
  /** What came from the host and TCP has not taken yet. The socket is paused meanwhile, so there is one chunk at most. */
  pending: Uint8Array | undefined;
  hostEnded: boolean;
  wireEnded: boolean;
}

export class Gateway {
  readonly #machine: Machine;
  readonly #stack: NetworkStack;
  readonly #options: GatewayOptions;
  readonly #station: Attachment;
  readonly #bridges = new Set<Bridge>();
  readonly #server: Server;
  /** Wakes when the host has something for the machine. */
  readonly doze: Doze = new Doze();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#machine = options.machine;
    this.#stack = new NetworkStack(options.self);
    this.#station = options.wire.attach({
      receive: (frame) => {
        this.#stack.receive(frame, this.#now());
        this.#transmit();
      },
    });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#open(socket);
    });
  }

  /** Listens on a port of 127.0.0.1, any free one with 0. Resolves to the port; rejects if it cannot be had. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      // Afterwards an error is one connection that the host had no room for: its client knows.
      this.#server.on('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Connections that are open, on either side. */
  get connections(): number {
    return this.#bridges.size;
  }

  /** Moves what can be moved; call it between runs of the machine. */
  pump(): void {
    this.#stack.poll(this.#now());
    for (const bridge of this.#bridges) this.#copy(bridge);
    this.#transmit();
  }

  /** Stops listening, resets every connection on both sides, and leaves the wire. */
  async close(): Promise<void> {
    for (const { socket, connection } of this.#bridges) {
      connection.abort();
      socket.resetAndDestroy();
    }
    this.#bridges.clear();
    this.#transmit();
    this.#station.detach();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  /** Milliseconds of the machine. */
  #now(): number {
    return (this.#machine.cycles / this.#machine.hz) * 1000;
  }

  #open(socket: Socket): void {
    const { ip, port } = this.#options.server;
    const bridge: Bridge = {
      socket,
      connection: this.#stack.tcp.connect(ip, port),
      pending: undefined,
      hostEnded: false,
      wireEnded: false,
    };
    this.#bridges.add(bridge);
    const { wake } = this.doze;
    socket.on('data', (data: Uint8Array) => {
      bridge.pending = data;
      socket.pause();
      wake();
    });
    socket.on('end', () => {
      bridge.hostEnded = true;
      wake();
    });
    // An error destroys the socket, and what it was does not matter.
    for (const event of ['drain', 'error', 'close']) socket.on(event, wake);
    wake();
  }

  #copy(bridge: Bridge): void {
    this.#copyToWire(bridge);
    const { socket, connection, hostEnded, wireEnded } = bridge;
    if (!socket.destroyed) {
      this.#copyToHost(bridge);
      return;
    }
    // A socket that is gone before both sides have ended was cut off, and so is the other side.
    if (!hostEnded || !wireEnded) connection.abort();
    if (connection.finished || bridge.pending === undefined) this.#bridges.delete(bridge);
  }

  #copyToWire(bridge: Bridge): void {
    const { socket, connection } = bridge;
    if (bridge.pending !== undefined && connection.write(bridge.pending)) bridge.pending = undefined;
    if (bridge.pending !== undefined) return;
    if (bridge.hostEnded) connection.close();
    else if (socket.isPaused()) socket.resume();
  }

  #copyToHost(bridge: Bridge): void {
    const { socket, connection } = bridge;
    while (connection.readable > 0 && socket.writableLength < SOCKET_BACKLOG) socket.write(connection.read());
    if (connection.ended && !bridge.wireEnded) {
      bridge.wireEnded = true;
      socket.end();
    }
    if (connection.error === undefined) return;
    if (!bridge.wireEnded) socket.resetAndDestroy();
    else if (!bridge.hostEnded) {
      // The wire's side has said all it wanted, and hears no more.
      bridge.hostEnded = true;
      bridge.pending = undefined;
      socket.destroySoon();
    }
  }

  #transmit(): void {
    this.#stack.transmit((frame) => this.#station.send(frameBytes(frame)), this.#now());
  }
}
