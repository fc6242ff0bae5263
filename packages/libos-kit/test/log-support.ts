/** For tests of the log: programs over it that a host can follow, and cut off. */
import { PAGE_BYTES } from '@exokernel/abi';
import { memoryStore, type BlockStore } from '../../hardware/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { boot, memoryFor, type Booted } from '../../testkit/src/index.ts';
import {
  compiledLibOs,
  compiledLibrary,
  LIBRARY_MEMORY,
  PTE,
  pageTableEntry,
  type CompiledPlacement,
} from '../src/index.ts';
import { kitSource } from '../src/node/index.ts';

export const KIT = '@exokernel/libos-kit/assembly';
/** Words of the u-page that programs use to tell the host. */
export const TELL = 0x1400;

/** The image of a program. */
export async function image(
  text: string,
  placement: CompiledPlacement,
): Promise<ReturnType<ReturnType<typeof compiledLibOs>['alone']>> {
  const { wasm, diagnostics, placeOf } = await compileAssemblyScript(
    (file) => (file === 'main.ts' ? text : kitSource(file)),
    'main.ts',
    { memoryBase: LIBRARY_MEMORY, exportTable: true },
  );
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return compiledLibOs([], compiledLibrary('test', wasm, placeOf)).alone(placement);
}

/** A small machine with images on a disk. */
export function machine(images: readonly Awaited<ReturnType<typeof image>>[], store: BlockStore): Booted {
  return boot(images, { disk: { store }, ramBytes: memoryFor(200) });
}

export function store(blocks: number, fill = 0): BlockStore {
  return memoryStore(new Uint8Array(blocks * PAGE_BYTES).fill(fill));
}

/** Memory of an environment's paged region. */
export function memoryOf(booted: Booted, env: number, va: number, bytes: number): Uint8Array {
  const found = new Uint8Array(bytes);
  for (let i = 0; i < bytes;) {
    const at = va + i;
    const count = Math.min(bytes - i, PAGE_BYTES - (at % PAGE_BYTES));
    const page = at - (at % PAGE_BYTES);
    const lo = booted.word(env, pageTableEntry(page) + PTE.entryLo) >>> 0;
    booted.machine.memory.read((lo >>> 12) * PAGE_BYTES + (at % PAGE_BYTES), found.subarray(i, i + count));
    i += count;
  }
  return found;
}

/** A generator of pseudo-random integers below n. */
export function random(seed: number): (n: number) => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x6d2b79f5) | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}
