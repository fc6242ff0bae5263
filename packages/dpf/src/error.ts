/** The error that every host-side misuse of this package throws. Match `code`, never the message. */

/**
 * `malformed`: an atom, a filter or its bytes break a rule. `overlap`: this very filter is in the set, or
 * one that may not have packets in common with it. `limit`: too many
 * filters or atoms. `unknown-filter`: no filter has this id. `range`: a packet that is too long or outside the window.
 */
export type DpfErrorCode = 'malformed' | 'overlap' | 'limit' | 'unknown-filter' | 'range';

/** Misuse, or bytes that are no filter. `details` holds the offending values. */
export class DpfError extends Error {
  override readonly name: string = 'DpfError';
  readonly code: DpfErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: DpfErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
