/** For tests: how long the kernel stays with interrupts off. */
import { EVENT_KINDS, type Machine } from '@exokernel/hardware';

/** Status.KUc and IEc: user mode; interrupts on. */
const USER = 2;
const ENABLED = 1;
/** What no stretch exceeds, in cycles. */
export const LONGEST = 20_000;

export interface Stretches {
  /** Cycles of the longest stretch so far. */
  readonly longest: number;
  /** Begins anew. */
  readonly forget: () => void;
}

/**
 * Watches a machine's stretches with interrupts off: from an exception, or a window in which the kernel itself has let
 * interrupts in, to the `rfe` that turns them on again.
 */
export function watchStretches(machine: Machine): Stretches {
  let from = machine.cycles;
  let longest = 0;
  machine.listen((kind, cycle, a) => {
    if (kind === EVENT_KINDS.exception.kind) from = cycle;
    if (kind !== EVENT_KINDS.return.kind || (a & ENABLED) === 0) return;

    longest = Math.max(longest, cycle - from);
    if ((a & USER) === 0) from = cycle;
  });
  return {
    get longest() {
      return longest;
    },
    forget: () => {
      longest = 0;
    },
  };
}
