/** Downloaded code: the one function of a module without memory, globals and calls, as words that a kernel calls; see `leafConvention`. */
import type { Func, Module } from '../ir/ir.ts';
import { activationRecord } from '../ir/record.ts';
import { numberSections } from '../ir/sections.ts';
import type { Surroundings } from '../ssa/surroundings.ts';
import { compileFunction, MOST_COST } from './compile.ts';
import { leafConvention } from './convention.ts';
import { pathsOf, sectionCosts, type Weigh } from './costs.ts';
import { functionSymbol, link } from './link.ts';

/** What `compileLeaf` gives: code that runs at any address, for it names none. */
export interface LeafCode {
  readonly words: Uint32Array;
  /** Fuel by section. */
  readonly costs: readonly number[];
  /** Size of the activation record, in bytes. */
  readonly activationBytes: number;
  /** By section: what the path weighs at most on which its instructions weigh most. */
  readonly heaviest: (weigh: Weigh) => readonly number[];
}

/** Compiles a module that is prepared. Throws `VcodeError` `limit`. */
export function compileLeaf(module: Module): LeafCode {
  return attempt(module, false) ?? (attempt(module, true) as LeafCode);
}

/** One compilation; nothing if a section costs too much for the short form of paying. */
function attempt(module: Module, isDear: boolean): LeafCode | undefined {
  const { starts, loops, count } = numberSections(module);
  const record = activationRecord(module);
  const surroundings: Surroundings = {
    profile: 'checked',
    isLeaf: true,
    sections: loops,
    section: starts[0] ?? 0,
    record,
    settled: new Set(),
    imports: [],
  };
  const [func] = module.functions;
  const convention = (keepsFuel: boolean): ReturnType<typeof leafConvention> =>
    leafConvention(record.bytes, keepsFuel, isDear);
  const { piece, frame } = compileFunction(module, func as Func, functionSymbol(0), surroundings, convention);
  const paths = [pathsOf(piece.scheduled)];
  const costs = sectionCosts(paths, count);
  if (!isDear && costs.some((cost) => cost > MOST_COST)) return undefined;
  return {
    words: link([piece], 0, { costs }).words,
    costs,
    activationBytes: record.bytes + frame,
    heaviest: (weigh) => sectionCosts(paths, count, weigh),
  };
}
