/**
 * TCP as a whole: who listens, which connections exist, where a segment belongs, who sends next.
 *
 * Connections take turns, one segment each, so that a long transfer does not hold up the others. Everything a peer can
 * make grow is bounded: connections, half-open ones, TIME-WAIT entries.
 *
 * Source: [RFC9293 §3.10.7.1, §3.10.7.2].
 */
import { checkIpv4, checkPort, type Ipv4Address } from './addresses.ts';
import type { Counters } from './counters.ts';
import { NetError } from './error.ts';
import { type IpOutput, newHeader, TRANSPORT } from './ip-output.ts';
import { IPV4_HEADER, PROTOCOL_TCP } from './ipv4.ts';
import type { OutgoingFrame } from './payload.ts';
import { RingPool } from './ring-pool.ts';
import { segmentArrives } from './tcp-arrival.ts';
import { Connection, type ConnectionHost, type ConnectionOptions, type Ends } from './tcp-connection.ts';
import { Listener } from './tcp-listener.ts';
import {
  ACK,
  RST,
  sequenceLength,
  SYN,
  tcpHeaderLength,
  type TcpHeader,
  type TcpSegment,
  TCP_HEADER,
  writeTcp,
} from './tcp-segment.ts';
import type { Chunk } from './tcp-sender.ts';
import { advance, distance } from './tcp-sequence.ts';
import { createInitialNumbers } from './tcp-initial-number.ts';
import { type TimeWaitNumbers, TimeWaits } from './tcp-time-wait.ts';
import type { TcpConnection, TcpListener, TcpService } from './tcp-types.ts';
import type { Timers } from './timers.ts';

/** The dynamic ports of IANA. */
const FIRST_EPHEMERAL = 49152;
const EPHEMERAL_PORTS = 65536 - FIRST_EPHEMERAL;
/** Assumption: as many as fit a small server's patience. */
const DEFAULT_BACKLOG = 16;

export interface TcpOptions extends ConnectionOptions {
  readonly maxConnections: number;
  readonly maxTimeWaits: number;
  /** Twice the maximum segment lifetime, in milliseconds. */
  readonly timeWait: number;
}

/** What TCP asks of its stack. */
export interface TcpHost {
  readonly ip: Ipv4Address;
  readonly timers: Timers;
  readonly counters: Counters;
  readonly output: IpOutput;
  readonly random: () => number;
  /** The latest time, in milliseconds. */
  now(): number;
  /** Queues a frame for the wire, if there is one. */
  queue(frame: OutgoingFrame | undefined): void;
}

export class Tcp implements TcpService, ConnectionHost {
  readonly timers: Timers;
  readonly counters: Counters;
  readonly options: TcpOptions;
  readonly rings: RingPool;
  onChange: ((connection: TcpConnection) => void) | undefined;
  readonly #host: TcpHost;
  readonly #listeners = new Map<number, Listener>();
  /** By local port, then by remote address and port. */
  readonly #table = new Map<number, Map<number, Connection>>();
  #connections = 0;
  readonly #timeWaits: TimeWaits;
  /** What was in TIME-WAIT where connections are being opened: it comes back if their SYN was an old one [RFC9293 §3.6.1]. */
  readonly #reopened = new Map<Connection, TimeWaitNumbers>();
  readonly #initialNumber: (ends: Ends, now: number) => number;
  /** Those that may have something to send, in turn. */
  readonly #awake = new Set<Connection>();

  constructor(host: TcpHost, options: TcpOptions) {
    this.#host = host;
    this.timers = host.timers;
    this.counters = host.counters;
    this.options = options;
    this.rings = new RingPool(options.receiveBuffer);
    this.#timeWaits = new TimeWaits(host.timers, options.maxTimeWaits, options.timeWait);
    this.#initialNumber = createInitialNumbers(host.ip, host.random);
  }

  /** Connections that are not over, and TIME-WAIT entries. */
  get size(): { connections: number; timeWaits: number } {
    return { connections: this.#connections, timeWaits: this.#timeWaits.size };
  }

  /** A connection may have something to send. */
  get isAwake(): boolean {
    return this.#awake.size > 0;
  }

  listen(port: number, { backlog = DEFAULT_BACKLOG }: { readonly backlog?: number } = {}): TcpListener {
    checkPort(port);
    if (this.#listeners.has(port))
      throw new NetError('port-in-use', `a listener has TCP port ${port} already: close it, or use another port`, {
        port,
      });
    if (!Number.isInteger(backlog) || backlog < 1) {
      throw new NetError('option', `a backlog of ${backlog}: use 1 or more`, { backlog });
    }
    const listener = new Listener(port, backlog, this.counters, () => {
      this.#listeners.delete(port);
    });
    this.#listeners.set(port, listener);
    return listener;
  }

  connect(ip: Ipv4Address, port: number): TcpConnection {
    checkIpv4(ip);
    checkPort(port);
    const localPort = this.#freePort(ip, port);
    const ends: Ends = { localPort: localPort ?? 0, remoteIp: ip, remotePort: port };
    const now = this.#host.now();
    const connection = new Connection(this, ends, this.#initialNumber(ends, now), now);
    const { output } = this.#host;
    if (output.isBroadcast(ip) || output.nextHop(ip) === undefined) connection.end('unreachable');
    else if (localPort === undefined || this.#connections >= this.options.maxConnections) connection.end('exhausted');
    else this.#insert(connection);
    return connection;
  }

  /** A segment arrived from `remoteIp`. */
  receive(segment: TcpSegment, remoteIp: Ipv4Address, now: number): void {
    this.counters.tcpIn += 1;
    const ends: Ends = { localPort: segment.destinationPort, remoteIp, remotePort: segment.sourcePort };
    const entry = this.#table.get(ends.localPort)?.get(key(ends));
    if (entry !== undefined) {
      segmentArrives(entry, segment, now);
      this.changed(entry);
      return;
    }
    const waiting = this.#timeWaits.receive(ends, segment, now);
    if (waiting === undefined) this.#arriveElsewhere(ends, segment, now);
    else if (waiting.kind === 'reopen') this.#arriveElsewhere(ends, segment, now, waiting);
    else if (waiting.kind === 'acknowledge') this.reply(ends, ACK, waiting.nxt, waiting.peerNxt);
  }

  /** A router did not pass on a packet of `length` bytes with this sequence number; the next network takes `mtu` bytes. */
  tooLong(ends: Ends, sequence: number, length: number, mtu: number, now: number): void {
    const connection = this.#table.get(ends.localPort)?.get(key(ends));
    // Anyone can say so; only a router on the way knows what is in flight [RFC5927 §7.2].
    if (connection?.isInFlight(sequence) !== true) return;
    const least = this.#host.output.paths.lower(ends.remoteIp, length, mtu, now);
    if (least === undefined) return;
    this.counters.tcpPathMtu += 1;
    connection.lowerMss(least - IPV4_HEADER - TCP_HEADER);
  }

  pathMss(ip: Ipv4Address): number {
    return (this.#host.output.paths.of(ip, this.#host.now()) ?? Infinity) - IPV4_HEADER - TCP_HEADER;
  }

  /** Gives `take` the frames that connections have to send; false once it returns false: that frame is its to keep. */
  transmit(now: number, take: (frame: OutgoingFrame) => boolean): boolean {
    for (let [connection] = this.#awake; connection !== undefined; [connection] = this.#awake) {
      const emission = connection.emit(now);
      // Behind the others, if there are any.
      if (emission === undefined || this.#awake.size > 1) this.#awake.delete(connection);
      if (emission === undefined) continue;
      this.#awake.add(connection);
      const frame = this.#frame(connection, emission.header, emission.chunk, now);
      if (frame !== undefined && !take(frame)) return false;
    }
    return true;
  }

  /** A neighbour does not answer: connections that are being opened through it end. */
  unreachable(hop: Ipv4Address): void {
    for (const remotes of this.#table.values()) {
      for (const entry of remotes.values()) {
        if (entry.state !== 'syn-sent') continue;
        if (this.#host.output.nextHop(entry.remoteIp) !== hop) continue;
        entry.end('unreachable');
        this.changed(entry);
      }
    }
  }

  wake(connection: Connection): void {
    if (!connection.finished) this.#awake.add(connection);
  }

  changed(connection: Connection): void {
    if (!connection.isChanged) return;
    connection.isChanged = false;
    this.onChange?.(connection);
  }

  remove(connection: Connection): void {
    this.#awake.delete(connection);
    if (this.#table.get(connection.localPort)?.get(key(connection)) !== connection) return;
    this.#connections -= 1;
    this.#delete(connection);
    const before = this.#reopened.get(connection);
    this.#reopened.delete(connection);
    if (before !== undefined && connection.error === 'refused') {
      this.#timeWaits.add(connection, before, this.#host.now());
    }
  }

  timeWait(connection: Connection): void {
    this.remove(connection);
    const numbers: TimeWaitNumbers = { nxt: connection.sender.nxt, peerNxt: connection.receiver.nxt };
    if (this.#timeWaits.add(connection, numbers, this.#host.now())) this.counters.tcpTimeWaitEvicted += 1;
    this.reply(connection, ACK, numbers.nxt, numbers.peerNxt);
  }

  reply(ends: Ends, flags: number, seq: number, ack: number): void {
    if ((flags & RST) !== 0) this.counters.tcpResetsOut += 1;
    const { localPort, remotePort } = ends;
    const window = (flags & RST) !== 0 ? 0 : Math.min(this.options.receiveBuffer, 0xffff);
    const header: TcpHeader = { sourcePort: localPort, destinationPort: remotePort, seq, ack, flags, window, mss: 0 };
    this.#host.queue(this.#frame(ends, header, undefined, this.#host.now()));
  }

  /** A segment without a connection: LISTEN, or CLOSED. `before`: what was in TIME-WAIT between the same ends. */
  #arriveElsewhere(ends: Ends, segment: TcpSegment, now: number, before?: TimeWaitNumbers): void {
    const { flags, seq, ack } = segment;
    if ((flags & RST) !== 0) return;
    if ((flags & ACK) !== 0) {
      this.reply(ends, RST, ack, 0);
      return;
    }
    const listener = this.#listeners.get(ends.localPort);
    if (listener === undefined) {
      this.reply(ends, RST | ACK, 0, advance(seq, sequenceLength(segment)));
      return;
    }
    if ((flags & SYN) === 0 || ends.remotePort === 0 || !listener.admit()) return;
    if (this.#connections >= this.options.maxConnections) {
      this.counters.tcpSynDropped += 1;
      return;
    }
    let iss = this.#initialNumber(ends, now);
    // Beyond all numbers of the old connection [RFC9293 §3.6.1, MAY-2].
    if (before !== undefined && distance(iss, before.nxt) <= 0) iss = advance(before.nxt, 1);
    const connection = new Connection(this, ends, iss, now, listener);
    if (before !== undefined) this.#reopened.set(connection, before);
    connection.synArrived(segment);
    this.#insert(connection);
    listener.opened(connection);
    connection.answerSyn();
  }

  #frame(ends: Ends, header: TcpHeader, chunk: Chunk | undefined, now: number): OutgoingFrame | undefined {
    this.counters.tcpOut += 1;
    const { remoteIp } = ends;
    const { ip, output } = this.#host;
    const { payload, from, to } = chunk ?? { payload: undefined, from: 0, to: 0 };
    const buffer = newHeader(tcpHeaderLength(header));
    writeTcp(buffer, TRANSPORT, ip, remoteIp, header, to - from, payload?.sum(from, to) ?? 0);
    return output.send(buffer, PROTOCOL_TCP, remoteIp, now, payload, from, to);
  }

  #freePort(remoteIp: Ipv4Address, remotePort: number): number | undefined {
    const start = this.#host.random() % EPHEMERAL_PORTS;
    for (let i = 0; i < EPHEMERAL_PORTS; i++) {
      const localPort = FIRST_EPHEMERAL + ((start + i) % EPHEMERAL_PORTS);
      if (this.#listeners.has(localPort)) continue;
      const ends: Ends = { localPort, remoteIp, remotePort };
      if (!this.#table.get(localPort)?.has(key(ends)) && !this.#timeWaits.has(ends)) return localPort;
    }
    return undefined;
  }

  #insert(connection: Connection): void {
    this.#connections += 1;
    this.counters.tcpOpened += 1;
    this.#put(connection);
    this.wake(connection);
  }

  #put(entry: Connection): void {
    let remotes = this.#table.get(entry.localPort);
    if (remotes === undefined) {
      remotes = new Map();
      this.#table.set(entry.localPort, remotes);
    }
    remotes.set(key(entry), entry);
  }

  #delete(entry: Ends): void {
    const remotes = this.#table.get(entry.localPort);
    remotes?.delete(key(entry));
    if (remotes?.size === 0) this.#table.delete(entry.localPort);
  }
}

/** Remote address and port as one number, below 2^48. */
function key({ remoteIp, remotePort }: Ends): number {
  return remoteIp * 65536 + remotePort;
}
