/** What the machine's packages refuse of what the user named becomes an error of use. Apart from error.ts, which loads no package. */
import { CaptureError } from '@exokernel/capture';
import { HardwareError } from '@exokernel/hardware';
import { WireError } from '@exokernel/wire';
import { UsageError } from './error.ts';

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
