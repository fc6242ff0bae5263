/**
 * How state goes into a snapshot and comes back: one walk over it for both directions.
 *
 * A part of the machine has a method `state(s)` that passes each of its values through the stream and keeps what comes back:
 * `this.#control = s.number(this.#control)`. A writer notes the value and gives it back; a reader gives what was noted. So
 * what is saved and what is restored cannot differ.
 *
 * Bytes that are read may come from anywhere, with a checksum that is right. A part reads integers with their range, and refuses
 * what it could not have written; the caller then puts back what there was (`snapshot.ts`). No state that is accepted makes a
 * machine hang or throw.
 */
import { refuse, type Envelope } from './envelope.ts';

/** How many cycles a timer may be late, or a run have overshot, between two runs: what one instruction can charge. */
export const MOST_LATE: number = 2 ** 28;
/** No clock counts further, so that sums of two times are exact. */
export const MOST_CYCLES: number = 2 ** 52;

/** What a snapshot needs of a timer. */
export interface SavedTimer {
  readonly armed: boolean;
  /** The cycle it is armed for, and the clock's own. */
  readonly at: number;
  readonly now: number;
  /** Its place among those that are due at the same time. */
  readonly sequence: number;
  arm(at: number): void;
  disarm(): void;
}

/** One direction of the walk. */
export interface StateStream {
  /** Whether values come back other than they went in. */
  readonly reads: boolean;
  /** Any number of JavaScript. */
  number(value: number): number;
  /** An integer from `least` to `most`. */
  integer(value: number, least: number, most: number): number;
  /** A 32-bit word, signed or unsigned. */
  word(value: number): number;
  flag(value: boolean): boolean;
  /** The contents of an array of fixed length, in place. */
  bytes(value: Uint8Array): void;
  /** Bytes of any length; what comes back is a copy. */
  blob(value: Uint8Array): Uint8Array;
  text(value: string): string;
  /** When a timer is due, and its place among those that are due at the same time. */
  timer(value: SavedTimer): void;
  /** A list: `item` walks one element, which is undefined when reading. */
  list<T>(value: readonly T[], item: (element: T | undefined) => T): T[];
  /** Throws the error of what is being read: it cannot be. */
  refuse(why: string, details: Readonly<Record<string, unknown>>): never;
}

/** Writes. What cannot be saved throws the error of its envelope. */
export class StateWriter implements StateStream {
  readonly reads = false;
  readonly #envelope: Envelope;
  readonly #timers: { readonly sequence: number; readonly place: number }[] = [];
  #buffer = new Uint8Array(1024);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  constructor(envelope: Envelope) {
    this.#envelope = envelope;
  }

  /** What was written; a copy. Timers are numbered in the order in which they were armed. */
  take(): Uint8Array<ArrayBuffer> {
    this.#timers.sort((a, b) => a.sequence - b.sequence);
    this.#timers.forEach(({ place }, i) => {
      this.#view.setFloat64(place, i, true);
    });
    return this.#buffer.slice(0, this.#length);
  }

  number(value: number): number {
    const at = this.#claim(8);
    this.#view.setFloat64(at, value, true);
    return value;
  }

  integer(value: number): number {
    return this.number(value);
  }

  word(value: number): number {
    return this.number(value);
  }

  flag(value: boolean): boolean {
    const at = this.#claim(1);
    this.#buffer[at] = value ? 1 : 0;
    return value;
  }

  bytes(value: Uint8Array): void {
    const at = this.#claim(value.length);
    this.#buffer.set(value, at);
  }

  blob(value: Uint8Array): Uint8Array {
    this.#length32(value.length);
    this.bytes(value);
    return value;
  }

  text(value: string): string {
    this.list(
      Array.from({ length: value.length }, (_, i) => value.charCodeAt(i)),
      (unit) => {
        const at = this.#claim(2);
        this.#view.setUint16(at, unit ?? 0, true);
        return 0;
      },
    );
    return value;
  }

  timer({ armed, at, sequence }: SavedTimer): void {
    this.number(armed ? at : -1);
    const place = this.#claim(8);
    if (armed) this.#timers.push({ sequence, place });
  }

  list<T>(value: readonly T[], item: (element: T | undefined) => T): T[] {
    this.#length32(value.length);
    return value.map((element) => item(element));
  }

  refuse(why: string, details: Readonly<Record<string, unknown>>): never {
    refuse(this.#envelope, why, details);
  }

  #length32(length: number): void {
    const at = this.#claim(4);
    this.#view.setUint32(at, length, true);
  }

  /** May replace the buffer: to be called before that is named. */
  #claim(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Reads. Throws the error of its envelope. */
export class StateReader implements StateStream {
  readonly reads = true;
  readonly #envelope: Envelope;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #timers: { readonly timer: SavedTimer; readonly at: number; readonly sequence: number }[] = [];
  #at = 0;

  constructor(envelope: Envelope, bytes: Uint8Array) {
    this.#envelope = envelope;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Checks that everything was read, and arms the timers in the order in which they had been armed. To be called once, at the end. */
  finish(): void {
    const left = this.#bytes.length - this.#at;
    if (left !== 0) this.refuse(`${left} bytes of it mean nothing`, { left });
    for (const { timer, at } of this.#timers) {
      if (at >= 0 && at < timer.now - MOST_LATE) this.refuse(`a timer is late: ${at} at ${timer.now}`, { at });
    }
    this.#timers.sort((a, b) => a.sequence - b.sequence);
    for (const { timer, at } of this.#timers) if (at >= 0) timer.arm(at);
  }

  number(): number {
    return this.#view.getFloat64(this.#claim(8), true);
  }

  integer(_value: number, least: number, most: number): number {
    const found = this.number();
    if (Number.isInteger(found) && found >= least && found <= most) return found;
    return this.refuse(`a number is ${found}: ${least} to ${most} are possible`, { found, least, most });
  }

  word(): number {
    return this.integer(0, -0x80000000, 0xffffffff);
  }

  flag(): boolean {
    const found = this.#bytes[this.#claim(1)] ?? 0;
    return found > 1 ? this.refuse(`a flag is ${found}`, { found }) : found === 1;
  }

  bytes(value: Uint8Array): void {
    const at = this.#claim(value.length);
    value.set(this.#bytes.subarray(at, at + value.length));
  }

  blob(): Uint8Array {
    const length = this.#length();
    const at = this.#claim(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  text(): string {
    return this.list<string>([], () => String.fromCharCode(this.#view.getUint16(this.#claim(2), true))).join('');
  }

  timer(timer: SavedTimer): void {
    const at = this.integer(0, -1, MOST_CYCLES);
    const sequence = this.integer(0, 0, Number.MAX_SAFE_INTEGER);
    timer.disarm();
    this.#timers.push({ timer, at, sequence });
  }

  list<T>(_value: readonly T[], item: (element: T | undefined) => T): T[] {
    // Each element takes a byte at least.
    const length = this.#length();
    return Array.from({ length }, () => item(undefined));
  }

  refuse(why: string, details: Readonly<Record<string, unknown>>): never {
    refuse(this.#envelope, why, details);
  }

  /** The length of what follows, which cannot be longer than what is left. */
  #length(): number {
    const length = this.#view.getUint32(this.#claim(4), true);
    const left = this.#bytes.length - this.#at;
    if (length > left) this.refuse(`it ends too soon, with ${left} of ${length} bytes`, { left, length });
    return length;
  }

  #claim(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) this.refuse(`it ends too soon, after ${this.#bytes.length} bytes`, { bytes });
    this.#at += bytes;
    return at;
  }
}
