/**
 * The wire: an in-memory Ethernet segment that machines and stations of the host share; with more than two, a hub.
 *
 * One frame is on it at a time; a frame sent meanwhile waits its turn, in the order in which they were asked for. It
 * reaches every station but its sender when its last bit has left plus the segment's delay, late, twice or damaged if the
 * segment has faults. Frames are given without preamble and FCS; those below 60 bytes are padded, as Ethernet demands, and
 * those that cannot be frames (below 14 or above 1518 bytes) or find their sender's queue full are dropped and counted.
 * Nothing is ever thrown at a sender.
 *
 * With one machine the wire runs on that machine's clock. With several, what they send waits until all of them have passed
 * that time, which is for the owner of the machines to bring about: `horizon` says how far they may run, `settle` that they
 * have. Before there is any machine, frames wait.
 *
 * Assumption: no collisions; of machines that want to send at the same moment the one with the lower bytes goes first, so
 * that the order in which the host made them does not matter. [RFC894 for sizes].
 */
import { Agenda } from './agenda.ts';
import type { WireClock, WireTimer } from './clock.ts';
import { crc32 } from './crc32.ts';
import { WireError } from './error.ts';
import { FaultInjector, isDelay, type FaultCounters, type FaultOptions } from './faults.ts';
import {
  corrupt,
  HEADER,
  isFirst,
  MAX_FRAME,
  MIN_FRAME,
  type Frame,
  type Happening,
  type Line,
  type Member,
} from './frame.ts';
import { contentsState, type WireContents, type WireState } from './state.ts';
import type { Attachment, SeenFrame, Station, Transmission } from './station.ts';
import { TimeBase } from './time-base.ts';

/** How a segment behaves. */
export interface WireOptions {
  /** Bits per second, from 1,000 to 10^12. Default 10,000,000. */
  readonly bandwidth?: number;
  /** From the last bit sent to its arrival, in microseconds, up to 10^9. Default 0. */
  readonly delayMicroseconds?: number;
  /**
   * The least time between two frames, in microseconds, up to 10^9. Default: that of 96 bits. A longer one keeps a burst of short frames
   * from a station that cannot take them at the bandwidth's rate.
   */
  readonly gapMicroseconds?: number;
  /** Frames of one station that may wait to be sent. Default 256. */
  readonly capacity?: number;
  /** Default: none. */
  readonly faults?: FaultOptions;
}

/** What a wire has carried and dropped, in frames. */
export interface WireCounters extends FaultCounters {
  /** Sent, whatever became of them then. */
  readonly sent: number;
  readonly droppedSize: number;
  readonly droppedQueue: number;
}

const FCS = 4;
const PREAMBLE = 8;
const GAP_BITS = 96;
/** Within these, times stay such that a clock can count to them. */
const LEAST_BANDWIDTH = 1e3;
const MOST_BANDWIDTH = 1e12;
const NO_FAULTS: FaultCounters = { dropped: 0, duplicated: 0, reordered: 0, corrupted: 0, delayed: 0 };
/** Both before a machine's own timers; the host's stations first, as if they had been heard between two runs. */
const HOST_RANK = -2;
const MACHINE_RANK = -1;

/** One segment. */
export class Wire {
  /** Whether the cable is plugged in. Frames that are sent without it are lost, and their senders miss their carrier. */
  carrier: boolean = true;
  /** What it is made of: how it behaves, and its machines. What stations of the host there are may change. */
  readonly #options: string;
  readonly #nanosecondsPerBit: number;
  readonly #delay: number;
  /** Nanoseconds from the last bit of a frame to the first of the next. */
  readonly #gap: number;
  readonly #capacity: number;
  readonly #faults: FaultInjector | undefined;
  #members: readonly Member[] = [];
  #taps: readonly ((frame: SeenFrame) => void)[] = [];
  #inputs: readonly ((frame: Uint8Array, fcs: number | undefined) => void)[] = [];
  readonly #lines = new Map<WireClock, Line>();
  readonly #host: Line = { base: undefined, agenda: new Agenda(), timer: undefined };
  /** What has been asked for and has no time on the wire yet: all before the first clock, and from the second one on. */
  readonly #asked = new Agenda<Frame>(isFirst);
  /** When the wire is free again, and the time of a wire that has no clock or several. */
  #free = 0;
  #now = 0;
  #last: Member | undefined;
  #sent = 0;
  #droppedSize = 0;
  #droppedQueue = 0;

  /** Throws `WireError` `option` for a bandwidth, delay, gap or fault that cannot be, or a capacity that is no positive integer. */
  constructor(options: WireOptions = {}) {
    const { bandwidth = 10_000_000, delayMicroseconds = 0, gapMicroseconds, capacity = 256, faults } = options;
    const isRate = bandwidth >= LEAST_BANDWIDTH && bandwidth <= MOST_BANDWIDTH;
    const isPossible = isRate && isDelay(delayMicroseconds) && isDelay(gapMicroseconds ?? 0);
    if (!isPossible || !Number.isInteger(capacity) || capacity < 1) {
      const details = { bandwidth, delayMicroseconds, gapMicroseconds, capacity };
      throw new WireError('option', `no wire has ${JSON.stringify(details)}`, details);
    }
    this.#options = JSON.stringify({ bandwidth, delayMicroseconds, gapMicroseconds, capacity, faults });
    this.#nanosecondsPerBit = 1e9 / bandwidth;
    this.#gap = Math.max(GAP_BITS * this.#nanosecondsPerBit, (gapMicroseconds ?? 0) * 1000);
    this.#delay = delayMicroseconds * 1000;
    this.#capacity = capacity;
    this.#faults = faults === undefined ? undefined : new FaultInjector(faults);
  }

  get counters(): WireCounters {
    const { counters = NO_FAULTS } = this.#faults ?? {};
    return { sent: this.#sent, droppedSize: this.#droppedSize, droppedQueue: this.#droppedQueue, ...counters };
  }

  /** Nothing is on its way, and nothing waits to be sent. */
  get isQuiet(): boolean {
    const lines = [this.#host, ...this.#lines.values()];
    return this.#asked.next === Infinity && lines.every(({ agenda }) => agenda.next === Infinity);
  }

  /** Nanoseconds since the first machine on it was switched on. */
  get now(): number {
    return this.#sole?.base?.now ?? this.#now;
  }

  /**
   * A machine attaches its controller with its clock; its cycle at that moment is the wire's time now. Throws `WireError`
   * `option` for a clock that does not go forward.
   */
  attach(station: Station, clock?: WireClock): Attachment {
    const line = clock === undefined ? undefined : this.#lineOf(clock);
    const member: Member = { station, line, waiting: [], attached: true };
    this.#members = [...this.#members, member];
    if (this.#sole !== undefined) while (this.#asked.next < Infinity) this.#schedule(this.#asked.take());
    return {
      send: (frame, fcs) => this.#send(member, frame, fcs),
      detach: () => {
        member.attached = false;
        this.#members = this.#members.filter((other) => other !== member);
      },
    };
  }

  /** `seen` gets every frame when its last bit has left. It must not send. The function returned removes it. */
  tap(seen: (frame: SeenFrame) => void): () => void {
    this.#taps = [...this.#taps, seen];
    return () => {
      this.#taps = this.#taps.filter((other) => other !== seen);
    };
  }

  /** `entered` gets what stations of the host send, when they do: a wire's only inputs. The function returned removes it. */
  listenInputs(entered: (frame: Uint8Array, fcs: number | undefined) => void): () => void {
    this.#inputs = [...this.#inputs, entered];
    return () => {
      this.#inputs = this.#inputs.filter((other) => other !== entered);
    };
  }

  /** Time of a frame of `length` bytes (without FCS) on the wire, preamble to FCS, in nanoseconds. */
  frameTime(length: number): number {
    return (length + FCS + PREAMBLE) * 8 * this.#nanosecondsPerBit;
  }

  // ---- Snapshots

  get description(): string {
    return `a wire of ${this.#lines.size} machines ${this.#options}`;
  }

  /**
   * Walks its state, for a snapshot. What is read is taken over when all of it has been accepted: where the stream refuses,
   * the wire is as it was.
   */
  state(s: WireState): void {
    const members = this.#numbered;
    const lines = [this.#host, ...this.#lines.values()];
    const contents = contentsState(s, this.#contents(members, lines), members, lines);
    const faults = this.#faults?.state(s);
    if (!s.reads) return;
    if (faults !== undefined) this.#faults?.become(faults);
    this.#become(contents, members, lines);
  }

  /** Those of machines first. */
  get #numbered(): readonly Member[] {
    return [false, true].flatMap((host) => this.#members.filter(({ line }) => (line === undefined) === host));
  }

  #contents(members: readonly Member[], lines: readonly Line[]): WireContents {
    return {
      carrier: this.carrier,
      free: this.#free,
      now: this.#now,
      sent: this.#sent,
      droppedSize: this.#droppedSize,
      droppedQueue: this.#droppedQueue,
      last: this.#last,
      waiting: members.map(({ waiting }) => waiting),
      asked: this.#asked.entries.map(({ what }) => what),
      lines: lines.map(({ base, agenda }) => ({ origin: base?.origin ?? 0, entries: agenda.entries })),
    };
  }

  #become(contents: WireContents, members: readonly Member[], lines: readonly Line[]): void {
    this.carrier = contents.carrier;
    this.#free = contents.free;
    this.#now = contents.now;
    this.#sent = contents.sent;
    this.#droppedSize = contents.droppedSize;
    this.#droppedQueue = contents.droppedQueue;
    this.#last = contents.last;
    members.forEach(({ waiting }, i) => {
      waiting.length = 0;
      for (const frame of contents.waiting[i] ?? []) waiting.push(frame);
    });
    this.#asked.refill(contents.asked.map((frame) => ({ time: frame.asked, what: frame })));
    lines.forEach(({ base, agenda }, i) => {
      const { origin = 0, entries = [] } = contents.lines[i] ?? {};
      if (base !== undefined) base.origin = origin;
      agenda.refill(entries);
    });
    for (const line of lines) {
      line.timer?.disarm();
      this.#arm(line);
    }
  }

  // ---- For the network

  /** The clocks of the machines on it. */
  get clocks(): readonly WireClock[] {
    return [...this.#lines.keys()];
  }

  /** The time of the machine with this clock. */
  baseOf(clock: WireClock): TimeBase | undefined {
    return this.#lines.get(clock)?.base;
  }

  /**
   * Up to when machines may run before `settle`, if none of them sends anything before `quiet`: nothing that is not known
   * yet can come to any station before then.
   */
  horizon(quiet: number): number {
    const earliest = Math.min(quiet, this.#host.agenda.next, this.#asked.next);
    return Math.max(earliest, this.#free) + this.frameTime(MIN_FRAME);
  }

  /** All machines have reached `time`: puts what they sent before it on the wire, and lets the host's stations hear. */
  settle(time: number): void {
    if (this.#sole !== undefined) return;
    const { agenda } = this.#host;
    for (;;) {
      const asked = this.#asked.next;
      const { next } = agenda;
      if (Math.min(asked, next) >= time) break;
      if (next <= asked) {
        this.#now = next;
        this.#happen(agenda.take(), this.#host);
      } else this.#schedule(this.#asked.take());
    }
    this.#now = time;
  }

  // ---- Clocks

  /** The only machine's line: the wire then needs no network. */
  get #sole(): Line | undefined {
    if (this.#lines.size !== 1) return undefined;
    const [line] = this.#lines.values();
    return line;
  }

  #lineOf(clock: WireClock): Line {
    const known = this.#lines.get(clock);
    if (known !== undefined) return known;
    if (!(clock.hz > 0 && clock.hz < Infinity) || !Number.isFinite(clock.now)) {
      const details = { hz: clock.hz, now: clock.now };
      throw new WireError('option', `no clock has ${clock.hz} Hz and cycle ${clock.now}`, details);
    }
    const { now } = this;
    this.#now = now;
    const line: Line = { base: new TimeBase(clock, now), agenda: new Agenda(), timer: undefined };
    line.timer = this.#timer(clock, line, MACHINE_RANK);
    this.#host.timer?.disarm();
    this.#lines.set(clock, line);
    this.#host.timer = this.#lines.size === 1 ? this.#timer(clock, this.#host, HOST_RANK) : undefined;
    return line;
  }

  #timer(clock: WireClock, line: Line, rank: number): WireTimer {
    return clock.timer((at) => {
      const { agenda } = line;
      while (this.#cycleOf(line, agenda.next) <= at) this.#happen(agenda.take(), line);
      this.#arm(line);
    }, rank);
  }

  #cycleOf(line: Line, time: number): number {
    const base = line.base ?? this.#sole?.base;
    return time === Infinity || base === undefined ? Infinity : base.cycleOf(time);
  }

  #arm(line: Line): void {
    const at = this.#cycleOf(line, line.agenda.next);
    if (at !== Infinity && line.timer?.at !== at) line.timer?.arm(at);
  }

  #enter(line: Line, time: number, what: Happening): void {
    line.agenda.add(time, what);
    this.#arm(line);
  }

  // ---- Frames

  #send(from: Member, frame: Uint8Array, fcs: number | undefined): boolean {
    if (frame.length < HEADER || frame.length > MAX_FRAME) {
      this.#droppedSize += 1;
      return false;
    }
    const asked = from.line?.base?.now ?? this.now;
    const { waiting } = from;
    const left = waiting.findIndex(({ leaves }) => leaves > asked);
    waiting.splice(0, left < 0 ? Infinity : left);
    if (waiting.length >= (from.station.capacity ?? this.#capacity)) {
      this.#droppedQueue += 1;
      return false;
    }
    if (from.line === undefined) for (const entered of this.#inputs) entered(frame, fcs);
    const bytes = new Uint8Array(fcs === undefined ? Math.max(frame.length, MIN_FRAME) : frame.length);
    bytes.set(frame);
    const matches = fcs !== undefined && fcs === ~crc32(bytes, bytes.length) >>> 0;
    const queued: Frame = { from, asked, bytes, fcs: matches ? undefined : fcs, leaves: Infinity };
    waiting.push(queued);
    if (this.#sole !== undefined) this.#schedule(queued);
    else this.#asked.add(asked, queued);
    return true;
  }

  /** The frame's turn is certain: all that will be asked for is later. */
  #schedule(frame: Frame | undefined): void {
    if (frame === undefined) return;
    const { from, asked } = frame;
    const begins = Math.max(asked, this.#free);
    const time = begins + this.frameTime(frame.bytes.length);
    frame.leaves = time;
    this.#free = time + this.#gap;
    const { carrier } = this;
    const how: Transmission = { time, deferred: begins > asked && this.#last !== from, carrier };
    this.#last = from;
    if (from.station.sent !== undefined) this.#enter(from.line ?? this.#host, time, { kind: 'sent', frame, how });
    const fate = this.#faults?.decide(8 * (frame.bytes.length + FCS));
    if (fate !== undefined && fate.bit >= 0) corrupt(frame, fate.bit);
    this.#enter(this.#host, time, { kind: 'seen', frame, time });
    if (!carrier || fate?.dropped === true || frame.bytes.length < MIN_FRAME) return;
    const overtaken = 2 * (this.frameTime(MAX_FRAME) + this.#gap);
    const arrives = time + this.#delay + (fate?.late ?? 0) + (fate?.reordered === true ? overtaken : 0);
    this.#arrive(frame, arrives);
    if (fate?.duplicated === true) this.#arrive(frame, arrives + this.frameTime(frame.bytes.length));
  }

  #arrive(frame: Frame, time: number): void {
    for (const line of [this.#host, ...this.#lines.values()]) this.#enter(line, time, { kind: 'arrives', frame, time });
  }

  #happen(what: Happening | undefined, line: Line): void {
    if (what === undefined) return;
    const { frame } = what;
    if (what.kind === 'sent') {
      if (frame.from.attached) frame.from.station.sent?.(what.how);
    } else if (what.kind === 'seen') {
      this.#sent += 1;
      for (const seen of this.#taps) seen({ bytes: frame.bytes, time: what.time, damaged: frame.fcs !== undefined });
    } else {
      const on = line === this.#host ? undefined : line;
      for (const member of this.#members) {
        if (member.line !== on || member === frame.from) continue;
        if (frame.fcs === undefined) member.station.receive(frame.bytes, what.time);
        else member.station.damaged?.(frame.bytes, frame.fcs, what.time);
      }
    }
  }
}
