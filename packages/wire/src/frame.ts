/** A frame on its way through a wire, and what is still to happen to it. */
import type { Agenda } from './agenda.ts';
import type { WireTimer } from './clock.ts';
import { crc32 } from './crc32.ts';
import type { Station, Transmission } from './station.ts';
import type { TimeBase } from './time-base.ts';

/** The shortest and the longest frame in bytes, without FCS [RFC894]. */
export const MIN_FRAME = 60;
export const MAX_FRAME = 1518;
/** The least that is taken, and padded: the two addresses and the type. */
export const HEADER = 14;

/** A station on the wire. */
export interface Member {
  readonly station: Station;
  /** Undefined for a station of the host. */
  readonly line: Line | undefined;
  /** Frames of this member that have not left yet, and perhaps some that have. */
  readonly waiting: Frame[];
  attached: boolean;
}

/** The sender of a frame whose station has left since. */
export const GONE: Member = { station: { receive: () => undefined }, line: undefined, waiting: [], attached: false };

/** One frame. */
export interface Frame {
  readonly from: Member;
  readonly asked: number;
  bytes: Uint8Array;
  /** The FCS that comes with it; undefined: the right one. */
  fcs: number | undefined;
  /** Infinity as long as it has no time on the wire. */
  leaves: number;
}

/** What happens to a frame at some time. */
export type Happening =
  | { readonly kind: 'sent'; readonly frame: Frame; readonly how: Transmission }
  | { readonly kind: 'seen' | 'arrives'; readonly frame: Frame; readonly time: number };

/** What the wire has in store for the stations on one clock, or for the host's. */
export interface Line {
  readonly base: TimeBase | undefined;
  readonly agenda: Agenda<Happening>;
  timer: WireTimer | undefined;
}

/** Inverts one bit, so that frame and FCS do not match any more. */
export function corrupt(frame: Frame, bit: number): void {
  const fcs = frame.fcs ?? ~crc32(frame.bytes, frame.bytes.length) >>> 0;
  const { length } = frame.bytes;
  const mask = 1 << (bit & 7);
  const at = bit >>> 3;
  frame.fcs = at < length ? fcs : (fcs ^ (mask << (8 * (at - length)))) >>> 0;
  if (at >= length) return;
  frame.bytes = frame.bytes.slice();
  frame.bytes[at] = (frame.bytes[at] ?? 0) ^ mask;
}

/** Whether `a` goes before `b`, asked for at the same moment: the host's does; of two machines', by their bytes. */
export function isFirst(a: Frame, b: Frame): boolean {
  if (a.from.line === undefined || b.from.line === undefined) {
    return a.from.line === undefined && b.from.line !== undefined;
  }
  for (let i = 0; i < a.bytes.length; i += 1) {
    const difference = (a.bytes[i] ?? 0) - (b.bytes[i] ?? 256);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
