/**
 * A listening port: the half-open connections, and those that wait to be accepted; both bounded by the backlog.
 *
 * When a SYN finds the half-open ones at their bound, the oldest of them gives way: an honest peer needs one round trip,
 * a flood's forgeries would otherwise hold their places for minutes.
 *
 * Source: [RFC9293 §3.10.7.2], [RFC4987 §3.3].
 */
import type { Counters } from './counters.ts';
import type { Connection, Owner } from './tcp-connection.ts';
import type { TcpConnection, TcpListener } from './tcp-types.ts';

export class Listener implements TcpListener, Owner {
  readonly port: number;
  readonly #backlog: number;
  readonly #counters: Counters;
  readonly #closed: (listener: Listener) => void;
  /** In the order of their SYNs. */
  readonly #halfOpen = new Set<Connection>();
  #ready: Connection[] = [];

  constructor(port: number, backlog: number, counters: Counters, closed: (listener: Listener) => void) {
    this.port = port;
    this.#backlog = backlog;
    this.#counters = counters;
    this.#closed = closed;
  }

  accept(): TcpConnection | undefined {
    return this.#ready.shift();
  }

  close(): void {
    this.#closed(this);
    const connections = [...this.#halfOpen, ...this.#ready];
    this.#halfOpen.clear();
    this.#ready = [];
    for (const connection of connections) connection.abort();
  }

  /** Makes room for one more half-open connection; false if the program does not accept what is complete already. */
  admit(): boolean {
    if (!this.canAccept()) {
      this.#counters.tcpSynDropped += 1;
      return false;
    }
    const [oldest] = this.#halfOpen;
    if (oldest !== undefined && this.#halfOpen.size >= this.#backlog) {
      this.#counters.tcpSynEvicted += 1;
      oldest.end('exhausted');
    }
    return true;
  }

  opened(connection: Connection): void {
    this.#halfOpen.add(connection);
  }

  canAccept(): boolean {
    return this.#ready.length < this.#backlog;
  }

  established(connection: Connection): void {
    this.#counters.tcpAccepted += 1;
    this.#halfOpen.delete(connection);
    this.#ready.push(connection);
  }

  lost(connection: Connection): void {
    this.#halfOpen.delete(connection);
  }
}
