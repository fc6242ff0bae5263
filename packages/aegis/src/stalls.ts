/**
 * How long downloaded code runs at most, in cycles, on the machines that there are: what keeps one run of it within a step of
 * the kernel's work with interrupts off (STEP_CYCLES). [ASH96]
 *
 * Fuel counts instructions, but a cycle is not an instruction: a load from the controller's memory, or one that misses the
 * cache, stands for many. So the bound is taken when the code is bound, on its heaviest path; for a handler with loops it
 * is turned into fuel by the loop that takes most cycles for an instruction.
 *
 * Assumption: the stalls are those of the two boards that `hardware` has timings of (KN01, KN02), each the most that it can be:
 * every load misses, every store waits, code comes from memory the first time.
 */
import type { Pieces } from '@exokernel/dpf';
import type { MipsProgram } from '@exokernel/vcode';
import { STEP_CYCLES } from './layout.ts';

interface Board {
  /** Cycles to fetch a word of code in a row, and to begin a row elsewhere. */
  readonly word: number;
  readonly row: number;
  readonly load: number;
  readonly store: number;
}

const BOARDS: readonly Board[] = [
  { word: 6, row: 0, load: 6, store: 7 },
  { word: 15 / 4, row: 12, load: 15, store: 3 },
];
const LOADS = new Set(['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwl', 'lwr']);
const STORES = new Set(['sb', 'sh', 'sw', 'swl', 'swr']);
const MULTIPLY = 12;
const DIVIDE = 35;

/** Cycles of an instruction that the cache has. */
function cycles(mnemonic: string, { load, store }: Board): number {
  if (LOADS.has(mnemonic)) return 1 + load;
  if (STORES.has(mnemonic)) return 1 + store;
  if (mnemonic.startsWith('mult')) return 1 + MULTIPLY;
  return mnemonic.startsWith('div') ? 1 + DIVIDE : 1;
}

const isBranch = (mnemonic: string): boolean => /^(b|j)/.test(mnemonic) && mnemonic !== 'break';

/** The most cycles that one run of code without loops takes. */
export function mostCycles(code: MipsProgram): number {
  const of = (board: Board): number =>
    code.heaviest((m) => cycles(m, board) + board.word + (isBranch(m) ? board.row : 0))[0] ?? 0;
  return Math.ceil(Math.max(...BOARDS.map(of)));
}

/** The most cycles that pieces of a program take. */
export function mostCyclesOf({ instructions, branches, loads, stores }: Pieces): number {
  const of = (board: Board): number =>
    instructions * (1 + board.word) +
    branches * (1 + board.word + board.row) +
    loads * (1 + board.word + board.load) +
    stores * (1 + board.word + board.store);
  return Math.max(...BOARDS.map(of));
}

/** The fuel with which no run of the code takes more than STEP_CYCLES; undefined if even its part outside of loops may. */
export function boundedFuel(code: MipsProgram): number | undefined {
  const [entry = 0] = code.costs;
  let fuel = Infinity;
  for (const board of BOARDS) {
    const [once = 0, ...loops] = code.heaviest((m) => cycles(m, board));
    const left = STEP_CYCLES - once - board.word * code.words.length;
    if (left < 0) return undefined;
    const dearest = Math.max(1, ...loops.map((loop, i) => loop / Math.max(1, code.costs[i + 1] ?? 1)));
    fuel = Math.min(fuel, entry + Math.floor(left / dearest));
  }
  return fuel;
}
