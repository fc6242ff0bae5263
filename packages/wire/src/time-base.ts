/**
 * Nanoseconds of a clock that counts cycles: how machines of different speed share one time.
 *
 * Both directions are computed from the cycle's number, never added up, so that a time does not depend on the steps in
 * which it was reached. `cycleOf` is exact by definition: the first cycle that is not before the time.
 */
import type { WireClock } from './clock.ts';

/** One clock's place in a common time. */
export class TimeBase {
  readonly clock: WireClock;
  /** Time of its cycle 0. */
  origin: number;
  readonly #perCycle: number;

  /** `clock.now` is the time `now`. */
  constructor(clock: WireClock, now: number) {
    this.clock = clock;
    this.#perCycle = 1e9 / clock.hz;
    this.origin = now - clock.now * this.#perCycle;
  }

  get now(): number {
    return this.timeOf(this.clock.now);
  }

  timeOf(cycle: number): number {
    return this.origin + cycle * this.#perCycle;
  }

  /** The first cycle at or after `time`. */
  cycleOf(time: number): number {
    let cycle = Math.ceil((time - this.origin) / this.#perCycle);
    while (this.timeOf(cycle - 1) >= time) cycle -= 1;
    while (this.timeOf(cycle) < time) cycle += 1;
    return cycle;
  }
}
