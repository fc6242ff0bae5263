/** How the command line ends otherwise than well: one clear line on stderr, exit code 2, nothing half-made. */

/** Misuse of the command line. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** What the operating system refused, such as a write to a full disk; undefined: the error is another. */
export function systemReason(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'errno' in error ? error.message : undefined;
}

/** Exit codes of `exok`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
