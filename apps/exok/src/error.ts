/** Misuse of the command line: one clear line on stderr, exit code 2, nothing half-made. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** Exit codes of `exok`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
