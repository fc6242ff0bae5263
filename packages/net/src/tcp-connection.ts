/**
 * One connection: its state, its two halves, its timers, and what the program does to it. What a segment does to it
 * stands in `tcp-arrival.ts`.
 *
 * Nothing is sent from here: `emit` gives the next segment when the stack has room for one, so that an acknowledgment
 * rides on data, and FIN on the last data, whenever the program writes before the stack transmits.
 *
 * Deviation: closing in SYN-SENT waits for the handshake instead of deleting the connection, so that a program may
 * connect, write and close at once.
 *
 * Source: [RFC9293 §3.8, §3.9, §3.10.8], [RFC7323 §2].
 */
import type { Ipv4Address } from './addresses.ts';
import type { Counters } from './counters.ts';
import { NetError } from './error.ts';
import { bytesPayload, type Payload } from './payload.ts';
import type { RingPool } from './ring-pool.ts';
import { RateLimit } from './rate-limit.ts';
import { TcpReceiver } from './tcp-receiver.ts';
import { RoundTrip } from './tcp-rtt.ts';
import { ACK, RST, SYN, type TcpHeader, type TcpSegment } from './tcp-segment.ts';
import { SendTimer } from './tcp-send-timer.ts';
import { type Chunk, TcpSender } from './tcp-sender.ts';
import { advance, distance } from './tcp-sequence.ts';
import type { TcpConnection, TcpFailure, TcpState } from './tcp-types.ts';
import { Timer, type Timers } from './timers.ts';

/** [RFC9293 §3.7.1]: the peer's segment size when it names none. */
const DEFAULT_MSS = 536;
/** Assumption: no honest peer names a smaller one; a segment for every few bytes would be an attack. */
const MIN_MSS = 64;
/** Assumption: challenge acknowledgments per second and connection [RFC5961 §10]. */
const CHALLENGES_PER_SECOND = 10;
const MAX_PAYLOAD = 2 ** 30;
/** What the window's field holds. */
const MAX_FIELD = 0xffff;

export interface ConnectionOptions {
  /** The largest segment that fits this host's frames. */
  readonly mss: number;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  readonly delayedAck: number;
  readonly minRto: number;
}

/** What a connection asks of TCP as a whole. */
export interface ConnectionHost {
  readonly timers: Timers;
  readonly counters: Counters;
  readonly options: ConnectionOptions;
  readonly rings: RingPool;
  /** The connection may have something to emit. */
  wake(connection: Connection): void;
  /** The connection is closed: segments for it belong to no connection. */
  remove(connection: Connection): void;
  /** The connection goes on as a TIME-WAIT entry, which acknowledges the peer's FIN. */
  timeWait(connection: Connection): void;
  /** A timer changed what the program sees. */
  changed(connection: Connection): void;
  /** The largest segment that the path to a host is known to take; infinite if nothing is known. */
  pathMss(ip: Ipv4Address): number;
  /** Sends a segment without data outside the order of `emit`. */
  reply(ends: Ends, flags: number, seq: number, ack: number): void;
}

/** What a passive connection tells its listener. */
export interface Owner {
  /** A completed connection can be handed over now. */
  canAccept(): boolean;
  established(connection: Connection): void;
  /** The connection ended before it was established. */
  lost(connection: Connection): void;
}

/** Between whom a connection is; the local address is the stack's. */
export interface Ends {
  readonly localPort: number;
  readonly remoteIp: Ipv4Address;
  readonly remotePort: number;
}

/** A segment to send, and what it carries. */
export interface Emission {
  readonly header: TcpHeader;
  readonly chunk: Chunk | undefined;
}

export class Connection implements TcpConnection {
  readonly localPort: number;
  readonly remoteIp: Ipv4Address;
  readonly remotePort: number;
  readonly host: ConnectionHost;
  /** The listener of a passive connection. */
  readonly owner: Owner | undefined;
  readonly sender: TcpSender;
  /** A receiver of nothing until the peer's SYN arrived. */
  receiver: TcpReceiver;
  state: TcpState = 'syn-sent';
  error: TcpFailure | undefined;
  lastHeard: number;
  /** The program would see something new; the one that tells it clears this. */
  isChanged = false;
  readonly #challenges = new RateLimit(CHALLENGES_PER_SECOND);
  readonly #sendTimer: SendTimer;
  readonly #ackTimer: Timer;
  #isAckDue = false;
  /** Bytes received since the last acknowledgment. */
  #unacknowledged = 0;
  #hasPeerFin = false;
  /** Both SYNs had the window scale option; the peer's shift. */
  #isScaling = false;
  #sendScale = 0;

  /** A connection whose SYN will be emitted, in SYN-SENT; with an owner a passive one, see `synArrived`. */
  constructor(host: ConnectionHost, ends: Ends, iss: number, now: number, owner?: Owner) {
    const { options } = host;
    this.host = host;
    this.owner = owner;
    this.localPort = ends.localPort;
    this.remoteIp = ends.remoteIp;
    this.remotePort = ends.remotePort;
    this.lastHeard = now;
    const roundTrip = new RoundTrip(options.minRto);
    this.sender = new TcpSender(iss, Math.min(options.mss, DEFAULT_MSS), options.sendBuffer, roundTrip);
    this.receiver = new TcpReceiver(host.rings, 0, 0, 0);
    this.#sendTimer = new SendTimer(host.timers, roundTrip, {
      isOpening: () => this.sender.isOpening,
      retransmit: () => {
        this.sender.timedOut();
        host.wake(this);
      },
      probe: () => {
        host.wake(this);
      },
      giveUp: () => {
        host.counters.tcpTimeouts += 1;
        this.end('timeout');
        host.changed(this);
      },
    });
    this.#ackTimer = new Timer(() => {
      this.acknowledgeNow();
    });
  }

  get readable(): number {
    return this.receiver.readable;
  }

  get ended(): boolean {
    return this.#hasPeerFin && this.receiver.readable === 0;
  }

  get writable(): boolean {
    return this.#canSend && this.sender.isWritable;
  }

  get queued(): number {
    return this.sender.queued;
  }

  get finished(): boolean {
    return this.state === 'closed' || this.state === 'time-wait';
  }

  /** The peer may send data. */
  get canReceive(): boolean {
    return this.state === 'established' || this.state === 'fin-wait-1' || this.state === 'fin-wait-2';
  }

  read(max: number = Infinity): Uint8Array {
    const bytes = this.receiver.read(max, true);
    if (bytes.length > 0 && this.canReceive && this.receiver.isUpdateDue(this.host.options.mss)) this.acknowledgeNow();
    return bytes;
  }

  peek(max: number = Infinity): Uint8Array {
    return this.receiver.read(max, false);
  }

  write(payload: Payload | Uint8Array): boolean {
    const { length } = payload;
    if (length > MAX_PAYLOAD) throw new NetError('too-long', `write at most ${MAX_PAYLOAD} bytes, not ${length}`);
    if (!this.#canSend) return false;
    const isTaken = this.sender.write(payload instanceof Uint8Array ? bytesPayload(payload) : payload);
    if (isTaken) this.host.wake(this);
    return isTaken;
  }

  close(): void {
    if (!this.#canSend || this.sender.isClosing) return;
    this.sender.close();
    if (this.state === 'established') this.state = 'fin-wait-1';
    else if (this.state === 'close-wait') this.state = 'last-ack';
    this.host.wake(this);
  }

  abort(): void {
    if (this.finished) return;
    if (this.state !== 'syn-sent') this.host.reply(this, RST | ACK, this.sender.ackSeq, this.receiver.nxt);
    this.end('aborted');
  }

  /** The next segment, or nothing. The caller sends it: the connection counts it as sent. */
  emit(now: number): Emission | undefined {
    if (this.finished) return undefined;
    const before = this.sender.max;
    const chunk = this.#next(now);
    if (chunk !== undefined) {
      if (this.sender.max === before) this.host.counters.tcpRetransmissions += 1;
      return this.#emission(chunk.seq, chunk.flags, chunk);
    }
    return this.#isAckDue ? this.#emission(this.sender.ackSeq, 0, undefined) : undefined;
  }

  /** The peer's SYN: its numbers start, and its segment size is known. */
  synArrived(segment: TcpSegment): void {
    const { mss, receiveBuffer } = this.host.options;
    const least = Math.min(mss, this.host.pathMss(this.remoteIp));
    this.sender.setMss(Math.min(least, Math.max(segment.mss === 0 ? DEFAULT_MSS : segment.mss, MIN_MSS)));
    this.#isScaling = segment.scale !== undefined;
    this.#sendScale = segment.scale ?? 0;
    this.sender.setScale(this.#sendScale);
    this.sender.updateWindow(segment.seq, segment.ack, segment.window);
    const most = this.#isScaling ? receiveBuffer : Math.min(receiveBuffer, MAX_FIELD);
    this.receiver = new TcpReceiver(
      this.host.rings,
      most,
      advance(segment.seq, 1),
      this.#isScaling ? scaleOf(receiveBuffer) : 0,
    );
    this.receiver.advertise(mss);
  }

  /** The window that a segment after the SYN offers: that of a SYN is not scaled [RFC7323 §2.2]. */
  windowOf({ flags, window }: TcpSegment): number {
    return (flags & SYN) === 0 ? window * 2 ** this.#sendScale : window;
  }

  /** Something with this sequence number was sent, and is not acknowledged. */
  isInFlight(sequence: number): boolean {
    const { una, max } = this.sender;
    return !this.finished && distance(sequence, una) >= 0 && distance(sequence, max) < 0;
  }

  /** The path takes segments of `mss` bytes. */
  lowerMss(mss: number): void {
    if (mss >= this.sender.mss) return;
    this.sender.lowerMss(mss);
    this.host.wake(this);
  }

  /** SYN-RECEIVED: the SYN is to be sent with an acknowledgment, again if it was sent before. */
  answerSyn(): void {
    this.state = 'syn-received';
    this.sender.rewind();
    this.#sendTimer.clear();
    this.host.wake(this);
  }

  /** The handshake is complete. */
  establish(): void {
    this.state = this.sender.isClosing ? 'fin-wait-1' : 'established';
    this.isChanged = true;
    this.owner?.established(this);
  }

  /** New data of ours was acknowledged. */
  progressed(now: number): void {
    this.isChanged = true;
    this.#sendTimer.progressed(now, this.sender.isInFlight);
  }

  /** The peer is alive, even if it acknowledged nothing new. */
  heard(now: number): void {
    this.lastHeard = now;
    this.#sendTimer.heard();
    this.host.wake(this);
  }

  /** An acknowledgment is due with the next frame. */
  acknowledgeNow(): void {
    this.#isAckDue = true;
    this.host.wake(this);
  }

  /** `bytes` arrived in their turn: every second segment is acknowledged at once, a single one a little later. */
  acknowledgeSoon(bytes: number, now: number): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged >= 2 * this.sender.mss) this.acknowledgeNow();
    else if (!this.#ackTimer.isSet) this.host.timers.set(this.#ackTimer, now + this.host.options.delayedAck);
  }

  /** Tells the peer where this side stands, unless it was told too often [RFC5961]. */
  challenge(now: number): void {
    const { counters } = this.host;
    if (this.#challenges.allow(now)) {
      counters.tcpChallengeAcks += 1;
      this.acknowledgeNow();
    } else counters.tcpChallengesLimited += 1;
  }

  /** The peer's FIN was counted. */
  peerClosed(): void {
    this.#hasPeerFin = true;
    this.isChanged = true;
    this.acknowledgeNow();
    if (this.state === 'established') this.state = 'close-wait';
    else if (this.state === 'fin-wait-2') this.#timeWait();
    else this.state = 'closing';
  }

  /** Our FIN was acknowledged. */
  finAcknowledged(): void {
    if (this.state === 'fin-wait-1') this.state = 'fin-wait-2';
    else if (this.state === 'closing') this.#timeWait();
    else if (this.state === 'last-ack') this.end(undefined);
  }

  /** The connection is over. */
  end(error: TcpFailure | undefined): void {
    if (this.finished) return;
    const isHalfOpen = this.state === 'syn-received';
    this.state = 'closed';
    this.error = error;
    this.#release();
    this.host.remove(this);
    if (!isHalfOpen || this.owner === undefined) return;
    // The program never saw it.
    this.isChanged = false;
    this.owner.lost(this);
  }

  #timeWait(): void {
    this.state = 'time-wait';
    this.#release();
    this.host.timeWait(this);
  }

  #release(): void {
    this.isChanged = true;
    this.sender.clear();
    this.#sendTimer.clear();
    this.host.timers.clear(this.#ackTimer);
  }

  /** The program may still say something. */
  get #canSend(): boolean {
    const { state } = this;
    return state === 'syn-sent' || state === 'syn-received' || state === 'established' || state === 'close-wait';
  }

  #next(now: number): Chunk | undefined {
    const { sender } = this;
    const isOpening = this.state === 'syn-sent' || this.state === 'syn-received';
    const chunk = isOpening ? sender.takeSyn(now) : sender.take(now);
    if (chunk !== undefined) {
      this.#sendTimer.sent(now);
      return chunk;
    }
    // Something to send, nothing in flight, nothing sent: the peer's window is closed, or too small.
    const isSmall = sender.isWindowSmall;
    if (sender.isInFlight || !sender.isPending || !this.#sendTimer.blocked(now, isSmall)) return undefined;
    if (isSmall) {
      const small = sender.takeSmall(now);
      if (small !== undefined) this.#sendTimer.sent(now);
      return small;
    }
    this.host.counters.tcpZeroWindowProbes += 1;
    return sender.takeProbe(now);
  }

  #emission(seq: number, flags: number, chunk: Chunk | undefined): Emission {
    const { mss, receiveBuffer } = this.host.options;
    const hasPeer = this.state !== 'syn-sent';
    this.#isAckDue = false;
    this.#unacknowledged = 0;
    this.host.timers.clear(this.#ackTimer);
    return {
      header: {
        sourcePort: this.localPort,
        destinationPort: this.remotePort,
        seq,
        ack: hasPeer ? this.receiver.nxt : 0,
        flags: hasPeer ? flags | ACK : flags,
        window: this.#window(flags),
        mss: (flags & SYN) === 0 ? 0 : mss,
        // An answer to a SYN without the option has none [RFC7323 §2.2].
        scale: (flags & SYN) === 0 || (hasPeer && !this.#isScaling) ? undefined : scaleOf(receiveBuffer),
      },
      chunk,
    };
  }

  /** The field: of a SYN the window as it is, as far as it fits. */
  #window(flags: number): number {
    const { mss, receiveBuffer } = this.host.options;
    if (this.state === 'syn-sent') return Math.min(receiveBuffer, MAX_FIELD);
    const window = this.receiver.advertise(mss);
    return (flags & SYN) === 0 ? window >>> this.receiver.scale : Math.min(window, MAX_FIELD);
  }
}

/** The shift by which a window of so many bytes fits its field. */
function scaleOf(bytes: number): number {
  return Math.max(0, 32 - Math.clz32(bytes) - 16);
}
