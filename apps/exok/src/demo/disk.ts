/** The disk of the demo: a file that holds a site, or the demo's own site in memory. */
import { existsSync } from 'node:fs';
import { HardwareError, type BlockStore } from '@exokernel/hardware';
import { fileStore } from '@exokernel/hardware/node';
import { UsageError } from '../error.ts';
import { siteStore } from './world.ts';

export interface OpenDisk {
  readonly store: BlockStore;
  close(): void;
}

/** Opens the disk. Throws `UsageError` if the file is missing or is no disk. */
export function openStore(path: string | undefined): OpenDisk {
  if (path === undefined) return { store: siteStore(), close: () => undefined };
  if (!existsSync(path)) throw new UsageError(`no disk file ${path}: make one with exok site <folder> ${path}`);
  try {
    const store = fileStore(path, { readOnly: true });
    return {
      store,
      close: () => {
        store.close();
      },
    };
  } catch (error) {
    if (error instanceof HardwareError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}
