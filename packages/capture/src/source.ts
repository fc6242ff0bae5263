/** Where a capture's bytes come from: a whole file in memory, chunks, a stream of the web, or a file that is read into a buffer. */
import { CaptureError } from './error.ts';

/** Gives bytes into the reader's buffer, so that a file can be read without a copy. */
export interface ByteSource {
  /** Puts at least one byte at the beginning of `into`; returns how many, and 0 at the end. */
  readInto(into: Uint8Array): number | Promise<number>;
  /** Called once, when no more is read. */
  close?(): void | Promise<void>;
}

/** The part of `ReadableStream<Uint8Array>` that a reader uses. */
export interface ByteStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(reason?: unknown): Promise<void>;
  };
}

/** A `Uint8Array` is read where it lies. Chunks may have any length. */
export type CaptureSource =
  Uint8Array | ByteSource | ByteStream | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | AsyncIterator<Uint8Array>;

/** Any source as one that reads into a buffer. */
export function byteSource(source: Exclude<CaptureSource, Uint8Array>): ByteSource {
  if ('readInto' in source) return source;
  if ('getReader' in source) {
    const reader = source.getReader();
    return chunkSource(
      async () => {
        const { done, value } = await reader.read();
        return done ? undefined : value;
      },
      () => reader.cancel(),
    );
  }
  let iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  if (Symbol.asyncIterator in source) iterator = source[Symbol.asyncIterator]();
  else if (Symbol.iterator in source) iterator = source[Symbol.iterator]();
  else iterator = source;
  return chunkSource(
    async () => {
      const result = await iterator.next();
      return result.done === true ? undefined : result.value;
    },
    async () => {
      await iterator.return?.();
    },
  );
}

function chunkSource(next: () => Promise<Uint8Array | undefined>, close: () => Promise<void>): ByteSource {
  let chunk: Uint8Array = new Uint8Array(0);
  let at = 0;
  return {
    async readInto(into) {
      while (at === chunk.length) {
        const more: unknown = await next();
        if (more === undefined) return 0;
        if (!(more instanceof Uint8Array)) throw new CaptureError('value', 'a chunk of a capture is no Uint8Array');
        chunk = more;
        at = 0;
      }
      const length = Math.min(into.length, chunk.length - at);
      into.set(chunk.subarray(at, at + length));
      at += length;
      return length;
    },
    close,
  };
}

/** Tells how many bytes of the source were read, after each piece. */
export function counted(source: ByteSource, tell: (bytesRead: number) => void): ByteSource {
  let total = 0;
  return {
    async readInto(into) {
      const length = await source.readInto(into);
      total += length;
      tell(total);
      return length;
    },
    close: () => source.close?.(),
  };
}

/** Up to `length` bytes from the beginning of a source, fewer at its end; and a source that gives them again. */
export async function peeked(
  source: ByteSource,
  length: number,
): Promise<{ readonly head: Uint8Array; readonly whole: ByteSource }> {
  const buffer = new Uint8Array(length);
  let end = 0;
  while (end < length) {
    const more = await source.readInto(buffer.subarray(end));
    if (more === 0) break;
    end += more;
  }
  const head = buffer.subarray(0, end);
  let at = 0;
  const whole: ByteSource = {
    readInto(into) {
      if (at === end) return source.readInto(into);
      const some = head.subarray(at, at + into.length);
      into.set(some);
      at += some.length;
      return some.length;
    },
    close: () => source.close?.(),
  };
  return { head, whole };
}
