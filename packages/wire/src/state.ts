/**
 * What a snapshot holds of a wire, and the checks on what comes back.
 *
 * The walk has one form for both directions: values go in, and what comes back is returned as a whole; the wire is changed
 * by its owner, when all of it has been accepted. A snapshot may come from anywhere. Times that no clock could reach,
 * frames that are none, and happenings of another's frame are refused. Timers are not in it: they follow from what is to
 * happen next.
 */
import type { Entry } from './agenda.ts';
import { GONE, HEADER, MAX_FRAME, type Frame, type Happening, type Line, type Member } from './frame.ts';

/** The part of a snapshot's walk that a wire uses: each value goes in, and what is to be kept comes back. */
export interface WireState {
  /** Whether values come back other than they went in. */
  readonly reads: boolean;
  /** Any number of JavaScript. */
  number(value: number): number;
  flag(value: boolean): boolean;
  /** Bytes of any length; what comes back is a copy. */
  blob(value: Uint8Array): Uint8Array;
  /** A list, of no more elements than there are bytes; `item` walks one, which is undefined when reading. */
  list<T>(value: readonly T[], item: (element: T | undefined) => T): T[];
  /** Throws the snapshot's error. */
  refuse(why: string, details: Readonly<Record<string, unknown>>): never;
}

/** A line's part: of the host's, the origin means nothing. */
interface LineContents {
  readonly origin: number;
  readonly entries: readonly Entry<Happening>[];
}

/** All of a wire that can change. */
export interface WireContents {
  readonly carrier: boolean;
  readonly free: number;
  readonly now: number;
  readonly sent: number;
  readonly droppedSize: number;
  readonly droppedQueue: number;
  readonly last: Member | undefined;
  /** Of each member, in the order of `members`. */
  readonly waiting: readonly (readonly Frame[])[];
  readonly asked: readonly Frame[];
  /** The host's first. */
  readonly lines: readonly LineContents[];
}

const KINDS = ['sent', 'seen', 'arrives'] as const;
/** Cycles up to which a clock counts exactly, with room for a difference of two times. */
const MOST_CYCLES = 2 ** 52;

/** A count. */
export function countState(s: WireState, value: number): number {
  return whole(s, value, 0, Number.MAX_SAFE_INTEGER, 'a count');
}

/** An integer from `least` to `most`. */
export function whole(s: WireState, value: number, least: number, most: number, what: string): number {
  const found = s.number(value);
  if (Number.isInteger(found) && found >= least && found <= most) return found;
  return s.refuse(`${what} of a wire is ${found}: ${least} to ${most} are possible`, { found, least, most });
}

/** Walks a wire's contents. `members` and `lines` (the host's first) are those of the wire that it is for. */
export function contentsState(
  s: WireState,
  { carrier, free, now, sent, droppedSize, droppedQueue, last, waiting, asked, lines: schedules }: WireContents,
  members: readonly Member[],
  lines: readonly Line[],
): WireContents {
  const walk = new Walk(s, members, lines);
  return {
    carrier: s.flag(carrier),
    free: walk.time(free),
    now: walk.time(now),
    sent: countState(s, sent),
    droppedSize: countState(s, droppedSize),
    droppedQueue: countState(s, droppedQueue),
    last: walk.member(last),
    ...walk.frames(waiting, asked, schedules),
  };
}

class Walk {
  readonly #s: WireState;
  readonly #members: readonly Member[];
  readonly #lines: readonly Line[];
  /** The latest time, in nanoseconds, that is a cycle of every clock. */
  readonly #latest: number;
  #frames: readonly Frame[] = [];
  #numbers: ReadonlyMap<Frame | undefined, number> = new Map();

  constructor(s: WireState, members: readonly Member[], lines: readonly Line[]) {
    this.#s = s;
    this.#members = members;
    this.#lines = lines;
    const fastest = Math.max(...lines.map(({ base }) => base?.clock.hz ?? 0));
    this.#latest = (MOST_CYCLES * 1e9) / Math.max(1, fastest);
  }

  time(value: number, least = 0): number {
    const found = this.#s.number(value);
    if (found >= least && found <= this.#latest) return found;
    return this.#s.refuse(`${found} is no time of a wire`, { found, least, most: this.#latest });
  }

  /** A station that the wire does not have has left: undefined. */
  member(value: Member | undefined): Member | undefined {
    const number = value === undefined ? -1 : this.#members.indexOf(value);
    return this.#members[whole(this.#s, number, -1, 2 ** 32, 'the number of a station')];
  }

  /** The frames, each once, and then the places where they are. */
  frames(
    waiting: readonly (readonly Frame[])[],
    asked: readonly Frame[],
    lines: readonly LineContents[],
  ): Pick<WireContents, 'waiting' | 'asked' | 'lines'> {
    const s = this.#s;
    const all = [waiting.flat(), asked, lines.flatMap(({ entries }) => entries.map(({ what }) => what.frame))];
    const known = [...new Set(all.flat())];
    this.#numbers = new Map(known.map((frame, number) => [frame, number]));
    this.#frames = s.list(known, (frame) => this.#frame(frame));
    const queues = s.list(waiting, (queue) => s.list(queue ?? [], (frame) => this.#known(frame)));
    const queued = s.list(asked, (frame) => this.#known(frame));
    this.#checkAsked(queued);
    return { waiting: queues, asked: queued, lines: this.#lines.map((line, i) => this.#line(line, lines[i])) };
  }

  #frame(frame: Frame | undefined): Frame {
    const s = this.#s;
    // A frame of a station that has left still arrives, but its sender does not hear of it.
    const from = this.member(frame?.from) ?? GONE;
    const asked = this.time(frame?.asked ?? 0);
    const bytes = s.blob(frame?.bytes ?? NOTHING);
    if (bytes.length < HEADER || bytes.length > MAX_FRAME) {
      s.refuse(`a frame has ${bytes.length} bytes`, { bytes: bytes.length });
    }
    const fcs = whole(s, frame?.fcs ?? -1, -1, 0xffffffff, 'the FCS of a frame');
    const leaves = s.number(frame?.leaves ?? 0);
    if (leaves !== Infinity && !(leaves >= asked && leaves <= this.#latest)) {
      s.refuse(`a frame that was asked for at ${asked} leaves at ${leaves}`, { asked, leaves });
    }
    return { from, asked, bytes, fcs: fcs < 0 ? undefined : fcs, leaves };
  }

  /** A frame by its number. */
  #known(frame: Frame | undefined): Frame {
    const number = this.#s.number(this.#numbers.get(frame) ?? -1);
    return this.#frames[number] ?? this.#s.refuse(`there is no frame ${number}`, { number });
  }

  /** What has no time yet has been asked for, once and in order. */
  #checkAsked(asked: readonly Frame[]): void {
    const isInOrder = asked.every((frame, i) => frame.asked >= (asked[i - 1]?.asked ?? 0));
    const open = this.#frames.filter(({ leaves }) => leaves === Infinity).length;
    const isOpen = asked.every(({ leaves }) => leaves === Infinity) && new Set(asked).size === asked.length;
    if (isInOrder && isOpen && open === asked.length) return;
    this.#s.refuse('the frames that wait for their turn contradict each other', { asked: asked.length, open });
  }

  #line(line: Line, contents: LineContents | undefined): LineContents {
    // No machine's own time is before the wire's first.
    const { base } = line;
    const origin = this.time(contents?.origin ?? 0, base === undefined ? 0 : base.origin - base.now);
    const entries = this.#s.list(contents?.entries ?? [], (entry) => ({
      time: this.time(entry?.time ?? 0),
      what: this.#happening(entry?.what, line),
    }));
    const late = entries.findIndex(({ time }, i) => time < (entries[i - 1]?.time ?? 0));
    if (late >= 0) this.#s.refuse(`happening ${late} comes after a later one`, { late });
    return { origin, entries };
  }

  #happening(what: Happening | undefined, line: Line): Happening {
    const s = this.#s;
    const number = what === undefined ? 0 : KINDS.indexOf(what.kind);
    const kind = KINDS[whole(s, number, 0, KINDS.length - 1, 'a kind of happening')] ?? 'seen';
    const frame = this.#known(what?.frame);
    const how = what?.kind === 'sent' ? what.how : undefined;
    const time = this.time(what === undefined ? 0 : what.kind === 'sent' ? what.how.time : what.time);
    const deferred = s.flag(how?.deferred ?? false);
    const carrier = s.flag(how?.carrier ?? false);
    if (kind !== 'sent') return { kind, frame, time };
    // A machine hears of its own frames, in its own time.
    const { from } = frame;
    const own = from.line ?? this.#lines[0];
    if (from !== GONE && own !== line) s.refuse('a station hears that the frame of another has left', { time });
    return { kind, frame, how: { time, deferred, carrier } };
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);
