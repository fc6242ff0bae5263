/**
 * The one timer of the sending half: retransmission while something is in flight; while nothing is, probes of a closed window, and
 * patience with one that is open and small; and when to give up.
 *
 * Source: [RFC6298 §5], [RFC9293 §3.8.3, §3.8.6.1, §3.8.6.2.1].
 */
import type { RoundTrip } from './tcp-rtt.ts';
import { Timer, type Timers } from './timers.ts';

/** [RFC9293 §3.8.3] asks for 100 s for data and 180 s for SYN: with the default timeouts these are 222 s and 183 s. */
const MAX_RETRANSMISSIONS = 10;
const MAX_SYN_RETRANSMISSIONS = 7;
const MAX_PERSIST_MS = 60_000;
/** The shortest override timeout that [RFC9293 §3.8.6.2.1] names: whatever the window then lets out is sent. It is never longer. */
const OVERRIDE_MS = 100;

/** What the timer asks of its connection. */
export interface SendTimerHost {
  /** Our SYN is not acknowledged yet. */
  isOpening(): boolean;
  /** What is in flight is lost. */
  retransmit(): void;
  /** A probe of the peer's window is due, or all that a small window lets out. */
  probe(): void;
  /** The peer has not answered for too long. */
  giveUp(): void;
}

export class SendTimer {
  readonly #timers: Timers;
  readonly #roundTrip: RoundTrip;
  readonly #host: SendTimerHost;
  readonly #timer: Timer;
  #mode: 'retransmit' | 'persist' | 'override' = 'retransmit';
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
    if (this.#mode !== 'retransmit' || !this.#timer.isSet) this.#start(now, 'retransmit');
  }

  /** Nothing is in flight, and the window is closed or too small; true if a probe, or what it lets out, is to be sent now. */
  blocked(now: number, isSmall: boolean): boolean {
    const mode = isSmall ? 'override' : 'persist';
    const isDue = this.#isProbeDue && mode === this.#mode;
    this.#isProbeDue = false;
    if (!this.#timer.isSet || mode !== this.#mode) this.#start(now, mode);
    return isDue;
  }

  /** Something new was acknowledged; `isInFlight` if not everything was. */
  progressed(now: number, isInFlight: boolean): void {
    this.#retries = 0;
    if (isInFlight) this.#start(now, 'retransmit');
    else this.clear();
  }

  /** The peer is alive. Probes go on for as long as it is; a segment that it does not take is sent ten times. */
  heard(): void {
    if (this.#mode !== 'retransmit') this.#retries = 0;
  }

  clear(): void {
    this.#timers.clear(this.#timer);
  }

  #start(now: number, mode: 'retransmit' | 'persist' | 'override'): void {
    this.#mode = mode;
    const { rto } = this.#roundTrip;
    this.#timers.set(this.#timer, now + { retransmit: rto, persist: this.#persist(rto), override: OVERRIDE_MS }[mode]);
  }

  #persist(rto: number): number {
    return Math.min(rto * 2 ** this.#probes, MAX_PERSIST_MS);
  }

  #expired(): void {
    if (this.#mode === 'override') {
      this.#isProbeDue = true;
      this.#host.probe();
      return;
    }
    this.#retries += 1;
    if (this.#retries > (this.#host.isOpening() ? MAX_SYN_RETRANSMISSIONS : MAX_RETRANSMISSIONS)) {
      this.#host.giveUp();
    } else if (this.#mode === 'persist') {
      this.#isProbeDue = true;
      this.#probes = Math.min(this.#probes + 1, MAX_RETRANSMISSIONS);
      this.#host.probe();
    } else this.#host.retransmit();
  }
}
