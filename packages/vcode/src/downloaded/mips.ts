/**
 * Programs as MIPS code that follows the calling convention of downloaded code.
 *
 * In: `a0` the activation record, `ra` the return address; base addresses are as the CPU shall use them, unmapped ones in a
 * kernel. The caller guarantees that the record is word-aligned and `activationBytes` long, that fuel and lengths are
 * below 2^31, that no region wraps around the address space, and what the regions promise about alignment. Out: `v0` the
 * value, `v1` the status, both also as the record says. `sp gp fp s0-s7 k0 k1` are untouched, other registers are lost. The code
 * is a leaf: it calls nothing, uses no stack, touches no memory but the record and the regions.
 */
import type { Assembly } from '@exokernel/isa';
import { moduleOf } from '../from-program/translate.ts';
import { prepareOnce } from '../ir/prepare.ts';
import type { Program } from '../program/ir.ts';
import type { Weigh } from '../r3000/costs.ts';
import { compileLeaf, type LeafCode } from '../r3000/downloaded.ts';
import { boundOf, hasBound } from './bounds.ts';

/** What `compileMips` gives: the instructions, to be placed at the origin. */
export interface MipsProgram extends Assembly {
  /** Fuel by section: [0] at entry, then one iteration of each loop that can be reached, in the order of the text. */
  readonly costs: readonly number[];
  /** Size of the activation record, in bytes. */
  readonly activationBytes: number;
  /** By section: what the path weighs at most on which the instructions that are charged to it weigh most. */
  readonly heaviest: (weigh: Weigh) => readonly number[];
}

interface Compiled extends LeafCode {
  readonly most: number | undefined;
}

const DONE = new WeakMap<Program, Compiled>();

/** What is known of a program that has been compiled; sections are numbered as in its module. Throws `VcodeError` `malformed` or `limit`. */
export function compiledOf(program: Program): Compiled {
  let compiled = DONE.get(program);
  if (compiled === undefined) {
    const module = prepareOnce(moduleOf(program));
    const code = compileLeaf(module);
    compiled = { ...code, most: boundOf(module, code.costs) };
    DONE.set(program, compiled);
  }
  return compiled;
}

/** Sections of modules are numbered from here on. */
const FIRST = 1;

/**
 * Fuel by section: [0] at entry, then one iteration of each loop that can be reached, in the order of the text. All back ends charge these
 * figures, so that a run aborts at the same point everywhere. Throws `VcodeError` `malformed` or `limit`.
 */
export function sectionCosts(program: Program): readonly number[] {
  return compiledOf(program).costs.slice(FIRST);
}

/**
 * The fuel that no run of the program can exceed, or `undefined` if it has a `while` that can be reached. Throws
 * `VcodeError` `malformed` or `limit`.
 */
export function maxCost(program: Program): number | undefined {
  return compiledOf(program).most;
}

/** Whether every loop of the program has a static bound. Throws `VcodeError` `malformed` or `limit`. */
export function isBounded(program: Program): boolean {
  return hasBound(prepareOnce(moduleOf(program)));
}

/**
 * Compiles a program for execution at `origin` (word-aligned), once: the words are the same everywhere. Throws `VcodeError` `malformed`, or
 * `limit` if the code outgrows what branches can reach (32,768 instructions).
 */
export function compileMips(program: Program, origin: number): MipsProgram {
  const { words, costs, activationBytes, heaviest } = compiledOf(program);
  return {
    origin,
    words: words.slice(),
    symbols: new Map(),
    notes: new Map(),
    costs: costs.slice(FIRST),
    activationBytes,
    heaviest: (weigh) => heaviest(weigh).slice(FIRST),
  };
}
