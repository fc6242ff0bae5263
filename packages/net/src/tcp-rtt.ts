/**
 * The retransmission timeout: smoothed round-trip time, its variation, exponential backoff.
 *
 * One segment is timed at a time, and none that was sent twice (Karn). Source: [RFC6298].
 */
import { distance } from './tcp-sequence.ts';

/** [RFC6298 §2.1]. */
const INITIAL_RTO_MS = 1000;
/** [RFC6298 §2.5] allows any maximum of at least 60 s. */
const MAX_RTO_MS = 60_000;
/** Clock granularity: callers may count in whole milliseconds. */
const GRANULARITY_MS = 1;

export class RoundTrip {
  readonly #minRto: number;
  #smoothed = 0;
  #variation = 0;
  #hasSample = false;
  #backoff = 0;
  #rto: number;
  /** The sequence number whose acknowledgment ends the measurement; valid while `#timing`. */
  #timedSeq = 0;
  #timedAt = 0;
  #timing = false;

  constructor(minRto: number) {
    this.#minRto = minRto;
    this.#rto = Math.max(INITIAL_RTO_MS, minRto);
  }

  /** The timeout for the next retransmission timer, in milliseconds, with backoff. */
  get rto(): number {
    return Math.min(this.#rto * 2 ** this.#backoff, MAX_RTO_MS);
  }

  /** New data up to `seq` leaves at `now`. */
  start(seq: number, now: number): void {
    if (this.#timing) return;
    this.#timing = true;
    this.#timedSeq = seq;
    this.#timedAt = now;
  }

  /** Something is sent a second time: what is being timed would be ambiguous. */
  cancel(): void {
    this.#timing = false;
  }

  /** The retransmission timer expired. */
  backOff(): void {
    this.cancel();
    // Beyond this the maximum holds anyway.
    this.#backoff = Math.min(this.#backoff + 1, 16);
  }

  /** New data was acknowledged up to `ack`. */
  acknowledged(ack: number, now: number): void {
    if (!this.#timing || distance(ack, this.#timedSeq) < 0) return;
    this.#timing = false;
    // Only a measurement ends the backoff [RFC6298 §5].
    this.#backoff = 0;
    const sample = now - this.#timedAt;
    if (this.#hasSample) {
      this.#variation += (Math.abs(this.#smoothed - sample) - this.#variation) / 4;
      this.#smoothed += (sample - this.#smoothed) / 8;
    } else {
      this.#hasSample = true;
      this.#smoothed = sample;
      this.#variation = sample / 2;
    }
    const rto = this.#smoothed + Math.max(GRANULARITY_MS, 4 * this.#variation);
    this.#rto = Math.min(Math.max(rto, this.#minRto), MAX_RTO_MS);
  }
}
