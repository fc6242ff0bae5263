/**
 * Congestion control: slow start, congestion avoidance, fast retransmit and fast recovery with partial
 * acknowledgments (NewReno).
 *
 * Source: [RFC5681], [RFC6582].
 */
import { distance } from './tcp-sequence.ts';

/** The third duplicate acknowledgment means loss [RFC5681 §3.2]. */
const DUPLICATES = 3;
/** No peer's window is larger without scaling, so a larger congestion window means nothing. */
const UNSCALED = 0x10000;

export class Congestion {
  #mss: number;
  #window: number;
  /** The largest window that the peer can offer. */
  #most = UNSCALED;
  #threshold = UNSCALED;
  #duplicates = 0;
  #isRecovering = false;
  /** The highest sequence number sent when loss was last detected. */
  #recover: number;

  constructor(mss: number, iss: number) {
    this.#mss = mss;
    this.#window = initialWindow(mss);
    this.#recover = iss;
  }

  /** Bytes that may be in flight. */
  get window(): number {
    return this.#window;
  }

  /** The segment size became known with the peer's SYN. */
  setMss(mss: number): void {
    this.#mss = mss;
    this.#window = initialWindow(mss);
  }

  /** Windows of the peer are shifted by so much [RFC7323 §2.2]. */
  setScale(scale: number): void {
    this.#most = UNSCALED * 2 ** scale;
    this.#threshold = this.#most;
  }

  /** The path takes smaller segments than were thought: that is no congestion [RFC1191 §6.5]. */
  lowerMss(mss: number): void {
    this.#mss = mss;
  }

  /** New data up to `ack` was acknowledged; true if the segment at `ack` must be sent again. */
  acknowledged(ack: number, bytes: number): boolean {
    this.#duplicates = 0;
    if (!this.#isRecovering) {
      const growth = this.#window < this.#threshold ? Math.min(bytes, this.#mss) : this.#avoidanceGrowth();
      this.#window = Math.min(this.#window + growth, this.#most);
      return false;
    }
    if (distance(ack, this.#recover) >= 0) {
      this.#isRecovering = false;
      this.#window = this.#threshold;
      return false;
    }
    this.#window = Math.max(this.#window - bytes, 0) + this.#mss;
    return true;
  }

  /** A duplicate acknowledgment of `una`, with data up to `max` in flight; true if `una` must be sent again. */
  duplicate(una: number, max: number): boolean {
    this.#duplicates += 1;
    if (this.#isRecovering) {
      this.#window = Math.min(this.#window + this.#mss, 2 * this.#most);
      return false;
    }
    // What was sent before the last loss says nothing about a new one [RFC6582 §3.2].
    if (this.#duplicates !== DUPLICATES || distance(una, this.#recover) < 0) return false;
    this.#reduce(distance(max, una));
    this.#window = this.#threshold + DUPLICATES * this.#mss;
    this.#recover = max;
    this.#isRecovering = true;
    return true;
  }

  /** The retransmission timer expired with data from `una` to `max` in flight. */
  timedOut(una: number, max: number): void {
    this.#reduce(distance(max, una));
    this.#window = this.#mss;
    this.#recover = max;
    this.#duplicates = 0;
    this.#isRecovering = false;
  }

  #reduce(flight: number): void {
    this.#threshold = Math.max(flight / 2, 2 * this.#mss);
  }

  #avoidanceGrowth(): number {
    return Math.max(1, (this.#mss * this.#mss) / this.#window);
  }
}

/** [RFC5681 §3.1]. */
function initialWindow(mss: number): number {
  if (mss > 2190) return 2 * mss;
  return mss > 1095 ? 3 * mss : 4 * mss;
}
