/** What a program sees of TCP: the service, listeners, connections. The stack makes them; a program only calls them. */
import type { Ipv4Address } from './addresses.ts';
import type { Payload } from './payload.ts';

/** The states of a connection [RFC9293 §3.3.2]; LISTEN is a `TcpListener`. */
export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed';

/**
 * Why a connection ended before both sides had closed it: the peer `refused` it or `reset` it, did not answer for too
 * long (`timeout`), cannot be reached (`unreachable`: no route, or no answer to ARP), the program `aborted` it, or the
 * stack had no room for it (`exhausted`: connections or ports).
 */
export type TcpFailure = 'refused' | 'reset' | 'timeout' | 'unreachable' | 'aborted' | 'exhausted';

/**
 * One connection. Nothing here blocks, throws on a peer's account, or sends: frames leave with `NetworkStack.transmit`.
 * The stack never ends a connection because it is idle; a program that cares compares `lastHeard` with its clock and
 * calls `abort`.
 */
export interface TcpConnection {
  readonly localPort: number;
  readonly remoteIp: Ipv4Address;
  readonly remotePort: number;
  /** In `time-wait` the connection is over for its program; the state does not change any more. */
  readonly state: TcpState;
  /** Time of the last acceptable segment, in milliseconds of the stack's clock. */
  readonly lastHeard: number;
  /** Bytes that `read` would give now. */
  readonly readable: number;
  /** The peer closed its side and everything it sent has been read. */
  readonly ended: boolean;
  /** `write` would take a payload now. */
  readonly writable: boolean;
  /** Bytes written and not yet acknowledged. */
  readonly queued: number;
  /** The connection is over: closed both ways, or `error` says why not. Bytes that arrived before can still be read. */
  readonly finished: boolean;
  readonly error: TcpFailure | undefined;

  /** Takes up to `max` bytes out of the connection; empty if there are none. */
  read(max?: number): Uint8Array;
  /** A copy of what `read` would give. */
  peek(max?: number): Uint8Array;
  /**
   * Queues a payload whole and keeps it, without a copy, until it is acknowledged: do not change its bytes before
   * `queued` says so or its `release` is called. False, and nothing queued, if the queue is full or the connection does
   * not send any more. The queue takes one payload beyond its limit, of any size. Throws `NetError` `too-long` for a
   * payload above 1 GB.
   */
  write(payload: Payload | Uint8Array): boolean;
  /** Sends FIN after what is queued; reading goes on. Before the connection is established this waits until it is. */
  close(): void;
  /** Ends the connection at once with RST; what is queued is not sent. */
  abort(): void;
}

/** A port that accepts connections. */
export interface TcpListener {
  readonly port: number;
  /** The next connection whose handshake is complete. */
  accept(): TcpConnection | undefined;
  /** Stops listening; connections not yet accepted are reset. */
  close(): void;
}

/** TCP of one stack. */
export interface TcpService {
  /** Connections that are not over, and TIME-WAIT entries. */
  readonly size: { readonly connections: number; readonly timeWaits: number };
  /**
   * Called after a segment or a timer changed what a program sees of a connection: state, readable bytes, room in the
   * queue; also for a connection that a listener has just got. Called between segments, so that any method of any
   * connection may be called from it.
   */
  onChange: ((connection: TcpConnection) => void) | undefined;
  /**
   * Accepts connections to `port`; `backlog` (16) bounds the half-open ones and those not yet accepted, each. Throws
   * `NetError` `port`, `port-in-use` or `option`.
   */
  listen(port: number, options?: { readonly backlog?: number }): TcpListener;
  /**
   * Opens a connection. Whatever prevents it shows in `error` of the connection, perhaps at once. Throws `NetError`
   * `address` or `port` for what is no address or port.
   */
  connect(ip: Ipv4Address, port: number): TcpConnection;
}
