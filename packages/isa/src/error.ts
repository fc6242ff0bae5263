/** The error that every host-side misuse of this package throws. Match `code`, never the message. */

export type IsaErrorCode =
  | 'unknown-instruction'
  | 'extension'
  | 'operand-count'
  | 'operand-range'
  | 'label-undefined'
  | 'label-twice'
  | 'target-range'
  | 'branch-in-delay-slot'
  | 'delay-slot'
  | 'load-delay'
  | 'alignment'
  | 'elf-format'
  | 'elf-range';

/** Misuse of the assembler, or a file that is no loadable ELF. `details` holds the offending values. */
export class IsaError extends Error {
  override readonly name: string = 'IsaError';
  readonly code: IsaErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: IsaErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
