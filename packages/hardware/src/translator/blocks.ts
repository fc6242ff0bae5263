/**
 * Finding regions (`region.ts`): where blocks begin and end.
 *
 * Calls are not followed; the place a call returns to is a block. A block ends at a branch (its
 * delay slot included), before the next block, or before an instruction that is the interpreter's: one whose row is not for
 * translated code, a load whose value the next instruction must not see, a branch whose slot the region cannot see.
 *
 * Source: [KANE92 §1] for the delays.
 */
import { controlFlow, decode, effects, type Extension, type OperandKind } from '@exokernel/isa';
import { isHazard } from '../cpu/hazards.ts';
import { translatable, type Semantics, type Surroundings } from '../semantics/language.ts';
import { SEMANTICS } from '../semantics/table.ts';
import type { Block, Ending, Region, Step } from './region.ts';

/** Most instructions of a region. Larger functions take the host's compiler longer than they gain. */
const MAX_INSTRUCTIONS = 256;
const PAGE_WORDS = 1024;
/** Opcodes of `lb`, `lh`, `lw`, `lbu`, `lhu`. */
const DEVICE_LOADS: ReadonlySet<number> = new Set([0x20, 0x21, 0x23, 0x24, 0x25]);

/** What is known of the page of a region besides its words. */
export interface PageFacts extends Surroundings {
  readonly extensions: readonly Extension[];
  /** Numbers of words that were left to the interpreter again and again: loads and stores of devices' registers. */
  readonly slow: ReadonlySet<number>;
}

/** The region of `pc`; undefined if its first instruction is the interpreter's. `words` are those of its page. */
export function findRegion(pc: number, words: Int32Array, facts: PageFacts): Region | undefined {
  const page = pc & ~0xfff;
  const finder = new Finder(page, words, facts);
  return finder.find((pc & 0xfff) >>> 2);
}

class Finder {
  readonly #page: number;
  readonly #words: Int32Array;
  readonly #facts: PageFacts;
  readonly #steps = new Map<number, Step | undefined>();
  readonly #leaders = new Set<number>();
  readonly #work: number[] = [];
  #budget = MAX_INSTRUCTIONS;
  #first = PAGE_WORDS;
  #end = 0;

  constructor(page: number, words: Int32Array, facts: PageFacts) {
    this.#page = page;
    this.#words = words;
    this.#facts = facts;
  }

  find(start: number): Region | undefined {
    this.#lead(start);
    const seen = new Set<number>();
    for (let at = this.#work.shift(); at !== undefined; at = this.#work.shift()) this.#explore(at, seen);
    const order = [...this.#leaders].filter((leader) => seen.has(leader)).sort((a, b) => a - b);
    const blocks = order.map((leader, i) => this.#block(leader, order[i + 1] ?? PAGE_WORDS, seen));
    if ((blocks.find((block) => block.pc === this.#address(start))?.length ?? 0) === 0) return undefined;
    return { blocks, first: this.#first, end: Math.min(PAGE_WORDS, this.#end) };
  }

  #address(at: number): number {
    return (this.#page + 4 * at) | 0;
  }

  #lead(at: number): void {
    if (this.#leaders.has(at)) return;
    this.#leaders.add(at);
    this.#work.push(at);
  }

  /** Marks what a straight run from `at` executes, and leads off where its branch goes. */
  #explore(from: number, seen: Set<number>): void {
    for (let at = from; at < PAGE_WORDS && !seen.has(at); at += 1) {
      if (this.#budget <= 0) return;
      this.#budget -= 1;
      seen.add(at);
      this.#cover(at);
      const step = this.#step(at);
      if (step === undefined) {
        this.#resume(at);
        return;
      }
      const ending = this.#branch(step, at);
      if (ending === 'none') continue;
      if (ending === undefined) return;
      this.#cover(at + 1);
      const { calls } = step.effects;
      const target = this.#inPage(ending.target);
      if (target >= 0 && !calls) this.#lead(target);
      if ((!step.flow.always || calls) && at + 2 < PAGE_WORDS) this.#lead(at + 2);
      return;
    }
  }

  /** The interpreter executes the instruction at `at`; the one after it is a place to come back to. */
  #resume(at: number): void {
    if (at + 1 >= PAGE_WORDS || effects(this.#words[at] ?? 0, this.#facts.extensions).branches) return;
    this.#lead(at + 1);
  }

  #cover(at: number): void {
    // The next word says whether a load may end early.
    this.#first = Math.min(this.#first, at);
    this.#end = Math.max(this.#end, at + 2);
  }

  #inPage(target: number | undefined): number {
    return target !== undefined && ((target ^ this.#page) & 0xfffff000) === 0 ? (target & 0xfff) >>> 2 : -1;
  }

  /** The instruction at word `at`; undefined if it is the interpreter's. */
  #step(at: number): Step | undefined {
    if (!this.#steps.has(at)) this.#steps.set(at, this.#decode(at));
    return this.#steps.get(at);
  }

  #decode(at: number): Step | undefined {
    const word = this.#words[at] ?? 0;
    const { extensions, slow } = this.#facts;
    const readsDevice = slow.has(at) && this.#mayReadDevice(word);
    const instruction = slow.has(at) && !readsDevice ? undefined : decode(word, extensions);
    if (instruction === undefined) return undefined;
    const row = SEMANTICS[instruction.mnemonic] as Semantics<OperandKind>;
    const statements = translatable(row, this.#facts, instruction.operands);
    if (statements === undefined) return undefined;
    const pc = this.#address(at);
    const flow = controlFlow(word, pc, extensions);
    return { pc, word, effects: effects(word, extensions), flow, statements, readsDevice };
  }

  /** The kernel's loads of bytes, half-words and words, where nothing else is to be waited for. */
  #mayReadDevice(word: number): boolean {
    const { isKernel, isTimed } = this.#facts;
    return isKernel && !isTimed && DEVICE_LOADS.has(word >>> 26);
  }

  /** The branch at `at` with its slot; 'none' if it is no branch, undefined if it is the interpreter's. */
  #branch(step: Step, at: number): (Ending & { kind: 'branch' }) | 'none' | undefined {
    const { branches, reads, writes, loads } = step.effects;
    if (!branches) {
      if (loads === 0 || loads === 1) return 'none';
      if (at + 1 >= PAGE_WORDS) return undefined;
      return isHazard(this.#words[at + 1] ?? 0, 31 - Math.clz32(loads)) ? undefined : 'none';
    }
    const slot = at + 1 < PAGE_WORDS ? this.#step(at + 1) : undefined;
    if (slot === undefined) return undefined;
    const { target, always } = step.flow;
    const inSlot = slot.effects;
    // A branch to itself whose condition no register has a part in waits for the write buffer, and not for an event.
    const isIdle = target === step.pc >>> 0 && (always || reads !== 0);
    // The branch is executed again if its slot turns out to be the interpreter's, so it must not change what it reads.
    if (inSlot.branches || inSlot.loads !== 0 || (writes & reads) !== 0 || isIdle) return undefined;
    return { kind: 'branch', branch: step, slot, target: target === undefined ? undefined : target | 0 };
  }

  #block(leader: number, next: number, seen: Set<number>): Block {
    const steps: Step[] = [];
    const pc = this.#address(leader);
    for (let at = leader; at < next; at += 1) {
      const step = seen.has(at) ? this.#step(at) : undefined;
      if (step === undefined) {
        const ending: Ending = seen.has(at) ? { kind: 'slow' } : { kind: 'next' };
        return { pc, steps, ending, length: steps.length };
      }
      const ending = this.#branch(step, at);
      if (ending === undefined) return { pc, steps, ending: { kind: 'slow' }, length: steps.length };
      if (ending !== 'none') return { pc, steps, ending, length: steps.length + 2 };
      steps.push(step);
    }
    return { pc, steps, ending: { kind: 'next' }, length: steps.length };
  }
}
