/**
 * TIME-WAIT: what remains of a closed connection so that a late FIN is acknowledged and its old segments harm nobody.
 *
 * A few words per entry, no buffers. A reset needs the exact sequence number. A SYN beyond the old connection's numbers
 * may open a new one at once [RFC9293 §3.6.1].
 */
import { RateLimit } from './rate-limit.ts';
import type { Ends } from './tcp-connection.ts';
import { ACK, FIN, RST, sequenceLength, SYN, type TcpSegment } from './tcp-segment.ts';
import { advance, distance } from './tcp-sequence.ts';
import type { Timer } from './timers.ts';

/** Assumption: acknowledgments per second and entry. */
const ANSWERS_PER_SECOND = 10;

/** What a segment does to an entry: answered with an acknowledgment (and a new wait), nothing, the end, a new SYN. */
export type TimeWaitVerdict = 'acknowledge' | 'restart' | 'ignore' | 'closed' | 'reopen';

export class TimeWait implements Ends {
  readonly localPort: number;
  readonly remoteIp: number;
  readonly remotePort: number;
  /** Our next sequence number, and the peer's. */
  readonly nxt: number;
  readonly peerNxt: number;
  readonly timer: Timer;
  readonly #limit = new RateLimit(ANSWERS_PER_SECOND);

  constructor(ends: Ends, nxt: number, peerNxt: number, timer: Timer) {
    this.localPort = ends.localPort;
    this.remoteIp = ends.remoteIp;
    this.remotePort = ends.remotePort;
    this.nxt = nxt;
    this.peerNxt = peerNxt;
    this.timer = timer;
  }

  handle(segment: TcpSegment, now: number): TimeWaitVerdict {
    const { seq, flags } = segment;
    const length = sequenceLength(segment);
    if ((flags & RST) !== 0) return seq === this.peerNxt ? 'closed' : 'ignore';
    if ((flags & (SYN | ACK)) === SYN && distance(seq, this.peerNxt) > 0) return 'reopen';
    if (length === 0 && seq === this.peerNxt) return 'ignore';
    if (!this.#limit.allow(now)) return 'ignore';
    return (flags & FIN) !== 0 && advance(seq, length) === this.peerNxt ? 'restart' : 'acknowledge';
  }
}
