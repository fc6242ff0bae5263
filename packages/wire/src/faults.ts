/**
 * What can go wrong with a frame between the wire and its receivers, decided for each frame by a seeded generator.
 *
 * Every frame takes the same number of draws, whatever happens to it, so the fate of frame n depends on the seed and n
 * alone. The frame's time on the wire is not touched: the faults lie behind it.
 */
import { WireError } from './error.ts';
import { countState, whole, type WireState } from './state.ts';

/** Probabilities from 0 to 1, each for every frame by itself. */
export interface FaultOptions {
  /** Which frames it hits: an integer. Default 1. */
  readonly seed?: number;
  /** No station receives the frame. */
  readonly drop?: number;
  /** It arrives twice, the second time as much later as the frame is long. */
  readonly duplicate?: number;
  /** It arrives later by the time of two of the longest frames, so that one sent behind it overtakes it. */
  readonly reorder?: number;
  /** One bit of the frame or of its FCS is inverted. */
  readonly corrupt?: number;
  /** It arrives up to `delayMicroseconds` later. */
  readonly delay?: number;
  /** The longest delay, in microseconds, up to 10^9. Default 1000. */
  readonly delayMicroseconds?: number;
}

/** How many frames each fault has hit. A frame that is dropped counts as nothing else. */
export interface FaultCounters {
  dropped: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
  delayed: number;
}

/** What becomes of one frame. */
export interface Fate {
  readonly dropped: boolean;
  readonly duplicated: boolean;
  /** It is overtaken by what follows. */
  readonly reordered: boolean;
  /** Nanoseconds that it is late. */
  readonly late: number;
  /** The bit that is inverted, counted over frame and FCS; -1 for none. */
  readonly bit: number;
}

/** What changes in an injector. */
interface FaultState {
  readonly generator: number;
  readonly counters: FaultCounters;
}

const PROBABILITIES = ['drop', 'duplicate', 'reorder', 'corrupt', 'delay'] as const;

/** The longest delay, in microseconds. */
const MOST_DELAY = 1e9;

/** Whether a frame can be so late, in microseconds. */
export function isDelay(microseconds: number): boolean {
  return microseconds >= 0 && microseconds <= MOST_DELAY;
}

/** The faults of one wire. */
export class FaultInjector {
  readonly counters: FaultCounters = { dropped: 0, duplicated: 0, reordered: 0, corrupted: 0, delayed: 0 };
  readonly #options: FaultOptions;
  readonly #longest: number;
  #state: number;

  /** Throws `WireError` `option` for what is no probability, seed or delay. */
  constructor(options: FaultOptions) {
    const { seed = 1, delayMicroseconds = 1000 } = options;
    for (const name of PROBABILITIES) {
      const value = options[name] ?? 0;
      if (!(value >= 0 && value <= 1)) {
        throw new WireError('option', `${name} ${value}: use a probability from 0 to 1`, { [name]: value });
      }
    }
    if (!Number.isInteger(seed) || !isDelay(delayMicroseconds)) {
      const details = { seed, delayMicroseconds };
      throw new WireError('option', `seed ${seed}, delay ${delayMicroseconds}: no such faults`, details);
    }
    this.#options = options;
    this.#longest = delayMicroseconds * 1000;
    this.#state = seed | 0;
  }

  /** Walks its state; what comes back is for `become`. */
  state(s: WireState): FaultState {
    const { dropped, duplicated, reordered, corrupted, delayed } = this.counters;
    return {
      generator: whole(s, this.#state, -0x80000000, 0x7fffffff, 'the generator'),
      counters: {
        dropped: countState(s, dropped),
        duplicated: countState(s, duplicated),
        reordered: countState(s, reordered),
        corrupted: countState(s, corrupted),
        delayed: countState(s, delayed),
      },
    };
  }

  become({ generator, counters }: FaultState): void {
    this.#state = generator;
    Object.assign(this.counters, counters);
  }

  /** Decides over the next frame, of so many bits with its FCS. */
  decide(bits: number): Fate {
    const { drop = 0, duplicate = 0, reorder = 0, corrupt = 0, delay = 0 } = this.#options;
    const dropped = this.#draw() < drop;
    const duplicated = this.#draw() < duplicate && !dropped;
    const reordered = this.#draw() < reorder && !dropped;
    const corrupted = this.#draw() < corrupt && !dropped;
    const delayed = this.#draw() < delay && !dropped;
    const bit = Math.floor(this.#draw() * bits);
    const late = this.#draw() * this.#longest;
    const { counters } = this;
    counters.dropped += Number(dropped);
    counters.duplicated += Number(duplicated);
    counters.reordered += Number(reordered);
    counters.corrupted += Number(corrupted);
    counters.delayed += Number(delayed);
    return { dropped, duplicated, reordered, late: delayed ? late : 0, bit: corrupted ? bit : -1 };
  }

  /** A number from 0 up to 1, by the finaliser of MurmurHash3 over a counter (splitmix). */
  #draw(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  }
}
