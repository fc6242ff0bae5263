/**
 * The wire: an in-memory Ethernet segment at 10 Mbit/s, on one machine's clock.
 *
 * One frame is on it at a time; a frame sent meanwhile waits its turn. It reaches every station but its sender when its
 * last bit has left plus the segment's delay. Frames are given without preamble and FCS; those below 60 bytes are padded,
 * as Ethernet demands, and those that cannot be frames (below 14 or above 1518 bytes) or find the queue full are dropped
 * and counted. Nothing is ever thrown at a sender.
 *
 * A wire may be made and used before the machine: frames wait until a machine whose LANCE is on it gives it a clock.
 * Assumption: no collisions; stations that want to send at once do so in the order in which they asked [RFC894 for sizes].
 */
import type { Clock, Timer } from './clock.ts';
import { HardwareError } from './error.ts';

/** What is attached to a wire. Called on the machine's clock; must not keep or change the frame. */
export interface Station {
  receive(frame: Uint8Array): void;
  /** The oldest accepted frame of this station has left. */
  sent?(): void;
}

/** A station's connection. */
export interface Attachment {
  /** Queues a copy of the frame. Returns whether the wire took it. */
  readonly send: (frame: Uint8Array) => boolean;
  /** Receives nothing from now on; what was sent is still delivered. */
  readonly detach: () => void;
}

/** How a segment behaves. */
export interface WireOptions {
  /** From the last bit sent to its arrival, in microseconds. Default 0. */
  readonly delayMicroseconds?: number;
  /** Frames that may wait to be sent. Default 256. */
  readonly capacity?: number;
}

/** What a wire has carried and dropped, in frames. */
export interface WireCounters {
  readonly sent: number;
  readonly droppedSize: number;
  readonly droppedQueue: number;
}

export const MIN_FRAME = 60;
export const MAX_FRAME = 1518;
const HEADER = 14;
const FCS = 4;
const PREAMBLE = 8;
const MICROSECONDS_PER_BYTE = 0.8;
const GAP_MICROSECONDS = 9.6;

/** Time of a frame of `length` bytes (without FCS) on the wire, preamble to FCS, in microseconds. */
export function frameMicroseconds(length: number): number {
  return (Math.max(length, MIN_FRAME) + FCS + PREAMBLE) * MICROSECONDS_PER_BYTE;
}

interface Frame {
  readonly from: Station;
  readonly bytes: Uint8Array;
  arrives: number;
}

/** One segment. */
export class Wire {
  readonly #delay: number;
  readonly #capacity: number;
  #stations: readonly Station[] = [];
  #clock: Clock | undefined;
  #free: Timer | undefined;
  #arrival: Timer | undefined;
  /** Frames that wait; the first is on the wire when `#free` is armed for its end. */
  readonly #queue: Frame[] = [];
  readonly #flying: Frame[] = [];
  #sending = false;
  #sent = 0;
  #droppedSize = 0;
  #droppedQueue = 0;

  /** Throws `wire-option` for a negative delay or a capacity that is no positive integer. */
  constructor({ delayMicroseconds = 0, capacity = 256 }: WireOptions = {}) {
    if (!(delayMicroseconds >= 0 && delayMicroseconds < Infinity) || !Number.isInteger(capacity) || capacity < 1) {
      const details = { delayMicroseconds, capacity };
      throw new HardwareError('wire-option', `delay ${delayMicroseconds}, capacity ${capacity}: no such wire`, details);
    }
    this.#delay = delayMicroseconds;
    this.#capacity = capacity;
  }

  get counters(): WireCounters {
    return { sent: this.#sent, droppedSize: this.#droppedSize, droppedQueue: this.#droppedQueue };
  }

  /** Gives the wire its clock; a machine does it for its LANCE. Throws `wire-connected` if it has another. */
  connect(clock: Clock): void {
    if (this.#clock !== undefined && this.#clock !== clock) {
      throw new HardwareError('wire-connected', 'this wire runs on another clock: one machine per wire');
    }
    if (this.#clock !== undefined) return;
    this.#clock = clock;
    this.#free = clock.timer((at) => {
      this.#end(at);
    });
    this.#arrival = clock.timer((at) => {
      this.#arrive(at);
    });
    this.#start(clock.now);
  }

  attach(station: Station): Attachment {
    this.#stations = [...this.#stations, station];
    return {
      send: (frame) => this.#send(station, frame),
      detach: () => {
        this.#stations = this.#stations.filter((other) => other !== station);
      },
    };
  }

  #send(from: Station, frame: Uint8Array): boolean {
    if (frame.length < HEADER || frame.length > MAX_FRAME) {
      this.#droppedSize += 1;
      return false;
    }
    if (this.#queue.length >= this.#capacity) {
      this.#droppedQueue += 1;
      return false;
    }
    const bytes = new Uint8Array(Math.max(frame.length, MIN_FRAME));
    bytes.set(frame);
    this.#queue.push({ from, bytes, arrives: 0 });
    if (this.#clock !== undefined && this.#free?.armed === false) this.#start(this.#clock.now);
    return true;
  }

  /** The wire is free at cycle `at`: puts the next frame on it. */
  #start(at: number): void {
    const frame = this.#queue[0];
    if (frame === undefined || this.#clock === undefined) return;
    this.#sending = true;
    this.#free?.arm(at + this.#cycles(frameMicroseconds(frame.bytes.length)));
  }

  /** A frame's last bit has left, or the gap after one is over. */
  #end(at: number): void {
    if (!this.#sending) {
      this.#start(at);
      return;
    }
    this.#sending = false;
    const frame = this.#queue.shift();
    if (frame === undefined) return;
    this.#sent += 1;
    frame.arrives = at + this.#cycles(this.#delay);
    this.#flying.push(frame);
    if (this.#arrival?.armed === false) this.#arrival.arm(frame.arrives);
    this.#free?.arm(at + this.#cycles(GAP_MICROSECONDS));
    frame.from.sent?.();
  }

  #arrive(at: number): void {
    const frame = this.#flying[0];
    if (frame === undefined || frame.arrives > at) return;
    this.#flying.shift();
    const next = this.#flying[0];
    if (next !== undefined) this.#arrival?.arm(next.arrives);
    for (const station of this.#stations) if (station !== frame.from) station.receive(frame.bytes);
  }

  #cycles(microseconds: number): number {
    return Math.ceil((microseconds * (this.#clock?.hz ?? 0)) / 1e6 - 1e-6);
  }
}
