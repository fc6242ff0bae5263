/** For tests of the log: programs over it that a host can follow, and cut off. */
import { ENV, ENV_BYTES, EXPOSED, PAGE_BYTES } from '@exokernel/abi';
import { memoryStore, type BlockStore } from '../../hardware/src/index.ts';
import { compileAssemblyScript } from '../../vcode/src/asc.ts';
import { boot, memoryFor, type Booted } from '../../testkit/src/index.ts';
import { compiledLibOs, compiledLibrary, LIBRARY_MEMORY, type CompiledPlacement } from '../src/index.ts';
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

/**
 * A disk that loses power by itself: at the write that `cutAt` names some sectors of it are written, others are not. What is on the disk then is
 * `left`; the machine may go on, but what it does after that does not count. For a machine that is put back to its snapshot for each life, which costs
 * milliseconds; `Machine.powerCut` has the same outcomes, and ends the machine.
 */
export class CutDisk implements BlockStore {
  readonly blocks: number;
  readonly bytes: Uint8Array;
  left: Uint8Array | undefined;
  writes = 0;
  #cutAt = 0;
  #choose: (n: number) => number = () => 0;
  #onCut: () => void = () => undefined;

  constructor(blocks: number) {
    this.bytes = new Uint8Array(blocks * PAGE_BYTES);
    this.blocks = this.bytes.length / 512;
  }

  read(sector: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(512 * sector, 512 * sector + into.length));
  }

  write(sector: number, from: Uint8Array): void {
    this.writes += 1;
    if (this.writes === this.#cutAt) {
      this.left = this.bytes.slice();
      for (let i = 0; i < from.length; i += 512) {
        if (this.#choose(2) === 1) this.left.set(from.subarray(i, i + 512), 512 * sector + i);
      }
      this.#onCut();
    }
    this.bytes.set(from, 512 * sector);
  }

  flush(): void {
    // What is written stays.
  }

  /** The next life, of a machine that has just been put back: the disk has these bytes, and is cut off at its write number `at`. */
  begin(bytes: Uint8Array, at: number, choose: (n: number) => number, onCut: () => void): void {
    this.bytes.set(bytes);
    this.left = undefined;
    this.writes = 0;
    this.#cutAt = at;
    this.#choose = choose;
    this.#onCut = onCut;
  }
}

/** Stores a word into an environment's u-page. */
export function poke({ machine: of }: Booted, env: number, address: number, value: number): void {
  const uPage = of.memory.load32(EXPOSED.environments + env * ENV_BYTES + ENV.uPage);
  of.memory.store32((uPage & 0x1fffffff) + (address % PAGE_BYTES), value);
}
