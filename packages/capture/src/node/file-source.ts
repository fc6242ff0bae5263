/** A file of the host as the source of a capture: it is read straight into the reader's window. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CaptureError, type ByteSource } from '@exokernel/capture';

/** A file being read. */
export interface FileSource extends ByteSource {
  /** Its length in bytes when it was opened; 0 for a pipe. */
  readonly size: number;
}

/**
 * Opens a file for `openCapture`, which closes it. Throws `CaptureError` `file` if it cannot be opened or, while the
 * capture is read, if it cannot be read.
 */
export function fileSource(path: string): FileSource {
  const failed = (cause: unknown): CaptureError => new CaptureError('file', `cannot read ${path}`, { path }, { cause });
  let file: number;
  let size: number;
  try {
    file = openSync(path, 'r');
    size = fstatSync(file).size;
  } catch (cause) {
    throw failed(cause);
  }
  let closed = false;
  return {
    size,
    readInto(into) {
      try {
        return readSync(file, into);
      } catch (cause) {
        throw failed(cause);
      }
    },
    close() {
      if (closed) return;
      closed = true;
      closeSync(file);
    },
  };
}
