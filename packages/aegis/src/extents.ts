/**
 * Extents: runs of physical disk blocks, owned by environments and guarded by capabilities. [SOSP95 §3]
 *
 * An environment names the blocks that it allocates. They are blank until it writes them: each reads as zeros, whatever an owner
 * before has left there. Blocks that images are granted at boot are not, because they are meant to be read. Extents that are
 * allocated never overlap another; those given at boot may, if the images say so. Blocks to which a write is under way are not
 * allocated, so that no late write lands in another's.
 */
import { ERRORS, EXTENT, EXTENT_BYTES, EXTENT_LIMIT, NO_ENV, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import { COSTS } from './costs.ts';
import type { Families } from './families.ts';
import { PHYSICAL } from './layout.ts';
import { BitSets, Records, type KernelMemory } from './memory.ts';
import { BLANK_LIMIT, TABLES } from './tables.ts';

/** A run of blocks, by their physical numbers. */
export interface Extent {
  readonly start: number;
  readonly blocks: number;
}

/** What it costs at most to begin or end an extent of no blocks, of which none is cached. */
const COST_OF_EXTENT = 6000;
/** Rights of the capability that an environment gets for an extent that it allocates. */
const EXTENT_RIGHTS: number = RIGHTS.read | RIGHTS.write | RIGHTS.control;

export class Extents {
  readonly #extents: Records;
  readonly #capabilities: Capabilities;
  readonly #families: Families;
  /** Row 0: the blocks that are blank. */
  readonly #blanks: BitSets;
  /** Told of what happens to extents; registered when the kernel is made. */
  readonly #begun: ((extent: Extent) => void)[] = [];
  readonly #ended: ((extent: Extent, id: number) => void)[] = [];

  constructor(memory: KernelMemory, capabilities: Capabilities, families: Families) {
    this.#extents = new Records(memory, PHYSICAL.extents, EXTENT_BYTES, EXTENT_LIMIT);
    this.#capabilities = capabilities;
    this.#families = families;
    this.#blanks = new BitSets(memory, memory.table(TABLES.blanks), BLANK_LIMIT, 1);
    for (let id = 0; id < EXTENT_LIMIT; id += 1) this.#set(id, EXTENT.owner, NO_ENV);
    capabilities.guard('extent', (id) => (this.#lives(id) ? this.#extents.wide(id, EXTENT.generation) : undefined));
  }

  /** Runs of blocks to which writes are under way, which are not allocated. */
  writing: () => readonly Extent[] = () => [];

  /** What is done at most with the blocks in extents when they begin or end, in cycles: what is cached is cached no more. */
  costOfCached: (extents: readonly Extent[]) => number = () => 0;

  /** `begun` is told of every extent that is allocated, whose blocks had no owner. */
  onBegin(begun: (extent: Extent) => void): void {
    this.#begun.push(begun);
  }

  /** `ended` is told of every extent that is gone, when its capabilities are dead. */
  onEnd(ended: (extent: Extent, id: number) => void): void {
    this.#ended.push(ended);
  }

  /** An extent of `env`, whatever else lies there: what images are granted. Returns its number or E_NONE. */
  grant(env: number, { start, blocks }: Extent): number {
    const [id] = this.#extents.filter((one) => !this.#lives(one));
    if (id === undefined || !this.#families.take('extents', this.#families.of(env))) return ERRORS.E_NONE;
    this.#extents.fill(id, [
      [EXTENT.owner, env],
      [EXTENT.start, start],
      [EXTENT.blocks, blocks],
    ]);
    this.#extents.setWide(id, EXTENT.generation, this.#extents.wide(id, EXTENT.generation) + 1);
    return id;
  }

  /** What is taken of these blocks: an extent, or blocks to which a write is under way. */
  overlapping({ start, blocks }: Extent): Extent | undefined {
    return this.#taken().find((one) => start < one.start + one.blocks && one.start < start + blocks);
  }

  #taken(): Extent[] {
    return [...this.#extents.filter((id) => this.#lives(id)).map((id) => this.extent(id)), ...this.writing()];
  }

  /** A new extent from block `start` on, or anywhere (−1), of a disk of `size` blocks. Returns its number or an error. */
  allocate(env: number, start: number, blocks: number, diskSize: number): number {
    const size = Math.min(diskSize, BLANK_LIMIT);
    if (blocks < 1 || blocks > size || start < -1 || start > size - blocks) return ERRORS.E_RANGE;
    const at = this.#place(start, blocks, size);
    return at < 0 ? at : this.#begin(env, { start: at, blocks });
  }

  /** Where so many blocks are free, from `start` on or (−1) anywhere; or an error. */
  #place(start: number, blocks: number, size: number): number {
    const taken = this.#taken().sort((a, b) => a.start - b.start);
    const isFree = (at: number): boolean =>
      taken.every((one) => at + blocks <= one.start || one.start + one.blocks <= at);
    if (start >= 0) return isFree(start) ? start : ERRORS.E_BUSY;
    const ends = [0, ...taken.map((one) => one.start + one.blocks)];
    return ends.find((one) => one + blocks <= size && isFree(one)) ?? ERRORS.E_NONE;
  }

  /** What `allocate` costs at most. */
  costOfAllocating(start: number, blocks: number, diskSize: number): number {
    const size = Math.min(diskSize, BLANK_LIMIT);
    const at = blocks < 1 || blocks > size ? ERRORS.E_RANGE : this.#place(start, blocks, size);
    return at < 0 ? 0 : COST_OF_EXTENT + (blocks / 32) * COSTS.word + this.costOfCached([{ start: at, blocks }]);
  }

  /** What it costs at most to free these extents. */
  costOfFreeing(ids: readonly number[]): number {
    const nodes = ids.map((id) => this.#capabilities.costOfEndAll('extent', id));
    const cached = this.costOfCached(ids.map((id) => this.extent(id)));
    return nodes.reduce((a, b) => a + b, ids.length * COST_OF_EXTENT + cached);
  }

  /** What `release` costs at most. */
  costOfRelease(env: number): number {
    return this.costOfFreeing(this.#of(env));
  }

  #of(env: number): number[] {
    return this.#extents.filter((one) => this.#get(one, EXTENT.owner) === env);
  }

  #begin(env: number, extent: Extent): number {
    const id = this.grant(env, extent);
    if (id < 0) return id;
    this.#blanks.addRange(0, extent.start, extent.blocks);
    for (const begun of this.#begun) begun(extent);
    return id;
  }

  /** Whether a block is blank: allocated, and not written since. */
  isBlank(block: number): boolean {
    return block < BLANK_LIMIT && this.#blanks.has(0, block);
  }

  /** Blocks were written: they are no longer blank. */
  written({ start, blocks }: Extent): void {
    for (let block = start; block < start + blocks && block < BLANK_LIMIT; block += 1) this.#blanks.delete(0, block);
  }

  extent(id: number): Extent {
    return { start: this.#get(id, EXTENT.start), blocks: this.#get(id, EXTENT.blocks) };
  }

  /** The capability of an extent: to read, to write, and to free it (control). */
  capability(id: number): CapabilityWords {
    return this.#capabilities.make('extent', EXTENT_RIGHTS, id);
  }

  /** The number of the extent that a capability names, if it grants these rights; else E_CAP. */
  check(words: CapabilityWords, rights: number): number {
    return this.#capabilities.check(words, 'extent', rights);
  }

  /** A living extent that has this block, if there is one. */
  covering(block: number): number | undefined {
    return this.#extents.filter((id) => this.#lives(id) && contains(this.extent(id), block))[0];
  }

  /** Frees an extent, and ends what was bound through branches of it. */
  free(id: number): void {
    const extent = this.extent(id);
    this.#capabilities.endAll('extent', id);
    this.#families.give('extents', this.#families.of(this.#get(id, EXTENT.owner)));
    this.#set(id, EXTENT.owner, NO_ENV);
    this.#set(id, EXTENT.blocks, 0);
    for (const ended of this.#ended) ended(extent, id);
  }

  /** Frees every extent of an environment. */
  release(env: number): void {
    for (const id of this.#of(env)) this.free(id);
  }

  #lives(id: number): boolean {
    return id < EXTENT_LIMIT && this.#get(id, EXTENT.owner) !== NO_ENV;
  }

  #get(id: number, field: number): number {
    return this.#extents.get(id, field);
  }

  #set(id: number, field: number, value: number): void {
    this.#extents.set(id, field, value);
  }
}

/** Whether a block lies in an extent. */
export function contains({ start, blocks }: Extent, block: number): boolean {
  return block >= start && block - start < blocks;
}
