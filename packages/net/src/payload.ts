/**
 * Payloads and outgoing frames: what the stack sends without copying it.
 *
 * A payload's bytes belong to the stack from the moment they are given to it until it releases them: TCP reads them
 * again when it retransmits. A file cache implements `Payload` itself, with sums computed once per block. Other
 * programs use `bytesPayload`.
 */
import { sumBytes } from './checksum.ts';

/** Bytes that can be sent. `0 <= from <= to <= length` in every call. */
export interface Payload {
  readonly length: number;
  /** The partial sum [RFC1071] of `[from, to)` as if it started at an even offset; 0 to 0xffff. */
  sum(from: number, to: number): number;
  /** Copies `[from, to)` to `into[at..]`. `copyFrame` calls it, never the stack itself. */
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

/**
 * A frame for the wire: the header's bytes, then `payload[from..to)`, then zeros up to `frameLength`; without the FCS.
 * A sink that keeps the payload by reference must have sent it before it is released.
 */
export interface OutgoingFrame {
  readonly header: Uint8Array;
  readonly payload: Payload | undefined;
  readonly from: number;
  readonly to: number;
}

/** The shortest frame, without its FCS [RFC894]. */
const MIN_FRAME = 60;

/** The length of the frame on the wire, at least 60 bytes. */
export function frameLength(frame: OutgoingFrame): number {
  return Math.max(frame.header.length + frame.to - frame.from, MIN_FRAME);
}

/** Copies the whole frame, padding and all, to `into[at..]`, which must have room for `frameLength` bytes. */
export function copyFrame(frame: OutgoingFrame, into: Uint8Array, at: number): void {
  const { header, payload, from, to } = frame;
  into.set(header, at);
  payload?.copy(from, to, into, at + header.length);
  into.fill(0, at + header.length + to - from, at + frameLength(frame));
}

/** The frame in bytes of its own. */
export function frameBytes(frame: OutgoingFrame): Uint8Array {
  const bytes = new Uint8Array(frameLength(frame));
  copyFrame(frame, bytes, 0);
  return bytes;
}
