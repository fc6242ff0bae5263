/** How the command line ends otherwise than well: one clear line on stderr, exit code 2, nothing half-made. */
import { HardwareError } from '@exokernel/hardware';

/** Misuse of the command line. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** What the machine's packages refuse of what the user named is the user's. Throws `UsageError`. */
export function orRefuse<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof HardwareError) throw new UsageError(`${what}: ${error.message}`);
    throw error;
  }
}

/** Exit codes of `exok`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
