/**
 * The ARP cache: which Ethernet address a neighbour has, how it is asked for, and the packets that wait meanwhile.
 *
 * Learning: a packet addressed to us, or an answer to our request, makes or renews an entry; any other packet (a
 * gratuitous one, say) only changes an entry that exists. The cache is bounded: the entry longest unconfirmed gives way.
 * An entry that grew old is still used while its owner is asked again, so that a transfer does not stop for it.
 *
 * Source: [RFC826], [RFC1122 §2.3.2].
 */
import type { Ipv4Address, MacAddress } from './addresses.ts';
import type { Counters } from './counters.ts';
import type { OutgoingFrame } from './payload.ts';
import { Timer, type Timers } from './timers.ts';

/** Assumption: one minute, the order of magnitude that [RFC1122 §2.3.2.1] names. */
const LIFETIME_MS = 60_000;
/** Assumption: once per second, the most that [RFC1122 §2.3.2.1] allows; three times. */
const RETRY_MS = 1000;
const MAX_REQUESTS = 3;
/** Assumption: as many neighbours as a stack talks to at a time. */
const MAX_ENTRIES = 128;
/** Assumption: what a browser sends at once, with room; [RFC1122 §2.3.2.2] asks for one packet at least, the latest. */
const MAX_WAITING = 32;

interface Entry {
  mac: MacAddress | undefined;
  expires: number;
  /** Requests sent since the address was last confirmed; 0 when no request is under way. */
  requests: number;
  /** In the order in which they were sent. */
  waiting: OutgoingFrame[];
  readonly timer: Timer;
}

/** What the cache asks of its stack. */
export interface ArpCacheHost {
  readonly timers: Timers;
  readonly counters: Counters;
  /** Sends a request for `ip`. */
  request(ip: Ipv4Address): void;
  /** Sends a frame that waited; `mac` is to be written into it. */
  resolved(frame: OutgoingFrame, mac: MacAddress): void;
  /** No host answered for `ip`. */
  failed(ip: Ipv4Address): void;
}

export class ArpCache {
  readonly #host: ArpCacheHost;
  /** In the order of last confirmation. */
  readonly #entries = new Map<Ipv4Address, Entry>();

  constructor(host: ArpCacheHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The address of a neighbour; `undefined` after sending a request if it is unknown. */
  lookup(ip: Ipv4Address, now: number): MacAddress | undefined {
    const entry = this.#entries.get(ip) ?? this.#insert(ip);
    if ((entry.mac === undefined || now >= entry.expires) && entry.requests === 0) this.#ask(ip, entry, now);
    return entry.mac;
  }

  /** Keeps a frame until the neighbour just looked up answers; of too many the oldest is given up. */
  hold(ip: Ipv4Address, frame: OutgoingFrame): void {
    const waiting = this.#entries.get(ip)?.waiting;
    waiting?.push(frame);
    if (waiting !== undefined && waiting.length <= MAX_WAITING) return;
    this.#host.counters.arpDropped += 1;
    waiting?.shift();
  }

  /** An ARP packet says that `ip` is at `mac`; `isForUs` if it was addressed to this host's IPv4 address. */
  learn(ip: Ipv4Address, mac: MacAddress, isForUs: boolean, isReply: boolean, now: number): void {
    let entry = this.#entries.get(ip);
    if (entry === undefined) {
      // An unsolicited answer is no reason to make an entry; a request to us is: we shall answer it.
      if (!isForUs || isReply) return;
      entry = this.#insert(ip);
    }
    if (entry.mac === undefined && !isForUs) return;
    entry.mac = mac;
    entry.expires = now + LIFETIME_MS;
    entry.requests = 0;
    this.#host.timers.clear(entry.timer);
    this.#entries.delete(ip);
    this.#entries.set(ip, entry);
    const frames = entry.waiting;
    entry.waiting = [];
    for (const frame of frames) this.#host.resolved(frame, mac);
  }

  #insert(ip: Ipv4Address): Entry {
    if (this.#entries.size >= MAX_ENTRIES) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#remove(oldest);
    }
    const timer = new Timer((now) => {
      this.#due(ip, now);
    });
    const entry: Entry = { mac: undefined, expires: 0, requests: 0, waiting: [], timer };
    this.#entries.set(ip, entry);
    return entry;
  }

  #ask(ip: Ipv4Address, entry: Entry, now: number): void {
    entry.requests += 1;
    this.#host.timers.set(entry.timer, now + RETRY_MS);
    this.#host.request(ip);
  }

  #due(ip: Ipv4Address, now: number): void {
    const entry = this.#entries.get(ip);
    if (entry === undefined) return;
    if (entry.requests < MAX_REQUESTS) {
      this.#ask(ip, entry, now);
      return;
    }
    this.#remove(ip);
    this.#host.counters.arpFailed += 1;
    this.#host.failed(ip);
  }

  #remove(ip: Ipv4Address): void {
    const entry = this.#entries.get(ip);
    if (entry === undefined) return;
    this.#host.counters.arpDropped += entry.waiting.length;
    this.#host.timers.clear(entry.timer);
    this.#entries.delete(ip);
  }
}
