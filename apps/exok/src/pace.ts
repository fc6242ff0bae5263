/**
 * The pace of a machine that has peers outside: its time never runs ahead of the host's.
 *
 * What the peers take for a second is then no more than a second to the machine, in retransmissions as in idle connections. A host that cannot
 * follow leaves the machine behind; up to a bound it catches up when there is less to do, and what is more is forgotten.
 */
import type { Machine } from '@exokernel/hardware';

/** Assumption: a machine that is further behind has lost the time, as one that was stopped. */
const MOST_BEHIND_MS = 250;

export class Pace {
  readonly #machine: Pick<Machine, 'cycles' | 'hz'>;
  readonly #clock: () => number;
  /** The time of the host, in ms, at which the machine's cycle 0 was or would have been. */
  #origin: number;

  /** From now on; `clock` gives milliseconds of the host and never goes back. */
  constructor(machine: Pick<Machine, 'cycles' | 'hz'>, clock: () => number = () => performance.now()) {
    this.#machine = machine;
    this.#clock = clock;
    this.#origin = clock() - this.#now;
  }

  /** Whole cycles that the machine may run until it is where the host's clock is: 0 or more. */
  get due(): number {
    const behind = this.#clock() - this.#origin - this.#now;
    const counted = Math.min(behind, MOST_BEHIND_MS);
    this.#origin += behind - counted;
    return Math.max(0, Math.floor((counted * this.#machine.hz) / 1000));
  }

  /** Milliseconds of the machine. */
  get #now(): number {
    return (this.#machine.cycles / this.#machine.hz) * 1000;
  }
}
