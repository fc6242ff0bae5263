/**
 * What a wire needs of a machine's clock. A machine's own fits as it is.
 *
 * Only the machine advances `now`, and fires each timer once `now` has reached its cycle, between instructions.
 */

/** One alarm. */
export interface WireTimer {
  /** The cycle it is armed for; Infinity when it is not armed. */
  readonly at: number;
  /** Sets the alarm to a cycle, instead of an earlier setting. */
  arm(at: number): void;
  disarm(): void;
}

/** Time in cycles. */
export interface WireClock {
  /** Cycles per second, more than 0. */
  readonly hz: number;
  /** Cycles since power-on. */
  readonly now: number;
  /**
   * A timer, not armed. `fire` gets the cycle it was armed for. At equal times one with a lower rank, a negative integer,
   * fires first.
   */
  timer(fire: (at: number) => void, rank: number): WireTimer;
}
