/** How the command line ends otherwise than well: one clear line on stderr, exit code 2, nothing half-made. */
import { CaptureError } from '@exokernel/capture';
import { HardwareError } from '@exokernel/hardware';
import { WireError } from '@exokernel/wire';

/** Misuse of the command line. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** What the machine's packages refuse of what the user named is the user's. Throws `UsageError`. */
export function orRefuse<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw isRefusal(error) ? new UsageError(`${what}: ${error.message}`) : error;
  }
}

/** Whether a package of the machine has refused something. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof HardwareError || error instanceof WireError || error instanceof CaptureError;
}

/** What the operating system refused, such as a write to a full disk; undefined: the error is another. */
export function systemReason(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'errno' in error ? error.message : undefined;
}

/** Exit codes of `exok`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
