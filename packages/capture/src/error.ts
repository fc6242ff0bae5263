/** The error that every misuse of this package and every bad capture throws. Match `code`, never the message. */

export type CaptureErrorCode =
  /** A file that cannot be made or read, or that cannot take all that is written. */
  | 'file'
  /** The bytes are no capture of a known format. */
  | 'format'
  /** A version of the format that has another layout. */
  | 'version'
  /** The file ends inside a header or a block. */
  | 'truncated'
  /** A block or a record whose lengths contradict each other. */
  | 'block'
  /** An option list that does not fit its block, or an option of an impossible length. */
  | 'options'
  /** A packet of an interface that its section does not have, or that the file to be written cannot hold. */
  | 'interface'
  /** A block, a number of interfaces, or a window beyond the limits that the caller set. */
  | 'limit'
  /** Damaged gzip data, or an environment without `DecompressionStream`. */
  | 'gzip'
  /** A value that the format to be written cannot hold. */
  | 'value';

/**
 * A capture that cannot be. `details` holds the offending values. An error of reading has `details.offset`: where the
 * bad block begins, in bytes of the file (of the unpacked file, if it was packed with gzip).
 */
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
