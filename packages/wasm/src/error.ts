/** The error that every misuse of this package throws. Match `code`, never the message. */

export type WasmErrorCode = 'value-range' | 'import-order' | 'nesting' | 'duplicate' | 'index';

/** Misuse of the module builder. `details` holds the offending values. */
export class WasmError extends Error {
  override readonly name: string = 'WasmError';
  readonly code: WasmErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: WasmErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
