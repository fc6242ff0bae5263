/**
 * TIME-WAIT: what remains of closed connections so that a late FIN is acknowledged and old segments do no harm.
 *
 * An entry is 51 bytes in columns of typed arrays. The entries are a list in the order in which they end, since all of them last equally
 * long; chains through a table of buckets find the one of a segment. A new entry takes the place of the oldest when there are as
 * many as there may be. A reset needs the exact sequence number. A SYN beyond the old connection's numbers may open a new one at
 * once, whose own numbers lie beyond the old ones too.
 *
 * Source: [RFC9293 §3.6.1, §3.10.7.4], [RFC5961].
 */
import type { Ends } from './tcp-connection.ts';
import { ACK, FIN, RST, sequenceLength, SYN, type TcpSegment } from './tcp-segment.ts';
import { advance, distance } from './tcp-sequence.ts';
import { Timer, type Timers } from './timers.ts';

/** Assumption: acknowledgments per second and entry. */
const ANSWERS_PER_SECOND = 10;
const SECOND_MS = 1000;
const FIRST_ENTRIES = 64;
const NONE = -1;

/** What a segment does to an entry: answered with an acknowledgment (and a new wait), nothing, the end, a new SYN. */
type Verdict = 'acknowledge' | 'restart' | 'ignore' | 'closed' | 'reopen';

/** The numbers that an entry keeps. */
export interface TimeWaitNumbers {
  /** Our next sequence number, and the peer's. */
  readonly nxt: number;
  readonly peerNxt: number;
}

/** What is to be done about a segment: an acknowledgment to be sent, or a connection to be opened in place of the old one. */
export interface TimeWaitAnswer extends TimeWaitNumbers {
  readonly kind: 'acknowledge' | 'reopen' | 'nothing';
}

/** The columns of `length` entries. */
function columns(length: number) {
  return {
    length,
    localPort: new Uint16Array(length),
    remotePort: new Uint16Array(length),
    remoteIp: new Uint32Array(length),
    nxt: new Uint32Array(length),
    peerNxt: new Uint32Array(length),
    /** When the entry ends. */
    ends: new Float64Array(length),
    /** When its present second of answers began, and how many there were. */
    since: new Float64Array(length),
    answers: new Uint8Array(length),
    /** The neighbours in the order in which entries end. */
    older: new Int32Array(length),
    newer: new Int32Array(length),
    /** The next entry of the same bucket, or the next place that is free. */
    next: new Int32Array(length),
    buckets: new Int32Array(length).fill(NONE),
  };
}

export class TimeWaits {
  readonly #most: number;
  readonly #lastsMs: number;
  readonly #timers: Timers;
  readonly #timer: Timer;
  #columns: ReturnType<typeof columns>;
  #oldest = NONE;
  #newest = NONE;
  /** A place that was left, and the first that was never taken. */
  #free = NONE;
  #untouched = 0;
  #size = 0;

  /** At most `most` entries, each for `lastsMs`. */
  constructor(timers: Timers, most: number, lastsMs: number) {
    this.#most = most;
    this.#lastsMs = lastsMs;
    this.#timers = timers;
    this.#columns = columns(Math.min(most, FIRST_ENTRIES));
    this.#timer = new Timer((now) => {
      this.#expire(now);
    });
  }

  get size(): number {
    return this.#size;
  }

  has(ends: Ends): boolean {
    return this.#find(ends) !== NONE;
  }

  /** An entry from `now` on. Returns whether another one gave way to it. */
  add(ends: Ends, numbers: TimeWaitNumbers, now: number): boolean {
    const evicts = this.#size === this.#most;
    if (evicts) this.#end(this.#oldest);
    const place = this.#take();
    const c = this.#columns;
    c.localPort[place] = ends.localPort;
    c.remotePort[place] = ends.remotePort;
    c.remoteIp[place] = ends.remoteIp;
    c.nxt[place] = numbers.nxt;
    c.peerNxt[place] = numbers.peerNxt;
    c.ends[place] = now + this.#lastsMs;
    c.since[place] = -Infinity;
    c.answers[place] = 0;
    c.older[place] = this.#newest;
    c.newer[place] = NONE;
    if (this.#newest === NONE) this.#oldest = place;
    else c.newer[this.#newest] = place;
    this.#newest = place;
    this.#link(place);
    this.#size += 1;
    if (!this.#timer.isSet) this.#timers.set(this.#timer, now + this.#lastsMs);
    return evicts;
  }

  /** A segment arrived; `undefined` if it belongs to no entry. */
  receive(ends: Ends, segment: TcpSegment, now: number): TimeWaitAnswer | undefined {
    const place = this.#find(ends);
    if (place === NONE) return undefined;
    const numbers = { nxt: at(this.#columns.nxt, place), peerNxt: at(this.#columns.peerNxt, place) };
    const verdict = this.#verdict(place, numbers.peerNxt, segment, now);
    if (verdict === 'closed' || verdict === 'reopen') this.#end(place);
    if (verdict === 'restart') {
      this.#end(place);
      this.add(ends, numbers, now);
    }
    if (verdict === 'reopen') return { kind: 'reopen', ...numbers };
    return { kind: verdict === 'restart' || verdict === 'acknowledge' ? 'acknowledge' : 'nothing', ...numbers };
  }

  #verdict(place: number, peerNxt: number, segment: TcpSegment, now: number): Verdict {
    const { seq, flags } = segment;
    const length = sequenceLength(segment);
    if ((flags & RST) !== 0) return seq === peerNxt ? 'closed' : 'ignore';
    if ((flags & (SYN | ACK)) === SYN && distance(seq, peerNxt) > 0) return 'reopen';
    if (length === 0 && seq === peerNxt) return 'ignore';
    if (!this.#allows(place, now)) return 'ignore';
    return (flags & FIN) !== 0 && advance(seq, length) === peerNxt ? 'restart' : 'acknowledge';
  }

  #allows(place: number, now: number): boolean {
    const c = this.#columns;
    if (now - at(c.since, place) >= SECOND_MS) {
      c.since[place] = now;
      c.answers[place] = 0;
    }
    const answers = at(c.answers, place);
    if (answers >= ANSWERS_PER_SECOND) return false;
    c.answers[place] = answers + 1;
    return true;
  }

  #find({ localPort, remotePort, remoteIp }: Ends): number {
    const c = this.#columns;
    let place = at(c.buckets, bucketOf(localPort, remotePort, remoteIp, c.length));
    while (place !== NONE) {
      const isIt = c.remotePort[place] === remotePort && c.remoteIp[place] === remoteIp;
      if (isIt && c.localPort[place] === localPort) return place;
      place = at(c.next, place);
    }
    return NONE;
  }

  #bucketAt(place: number): number {
    const { localPort, remotePort, remoteIp, length } = this.#columns;
    return bucketOf(at(localPort, place), at(remotePort, place), at(remoteIp, place), length);
  }

  #link(place: number): void {
    const { next, buckets } = this.#columns;
    const bucket = this.#bucketAt(place);
    next[place] = at(buckets, bucket);
    buckets[bucket] = place;
  }

  #end(place: number): void {
    const { next, buckets, older, newer } = this.#columns;
    const bucket = this.#bucketAt(place);
    if (buckets[bucket] === place) buckets[bucket] = at(next, place);
    else {
      let before = at(buckets, bucket);
      while (next[before] !== place) before = at(next, before);
      next[before] = at(next, place);
    }
    const [left, right] = [at(older, place), at(newer, place)];
    if (left === NONE) this.#oldest = right;
    else newer[left] = right;
    if (right === NONE) this.#newest = left;
    else older[right] = left;
    next[place] = this.#free;
    this.#free = place;
    this.#size -= 1;
    if (this.#size === 0) this.#timers.clear(this.#timer);
  }

  #expire(now: number): void {
    while (this.#oldest !== NONE) {
      const ends = at(this.#columns.ends, this.#oldest);
      if (ends > now) {
        this.#timers.set(this.#timer, ends);
        return;
      }
      this.#end(this.#oldest);
    }
  }

  /** A place that is free; there are fewer entries than there may be. */
  #take(): number {
    const free = this.#free;
    if (free !== NONE) {
      this.#free = at(this.#columns.next, free);
      return free;
    }
    if (this.#untouched === this.#columns.length) this.#grow();
    this.#untouched += 1;
    return this.#untouched - 1;
  }

  /** Twice as many places. All that there were are taken. */
  #grow(): void {
    const from = this.#columns;
    const into = columns(Math.min(2 * from.length, this.#most));
    for (const name of COPIED) into[name].set(from[name]);
    this.#columns = into;
    for (let place = 0; place < from.length; place += 1) this.#link(place);
  }
}

const COPIED = [
  'localPort',
  'remotePort',
  'remoteIp',
  'nxt',
  'peerNxt',
  'ends',
  'since',
  'answers',
  'older',
  'newer',
] as const;

function bucketOf(localPort: number, remotePort: number, remoteIp: number, length: number): number {
  let hash = Math.imul(remoteIp ^ Math.imul(remotePort ^ (localPort << 16), 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % length;
}

/** The value at a place that there is. */
function at(column: Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array, place: number): number {
  return column[place] ?? NONE;
}
