/**
 * How state goes into a snapshot and comes back: one walk over it for both directions.
 *
 * A part of the machine has a method `state(s)` that passes each of its values through the stream and keeps what comes back:
 * `this.#control = s.number(this.#control)`. A writer notes the value and gives it back; a reader gives what was noted. So
 * what is saved and what is restored cannot differ. A reader is used on bytes that were checked before (`snapshot.ts`); it
 * throws `snapshot` where they end too soon.
 */
import type { Timer } from '../bus/clock.ts';
import { HardwareError } from '../error.ts';

/** One direction of the walk. */
export interface StateStream {
  /** Whether values come back other than they went in. */
  readonly reads: boolean;
  /** Any number of JavaScript. */
  number(value: number): number;
  flag(value: boolean): boolean;
  /** The contents of an array of fixed length, in place. */
  bytes(value: Uint8Array): void;
  /** Bytes of any length; what comes back is a copy. */
  blob(value: Uint8Array): Uint8Array;
  text(value: string): string;
  /** When a timer is due, and its place among those that are due at the same time. */
  timer(value: Timer): void;
  /** A list: `item` walks one element, which is undefined when reading. */
  list<T>(value: readonly T[], item: (element: T | undefined) => T): T[];
  /** Throws `snapshot`: what was read cannot be. */
  refuse(why: string, details: Readonly<Record<string, unknown>>): never;
}

/** Writes. */
export class StateWriter implements StateStream {
  readonly reads = false;
  #buffer = new Uint8Array(1024);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  /** What was written; a copy. */
  take(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  number(value: number): number {
    const at = this.#claim(8);
    this.#view.setFloat64(at, value, true);
    return value;
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
    this.blob(Uint8Array.from(value, (letter) => letter.charCodeAt(0)));
    return value;
  }

  timer({ armed, at, sequence }: Timer): void {
    this.number(armed ? at : -1);
    this.number(armed ? sequence : 0);
  }

  list<T>(value: readonly T[], item: (element: T | undefined) => T): T[] {
    this.#length32(value.length);
    return value.map((element) => item(element));
  }

  refuse(why: string, details: Readonly<Record<string, unknown>>): never {
    refuseState(why, details);
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

/** Reads. */
export class StateReader implements StateStream {
  readonly reads = true;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #timers: { readonly timer: Timer; readonly at: number; readonly sequence: number }[] = [];
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that were not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Arms the timers in the order in which they had been armed. To be called once, at the end. */
  armTimers(): void {
    this.#timers.sort((a, b) => a.sequence - b.sequence);
    for (const { timer, at } of this.#timers) if (at >= 0) timer.arm(at);
  }

  number(): number {
    return this.#view.getFloat64(this.#claim(8), true);
  }

  flag(): boolean {
    return this.#bytes[this.#claim(1)] === 1;
  }

  bytes(value: Uint8Array): void {
    const at = this.#claim(value.length);
    value.set(this.#bytes.subarray(at, at + value.length));
  }

  blob(): Uint8Array {
    const length = this.#view.getUint32(this.#claim(4), true);
    const at = this.#claim(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  text(): string {
    return Array.from(this.blob(), (code) => String.fromCharCode(code)).join('');
  }

  timer(timer: Timer): void {
    const at = this.number();
    const sequence = this.number();
    timer.disarm();
    this.#timers.push({ timer, at, sequence });
  }

  list<T>(_value: readonly T[], item: (element: T | undefined) => T): T[] {
    const length = this.#view.getUint32(this.#claim(4), true);
    if (length > this.left) throw tooShort(this.#bytes.length);
    return Array.from({ length }, () => item(undefined));
  }

  refuse(why: string, details: Readonly<Record<string, unknown>>): never {
    refuseState(why, details);
  }

  #claim(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) throw tooShort(this.#bytes.length);
    this.#at += bytes;
    return at;
  }
}

function tooShort(bytes: number): HardwareError {
  return new HardwareError('snapshot', `a snapshot ends too soon, after ${bytes} bytes`, { bytes });
}

function refuseState(why: string, details: Readonly<Record<string, unknown>>): never {
  throw new HardwareError('snapshot', `no snapshot for this: ${why}`, details);
}
