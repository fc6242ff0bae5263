/** The error that host-side misuse of the kit throws. Match `code`, never the message. */

export type LibosErrorCode = 'needs' | 'program-size' | 'image' | 'predicate' | 'call';

/** Misuse of the kit by the host. `details` holds the offending values. */
export class LibosError extends Error {
  override readonly name: string = 'LibosError';
  readonly code: LibosErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: LibosErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
