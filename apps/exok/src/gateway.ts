/**
 * The gateway: TCP connections of the host, carried over to TCP on the machine's wire.
 *
 * It listens on 127.0.0.1 only. For every connection that the host's clients open it opens one from its own address on the wire, and
 * copies bytes both ways with flow control on both sides. Its stack lives on the machine's time.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Machine, Wire } from '@exokernel/hardware';
import { NetworkStack, frameBytes, type StackOptions, type TcpConnection } from '@exokernel/net';

export interface GatewayOptions {
  readonly machine: Machine;
  readonly wire: Wire;
  /** Address on the wire. */
  readonly self: StackOptions;
  /** Where connections go to. */
  readonly server: { readonly ip: number; readonly port: number };
}

/** Bytes of the host that may wait in a socket before the wire's side is no longer read. */
const SOCKET_BACKLOG = 256 * 1024;

interface Bridge {
  readonly socket: Socket;
  readonly connection: TcpConnection;
  /** Bytes from the host that TCP has not taken yet. */
  pending: Uint8Array[];
  hostEnded: boolean;
  wireEnded: boolean;
}

export class Gateway {
  readonly #machine: Machine;
  readonly #stack: NetworkStack;
  readonly #options: GatewayOptions;
  readonly #send: (frame: Uint8Array) => boolean;
  readonly #bridges = new Set<Bridge>();
  readonly #server: Server;
  #awake: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#machine = options.machine;
    this.#stack = new NetworkStack(options.self);
    const station = options.wire.attach({
      receive: (frame) => {
        this.#stack.receive(frame, this.#now());
        this.#transmit();
      },
    });
    this.#send = (frame) => station.send(frame);
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#open(socket);
    });
  }

  /** Listens on a port of 127.0.0.1, any free one with 0. Resolves to the port; rejects if it cannot be had. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#bridges.size;
  }

  /** Moves what can be moved; call it between runs of the machine. */
  pump(): void {
    this.#stack.poll(this.#now());
    for (const bridge of this.#bridges) this.#copy(bridge);
    this.#transmit();
  }

  /** Resolves when the host has something for the machine, or after `ms`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      this.#awake = done;
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
    });
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    for (const { socket } of this.#bridges) socket.destroy();
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
      pending: [],
      hostEnded: false,
      wireEnded: false,
    };
    this.#bridges.add(bridge);
    const wake = (): void => {
      this.#awake?.();
    };
    socket.setNoDelay(true);
    socket.on('data', (data: Uint8Array) => {
      bridge.pending.push(data);
      socket.pause();
      wake();
    });
    socket.on('end', () => {
      bridge.hostEnded = true;
      wake();
    });
    socket.on('error', wake);
    socket.on('drain', wake);
    socket.on('close', () => {
      bridge.connection.abort();
      this.#bridges.delete(bridge);
      wake();
    });
    wake();
  }

  #copy(bridge: Bridge): void {
    const { socket, connection } = bridge;
    while (bridge.pending.length > 0 && connection.writable) {
      const [first, ...rest] = bridge.pending;
      if (first === undefined || !connection.write(first)) break;
      bridge.pending = rest;
    }
    if (bridge.pending.length === 0) {
      if (bridge.hostEnded) connection.close();
      else if (socket.isPaused()) socket.resume();
    }
    while (connection.readable > 0 && socket.writableLength < SOCKET_BACKLOG) socket.write(connection.read());
    if (connection.error !== undefined) socket.destroy();
    else if ((connection.ended || connection.finished) && connection.readable === 0 && !bridge.wireEnded) {
      bridge.wireEnded = true;
      socket.end();
    }
    if (connection.finished && bridge.wireEnded) this.#bridges.delete(bridge);
  }

  #transmit(): void {
    this.#stack.transmit((frame) => this.#send(frameBytes(frame)), this.#now());
  }
}
