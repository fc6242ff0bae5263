/** The error that every misuse of this package throws. Match `code`, never the message. */

export type WireErrorCode =
  /** A bandwidth, delay, capacity, fault or clock that no wire has. */
  | 'option'
  /** A link that cannot be made, or that broke. */
  | 'link'
  /** A peer that sends a frame of an impossible length. */
  | 'link-frame';

/** Misuse of a wire, or a link's end. `details` holds the offending values. */
export class WireError extends Error {
  override readonly name: string = 'WireError';
  readonly code: WireErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: WireErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}
