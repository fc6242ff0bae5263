/**
 * The server: connections of a stack, requests on them, cached files in answer. One loop, no processes. [SOSP97 §7.3]
 *
 * It does no I/O: `run` looks at the connections on which something happened.
 */
import type { NetworkStack, TcpConnection, TcpListener } from '@exokernel/net';
import { CachedHeader, type CachedFile } from './cached-file.ts';
import { HEAD_BYTES_MAX, errorResponse, parseRequest, type Request } from './http.ts';

/** A file that can be requested. */
export interface Resource {
  readonly file: CachedFile;
  readonly headerBytes: number;
}

/** Connections half open or waiting to be accepted. Assumption: a burst of browsers. */
const BACKLOG = 128;
/** A connection that does not get on for this long is closed, in ms, and reset if it takes as long again to end. Assumption. */
const IDLE_MS = 60_000;

/** What is known of a connection beside what the stack knows. */
interface Client {
  /** When it was accepted, had a request answered, or acknowledged something, in ms. */
  since: number;
  /** Bytes that were queued at the last sweep. */
  queued: number;
  /** It is told nothing more; what it still says is read and forgotten, so that its end can come [RFC9112 §9.6]. */
  isClosing: boolean;
}

/** A server on one port of a stack, whose `tcp.onChange` it takes. */
export class WebServer {
  readonly #listener: TcpListener;
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #clients = new Map<TcpConnection, Client>();
  readonly #changed = new Set<TcpConnection>();
  #requests = 0;

  /** Listens on `port`. Throws `NetError` for a port that cannot be listened on. */
  constructor(stack: NetworkStack, port: number, resources: ReadonlyMap<string, Resource>) {
    this.#resources = resources;
    this.#listener = stack.tcp.listen(port, { backlog: BACKLOG });
    stack.tcp.onChange = (connection) => {
      this.#changed.add(connection);
    };
  }

  /** Requests answered since the start. */
  get requests(): number {
    return this.#requests;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Serves what has come; `now` in milliseconds. */
  run(now: number): void {
    for (let c = this.#listener.accept(); c !== undefined; c = this.#listener.accept()) {
      this.#clients.set(c, { since: now, queued: 0, isClosing: false });
      this.#changed.add(c);
    }
    for (const connection of this.#changed) {
      const client = this.#clients.get(connection);
      if (client !== undefined) this.#serve(connection, client, now);
    }
    this.#changed.clear();
  }

  /** Closes connections that did not get on for too long, also if their peers go on sending. Call it now and then. */
  sweep(now: number): void {
    for (const [connection, client] of this.#clients) {
      if (connection.queued < client.queued) client.since = now;
      client.queued = connection.queued;
      if (now - client.since <= IDLE_MS) continue;
      // A peer that has nothing to say is told the end; one that does not take what it asked for gets no more time.
      if (client.queued === 0 && !client.isClosing) {
        client.since = now;
        client.isClosing = true;
        connection.read();
        connection.close();
      } else {
        connection.abort();
        this.#clients.delete(connection);
      }
    }
  }

  #serve(connection: TcpConnection, client: Client, now: number): void {
    while (!client.isClosing && connection.readable > 0 && connection.writable) {
      const request = parseRequest(connection.peek(HEAD_BYTES_MAX + 1));
      if (request.kind === 'incomplete') {
        // A request that the end of the stream cuts off is none [RFC9112 §8].
        client.isClosing = connection.state === 'close-wait';
        break;
      }
      client.since = now;
      client.isClosing = this.#answer(connection, request);
    }
    if (client.isClosing) connection.read();
    if (client.isClosing || connection.ended) connection.close();
    if (connection.finished) this.#clients.delete(connection);
  }

  /** Returns whether this was the connection's last request. */
  #answer(connection: TcpConnection, request: Exclude<Request, { kind: 'incomplete' }>): boolean {
    this.#requests += 1;
    if (request.kind === 'bad') {
      connection.write(errorResponse(request.status, false, request.head));
      return true;
    }
    const { path, head, keepAlive, bytes } = request;
    connection.read(bytes);
    const found = this.#resources.get(path);
    if (found === undefined) connection.write(errorResponse(404, keepAlive, head));
    else connection.write(head ? new CachedHeader(found.file, found.headerBytes) : found.file);
    return !keepAlive;
  }
}
