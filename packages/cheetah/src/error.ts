/** The error that host-side misuse of Cheetah throws. Match `code`, never the message. */

export type CheetahErrorCode = 'site-path' | 'site-size' | 'site-format';

/** Thrown for a site that cannot be formatted, or blocks that hold none. */
export class CheetahError extends Error {
  override readonly name: string = 'CheetahError';
  readonly code: CheetahErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: CheetahErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
