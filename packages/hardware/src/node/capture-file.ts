/** A pcapng file of the host that wires are captured to. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { HardwareError, PcapngWriter } from '@exokernel/hardware';

/** Bytes kept before they are written. */
const BUFFER = 64 * 1024;

/** A capture and its file. */
export interface CaptureFile {
  readonly writer: PcapngWriter;
  /** Writes what is not in the file yet. Throws what the file system throws. */
  flush(): void;
  /** The same, and closes the file; call it once, after the captures have ended. */
  close(): void;
}

/** Begins a capture in a new file, or over an old one. Throws `HardwareError` `capture` if it cannot be written. */
export function captureFile(path: string): CaptureFile {
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (cause) {
    throw new HardwareError('capture', `cannot write ${path}`, { path }, { cause });
  }
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  const flush = (): void => {
    const all = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    for (let done = 0; done < all.length;) done += writeSync(file, all, done);
  };
  const writer = new PcapngWriter((block) => {
    waiting.push(block);
    bytes += block.length;
    if (bytes > BUFFER) flush();
  });
  return {
    writer,
    flush,
    close: () => {
      flush();
      closeSync(file);
    },
  };
}
