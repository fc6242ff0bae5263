/**
 * The receiving half of a connection: a ring of bytes, the ranges that arrived ahead of their turn, the window.
 *
 * There is a ring only while something is in it, and it is no longer than that needs (`ring-pool.ts`): a connection with a short request
 * costs little, and an idle one nothing. Data beyond the next expected byte is written where it belongs; at most `MAX_RANGES`
 * separate ranges are remembered, more are dropped and will be sent again.
 *
 * Source: [RFC9293 §3.8.6, §3.10.7.4], [RFC7323 §2.4].
 */
import type { RingPool } from './ring-pool.ts';
import { advance, distance } from './tcp-sequence.ts';
import { FIN, type TcpSegment } from './tcp-segment.ts';

/** Assumption: losses come in few clumps per window. */
const MAX_RANGES = 8;

/** What a segment did to the stream: data in its turn, data that ended a wait for it, nothing (yet). */
export type Progress = 'next' | 'filled' | 'none';

interface Range {
  from: number;
  to: number;
}

const EMPTY = new Uint8Array(0);

export class TcpReceiver {
  readonly #pool: RingPool;
  readonly #capacity: number;
  readonly scale: number;
  /** The next byte expected. */
  nxt: number;
  /** The right edge of the window as the peer knows it: it never moves left. */
  #edge: number;
  #ring: Uint8Array = EMPTY;
  #head = 0;
  #readable = 0;
  /** Ahead of `nxt`, ascending, disjoint. */
  readonly #ranges: Range[] = [];
  /** Where the peer's FIN stands, once it arrived within the window. */
  #fin: number | undefined;

  /** `scale`: by how much the windows that are advertised are shifted. */
  constructor(pool: RingPool, capacity: number, nxt: number, scale: number) {
    this.#pool = pool;
    this.#capacity = capacity;
    this.nxt = nxt;
    this.scale = scale;
    this.#edge = nxt;
  }

  /** Bytes that `read` would give. */
  get readable(): number {
    return this.#readable;
  }

  /** The window as the peer knows it. */
  get window(): number {
    return distance(this.#edge, this.nxt);
  }

  /** Everything up to the peer's FIN has arrived; the FIN itself is still to be counted by `takeFin`. */
  get isAtFin(): boolean {
    return this.#fin === this.nxt;
  }

  /** The window to advertise now, and the promise that goes with it. `mss` is the largest segment expected. */
  advertise(mss: number): number {
    const room = ((this.#capacity - this.#readable) >>> this.scale) << this.scale;
    const edge = advance(this.nxt, room);
    // Silly window avoidance: the edge moves by a segment or half the ring, or not at all [RFC9293 §3.8.6.2.2].
    if (distance(edge, this.#edge) >= Math.min(mss, this.#capacity / 2)) this.#edge = edge;
    return this.window;
  }

  /** Reading made so much room that the peer should hear of it. */
  isUpdateDue(mss: number): boolean {
    const edge = advance(this.nxt, this.#capacity - this.#readable);
    return distance(edge, this.#edge) >= Math.min(2 * mss, this.#capacity / 2);
  }

  /** Whether any of a segment lies in the window [RFC9293 §3.10.7.4, first]; `length` in sequence space. */
  isAcceptable(seq: number, length: number): boolean {
    const offset = distance(seq, this.nxt);
    const { window } = this;
    // One past the edge is where a peer stands whose data, all of it in flight, fills the window.
    if (length === 0) return offset >= 0 && offset <= window;
    return offset < window && offset + length > 0;
  }

  /** Takes what a segment brings within the window. Where data overlaps, the later bytes stay. */
  accept({ seq, bytes, from, to, flags }: TcpSegment): Progress {
    const { window } = this;
    const hadGap = this.#ranges.length > 0;
    const start = distance(seq, this.nxt);
    const end = start + to - from;
    if ((flags & FIN) !== 0 && end >= 0 && end < window) this.#fin ??= advance(this.nxt, end);
    const first = Math.max(start, 0);
    // Nothing counts behind the FIN, whatever a peer sends there.
    const limit = this.#fin === undefined ? window : Math.min(window, distance(this.#fin, this.nxt));
    const last = Math.min(end, limit);
    if (last <= first) return 'none';
    const before = this.nxt;
    if (this.#remember(advance(this.nxt, first), advance(this.nxt, last))) {
      this.#store(first, bytes, from + first - start, last - first);
      this.#collect();
    }
    if (this.nxt === before) return 'none';
    return hadGap ? 'filled' : 'next';
  }

  /** Counts the peer's FIN, when it is its turn. */
  takeFin(): void {
    this.nxt = advance(this.nxt, 1);
    this.#fin = undefined;
  }

  /** Copies out up to `max` bytes; `consume` makes room for more. */
  read(max: number, consume: boolean): Uint8Array {
    const length = Math.min(max, this.#readable);
    const out = new Uint8Array(length);
    const first = Math.min(length, this.#ring.length - this.#head);
    out.set(this.#ring.subarray(this.#head, this.#head + first));
    out.set(this.#ring.subarray(0, length - first), first);
    if (consume && length > 0) {
      this.#readable -= length;
      this.#head = (this.#head + length) % this.#ring.length;
      if (this.#readable === 0 && this.#ranges.length === 0) this.#clear();
    }
    return out;
  }

  /** Lets go of the ring, with whatever is in it. */
  #clear(): void {
    this.#pool.give(this.#ring);
    this.#ring = EMPTY;
    this.#head = 0;
    this.#readable = 0;
  }

  /** Writes `length` bytes at `offset` from `nxt`; they lie within the window, hence within the ring. */
  #store(offset: number, bytes: Uint8Array, from: number, length: number): void {
    this.#grow(this.#readable + offset + length);
    const { length: size } = this.#ring;
    const at = (this.#head + this.#readable + offset) % size;
    const first = Math.min(length, size - at);
    this.#ring.set(bytes.subarray(from, from + first), at);
    if (first < length) this.#ring.set(bytes.subarray(from + first, from + length), 0);
  }

  /** Makes the ring long enough for so many bytes, which are no more than the capacity. */
  #grow(bytes: number): void {
    const before = this.#ring;
    if (bytes <= before.length) return;
    this.#ring = this.#pool.take(bytes, this.#capacity);
    this.#ring.set(before.subarray(this.#head));
    this.#ring.set(before.subarray(0, this.#head), before.length - this.#head);
    this.#head = 0;
    this.#pool.give(before);
  }

  /** Adds a range, merging those that it touches; false if there is no place for another one. */
  #remember(from: number, to: number): boolean {
    const ranges = this.#ranges;
    let first = 0;
    while (first < ranges.length && distance((ranges[first] as Range).to, from) < 0) first += 1;
    let last = first;
    let start = from;
    let end = to;
    for (; last < ranges.length; last++) {
      const range = ranges[last] as Range;
      if (distance(range.from, end) > 0) break;
      if (distance(range.from, start) < 0) start = range.from;
      if (distance(range.to, end) > 0) end = range.to;
    }
    // Data in its turn always has a place: it is collected at once.
    if (last === first && ranges.length >= MAX_RANGES && from !== this.nxt) return false;
    ranges.splice(first, last - first, { from: start, to: end });
    return true;
  }

  /** Makes the range at `nxt`, if there is one, readable. */
  #collect(): void {
    const [range] = this.#ranges;
    if (range?.from !== this.nxt) return;
    this.#ranges.shift();
    this.#readable += distance(range.to, range.from);
    this.nxt = range.to;
  }
}
