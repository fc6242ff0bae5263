/**
 * The caches as software sees them while they are isolated (Status.IsC): loads and stores reach the cache and nothing else.
 *
 * A store of a word puts it into the cache in place of what was there; a store of a part invalidates its word. A load gives what
 * is there, and says whether it is the word that was asked for (Status.CM). So software finds sizes and flushes lines. With
 * Status.SwC all this happens to the instruction cache.
 *
 * What isolated stores leave is kept beside memory (`memory/places.ts`), and its tag is poisoned, so that ordinary accesses miss
 * it. Deviation from a cache that would give it to them: software must flush it in any case.
 *
 * A fetch looks at the tag of its block's first word only (`pipeline.ts`); so that one is poisoned with its neighbours.
 *
 * Source: [KANE92 §5].
 */
import { DATA_TAGS_HOST, INSTRUCTION_TAGS_HOST, ISOLATED_HOST } from '../memory/places.ts';
import { CACHE_BYTES, POISON } from './pipeline.ts';

/** In the tag of an address at which there is no memory. */
const NOWHERE = 0x40000000;

/** Both caches of one machine. */
export class IsolatedCache {
  readonly #words: Int32Array;
  readonly #refillWords: number;
  readonly #evict: (tag: number) => void;
  /** Whether the last load found another word than that it asked for. */
  missed: boolean = false;

  /** `words` is the whole memory of the machine. `evict` is told the first tag of each block that fetches hit no more. */
  constructor(words: Int32Array, refillWords: number, evict: (tag: number) => void) {
    this.#words = words;
    this.#evict = evict;
    this.#refillWords = refillWords;
  }

  /** The word in the cache at the place of `physical`, whose place in memory is `host` (negative: it has none). */
  load(physical: number, host: number, swapped: boolean): number {
    const index = (physical & (CACHE_BYTES - 1)) >> 2;
    const tag = this.#words[tags(swapped) + index] as number;
    this.missed = (tag & ~POISON) !== tagOf(physical, host);
    return this.#data(tag, index, swapped);
  }

  /** Puts a word there. */
  storeWord(physical: number, host: number, swapped: boolean, value: number): void {
    const index = (physical & (CACHE_BYTES - 1)) >> 2;
    if (swapped) this.#poison(index & -this.#refillWords);
    this.#words[left(swapped) + index] = value;
    this.#words[tags(swapped) + index] = tagOf(physical, host) | POISON;
  }

  /** Invalidates the word there; its bits stay. */
  invalidate(physical: number, swapped: boolean): void {
    const index = (physical & (CACHE_BYTES - 1)) >> 2;
    if (swapped) this.#poison(index & -this.#refillWords);
    this.#words[left(swapped) + index] = this.#data(this.#words[tags(swapped) + index] as number, index, swapped);
    this.#words[tags(swapped) + index] = 0;
  }

  /** No fetch hits this word of the instruction cache any more. */
  #poison(index: number): void {
    const tag = this.#words[tags(true) + index] as number;
    if (tag === 0) return;
    this.#evict(tag);
    this.#words[left(true) + index] = this.#data(tag, index, true);
    this.#words[tags(true) + index] = tag | POISON;
  }

  #data(tag: number, index: number, swapped: boolean): number {
    const isOrdinary = tag !== 0 && (tag & POISON) === 0;
    return this.#words[isOrdinary ? tag >> 2 : left(swapped) + index] as number;
  }
}

/** Index of the first tag of the cache that data accesses reach. */
function tags(swapped: boolean): number {
  return (swapped ? INSTRUCTION_TAGS_HOST : DATA_TAGS_HOST) >> 2;
}

/** Index of the first word that isolated stores left in it. */
function left(swapped: boolean): number {
  return (ISOLATED_HOST + (swapped ? CACHE_BYTES : 0)) >> 2;
}

function tagOf(physical: number, host: number): number {
  return host >= 0 ? host & ~3 : NOWHERE | (physical & (NOWHERE - 4));
}
