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
import type { Program } from '../program/ir.ts';
import type { Weigh } from '../r3000/costs.ts';
import { compileLeaf } from '../r3000/downloaded.ts';

/** What `compileMips` gives: the instructions, to be placed at the origin. */
export interface MipsProgram extends Assembly {
  /** Fuel by section: [0] at entry, then one iteration of each loop in the order of the text. */
  readonly costs: readonly number[];
  /** Size of the activation record, in bytes. */
  readonly activationBytes: number;
  /** By section: what the path weighs at most on which the instructions that are charged to it weigh most. */
  readonly heaviest: (weigh: Weigh) => readonly number[];
}

/**
 * Fuel by section: [0] at entry, then one iteration of each loop in the order of the text. All back ends charge these
 * figures, so that a run aborts at the same point everywhere. Throws `VcodeError` `malformed` or `limit`.
 */
export function sectionCosts(program: Program): readonly number[] {
  return compileLeaf(moduleOf(program)).costs.slice(FIRST);
}

/** Sections of modules are numbered from here on. */
const FIRST = 1;

/**
 * Compiles a program for execution at `origin` (word-aligned); the second time, only addresses are made. Throws `VcodeError` `malformed`, or
 * `limit` if the code outgrows what branches can reach (32,768 instructions).
 */
export function compileMips(program: Program, origin: number): MipsProgram {
  const { costs, activationBytes, heaviest, link } = compileLeaf(moduleOf(program));
  const { words } = link(origin);
  return {
    origin,
    words,
    symbols: new Map(),
    notes: new Map(),
    costs: costs.slice(FIRST),
    activationBytes,
    heaviest: (weigh) => heaviest(weigh).slice(FIRST),
  };
}
