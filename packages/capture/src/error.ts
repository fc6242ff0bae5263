/** The error that every misuse of this package throws. Match `code`, never the message. */

export type CaptureErrorCode =
  /** A file that cannot be made, or that cannot take all that is written. */
  'file';

/** A capture that cannot be. `details` holds the offending values. */
export class CaptureError extends Error {
  override readonly name: string = 'CaptureError';
  readonly code: CaptureErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: CaptureErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}
