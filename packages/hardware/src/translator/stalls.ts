/**
 * The code that makes translated instructions wait as `timing/pipeline.ts` makes those of the interpreter, in the same order.
 *
 * Fetches are not here: a block is begun only while the instruction cache has all of it (`residency.ts`).
 *
 * The cycle in which an instruction's access happens is the end of the stretch less what is left of it, with the cycles of
 * the instructions behind it in its block given back.
 */
import type { OperandKind } from '@exokernel/isa';
import { I32, type FunctionBuilder, type ValueType } from '@exokernel/wasm';
import * as S from '../memory/cpu-state.ts';
import { DATA_TAGS_HOST } from '../memory/places.ts';
import { everyStatement, type MultiplierUse, type Statement } from '../semantics/language.ts';
import type { Timing } from '../timing/profiles.ts';
import { END, STALLS } from './layout.ts';
import type { Block } from './region.ts';

/** What a region of a machine with caches is made with. */
export interface TimedRegion {
  readonly timing: Timing;
  /** Byte offset of the flag of each block. */
  readonly flags: ReadonlyMap<Block, number>;
  /** Index of the function that refills a block of the data cache: (place, cycle, write buffer empty) to the stall. */
  readonly refill: number;
}

/** The longest that the instructions of a block can take, in cycles: what must be left of a stretch to begin it. */
export function worstCase({ steps, ending, length }: Block, timing: Timing): number {
  const all = ending.kind === 'branch' ? [...steps, ending.branch, ending.slot] : steps;
  let cycles = length;
  for (const { statements } of all) {
    for (const statement of everyStatement(statements)) cycles += worstWait(statement, timing);
  }
  return cycles;
}

function worstWait(statement: Statement<OperandKind>, timing: Timing): number {
  switch (statement.kind) {
    case 'reach':
      return statement.isStore ? 0 : (timing.writeBufferDepth + 1) * timing.writeCycles + timing.missCycles;
    case 'store':
    case 'storeAround':
      return timing.writeCycles + timing.mergeCycles;
    case 'multiplier':
      return (
        Math.max(timing.multiplyCycles, timing.divideCycles) + (statement.use === 'product' ? timing.multiplyCycles : 0)
      );
    default:
      return 0;
  }
}

/** Emits the stalls of one region. `behind` counts the instructions of the block behind the one that waits. */
export class StallEmission {
  readonly #code: FunctionBuilder;
  readonly #timed: TimedRegion;
  readonly #left: number;
  readonly #stalls: number;
  readonly #end: number;
  readonly #buffer: number;
  readonly #hilo: number;
  readonly #now: number;
  readonly #cycles: number;

  constructor(code: FunctionBuilder, left: number, timed: TimedRegion) {
    this.#code = code;
    this.#timed = timed;
    this.#left = left;
    this.#stalls = code.local(I32);
    this.#end = code.local(I32);
    this.#buffer = code.local(I32);
    this.#hilo = code.local(I32);
    this.#now = code.local(I32);
    this.#cycles = code.local(I32);
  }

  /** The words that are locals in a region, with their places. */
  get #kept(): (readonly [number, number])[] {
    return [
      [STALLS, this.#stalls],
      [4 * S.WRITE_BUFFER_EMPTY, this.#buffer],
      [4 * S.HILO_READY, this.#hilo],
    ];
  }

  begin(): void {
    for (const [offset, local] of [...this.#kept, [END, this.#end] as const]) {
      this.#code.i32Const(0);
      this.#code.i32Load(offset);
      this.#code.localSet(local);
    }
  }

  end(): void {
    for (const [offset, local] of this.#kept) {
      this.#code.i32Const(0);
      this.#code.localGet(local);
      this.#code.i32Store(offset);
    }
  }

  /** Pushes what must be left to begin the block. */
  needed(block: Block): void {
    this.#code.i32Const(0);
    this.#code.i32Load(this.#timed.flags.get(block) ?? 0);
  }

  /** A load at the place in the local `host`. */
  load(behind: number, host: number): void {
    const code = this.#code;
    this.#missed(host);
    code.if();
    code.localGet(host);
    this.#pushNow(behind);
    code.localGet(this.#buffer);
    code.call(this.#timed.refill);
    this.#wait();
    code.end();
  }

  storeWord(behind: number, host: number): void {
    const code = this.#code;
    this.#tagPlace(host);
    code.localGet(host);
    code.i32Store(DATA_TAGS_HOST);
    this.#pushNow(behind);
    code.localSet(this.#now);
    this.#write();
  }

  storePart(behind: number, host: number): void {
    const code = this.#code;
    // The merge comes first, if the word is there.
    this.#missed(host);
    code.i32Eqz();
    code.i32Const(this.#timed.timing.mergeCycles);
    code.i32Mul();
    this.#wait();
    this.#pushNow(behind);
    code.localSet(this.#now);
    this.#write();
  }

  /** An instruction that uses the multiplier: it waits for HI and LO, and then for its product, or for nothing. */
  multiplier(behind: number, use: MultiplierUse): void {
    const code = this.#code;
    this.#pushNow(behind);
    code.localSet(this.#now);
    this.#pushAhead(this.#hilo);
    code.localTee(this.#cycles);
    code.if();
    code.localGet(this.#cycles);
    this.#wait();
    code.end();
    const { multiplyCycles, divideCycles } = this.#timed.timing;
    if (use === 'product') {
      code.i32Const(multiplyCycles);
      this.#wait();
    }
    if (use === 'wait' || use === 'product') return;
    code.localGet(this.#now);
    code.localGet(this.#cycles);
    code.i32Add();
    code.i32Const(use === 'multiply' ? multiplyCycles : divideCycles);
    code.i32Add();
    code.localSet(this.#hilo);
  }

  /** A store as memory sees it, at cycle `#now`. */
  #write(): void {
    const code = this.#code;
    const { writeCycles, writeBufferDepth } = this.#timed.timing;
    this.#pushAhead(this.#buffer);
    code.i32Const(writeCycles);
    code.i32Add();
    code.localTee(this.#cycles);
    code.localGet(this.#now);
    code.i32Add();
    code.localSet(this.#buffer);
    code.localGet(this.#cycles);
    code.i32Const(writeCycles * writeBufferDepth);
    code.i32GtS();
    code.if();
    code.localGet(this.#cycles);
    code.i32Const(writeCycles * writeBufferDepth);
    code.i32Sub();
    this.#wait();
    code.end();
  }

  /** Pushes how far the time in a local is ahead of `#now`, 0 if it is past. */
  #pushAhead(time: number): void {
    const code = this.#code;
    code.localGet(time);
    code.localGet(this.#now);
    code.i32Sub();
    code.localTee(this.#cycles);
    code.i32Const(0);
    code.localGet(this.#cycles);
    code.i32Const(0);
    code.i32GtS();
    code.select();
  }

  /** Pushes whether the data cache lacks the word at the place in `host`. */
  #missed(host: number): void {
    const code = this.#code;
    this.#tagPlace(host);
    code.i32Load(DATA_TAGS_HOST);
    code.localGet(host);
    code.i32Const(-4);
    code.i32And();
    code.i32Ne();
  }

  #tagPlace(host: number): void {
    this.#code.localGet(host);
    this.#code.i32Const(0xfffc);
    this.#code.i32And();
  }

  #pushNow(behind: number): void {
    const code = this.#code;
    code.localGet(this.#end);
    code.localGet(this.#left);
    code.i32Sub();
    if (behind === 0) return;
    code.i32Const(behind);
    code.i32Sub();
  }

  /** Waits for the cycles on the stack. */
  #wait(): void {
    const code = this.#code;
    code.localSet(this.#cycles);
    code.localGet(this.#left);
    code.localGet(this.#cycles);
    code.i32Sub();
    code.localSet(this.#left);
    code.localGet(this.#stalls);
    code.localGet(this.#cycles);
    code.i32Add();
    code.localSet(this.#stalls);
  }
}

/** Place, cycle, and when the write buffer is empty. */
export const REFILL_PARAMETERS: readonly ValueType[] = [I32, I32, I32];

/** Emits the body of the function that refills a block of the data cache (see `TimedRegion.refill`). */
export function emitRefill(code: FunctionBuilder, { refillWords, missCycles }: Timing): void {
  const [host, now, buffer] = [0, 1, 2];
  const block = code.local(I32);
  code.localGet(host);
  code.i32Const(-4 * refillWords);
  code.i32And();
  code.localSet(block);
  for (let i = 0; i < refillWords; i += 1) {
    code.localGet(block);
    code.i32Const(0xfffc);
    code.i32And();
    code.localGet(block);
    code.i32Const(4 * i);
    code.i32Add();
    code.i32Store(DATA_TAGS_HOST + 4 * i);
  }
  code.localGet(buffer);
  code.localGet(now);
  code.i32Sub();
  code.localTee(now);
  code.i32Const(0);
  code.localGet(now);
  code.i32Const(0);
  code.i32GtS();
  code.select();
  code.i32Const(missCycles);
  code.i32Add();
}
