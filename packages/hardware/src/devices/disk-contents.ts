/**
 * What is on a disk: the image that the host gave, the sectors that differ from it, and the writes that a loss of power may undo.
 *
 * The store holds what the guest reads. Beside it, each sector that was written keeps what the image had there, what it had at
 * the last flush, and what was written since. So a snapshot holds the sectors that differ, `restore` can put others back, and
 * after a loss of power any subset of the writes since the last flush has happened, in any order, each sector whole or not at all.
 *
 * Of writes to one sector between two flushes, the last `MOST_WRITES` are kept. Deviation: of more, the older ones have happened.
 * The image's name in a snapshot is a sum of checksums of its sectors. Do not change the store behind a machine's back.
 */
import { SECTOR_BYTES, type BlockStore } from './block-store.ts';
import { checksum } from '../state/checksum.ts';
import type { StateStream } from '../state/state-stream.ts';

const MOST_WRITES = 8;
/** Sectors that are read together when the image is summed up. */
const CHUNK = 2048;

/** A sector that was written. */
interface Sector {
  /** As the image has it. */
  readonly image: Uint8Array;
  /** As a loss of power cannot undo it. */
  durable: Uint8Array;
  /** What was written since, oldest first. */
  readonly writes: Uint8Array[];
}

/** The contents of one disk. */
export class DiskContents {
  readonly blocks: number;
  readonly readOnly: boolean;
  readonly #store: BlockStore;
  readonly #sectors = new Map<number, Sector>();
  /** The sectors of these that have writes since the last flush. */
  readonly #unflushed = new Set<number>();
  #imageSum: number | undefined;
  /** What a snapshot says, until all of it has been accepted. */
  #incoming: ReadonlyMap<number, Sector> | undefined;

  constructor(store: BlockStore) {
    this.#store = store;
    this.blocks = store.blocks;
    this.readOnly = store.readOnly === true;
  }

  /** Fills `into` from `sector` on. Throws what the store throws, as the other methods do. */
  read(sector: number, into: Uint8Array): void {
    this.#store.read(sector, into);
  }

  write(sector: number, from: Uint8Array): void {
    const count = from.length / SECTOR_BYTES;
    let before: Uint8Array | undefined;
    for (let i = 0; i < count; i += 1) {
      if (this.#sectors.has(sector + i)) continue;
      if (before === undefined) this.#store.read(sector, (before = new Uint8Array(from.length)));
      const image = part(before, i);
      this.#sectors.set(sector + i, { image, durable: image, writes: [] });
    }
    this.#store.write(sector, from);
    for (let i = 0; i < count; i += 1) this.#note(sector + i, part(from, i));
  }

  #note(number: number, written: Uint8Array): void {
    const sector = this.#sectors.get(number);
    if (sector === undefined) return;
    sector.writes.push(written);
    if (sector.writes.length > MOST_WRITES) sector.durable = sector.writes.shift() ?? sector.durable;
    this.#unflushed.add(number);
  }

  /** What was written stays from now on. */
  flush(): void {
    this.#store.flush();
    for (const number of this.#unflushed) {
      const sector = this.#sectors.get(number);
      if (sector === undefined) continue;
      sector.durable = current(sector);
      sector.writes.length = 0;
      if (isEqual(sector.durable, sector.image)) this.#sectors.delete(number);
    }
    this.#unflushed.clear();
  }

  /** Power is lost while `sector` is being written. `choose(n)` gives an integer from 0 up to n, exclusive. */
  powerCut(choose: (n: number) => number, sector: number, from: Uint8Array | undefined): void {
    if (from !== undefined) this.write(sector, from);
    for (const number of [...this.#unflushed].sort((a, b) => a - b)) {
      const { durable, writes } = this.#sectors.get(number) ?? NOTHING;
      const left = [durable, ...writes][choose(writes.length + 1)] ?? durable;
      this.#store.write(number, left);
    }
    this.#store.flush();
  }

  // ---- Snapshots

  /** A number for the contents as they are now. */
  get sum(): number {
    let sum = this.#image();
    for (const [number, sector] of this.#sectors) {
      sum += sumOf(number, current(sector)) - sumOf(number, sector.image);
    }
    return sum >>> 0;
  }

  /** The sum of the image's sectors, made once. */
  #image(): number {
    if (this.#imageSum !== undefined) return this.#imageSum;
    let sum = 0;
    const chunk = new Uint8Array(CHUNK * SECTOR_BYTES);
    for (let first = 0; first < this.blocks; first += CHUNK) {
      const count = Math.min(CHUNK, this.blocks - first);
      const bytes = chunk.subarray(0, count * SECTOR_BYTES);
      this.#store.read(first, bytes);
      for (let i = 0; i < count; i += 1) {
        const here = bytes.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES);
        sum = (sum + sumOf(first + i, this.#sectors.get(first + i)?.image ?? here)) >>> 0;
      }
    }
    this.#imageSum = sum;
    return sum;
  }

  /**
   * Walks the sum of the image, that of the contents, and the sectors that differ. Reading, the disk's image must be that one; or it
   * already has those contents, as a file has that was kept together with the snapshot. `restored` then takes them over.
   */
  state(s: StateStream): void {
    const image = s.integer(this.#image(), 0, 0xffffffff);
    const contents = s.integer(this.sum, 0, 0xffffffff);
    const isImage = image === this.#image();
    if (!isImage && contents !== this.sum) {
      s.refuse('its disk had another image', { image, here: this.#image() });
    }
    const sectors = s.list<readonly [number, Sector]>([...this.#sectors], (one) => {
      const number = s.integer(one?.[0] ?? 0, 0, this.blocks - 1);
      const durable = sectorState(s, one?.[1].durable);
      const writes = s.list(one?.[1].writes ?? [], (written) => sectorState(s, written));
      if (writes.length > MOST_WRITES) s.refuse(`a sector has ${writes.length} writes`, { number });
      return [number, { image: durable, durable, writes }] as const;
    });
    if (s.reads) this.#incoming = new Map(sectors.map(([number, one]) => [number, this.#over(number, one)]));
  }

  /** A sector of a snapshot over what the image of this disk has there. */
  #over(number: number, { durable, writes }: Sector): Sector {
    const known = this.#sectors.get(number)?.image;
    const image = known ?? new Uint8Array(SECTOR_BYTES);
    if (known === undefined) this.#store.read(number, image);
    return { image, durable, writes };
  }

  /** Makes the disk what was read. */
  restored(): void {
    const incoming = this.#incoming;
    if (incoming === undefined) return;
    this.#incoming = undefined;
    for (const [number, sector] of this.#sectors) {
      if (!incoming.has(number) && !isEqual(current(sector), sector.image)) this.#store.write(number, sector.image);
    }
    for (const [number, sector] of incoming) {
      const before = this.#sectors.get(number);
      if (!isEqual(current(sector), before === undefined ? sector.image : current(before))) {
        this.#store.write(number, current(sector));
      }
    }
    this.#sectors.clear();
    this.#unflushed.clear();
    for (const [number, sector] of incoming) {
      this.#sectors.set(number, sector);
      if (sector.writes.length > 0) this.#unflushed.add(number);
    }
  }
}

const NOTHING: Sector = { image: new Uint8Array(0), durable: new Uint8Array(SECTOR_BYTES), writes: [] };

function current({ durable, writes }: Sector): Uint8Array {
  return writes.at(-1) ?? durable;
}

/** A copy of sector `i` of these bytes. */
function part(bytes: Uint8Array, i: number): Uint8Array {
  return bytes.slice(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

/** What a sector adds to the sum of its disk. */
function sumOf(number: number, bytes: Uint8Array): number {
  return Math.imul(checksum(bytes) ^ Math.imul(number + 1, 0x9e3779b1), 0x85ebca6b) >>> 0;
}

function sectorState(s: StateStream, bytes: Uint8Array = new Uint8Array(SECTOR_BYTES)): Uint8Array {
  const found = s.reads ? new Uint8Array(SECTOR_BYTES) : bytes;
  s.bytes(found);
  return found;
}
