/**
 * The wire: an in-memory Ethernet segment that machines and stations of the host share; with more than two, a hub.
 *
 * One frame is on it at a time; a frame sent meanwhile waits its turn, in the order in which they were asked for. It
 * reaches every station but its sender when its last bit has left plus the segment's delay, late, twice or damaged if the
 * segment has faults. Frames are given without preamble and FCS; those below 60 bytes are padded, as Ethernet demands, and
 * those that cannot be frames (below 14 or above 1518 bytes) or find their sender's queue full are dropped and counted.
 * Nothing is ever thrown at a sender.
 *
 * With one machine the wire runs on that machine's clock. With several, what they send waits until a `Network` has brought
 * all of them past that time: see `network.ts`. Before there is any machine, frames wait.
 *
 * Assumption: no collisions; of machines that want to send at the same moment the one with the lower bytes goes first, so
 * that the order in which the host made them does not matter. [RFC894 for sizes].
 */
import { Agenda } from './agenda.ts';
import type { Clock, Timer } from '../bus/clock.ts';
import { crc32 } from '../crc32.ts';
import { HardwareError } from '../error.ts';
import type { StateStream } from '../state/state-stream.ts';
import { TimeBase } from './time-base.ts';
import { FaultInjector, type FaultCounters, type FaultOptions } from './wire-faults.ts';

/** How a frame left. */
export interface Transmission {
  /** Time of its last bit, in nanoseconds of the wire. */
  readonly time: number;
  /** It had to wait for another's frame. */
  readonly deferred: boolean;
  /** The sender heard itself: the cable was plugged in. */
  readonly carrier: boolean;
}

/** What is attached to a wire. Must not keep or change a frame; a station of the host must not touch a machine. */
export interface Station {
  /** Frames of it that may wait to be sent, if not so many as the wire says. */
  readonly capacity?: number;
  /** `time` in nanoseconds of the wire. */
  receive(frame: Uint8Array, time: number): void;
  /** A frame with an FCS that does not match it. Without this method such frames are dropped, as controllers do. */
  damaged?(frame: Uint8Array, fcs: number, time: number): void;
  /** The oldest accepted frame of this station has left. */
  sent?(how: Transmission): void;
}

/** A station's connection. */
export interface Attachment {
  /**
   * Queues a copy of the frame. Returns whether the wire took it. With an `fcs` (unsigned; its low byte goes first) the
   * frame is sent as it is: not padded, damaged to receivers unless the FCS matches, and, below 60 bytes, received by nobody.
   */
  readonly send: (frame: Uint8Array, fcs?: number) => boolean;
  /** Receives nothing from now on; what was sent is still delivered. */
  readonly detach: () => void;
}

/** A frame as somebody listening on the wire sees it: each once, also those that get lost behind it. */
export interface SeenFrame {
  readonly bytes: Uint8Array;
  /** Time of its last bit, in nanoseconds of the wire. */
  readonly time: number;
  /** Its FCS did not match. */
  readonly damaged: boolean;
}

/** How a segment behaves. */
export interface WireOptions {
  /** Bits per second. Default 10,000,000. */
  readonly bandwidth?: number;
  /** From the last bit sent to its arrival, in microseconds. Default 0. */
  readonly delayMicroseconds?: number;
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

export const MIN_FRAME = 60;
export const MAX_FRAME = 1518;
const HEADER = 14;
const FCS = 4;
const PREAMBLE = 8;
const GAP_BITS = 96;
const NO_FAULTS: FaultCounters = { dropped: 0, duplicated: 0, reordered: 0, corrupted: 0, delayed: 0 };
/** Both before a machine's own timers; the host's stations first, as if they had been heard between two runs. */
const HOST_RANK = -2;
const MACHINE_RANK = -1;

interface Member {
  readonly station: Station;
  /** Undefined for a station of the host. */
  readonly line: Line | undefined;
  /** Frames of this member that have not left yet, and perhaps some that have. */
  readonly waiting: Frame[];
  attached: boolean;
}

interface Frame {
  readonly from: Member;
  readonly asked: number;
  bytes: Uint8Array;
  /** The FCS that comes with it; undefined: the right one. */
  fcs: number | undefined;
  leaves: number;
}

type Happening =
  | { readonly kind: 'sent'; readonly frame: Frame; readonly how: Transmission }
  | { readonly kind: 'seen' | 'arrives'; readonly frame: Frame; readonly time: number };

/** What the wire has in store for those on one clock, or for the host's stations. */
interface Line {
  readonly base: TimeBase | undefined;
  readonly agenda: Agenda<Happening>;
  timer: Timer | undefined;
}

/** One segment. */
export class Wire {
  /** Whether the cable is plugged in. Frames that are sent without it are lost, and their senders miss their carrier. */
  carrier: boolean = true;
  /** What it is made of: how it behaves, and its machines. What stations of the host there are may change. */
  readonly #options: string;
  readonly #nanosecondsPerBit: number;
  readonly #delay: number;
  readonly #capacity: number;
  readonly #faults: FaultInjector | undefined;
  #members: readonly Member[] = [];
  #taps: readonly ((frame: SeenFrame) => void)[] = [];
  #inputs: readonly ((frame: Uint8Array, fcs: number | undefined) => void)[] = [];
  readonly #lines = new Map<Clock, Line>();
  readonly #host: Line = { base: undefined, agenda: new Agenda(), timer: undefined };
  /** What has been asked for and has no time on the wire yet: all before the first clock, and from the second one on. */
  readonly #asked: Frame[] = [];
  /** When the wire is free again, and the time of a wire that has no clock or several. */
  #free = 0;
  #now = 0;
  #last: Member | undefined;
  #sent = 0;
  #droppedSize = 0;
  #droppedQueue = 0;

  /** Throws `wire-option` for a bandwidth, delay or fault that cannot be, or a capacity that is no positive integer. */
  constructor({ bandwidth = 10_000_000, delayMicroseconds = 0, capacity = 256, faults }: WireOptions = {}) {
    const possible = bandwidth > 0 && bandwidth < Infinity && delayMicroseconds >= 0 && delayMicroseconds < Infinity;
    if (!possible || !Number.isInteger(capacity) || capacity < 1) {
      const details = { bandwidth, delayMicroseconds, capacity };
      throw new HardwareError('wire-option', `no wire has ${JSON.stringify(details)}`, details);
    }
    this.#options = JSON.stringify({ bandwidth, delayMicroseconds, capacity, faults });
    this.#nanosecondsPerBit = 1e9 / bandwidth;
    this.#delay = delayMicroseconds * 1000;
    this.#capacity = capacity;
    this.#faults = faults === undefined ? undefined : new FaultInjector(faults);
  }

  get counters(): WireCounters {
    const { counters = NO_FAULTS } = this.#faults ?? {};
    return { sent: this.#sent, droppedSize: this.#droppedSize, droppedQueue: this.#droppedQueue, ...counters };
  }

  /** Nanoseconds since the first machine on it was switched on. */
  get now(): number {
    return this.#sole?.base?.now ?? this.#now;
  }

  /** A machine attaches its controller with its clock; its cycle at that moment is the wire's time now. */
  attach(station: Station, clock?: Clock): Attachment {
    const line = clock === undefined ? undefined : this.#lineOf(clock);
    const member: Member = { station, line, waiting: [], attached: true };
    this.#members = [...this.#members, member];
    if (this.#sole !== undefined) while (this.#asked.length > 0) this.#schedule(this.#asked.shift());
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

  state(s: StateStream): void {
    this.carrier = s.flag(this.carrier);
    this.#free = s.number(this.#free);
    this.#now = s.number(this.#now);
    this.#sent = s.number(this.#sent);
    this.#droppedSize = s.number(this.#droppedSize);
    this.#droppedQueue = s.number(this.#droppedQueue);
    this.#faults?.state(s);
    const members = this.#numbered;
    const last = s.number(this.#last === undefined ? -1 : members.indexOf(this.#last));
    this.#last = members[last];
    const lines = [this.#host, ...this.#lines.values()];
    const known = new Set([
      ...this.#members.flatMap(({ waiting }) => waiting),
      ...this.#asked,
      ...lines.flatMap(({ agenda }) => agenda.entries.map(({ what }) => what.frame)),
    ]);
    const walked = s.list([...known], (frame) => this.#frameState(s, frame));
    const frames = s.reads ? walked : [...known];
    const one = (frame: Frame | undefined): Frame => {
      const index = s.number(frame === undefined ? -1 : frames.indexOf(frame));
      return frames[index] ?? missing(index);
    };
    const lists = s.list(
      members.map(({ waiting }) => waiting),
      (waiting) => s.list(waiting ?? [], one),
    );
    members.forEach(({ waiting }, i) => waiting.splice(0, Infinity, ...(lists[i] ?? [])));
    this.#asked.splice(0, Infinity, ...s.list(this.#asked, one));
    for (const line of lines) {
      if (line.base !== undefined) line.base.origin = s.number(line.base.origin);
      const entries = s.list(line.agenda.entries, (entry) => ({
        time: s.number(entry?.time ?? 0),
        what: happeningState(s, entry?.what, one),
      }));
      line.agenda.clear();
      for (const { time, what } of entries) line.agenda.add(time, what);
      if (line.timer !== undefined) s.timer(line.timer);
    }
  }

  /** Those of machines first. */
  get #numbered(): readonly Member[] {
    return [false, true].flatMap((host) => this.#members.filter(({ line }) => (line === undefined) === host));
  }

  #frameState(s: StateStream, frame: Frame | undefined): Frame {
    const members = this.#numbered;
    const from = s.number(frame === undefined ? -1 : members.indexOf(frame.from));
    return {
      // A frame of a station that has left still arrives; whoever it was hears nothing of it.
      from: members[from] ?? GONE,
      asked: s.number(frame?.asked ?? 0),
      bytes: s.blob(frame?.bytes ?? new Uint8Array(0)),
      fcs: optional(s.number(frame?.fcs ?? -1)),
      leaves: s.number(frame?.leaves ?? 0),
    };
  }

  // ---- For the network

  /** The clocks of the machines on it. */
  get clocks(): readonly Clock[] {
    return [...this.#lines.keys()];
  }

  /** The time of the machine with this clock. */
  baseOf(clock: Clock): TimeBase | undefined {
    return this.#lines.get(clock)?.base;
  }

  /**
   * Up to when machines may run before `settle`, if none of them sends anything before `quiet`: nothing that is not known
   * yet can come to anybody before then.
   */
  horizon(quiet: number): number {
    const earliest = Math.min(quiet, this.#host.agenda.next, this.#asked[0]?.asked ?? Infinity);
    return Math.max(earliest, this.#free) + this.frameTime(MIN_FRAME);
  }

  /** All machines have reached `time`: puts what they sent before it on the wire, and lets the host's stations hear. */
  settle(time: number): void {
    if (this.#sole !== undefined) return;
    const { agenda } = this.#host;
    for (;;) {
      const asked = this.#asked[0]?.asked ?? Infinity;
      const { next } = agenda;
      if (Math.min(asked, next) >= time) break;
      if (next <= asked) {
        this.#now = next;
        this.#happen(agenda.take(), this.#host);
      } else this.#schedule(this.#asked.shift());
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

  #lineOf(clock: Clock): Line {
    const known = this.#lines.get(clock);
    if (known !== undefined) return known;
    const { now } = this;
    this.#now = now;
    const line: Line = { base: new TimeBase(clock, now), agenda: new Agenda(), timer: undefined };
    line.timer = this.#timer(clock, line, MACHINE_RANK);
    this.#host.timer?.disarm();
    this.#lines.set(clock, line);
    this.#host.timer = this.#lines.size === 1 ? this.#timer(clock, this.#host, HOST_RANK) : undefined;
    return line;
  }

  #timer(clock: Clock, line: Line, rank: number): Timer {
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
    while (waiting[0] !== undefined && waiting[0].leaves <= asked) waiting.shift();
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
    else this.#insert(queued);
    return true;
  }

  #insert(frame: Frame): void {
    const asked = this.#asked;
    let at = asked.length;
    while (at > 0 && before(frame, asked[at - 1])) at -= 1;
    asked.splice(at, 0, frame);
  }

  /** The frame's turn is certain: all that will be asked for is later. */
  #schedule(frame: Frame | undefined): void {
    if (frame === undefined) return;
    const { from, asked } = frame;
    const begins = Math.max(asked, this.#free);
    const time = begins + this.frameTime(frame.bytes.length);
    frame.leaves = time;
    this.#free = time + GAP_BITS * this.#nanosecondsPerBit;
    const { carrier } = this;
    const how: Transmission = { time, deferred: begins > asked && this.#last !== from, carrier };
    this.#last = from;
    if (from.station.sent !== undefined) this.#enter(from.line ?? this.#host, time, { kind: 'sent', frame, how });
    const fate = this.#faults?.decide(8 * (frame.bytes.length + FCS));
    if (fate !== undefined && fate.bit >= 0) corrupt(frame, fate.bit);
    this.#enter(this.#host, time, { kind: 'seen', frame, time });
    if (!carrier || fate?.dropped === true || frame.bytes.length < MIN_FRAME) return;
    const overtaken = 2 * (this.frameTime(MAX_FRAME) + GAP_BITS * this.#nanosecondsPerBit);
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

/** Who sent a frame and is not there any more. */
const GONE: Member = { station: { receive: () => undefined }, line: undefined, waiting: [], attached: false };

function optional(value: number): number | undefined {
  return value < 0 ? undefined : value;
}

function missing(frame: number): never {
  throw new HardwareError('snapshot', `a snapshot names frame ${frame}, which it does not have`, { frame });
}

const KINDS = ['sent', 'seen', 'arrives'] as const;

function happeningState(
  s: StateStream,
  what: Happening | undefined,
  one: (frame: Frame | undefined) => Frame,
): Happening {
  const kind = KINDS[s.number(what === undefined ? 0 : KINDS.indexOf(what.kind))] ?? 'seen';
  const frame = one(what?.frame);
  const how = what?.kind === 'sent' ? what.how : undefined;
  const time = s.number(what === undefined ? 0 : what.kind === 'sent' ? what.how.time : what.time);
  const deferred = s.flag(how?.deferred ?? false);
  const carrier = s.flag(how?.carrier ?? false);
  return kind === 'sent' ? { kind, frame, how: { time, deferred, carrier } } : { kind, frame, time };
}

/** Inverts one bit, so that frame and FCS do not match any more. */
function corrupt(frame: Frame, bit: number): void {
  const fcs = frame.fcs ?? ~crc32(frame.bytes, frame.bytes.length) >>> 0;
  const { length } = frame.bytes;
  const mask = 1 << (bit & 7);
  const at = bit >>> 3;
  frame.fcs = at < length ? fcs : (fcs ^ (mask << (8 * (at - length)))) >>> 0;
  if (at >= length) return;
  frame.bytes = frame.bytes.slice();
  frame.bytes[at] = (frame.bytes[at] ?? 0) ^ mask;
}

/** Whether `a` goes before `b`: asked for earlier; at the same moment, the host's; of two machines', by their bytes. */
function before(a: Frame, b: Frame | undefined): boolean {
  if (b === undefined || a.asked !== b.asked) return b !== undefined && a.asked < b.asked;
  if (a.from.line === undefined || b.from.line === undefined) {
    return a.from.line === undefined && b.from.line !== undefined;
  }
  for (let i = 0; i < a.bytes.length; i += 1) {
    const difference = (a.bytes[i] ?? 0) - (b.bytes[i] ?? 256);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
