/** The Files interface for TypeScript programs: the compiled routines, by way of the bounce buffer. */
import { ERRORS, PAGE_BYTES } from '@exokernel/abi';
import {
  decodeUtf8,
  encodeUtf8,
  type Fiber,
  type FileEntry,
  type Files,
  type Fibers,
  type Memory,
} from '@exokernel/libos-kit';
import { bouncePage } from './bounce.ts';

const NAME_BYTES = 28;
/** Bytes before the name in what `file_list` stores. */
const ENTRY_HEAD = 8;

/** `entryOf` gives the address of a routine. */
export function fiberFiles(fibers: Fibers, entryOf: (routine: string) => number, memory: Memory): Files {
  function* withName(routine: string, name: string): Fiber<number> {
    const bytes = encodeUtf8(name);
    if (bytes.length > NAME_BYTES) return ERRORS.E_RANGE;
    const at = yield* bouncePage(fibers, memory);
    if (at < 0) return ERRORS.E_NONE;
    yield* fibers.write(at, bytes);
    return yield* fibers.call(entryOf(routine), at, bytes.length);
  }
  return {
    create: (name) => withName('file_create', name),
    find: (name) => withName('file_find', name),
    size: (file) => fibers.call(entryOf('file_size'), file),
    *read(file, offset, max) {
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      const parts: Uint8Array[] = [];
      for (let done = 0; done < max || parts.length === 0;) {
        const n = yield* fibers.call(entryOf('file_read'), file, offset + done, at, Math.min(max - done, PAGE_BYTES));
        if (n < 0 && parts.length === 0) return n;
        if (n <= 0) break;
        const part = new Uint8Array(n);
        yield* fibers.read(at, part);
        parts.push(part);
        done += n;
      }
      return joined(parts);
    },
    *append(file, bytes) {
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      let done = 0;
      do {
        const part = bytes.subarray(done, done + PAGE_BYTES);
        yield* fibers.write(at, part);
        const n = yield* fibers.call(entryOf('file_append'), file, at, part.length);
        if (n < 0) return done > 0 ? done : n;
        done += n;
      } while (done < bytes.length);
      return done;
    },
    remove: (file) => fibers.call(entryOf('file_remove'), file),
    *list() {
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      const found: FileEntry[] = [];
      for (let file = 0; ;) {
        file = yield* fibers.call(entryOf('file_list'), file, at);
        if (file < 0) return file;
        if (file === 0) return found;
        const entry = new Uint8Array(ENTRY_HEAD + NAME_BYTES);
        yield* fibers.read(at, entry);
        const words = new DataView(entry.buffer);
        const length = Math.min(NAME_BYTES, words.getUint32(4, true));
        const name = decodeUtf8(entry.subarray(ENTRY_HEAD, ENTRY_HEAD + length));
        found.push({ file, name, bytes: words.getUint32(0, true) });
      }
    },
    format: () => fibers.call(entryOf('file_format')),
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
