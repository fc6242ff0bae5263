/** Misuse of the command line: one clear line on stderr, exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}
