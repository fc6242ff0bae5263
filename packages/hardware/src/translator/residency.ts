/**
 * Which translated blocks lie in the instruction cache as a whole: those need not ask it for each instruction.
 *
 * Each block has a flag in the machine's memory: how much of a stretch must be left to begin it, or COLD while a fetch in it
 * could miss. A cold block is the interpreter's, which thereby brings it into the cache; when a block is begun again and
 * all of it is there, its flag is set. When the cache loses a word, the blocks that it belongs to become cold. So a block
 * makes one comparison, and the model is exact.
 */
import type { Pipeline } from '../timing/pipeline.ts';
import { FLAGS, FLAGS_END } from './layout.ts';

/** More than any stretch has. */
const COLD = 0x7fffffff;

/** A block as the instruction cache sees it. */
export interface CachedBlock {
  /** Byte offset of its flag in the machine's memory. */
  readonly flag: number;
  /** Place of its first instruction in the machine's memory, and of the end of its last. */
  readonly host: number;
  readonly end: number;
  /** What must be left of a stretch to begin it. */
  readonly worst: number;
}

/** The flags of one machine. */
export class Residency {
  readonly #words: Int32Array;
  readonly #pipeline: Pipeline;
  /** For each page of memory that holds translated code, the blocks in which each of its words is. */
  readonly #pages = new Map<number, (CachedBlock[] | undefined)[]>();
  #next = FLAGS;
  readonly #free: number[] = [];

  constructor(words: Int32Array, pipeline: Pipeline) {
    this.#words = words;
    this.#pipeline = pipeline;
    pipeline.evicted = (host) => {
      for (const block of this.#blocksOf(host) ?? []) words[block.flag >>> 2] = COLD;
    };
  }

  /** Whether there is room for the flags of so many blocks. */
  hasRoom(blocks: number): boolean {
    return this.#next + 4 * (blocks - this.#free.length) <= FLAGS_END;
  }

  /** A flag for a block. */
  claim(): number {
    const flag = this.#free.pop() ?? this.#next;
    if (flag === this.#next) this.#next += 4;
    this.#words[flag >>> 2] = COLD;
    return flag;
  }

  add(block: CachedBlock): void {
    for (let host = block.host; host < block.end; host += 4) {
      const page = this.#pages.get(host >>> 12) ?? [];
      this.#pages.set(host >>> 12, page);
      const place = (host & 0xfff) >>> 2;
      (page[place] ??= []).push(block);
    }
  }

  /** The block is gone: its flag is free. */
  remove(block: CachedBlock): void {
    this.#free.push(block.flag);
    for (let host = block.host; host < block.end; host += 4) {
      const blocks = this.#blocksOf(host);
      const at = blocks?.indexOf(block) ?? -1;
      if (at >= 0) blocks?.splice(at, 1);
    }
  }

  /** The cache has been changed as a whole. */
  forget(): void {
    this.#words.fill(COLD, FLAGS >>> 2, FLAGS_END >>> 2);
  }

  /** Sets the flags of the blocks that begin at `host`, if they were cold and need not be. Returns whether it did so. */
  warm(host: number): boolean {
    let isWarmer = false;
    for (const block of this.#blocksOf(host) ?? []) {
      if (block.host !== host || this.#words[block.flag >>> 2] !== COLD || !this.#isResident(block)) continue;
      this.#words[block.flag >>> 2] = block.worst;
      isWarmer = true;
    }
    return isWarmer;
  }

  /** Whether a block begins at `host` that is cold. */
  isCold(host: number): boolean {
    return (this.#blocksOf(host) ?? []).some((block) => block.host === host && this.#words[block.flag >>> 2] === COLD);
  }

  #isResident({ host, end }: CachedBlock): boolean {
    for (let at = host; at < end; at += 4) if (!this.#pipeline.has(at)) return false;
    return true;
  }

  #blocksOf(host: number): CachedBlock[] | undefined {
    return this.#pages.get(host >>> 12)?.[(host & 0xfff) >>> 2];
  }
}
