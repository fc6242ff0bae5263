/**
 * The sending half of a connection: the queue of payloads, what of it is in flight, what may be sent next.
 *
 *      iss      una              nxt            max           end
 *       |--------|================|--------------|-------------|
 *       acknowledged   in flight    sent before,   not yet sent
 *                                   to be resent
 *
 * The queue holds payloads, never copies: it is the retransmission buffer. A payload is cut at multiples of the segment
 * size from its own start, so that sums computed per segment apply to every transmission; a segment never spans two
 * payloads. SYN takes `iss`, FIN takes `end`.
 *
 * Source: [RFC9293 §3.4, §3.8.6], [RFC5681].
 */
import type { Payload } from './payload.ts';
import { Congestion } from './tcp-congestion.ts';
import type { RoundTrip } from './tcp-rtt.ts';
import { FIN, PSH, SYN } from './tcp-segment.ts';
import { advance, distance } from './tcp-sequence.ts';

/** What one segment carries besides addresses, acknowledgment and window. */
export interface Chunk {
  readonly seq: number;
  /** SYN, FIN and PSH as they apply. */
  readonly flags: number;
  readonly payload: Payload | undefined;
  readonly from: number;
  readonly to: number;
}

interface Item {
  readonly payload: Payload;
  readonly seq: number;
}

/** Assumption: more writes than this in one queue are a program that should gather its bytes. */
const MAX_PAYLOADS = 512;

export class TcpSender {
  readonly #limit: number;
  readonly #iss: number;
  readonly #roundTrip: RoundTrip;
  readonly #congestion: Congestion;
  #mss: number;
  una: number;
  nxt: number;
  max: number;
  #end: number;
  #queue: Item[] = [];
  #cursor = 0;
  #isClosing = false;
  /** The segment at `una` is to be sent again before anything else. */
  #resendFirst = false;
  #window = 0;
  #maxWindow = 0;
  /** Sequence and acknowledgment number of the segment that last set the window. */
  #windowSeq = 0;
  #windowAck = 0;

  constructor(iss: number, mss: number, limit: number, roundTrip: RoundTrip) {
    this.#iss = iss;
    this.#mss = mss;
    this.#limit = limit;
    this.#roundTrip = roundTrip;
    this.#congestion = new Congestion(mss, iss);
    this.una = iss;
    this.nxt = iss;
    this.max = iss;
    this.#end = advance(iss, 1);
  }

  get mss(): number {
    return this.#mss;
  }

  /** Bytes written and not yet acknowledged. */
  get queued(): number {
    const first = this.isOpening ? advance(this.una, 1) : this.una;
    return Math.max(distance(this.#end, first), 0);
  }

  /** Our SYN is not acknowledged. */
  get isOpening(): boolean {
    return this.una === this.#iss;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get isFinAcknowledged(): boolean {
    return this.#isClosing && distance(this.una, this.#end) > 0;
  }

  /** Something was sent that is neither acknowledged nor to be sent again. */
  get isInFlight(): boolean {
    return this.nxt !== this.una;
  }

  /** There is something to send, now or when the windows allow. */
  get isPending(): boolean {
    return this.#resendFirst || distance(this.#limitSeq(), this.nxt) > 0;
  }

  /**
   * Where a segment without data stands: after all that was sent. A probe of a closed window was sent beyond what the
   * peer accepts, and does not count.
   */
  get ackSeq(): number {
    return this.#window === 0 && !this.isOpening ? this.una : this.max;
  }

  /** Whether `write` would take a payload. */
  get isWritable(): boolean {
    return !this.#isClosing && this.#queue.length < MAX_PAYLOADS && this.queued < this.#limit;
  }

  /** Queues a payload whole, or refuses it. */
  write(payload: Payload): boolean {
    if (!this.isWritable) return false;
    if (payload.length === 0) {
      payload.release?.();
      return true;
    }
    this.#queue.push({ payload, seq: this.#end });
    this.#end = advance(this.#end, payload.length);
    return true;
  }

  /** Nothing follows what is queued but FIN. */
  close(): void {
    this.#isClosing = true;
  }

  /** Lets go of every payload. */
  clear(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { payload } of queue) payload.release?.();
  }

  /** The peer's SYN arrived with this segment size. */
  setMss(mss: number): void {
    this.#mss = mss;
    this.#congestion.setMss(mss);
  }

  /** The peer's windows are shifted by so much. */
  setScale(scale: number): void {
    this.#congestion.setScale(scale);
  }

  /** The path takes segments of `mss` bytes at most: what is in flight is lost, and is sent again in smaller ones. */
  lowerMss(mss: number): void {
    this.#mss = mss;
    this.#congestion.lowerMss(mss);
    if (!this.isOpening) this.rewind();
  }

  /** Takes the window of a segment unless a newer one set it [RFC9293 §3.10.7.4, fifth]; true if it changed. */
  updateWindow(seq: number, ack: number, window: number): boolean {
    const order = distance(seq, this.#windowSeq);
    if (this.#maxWindow > 0 && (order < 0 || (order === 0 && distance(ack, this.#windowAck) < 0))) return false;
    const isChanged = window !== this.#window;
    this.#window = window;
    this.#maxWindow = Math.max(this.#maxWindow, window);
    this.#windowSeq = seq;
    this.#windowAck = ack;
    return isChanged;
  }

  /** Whether an acknowledgment number is of something sent, and not absurdly old [RFC5961 §5]. */
  isPlausible(ack: number): boolean {
    return distance(ack, this.max) <= 0 && distance(ack, this.una) >= -Math.max(this.#maxWindow, 1);
  }

  /** `ack`, which is plausible, acknowledges everything before it; true if that is news. */
  acknowledge(ack: number, now: number): boolean {
    const bytes = distance(ack, this.una);
    if (bytes <= 0) return false;
    this.una = ack;
    if (distance(ack, this.nxt) > 0) this.nxt = ack;
    this.#roundTrip.acknowledged(ack, now);
    this.#resendFirst = this.#congestion.acknowledged(ack, bytes) && this.isInFlight;
    let first = this.#queue[0];
    while (first !== undefined && distance(ack, advance(first.seq, first.payload.length)) >= 0) {
      this.#queue.shift();
      first.payload.release?.();
      first = this.#queue[0];
    }
    return true;
  }

  /** A segment acknowledged `una` once more and brought nothing else; true if that means loss. */
  duplicateAck(): boolean {
    if (!this.isInFlight || !this.#congestion.duplicate(this.una, this.max)) return false;
    this.#resendFirst = true;
    return true;
  }

  /** The retransmission timer expired: everything in flight is sent again, slowly. */
  timedOut(): void {
    // A lost SYN says nothing about the path's capacity.
    if (!this.isOpening) this.#congestion.timedOut(this.una, this.max);
    this.#roundTrip.backOff();
    this.rewind();
  }

  /** Everything in flight is to be sent again. */
  rewind(): void {
    this.nxt = this.una;
    this.#resendFirst = false;
    this.#roundTrip.cancel();
  }

  /** The SYN, unless it is in flight. */
  takeSyn(now: number): Chunk | undefined {
    if (this.nxt !== this.#iss) return undefined;
    return this.#sent(this.#iss, SYN, undefined, 0, 0, now);
  }

  /** The next segment that the windows allow. */
  take(now: number): Chunk | undefined {
    if (this.#resendFirst) {
      this.#resendFirst = false;
      this.#roundTrip.cancel();
      return this.#cut(this.una, Infinity, now);
    }
    const flight = distance(this.nxt, this.una);
    if (flight > 0 && flight + this.#mss > this.#congestion.window + this.#shortfall()) return undefined;
    // What was sent before goes again in whatever pieces the window takes.
    const least = distance(this.nxt, this.max) < 0 ? 1 : undefined;
    return this.#cut(this.nxt, this.#window - flight, now, least);
  }

  /** The peer's window is open, and too small for what silly window avoidance sends. */
  get isWindowSmall(): boolean {
    return this.#window > 0;
  }

  /** As much as a small window lets out, when nothing is in flight and that has been so for long enough [RFC9293 §3.8.6.2.1]. */
  takeSmall(now: number): Chunk | undefined {
    return this.#cut(this.nxt, this.#window, now, 1);
  }

  /** One byte, or the FIN, beyond a closed window [RFC9293 §3.8.6.1]. */
  takeProbe(now: number): Chunk | undefined {
    const chunk = this.#cut(this.una, 1, now, 1);
    // The probe does not count as in flight: the persist timer sends it again, not the retransmission timer.
    this.nxt = this.una;
    this.#roundTrip.cancel();
    return chunk;
  }

  /** How much shorter than a full segment the next one is. */
  #shortfall(): number {
    const item = this.#find(this.nxt);
    return this.#mss - (item === undefined ? 0 : this.#cutLength(item, distance(this.nxt, item.seq)));
  }

  #cutLength(item: Item, offset: number): number {
    return Math.min(item.payload.length - offset, this.#mss - (offset % this.#mss));
  }

  /** The segment at `seq` within `room` bytes of window; a part of it only if that is `least` bytes. */
  #cut(seq: number, room: number, now: number, least = Math.max(this.#maxWindow / 2, 1)): Chunk | undefined {
    const item = this.#find(seq);
    if (item === undefined) {
      if (!this.#isClosing || seq !== this.#end || room < 1) return undefined;
      return this.#sent(seq, FIN, undefined, 0, 0, now);
    }
    const from = distance(seq, item.seq);
    let length = this.#cutLength(item, from);
    if (length > room) {
      if (room < least) return undefined;
      length = room;
    }
    const next = advance(seq, length);
    const isLast = next === this.#end;
    const fin = isLast && this.#isClosing && room > length ? FIN : 0;
    const push = from + length === item.payload.length ? PSH : 0;
    return this.#sent(seq, push | fin, item.payload, from, from + length, now);
  }

  #sent(seq: number, flags: number, payload: Payload | undefined, from: number, to: number, now: number): Chunk {
    const next = advance(seq, to - from + (flags & (SYN | FIN) ? 1 : 0));
    if (distance(next, this.nxt) > 0) this.nxt = next;
    if (distance(next, this.max) > 0) {
      this.max = next;
      this.#roundTrip.start(next, now);
    }
    return { seq, flags, payload, from, to };
  }

  /** The payload that holds `seq`. The search goes on from the last one found: `nxt` moves forward, mostly. */
  #find(seq: number): Item | undefined {
    const queue = this.#queue;
    const last = queue[this.#cursor];
    let i = last === undefined || distance(seq, last.seq) < 0 ? 0 : this.#cursor;
    for (; i < queue.length; i++) {
      const item = queue[i] as Item;
      if (distance(seq, advance(item.seq, item.payload.length)) >= 0) continue;
      this.#cursor = i;
      return item;
    }
    return undefined;
  }

  #limitSeq(): number {
    return this.#isClosing ? advance(this.#end, 1) : this.#end;
  }
}
