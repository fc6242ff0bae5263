/** The error that every host-side misuse of this package throws. Match `code`, never the message. */

/**
 * `malformed`: a program or an encoding that breaks a rule of the IR. `limit`: too large to compile. `unbounded`: a static
 * bound was asked of a program that has none. `argument`: a run was given regions, fuel or parameters that do not fit.
 * `unsupported`: a part of WebAssembly that is not compiled.
 */
export type VcodeErrorCode = 'malformed' | 'limit' | 'unbounded' | 'argument' | 'unsupported';

/** Misuse, or bytes that are no program. `details` holds the offending values. */
export class VcodeError extends Error {
  override readonly name: string = 'VcodeError';
  readonly code: VcodeErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: VcodeErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
