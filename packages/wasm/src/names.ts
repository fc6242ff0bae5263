/** The name section. */
import { ByteReader, decodeUtf8 } from './byte-reader.ts';
import { WasmError } from './error.ts';

/** The names of functions, as far as the section can be read: it is for people, and a broken one breaks nothing. */
export function readNames(bytes: Uint8Array, names: Map<number, string>): void {
  const r = new ByteReader(bytes);
  try {
    while (!r.isAtEnd) {
      const id = r.byte();
      const size = r.unsigned();
      const part = new ByteReader(bytes, r.position, r.position + size);
      r.take(size);
      if (id !== 1) continue;
      const count = part.count();
      for (let i = 0; i < count; i += 1) {
        const index = part.unsigned();
        const name = decodeUtf8(part.take(part.unsigned()));
        if (name !== undefined) names.set(index, name);
      }
    }
  } catch (error) {
    if (!(error instanceof WasmError)) throw error;
  }
}
