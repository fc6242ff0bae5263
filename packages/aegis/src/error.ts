/** The error that host-side misuse of the kernel throws. Match `code`, never the message. A guest can cause none of these. */

export type AegisErrorCode =
  'machine' | 'memory' | 'frames' | 'environments' | 'slices' | 'image' | 'extent' | 'kernel-exception' | 'fibers';

/** Misuse of the kernel by its host. `details` holds the offending values. */
export class AegisError extends Error {
  override readonly name: string = 'AegisError';
  readonly code: AegisErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: AegisErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
