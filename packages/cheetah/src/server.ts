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
/** A connection on which nothing was heard for this long is ended, in ms. Assumption. */
const IDLE_MS = 60_000;

export class WebServer {
  readonly #listener: TcpListener;
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #connections = new Set<TcpConnection>();
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
    return this.#connections.size;
  }

  /** Serves what has come. */
  run(): void {
    for (let c = this.#listener.accept(); c !== undefined; c = this.#listener.accept()) {
      this.#connections.add(c);
      this.#changed.add(c);
    }
    for (const connection of this.#changed) if (this.#connections.has(connection)) this.#serve(connection);
    this.#changed.clear();
  }

  /** Ends connections that have been silent too long; call it now and then. */
  sweep(now: number): void {
    for (const connection of this.#connections) if (now - connection.lastHeard > IDLE_MS) this.#drop(connection);
  }

  #serve(connection: TcpConnection): void {
    while (connection.readable > 0 && connection.writable) {
      const request = parseRequest(connection.peek(HEAD_BYTES_MAX + 1));
      if (request.kind === 'incomplete') break;
      connection.read(request.kind === 'request' ? request.bytes : undefined);
      this.#answer(connection, request);
    }
    if (connection.ended && connection.readable === 0) connection.close();
    if (connection.finished) this.#connections.delete(connection);
    else if (connection.error !== undefined) this.#drop(connection);
  }

  #answer(connection: TcpConnection, request: Exclude<Request, { kind: 'incomplete' }>): void {
    this.#requests += 1;
    if (request.kind === 'bad') {
      connection.write(errorResponse(request.status, false, false));
      connection.close();
      return;
    }
    const { path, head, keepAlive } = request;
    const found = this.#resources.get(path);
    if (found === undefined) connection.write(errorResponse(404, keepAlive, head));
    else connection.write(head ? new CachedHeader(found.file, found.headerBytes) : found.file);
    if (!keepAlive) connection.close();
  }

  #drop(connection: TcpConnection): void {
    connection.abort();
    this.#connections.delete(connection);
  }
}
