/** The error that every host-side misuse of this package throws. Match `code`, never the message. */

/**
 * `malformed`: bytes that are no handler. `signature`: a program whose regions or parameters are not a handler's.
 * `limit`: a handler that needs more than it is given; `details.what` says of what. `range`: a message or a window of a
 * size that cannot be.
 */
export type AshErrorCode = 'malformed' | 'signature' | 'limit' | 'range';

/** Misuse, or bytes that are no handler. `details` holds the offending values. */
export class AshError extends Error {
  override readonly name: string = 'AshError';
  readonly code: AshErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: AshErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
