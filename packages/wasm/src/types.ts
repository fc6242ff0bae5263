/** Value types, and the errors of what a reader finds. Source: [WASM §5.3]. */
import type { ByteReader } from './byte-reader.ts';
import { WasmError } from './error.ts';
import type { WasmType } from './module.ts';

const TYPES: Readonly<Record<number, WasmType>> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };
/** Vectors, references and what else later versions added. */
export const LATER_TYPES: ReadonlySet<number> = new Set([
  0x7b, 0x70, 0x6f, 0x6e, 0x6d, 0x6c, 0x6b, 0x6a, 0x69, 0x64, 0x63, 0x71, 0x72, 0x73,
]);

/** Throws for a feature of a later version. */
export function unsupported(what: string, offset: number): never {
  throw new WasmError('unsupported', `at ${offset}: ${what}`, { offset });
}

/** Throws for a rule that is broken where the reader is. */
export function invalid(r: ByteReader, what: string): never {
  throw new WasmError('invalid', `at ${r.position}: ${what}`, { offset: r.position });
}

/** Reads a value type. */
export function readType(reader: ByteReader): WasmType {
  const offset = reader.position;
  const byte = reader.byte();
  const type = TYPES[byte];
  if (type !== undefined) return type;
  if (LATER_TYPES.has(byte)) unsupported(`values of type 0x${byte.toString(16)}`, offset);
  reader.position = offset;
  return reader.fail('malformed value type');
}
