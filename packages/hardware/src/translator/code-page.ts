/**
 * A page of memory that holds, or held, translated code: what the translator has learned of it.
 *
 * Code that changes is translated again, but with back-off: a translation takes as long as some 100,000 interpreted
 * instructions, so code that changes more often than that is left to the interpreter for a while. The while doubles with each
 * change that came too soon, up to a few million instructions, and is forgotten as soon as a translation has lived long enough.
 * So nothing is interpreted for good, and nothing is translated without end.
 */
import type { CachedBlock } from './residency.ts';

/** Instructions after which a translation has paid. Assumption: about twice what it costs. */
const PAYS_AFTER = 200_000;
/** The back-off after the first change that came too soon, and the longest. Assumption. */
const FIRST_BACK_OFF = 50_000;
const LONGEST_BACK_OFF = 4_000_000;
/** A page that takes so many stores, more often than one in so many instructions, is worth more as data. Assumption. */
const STORES = 1024;
const INSTRUCTIONS_PER_STORE = 50;

/** A region in use. */
export interface Translated {
  /** Index of its first word in the whole memory, and the words that it was made of. */
  readonly from: number;
  readonly words: Int32Array;
  readonly page: CodePage;
  /** Where it can be entered: keys and addresses. */
  readonly entries: readonly (readonly [key: number, pc: number])[];
  /** 1 for code of user mode. */
  readonly mode: number;
  readonly slot: number;
  /** Its blocks, where there is an instruction cache. */
  readonly blocks: readonly CachedBlock[];
  /** Whether it was noted since the jump cache was emptied. */
  isUsed: boolean;
}

/** Counts are instructions of the machine. */
export class CodePage {
  /** Number of the page in the whole memory. */
  readonly number: number;
  readonly regions: Set<Translated> = new Set();
  /** Numbers of its words that are the interpreter's: loads and stores of devices' registers. */
  readonly slow: Set<number> = new Set();
  #translatedAt = 0;
  #backOff = 0;
  #notBefore = 0;
  #stores = 0;
  #storesSince = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** Whether its code may be translated now. */
  mayTranslate(now: number): boolean {
    return now >= this.#notBefore;
  }

  /** Some of it has been translated. */
  translated(now: number): void {
    if (this.regions.size === 0) this.#translatedAt = now;
  }

  /** Code of it has changed: what was learned of its words is void. */
  changed(now: number): void {
    this.slow.clear();
    if (now - this.#translatedAt >= PAYS_AFTER) this.#backOff = 0;
    else this.#wait(now);
    this.#translatedAt = now;
  }

  /** A program has been put there on purpose: it begins with a clean slate. */
  installed(): void {
    this.slow.clear();
    this.#backOff = 0;
    this.#notBefore = 0;
  }

  /** A store while it holds translated code. Returns whether it had better hold none for a while. */
  stored(now: number): boolean {
    this.#stores += 1;
    if (this.#stores < STORES) return false;
    const isData = now - this.#storesSince < STORES * INSTRUCTIONS_PER_STORE;
    this.#stores = 0;
    this.#storesSince = now;
    if (isData) this.#wait(now);
    return isData;
  }

  #wait(now: number): void {
    this.#backOff = Math.min(LONGEST_BACK_OFF, Math.max(FIRST_BACK_OFF, 2 * this.#backOff));
    this.#notBefore = now + this.#backOff;
  }
}
