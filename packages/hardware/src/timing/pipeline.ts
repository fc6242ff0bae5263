/**
 * What an instruction waits for: caches, write buffer, uncached accesses, multiplier. One definition for both engines.
 *
 * Each method gets the place of the access in the machine's memory and the cycle it happens in, does what the access does
 * to the model, and returns the stall in cycles. Within an instruction they come in this order, each with `now` as the one
 * before left it:
 *
 *     1. the fetch                 now = cycles before the instruction
 *     2. HI, LO, FPU interlocks    now = with the instruction's own cycle and the stalls before
 *     3. the load or store         now = likewise
 *
 * A load that misses waits until the write buffer is empty, then for memory. A store is put into the buffer, and waits only
 * if that is full. A store of a whole word also puts it into the data cache; of a part, only if the word is there.
 *
 * The caches are tags: a word of memory each, which holds the place of the cached word, or 0. Places index the caches as
 * physical addresses do (`memory/places.ts`). A fetch looks at the tag of its block's first word. The data is memory's:
 * Deviation from caches that DMA could leave stale.
 *
 * Times are low words of cycles (`memory/cpu-state.ts`). `pass` keeps them within reach of a subtraction; it changes no meaning.
 *
 * Assumption: that loads wait for all stores. The KN01's buffer compares addresses instead; but a store takes memory as
 * long as a load, and the times of [VCODE96 T4] fit.
 * Assumption: taking an exception costs no more than the instruction; branches and the TLB cost nothing.
 * Assumption: an instruction that names HI or LO waits for a multiplication under way, `mult` and `mthi` included. `mul` waits as well, and then
 * for its own product: it takes as long as `mult` and `mflo` together. `ll` takes what `lw` does, `sc` what `sw` does if it stores;
 * the other instructions of `mips32` take their cycle.
 */
import * as S from '../memory/cpu-state.ts';
import { DATA_TAGS_HOST, INSTRUCTION_TAGS_HOST } from '../memory/places.ts';
import type { MultiplierUse } from '../semantics/language.ts';
import type { StateStream } from '../state/state-stream.ts';
import { FpuScoreboard } from './fpu-scoreboard.ts';
import type { Timing } from './profiles.ts';

/** Bytes of each cache. */
export const CACHE_BYTES = 0x10000;
/** Set in the tag of a word that an isolated store left: no access hits it but isolated ones. */
export const POISON = 1;

/** No part of the pipeline is busy for so many cycles. */
const LONGEST_WAIT = 0x10000;

/** The parts of one machine that make its pipeline wait. */
export class Pipeline {
  readonly timing: Timing;
  readonly fpu: FpuScoreboard;
  readonly #words: Int32Array;
  readonly #writeCycles: number;
  /** Cycles of stores that fit into the write buffer. */
  readonly #room: number;
  /** Clears the place within a block. */
  readonly #blockMask: number;
  /** The cache that data accesses use: with Status.SwC that of instructions. */
  #dataTags = DATA_TAGS_HOST;
  /** Called with the place of the first word of a block that the instruction cache has lost. */
  evicted: (host: number) => void = () => undefined;
  /** A cycle at which `pass` has been called. */
  #passed = 0;

  /** `words` is the whole memory of the machine. */
  constructor(timing: Timing, words: Int32Array) {
    this.timing = timing;
    this.fpu = new FpuScoreboard(words);
    this.#words = words;
    this.#writeCycles = timing.writeCycles;
    this.#room = timing.writeBufferDepth * timing.writeCycles;
    this.#blockMask = -4 * timing.refillWords;
  }

  /** Exchanges the caches for data accesses, or not. Deviation: fetches keep theirs. */
  swap(swapped: boolean): void {
    this.#dataTags = swapped ? INSTRUCTION_TAGS_HOST : DATA_TAGS_HOST;
  }

  /** A fetch of the instruction at `host`. */
  fetch(host: number, now: number): number {
    const block = host & this.#blockMask;
    if (this.#words[(INSTRUCTION_TAGS_HOST + (block & 0xffff)) >> 2] === block) return 0;
    return this.#miss(INSTRUCTION_TAGS_HOST, block, now);
  }

  /** Whether a fetch at `host` would not have to wait. */
  has(host: number): boolean {
    const block = host & this.#blockMask;
    return host >= 0 && this.#words[(INSTRUCTION_TAGS_HOST + (block & 0xffff)) >> 2] === block;
  }

  /** A load of any size at `host`. */
  load(host: number, now: number): number {
    if (this.#words[(this.#dataTags + (host & 0xfffc)) >> 2] === (host & ~3)) return 0;
    return this.#miss(this.#dataTags, host & this.#blockMask, now);
  }

  /** A store of the whole word at `host`. */
  storeWord(host: number, now: number): number {
    const place = (this.#dataTags + (host & 0xfffc)) >> 2;
    // With the caches swapped, what was there may have been fetched.
    if (this.#dataTags === INSTRUCTION_TAGS_HOST) this.evict(this.#words[place] as number);
    this.#words[place] = host;
    return this.write(now);
  }

  /** A store of a part of the word around `host`. */
  storePart(host: number, now: number): number {
    const hits = this.#words[(this.#dataTags + (host & 0xfffc)) >> 2] === (host & ~3);
    const merge = hits ? this.timing.mergeCycles : 0;
    return merge + this.write((now + merge) | 0);
  }

  /** `lwc1`: `word` is the instruction. */
  loadFpu(word: number, host: number, now: number): number {
    const wait = this.fpu.interlock(word, now);
    return wait + this.load(host, (now + wait) | 0);
  }

  /** `swc1`. */
  storeFpu(word: number, host: number, now: number): number {
    const wait = this.fpu.interlock(word, now);
    return wait + this.storeWord(host, (now + wait) | 0);
  }

  /** A load or fetch that asks no cache. */
  uncached(now: number): number {
    return this.#drain(now) + this.timing.uncachedCycles;
  }

  /** A store as memory sees it; all there is to one that asks no cache. */
  write(now: number): number {
    const busy = this.#drain(now) + this.#writeCycles;
    this.#words[S.WRITE_BUFFER_EMPTY] = now + busy;
    return busy > this.#room ? busy - this.#room : 0;
  }

  /** Whether memory has all stores. */
  isWriteBufferEmpty(now: number): boolean {
    return this.#drain(now) === 0;
  }

  /** An instruction that moves HI or LO. */
  waitHiLo(now: number): number {
    const ahead = ((this.#words[S.HILO_READY] as number) - now) | 0;
    return ahead > 0 ? ahead : 0;
  }

  multiply(now: number): number {
    const wait = this.waitHiLo(now);
    this.#words[S.HILO_READY] = now + wait + this.timing.multiplyCycles;
    return wait;
  }

  divide(now: number): number {
    const wait = this.waitHiLo(now);
    this.#words[S.HILO_READY] = now + wait + this.timing.divideCycles;
    return wait;
  }

  /** An instruction that uses the multiplier as its row says. */
  useMultiplier(use: MultiplierUse, now: number): number {
    switch (use) {
      case 'wait':
        return this.waitHiLo(now);
      case 'multiply':
        return this.multiply(now);
      case 'divide':
        return this.divide(now);
      case 'product':
        return this.waitHiLo(now) + this.timing.multiplyCycles;
    }
  }

  /** Time goes on by `cycles` from cycle `from` of the clock, without an instruction. */
  pass(from: number, cycles: number): void {
    const words = this.#words;
    const to = (from + cycles) | 0;
    for (let i = S.TIMES; i < S.TIMES_END; i += 1) {
      const ahead = ((words[i] as number) - from) | 0;
      if (ahead < cycles) words[i] = to;
    }
    this.#passed = from + cycles;
  }

  /** Refuses times that no instruction could have left. */
  check(s: StateStream, now: number): void {
    for (let i = S.TIMES; i < S.TIMES_END; i += 1) {
      const ahead = ((this.#words[i] as number) - now) | 0;
      if (ahead > LONGEST_WAIT) s.refuse(`a part of the pipeline is busy for ${ahead} cycles`, { ahead });
    }
  }

  /** To be called before each stretch, of less than 2^30 cycles. */
  settle(now: number): void {
    if (Math.abs(now - this.#passed) > 0x10000000) this.pass(now, 0);
  }

  /** The instruction cache loses the block of which this is the first tag; 0: there is none. */
  evict(tag: number): void {
    if (tag === 0) return;
    for (let i = 0; i < this.timing.refillWords; i += 1) this.evicted((tag & ~POISON) + 4 * i);
  }

  /** Cycles until memory has all stores. */
  #drain(now: number): number {
    const ahead = ((this.#words[S.WRITE_BUFFER_EMPTY] as number) - now) | 0;
    return ahead > 0 ? ahead : 0;
  }

  #miss(tags: number, block: number, now: number): number {
    const words = this.#words;
    const { refillWords, missCycles } = this.timing;
    const first = (tags + (block & 0xffff)) >> 2;
    const old = words[first] as number;
    if (tags === INSTRUCTION_TAGS_HOST) this.evict(old);
    for (let i = 0; i < refillWords; i += 1) words[first + i] = block + 4 * i;
    return this.#drain(now) + missCycles;
  }
}
