/**
 * Payloads and outgoing frames: what the stack sends without copying it.
 *
 * A payload's bytes belong to the stack from the moment they are given to it until it releases them: TCP reads them
 * again when it retransmits. A file cache implements `Payload` itself, with sums computed once per block; anybody else
 * uses `bytesPayload`.
 */
import { sumBytes } from './checksum.ts';

/** Bytes that can be sent. `0 <= from <= to <= length` in every call. */
export interface Payload {
  readonly length: number;
  /** The partial sum [RFC1071] of `[from, to)` as if it started at an even offset; 0 to 0xffff. */
  sum(from: number, to: number): number;
  /** Copies `[from, to)` to `into[at..]`. */
  copy(from: number, to: number, into: Uint8Array, at: number): void;
  /** The stack needs the bytes no longer. Called once for every time that the payload was accepted by `write`. */
  release?(): void;
}

/** A payload that views `bytes`: do not change them while the stack holds it. */
export function bytesPayload(bytes: Uint8Array): Payload {
  return {
    length: bytes.length,
    sum: (from, to) => sumBytes(bytes, from, to),
    copy: (from, to, into, at) => {
      into.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), at);
    },
  };
}

/** A frame for the wire: the header's bytes, then `payload[from..to)`. At least 60 bytes; without the FCS. */
export interface OutgoingFrame {
  readonly header: Uint8Array;
  readonly payload: Payload | undefined;
  readonly from: number;
  readonly to: number;
}

/** The shortest frame, without its FCS [RFC894]. */
const MIN_FRAME = 60;

/** A frame of these parts; a short one is copied into one piece and padded with zeros. */
export function makeFrame(header: Uint8Array, payload?: Payload, from = 0, to = 0): OutgoingFrame {
  const length = header.length + to - from;
  if (length >= MIN_FRAME) return { header, payload: to > from ? payload : undefined, from, to };
  const padded = new Uint8Array(MIN_FRAME);
  padded.set(header);
  payload?.copy(from, to, padded, header.length);
  return { header: padded, payload: undefined, from: 0, to: 0 };
}

export function frameLength(frame: OutgoingFrame): number {
  return frame.header.length + frame.to - frame.from;
}

/** Copies the whole frame to `into[at..]`, which must have room for `frameLength` bytes. */
export function copyFrame(frame: OutgoingFrame, into: Uint8Array, at: number): void {
  into.set(frame.header, at);
  frame.payload?.copy(frame.from, frame.to, into, at + frame.header.length);
}

/** The frame in bytes of its own. */
export function frameBytes(frame: OutgoingFrame): Uint8Array {
  const bytes = new Uint8Array(frameLength(frame));
  copyFrame(frame, bytes, 0);
  return bytes;
}
