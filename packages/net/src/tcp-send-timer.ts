/**
 * The one timer of the sending half: retransmission while something is in flight, probes while the peer's window is
 * closed and nothing is; and when to give up.
 *
 * Source: [RFC6298 §5], [RFC9293 §3.8.3, §3.8.6.1].
 */
import type { RoundTrip } from './tcp-rtt.ts';
import { Timer, type Timers } from './timers.ts';

/** [RFC9293 §3.8.3] asks for 100 s for data and 180 s for SYN: with the default timeouts these are 222 s and 183 s. */
const MAX_RETRANSMISSIONS = 10;
const MAX_SYN_RETRANSMISSIONS = 7;
const MAX_PERSIST_MS = 60_000;

/** What the timer asks of its connection. */
export interface SendTimerHost {
  /** Our SYN is not acknowledged yet. */
  isOpening(): boolean;
  /** What is in flight is lost. */
  retransmit(): void;
  /** A probe of the peer's window is due. */
  probe(): void;
  /** The peer has not answered for too long. */
  giveUp(): void;
}

export class SendTimer {
  readonly #timers: Timers;
  readonly #roundTrip: RoundTrip;
  readonly #host: SendTimerHost;
  readonly #timer: Timer;
  #isPersisting = false;
  #isProbeDue = false;
  /** Expirations since the peer was last heard of to some effect. */
  #retries = 0;
  /** Probes since the window was last open. */
  #probes = 0;

  constructor(timers: Timers, roundTrip: RoundTrip, host: SendTimerHost) {
    this.#timers = timers;
    this.#roundTrip = roundTrip;
    this.#host = host;
    this.#timer = new Timer(() => {
      this.#expired();
    });
  }

  /** A segment left that waits for its acknowledgment. */
  sent(now: number): void {
    this.#isProbeDue = false;
    this.#probes = 0;
    if (this.#isPersisting || !this.#timer.isSet) this.#start(now, false);
  }

  /** Nothing is in flight and the window lets nothing out; true if a probe is to be sent now. */
  blocked(now: number): boolean {
    if (!this.#timer.isSet) this.#start(now, true);
    const isDue = this.#isProbeDue;
    this.#isProbeDue = false;
    return isDue;
  }

  /** Something new was acknowledged; `isInFlight` if not everything was. */
  progressed(now: number, isInFlight: boolean): void {
    this.#retries = 0;
    if (isInFlight) this.#start(now, false);
    else this.clear();
  }

  /** The peer is alive. Probes go on for as long as it is; a segment that it does not take is sent ten times. */
  heard(): void {
    if (this.#isPersisting) this.#retries = 0;
  }

  clear(): void {
    this.#timers.clear(this.#timer);
  }

  #start(now: number, isPersisting: boolean): void {
    this.#isPersisting = isPersisting;
    const { rto } = this.#roundTrip;
    this.#timers.set(this.#timer, now + (isPersisting ? Math.min(rto * 2 ** this.#probes, MAX_PERSIST_MS) : rto));
  }

  #expired(): void {
    this.#retries += 1;
    if (this.#retries > (this.#host.isOpening() ? MAX_SYN_RETRANSMISSIONS : MAX_RETRANSMISSIONS)) {
      this.#host.giveUp();
    } else if (this.#isPersisting) {
      this.#isProbeDue = true;
      this.#probes = Math.min(this.#probes + 1, MAX_RETRANSMISSIONS);
      this.#host.probe();
    } else this.#host.retransmit();
  }
}
