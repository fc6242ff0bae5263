/** The error that every misuse of this package throws. Match `code`, never the message. */

/**
 * Of the builder: `value-range`, `import-order`, `nesting`, `duplicate`, `index`. Of the decoder: `malformed` (no module), `invalid` (breaks a
 * rule of validation), `unsupported` (a later feature), `limit`.
 */
export type WasmErrorCode =
  | 'value-range'
  | 'import-order'
  | 'nesting'
  | 'duplicate'
  | 'index'
  | 'malformed'
  | 'invalid'
  | 'unsupported'
  | 'limit';

/** Misuse of the module builder, or a module that cannot be read. `details` holds the offending values. */
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
