/**
 * Where a disk's sectors are kept: the interface, and a store in memory. All calls are synchronous.
 *
 * A store that throws is a disk that fails: the guest gets an I/O error.
 */
import { HardwareError } from '../error.ts';

/** Bytes of a sector, the unit in which a store counts. */
export const SECTOR_BYTES = 512;

/** Sectors by number. Lengths are multiples of 512, and the disk asks only for sectors that exist. */
export interface BlockStore {
  /** How many sectors there are. Must not change. */
  readonly blocks: number;
  /** Nothing can be written. Must not change. Default false. */
  readonly readOnly?: boolean;
  /** Fills `into` from `sector` on. */
  read(sector: number, into: Uint8Array): void;
  /** Stores `from` at `sector` and after it. Must not keep `from`. */
  write(sector: number, from: Uint8Array): void;
  /** What was written survives the host from now on. */
  flush(): void;
}

/**
 * A store in memory: over these bytes, which it changes, or over so many new zero bytes. Throws `block-store` unless the
 * size is a positive multiple of 512.
 */
export function memoryStore(contents: Uint8Array | number): BlockStore {
  const size = typeof contents === 'number' ? contents : contents.length;
  if (!Number.isInteger(size) || size <= 0 || size % SECTOR_BYTES !== 0) {
    throw new HardwareError('block-store', `a store of ${size} bytes: use a positive multiple of 512`, { size });
  }
  const bytes = typeof contents === 'number' ? new Uint8Array(contents) : contents;
  return {
    blocks: size / SECTOR_BYTES,
    read: (sector, into) => {
      into.set(bytes.subarray(sector * SECTOR_BYTES, sector * SECTOR_BYTES + into.length));
    },
    write: (sector, from) => {
      bytes.set(from, sector * SECTOR_BYTES);
    },
    flush: () => undefined,
  };
}
