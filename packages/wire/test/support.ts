/** What the tests share: a machine that does nothing but count cycles, and a snapshot that is a list of values. */
import { WireError, type Wire, type WireClock, type WireState, type WireTimer } from '../src/index.ts';

class TestTimer implements WireTimer {
  at = Infinity;
  readonly rank: number;
  readonly fire: (at: number) => void;

  constructor(fire: (at: number) => void, rank: number) {
    this.fire = fire;
    this.rank = rank;
  }

  arm(at: number): void {
    this.at = at;
  }

  disarm(): void {
    this.at = Infinity;
  }
}

/** A machine's clock. Timers fire before the cycle that they are armed for. */
export class TestClock implements WireClock {
  readonly hz: number;
  now = 0;
  readonly #timers: TestTimer[] = [];

  constructor(hz = 25_000_000) {
    this.hz = hz;
  }

  timer(fire: (at: number) => void, rank: number): WireTimer {
    const timer = new TestTimer(fire, rank);
    this.#timers.push(timer);
    this.#timers.sort((a, b) => a.rank - b.rank);
    return timer;
  }

  /** The timer that is due first, by its time and then by its rank. */
  get #next(): TestTimer | undefined {
    return this.#timers.reduce<TestTimer | undefined>(
      (first, timer) => (timer.at < (first?.at ?? Infinity) ? timer : first),
      undefined,
    );
  }

  /** Fires what is due. */
  runDue(): void {
    for (let timer = this.#next; timer !== undefined && timer.at <= this.now; timer = this.#next) {
      const { at } = timer;
      timer.disarm();
      timer.fire(at);
    }
  }

  /** Advances time. What is due in the cycle at which it ends happens in the next run, as in a machine. */
  run(cycles: number): void {
    const target = this.now + cycles;
    while (this.now < target) {
      this.runDue();
      this.now = Math.max(this.now, Math.min(target, this.#next?.at ?? Infinity));
    }
  }
}

/** Puts a machine that hears nothing on the wire. */
export function machineOn(wire: Wire, hz?: number): TestClock {
  const clock = new TestClock(hz);
  wire.attach({ receive: () => undefined }, clock);
  return clock;
}

/** The code of the `WireError` that is thrown. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

/** What a snapshot consists of: numbers, flags, bytes, and the lengths of lists. */
export type Values = readonly (number | boolean | Uint8Array)[];

/** Thrown by a snapshot that is read and refused. */
export class Refused extends Error {}

/** The wire's state. */
export function save(wire: Wire): Values {
  const values: (number | boolean | Uint8Array)[] = [];
  const put = <T extends number | boolean | Uint8Array>(value: T): T => {
    values.push(value instanceof Uint8Array ? value.slice() : value);
    return value;
  };
  wire.state({
    reads: false,
    number: put,
    flag: put,
    blob: put,
    list: (elements, item) => {
      put(elements.length);
      return elements.map(item);
    },
    refuse,
  });
  return values;
}

/** Loads a state. Throws `Refused`. */
export function restore(wire: Wire, values: Values): void {
  let at = 0;
  const take = (): number | boolean | Uint8Array => {
    const value = values[at];
    at += 1;
    return value ?? refuse('it ends too soon');
  };
  const number = (): number => Number(take());
  wire.state({
    reads: true,
    number,
    flag: () => take() === true,
    blob: () => {
      const value = take();
      return value instanceof Uint8Array ? value.slice() : new Uint8Array(0);
    },
    list: <T>(_: readonly T[], item: (element: T | undefined) => T): T[] => {
      const length = number();
      // What a length is in bytes: the stream's own check.
      if (!Number.isInteger(length) || length < 0 || length > values.length - at) refuse('no such length');
      return Array.from({ length }, () => item(undefined));
    },
    refuse,
  } satisfies WireState);
}

function refuse(why: string): never {
  throw new Refused(why);
}
