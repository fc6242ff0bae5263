/** The error that every host-side misuse of this package throws. Match `code`, never the message. */

/**
 * `malformed`: an atom, a filter, its bytes or a BPF program break a rule. `overlap`: this very filter is in the set, or
 * one that may not have packets in common with it. `limit`: too many filters, atoms or instructions, or an expression nested
 * too deeply. `unknown-filter`: no filter has this id. `range`: a packet that is too long or outside the window, or a number
 * in an expression that is out of its range.
 *
 * Of an expression, with `details.column`: `syntax`: it is not of the language. `name`: a name that neither table nor resolver
 * knows. `unsupported`: the language has it, but not on this link type, or not without what an option gives.
 */
export type DpfErrorCode =
  'malformed' | 'overlap' | 'limit' | 'unknown-filter' | 'range' | 'syntax' | 'name' | 'unsupported';

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
