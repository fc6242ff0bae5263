/** A pcapng file of the host. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { CaptureError, PcapngWriter } from '@exokernel/capture';

/** Bytes kept before they are written. */
const BUFFER = 64 * 1024;

/** A capture and its file. */
export interface CaptureFile {
  readonly writer: PcapngWriter;
  /** Writes what is not in the file yet. Throws `file` if that, or something before, could not be written. */
  flush(): void;
  /** The same, and closes the file in any case; call it once, after the captures have ended. */
  close(): void;
}

/** Begins a capture in a new file, or over an old one. Throws `CaptureError` `file` if it cannot be written. */
export function captureFile(path: string): CaptureFile {
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (cause) {
    throw new CaptureError('file', `cannot write ${path}`, { path }, { cause });
  }
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  let failure: CaptureError | undefined;
  const write = (): void => {
    const all = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    try {
      for (let done = 0; done < all.length;) done += writeSync(file, all, done);
    } catch (cause) {
      failure = new CaptureError('file', `cannot write all of ${path}`, { path }, { cause });
    }
  };
  // What is captured must not notice a full disk: the owner of the file is told when it flushes or closes.
  const writer = new PcapngWriter((block) => {
    if (failure !== undefined) return;
    waiting.push(block);
    bytes += block.length;
    if (bytes > BUFFER) write();
  });
  const flush = (): void => {
    if (failure === undefined) write();
    if (failure !== undefined) throw failure;
  };
  return {
    writer,
    flush,
    close: () => {
      try {
        flush();
      } finally {
        closeSync(file);
      }
    },
  };
}
