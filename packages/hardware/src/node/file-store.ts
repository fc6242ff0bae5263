/**
 * A disk's sectors in a file of the host. For Node only; the rest of the package runs anywhere.
 *
 * Source: none of its own; the interface is `BlockStore`.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { HardwareError, SECTOR_BYTES, type BlockStore } from '@exokernel/hardware';

/** A store over a file. */
export interface FileStore extends BlockStore {
  /** Gives the file back to the host; the store fails from then on. */
  close(): void;
}

/**
 * Opens `path`, which must exist and have a size that is a positive multiple of 512. With `readOnly` the guest is told that it cannot write. Throws
 * `HardwareError` `block-store`.
 */
export function fileStore(path: string, { readOnly = false }: { readonly readOnly?: boolean } = {}): FileStore {
  let file: number;
  try {
    file = openSync(path, readOnly ? 'r' : 'r+');
  } catch (cause) {
    throw new HardwareError('block-store', `cannot open ${path}: ${reasonOf(cause)}`, { path }, { cause });
  }
  const { size } = fstatSync(file);
  if (size === 0 || size % SECTOR_BYTES !== 0) {
    closeSync(file);
    throw new HardwareError('block-store', `${path} has ${size} bytes: use a positive multiple of 512`, { path, size });
  }
  return {
    blocks: size / SECTOR_BYTES,
    readOnly,
    read: (sector, into) => {
      whole(into.length, (done) => readSync(file, into, done, into.length - done, sector * SECTOR_BYTES + done));
    },
    write: (sector, from) => {
      whole(from.length, (done) => writeSync(file, from, done, from.length - done, sector * SECTOR_BYTES + done));
    },
    flush: () => {
      fsyncSync(file);
    },
    close: () => {
      closeSync(file);
    },
  };
}

/** Repeats a system call that may do a part, until `length` bytes are done. */
function whole(length: number, step: (done: number) => number): void {
  for (let done = 0; done < length;) {
    const n = step(done);
    if (n === 0)
      throw new HardwareError('block-store', `the file ended after ${done} of ${length} bytes`, { done, length });
    done += n;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
