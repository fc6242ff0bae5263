/** The error that every host-side misuse of this package throws. Match `code`, never the message. No packet causes one. */

export type NetErrorCode =
  /** A text or number that is no address. */
  | 'address'
  /** A port outside 1 to 65535. */
  | 'port'
  /** The port is bound or listened on already. */
  | 'port-in-use'
  /** An option of the stack outside its range. */
  | 'option'
  /** A time that is no finite number. */
  | 'time'
  /** A payload larger than the protocol can carry. */
  | 'too-long';

/** Misuse of the stack by its host. `details` holds the offending values. */
export class NetError extends Error {
  override readonly name: string = 'NetError';
  readonly code: NetErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: NetErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
