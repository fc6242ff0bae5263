/**
 * UDP sockets: ports, and a bounded queue of datagrams for each.
 *
 * Source: [RFC768], [RFC1122 §4.1].
 */
import { checkIpv4, checkPort, type Ipv4Address } from './addresses.ts';
import type { Counters } from './counters.ts';
import { NetError } from './error.ts';
import { type IpOutput, newHeader, TRANSPORT } from './ip-output.ts';
import { IPV4_HEADER, PROTOCOL_UDP } from './ipv4.ts';
import { bytesPayload, type OutgoingFrame, type Payload } from './payload.ts';
import { UDP_HEADER, type UdpHeader, writeUdp } from './udp.ts';

/** Assumption: datagrams that wait in one socket; more are dropped, as UDP allows. */
const MAX_WAITING = 64;

/** A datagram that arrived; `data` is the program's own copy. */
export interface Datagram {
  readonly ip: Ipv4Address;
  readonly port: number;
  readonly data: Uint8Array;
}

/** A bound port. */
export interface UdpSocket {
  readonly port: number;
  /** The most bytes that `send` takes. */
  readonly maxPayload: number;
  /** The next datagram. */
  receive(): Datagram | undefined;
  /**
   * Sends a datagram, to a broadcast address too. The payload is not copied: do not change its bytes before the frame
   * has been transmitted. False if there is no route. Throws `NetError` `address`, `port` or `too-long`.
   */
  send(ip: Ipv4Address, port: number, payload: Payload | Uint8Array): boolean;
  close(): void;
}

/** What UDP asks of its stack. */
export interface UdpHost {
  readonly ip: Ipv4Address;
  readonly mtu: number;
  readonly counters: Counters;
  readonly output: IpOutput;
  /** The latest time, in milliseconds. */
  now(): number;
  queue(frame: OutgoingFrame | undefined): void;
}

class Socket implements UdpSocket {
  readonly port: number;
  readonly #host: UdpHost;
  readonly #closed: () => void;
  #waiting: Datagram[] = [];
  #isOpen = true;

  constructor(port: number, host: UdpHost, closed: () => void) {
    this.port = port;
    this.#host = host;
    this.#closed = closed;
  }

  get maxPayload(): number {
    return this.#host.mtu - IPV4_HEADER - UDP_HEADER;
  }

  receive(): Datagram | undefined {
    return this.#waiting.shift();
  }

  send(ip: Ipv4Address, port: number, data: Payload | Uint8Array): boolean {
    checkIpv4(ip);
    checkPort(port);
    const { length } = data;
    if (length > this.maxPayload) {
      throw new NetError('too-long', `a datagram of ${length} bytes: send at most ${this.maxPayload}`, { length });
    }
    const { output, ip: own, counters } = this.#host;
    if (!this.#isOpen || (!output.isBroadcast(ip) && output.nextHop(ip) === undefined)) return false;
    const payload = data instanceof Uint8Array ? bytesPayload(data) : data;
    const header = newHeader(UDP_HEADER);
    writeUdp(header, TRANSPORT, own, ip, this.port, port, length, payload.sum(0, length));
    counters.udpOut += 1;
    this.#host.queue(output.send(header, PROTOCOL_UDP, ip, this.#host.now(), payload, 0, length));
    return true;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#waiting = [];
    this.#closed();
  }

  deliver(datagram: Datagram): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push(datagram);
    return true;
  }
}

/** UDP of one stack. */
export interface UdpService {
  /** Binds a port. Throws `NetError` `port` or `port-in-use`. */
  bind(port: number): UdpSocket;
}

export class Udp implements UdpService {
  readonly #host: UdpHost;
  readonly #sockets = new Map<number, Socket>();

  constructor(host: UdpHost) {
    this.#host = host;
  }

  bind(port: number): UdpSocket {
    checkPort(port);
    if (this.#sockets.has(port)) throw new NetError('port-in-use', `UDP port ${port} is bound`, { port });
    const socket = new Socket(port, this.#host, () => {
      this.#sockets.delete(port);
    });
    this.#sockets.set(port, socket);
    return socket;
  }

  /** A datagram arrived from `ip`; false if its port is not bound. */
  receive(header: UdpHeader, bytes: Uint8Array, ip: Ipv4Address): boolean {
    const { counters } = this.#host;
    const socket = this.#sockets.get(header.destinationPort);
    if (socket === undefined) {
      counters.udpClosedPort += 1;
      return false;
    }
    const data = bytes.slice(header.from, header.to);
    if (socket.deliver({ ip, port: header.sourcePort, data })) counters.udpIn += 1;
    else counters.udpOverflow += 1;
    return true;
  }
}
