/**
 * Downloaded code: the one function of a module without memory, globals and calls, as position-dependent words that a kernel calls; see
 * `leafConvention`.
 */
import type { Func, Module } from '../ir/ir.ts';
import { prepareChecked } from '../ir/prepare.ts';
import { activationRecord } from '../ir/record.ts';
import { numberSections } from '../ir/sections.ts';
import type { Surroundings } from '../ssa/surroundings.ts';
import { compileFunction, MOST_COST } from './compile.ts';
import { leafConvention } from './convention.ts';
import { sectionCosts, type Weigh } from './costs.ts';
import { functionSymbol, link, type Linked, type Piece } from './link.ts';

/** What `compileLeaf` gives: code that is ready but for its address. */
export interface LeafCode {
  /** Fuel by section. */
  readonly costs: readonly number[];
  /** Size of the activation record, in bytes. */
  readonly activationBytes: number;
  /** By section: what the path weighs at most on which its instructions weigh most. */
  readonly heaviest: (weigh: Weigh) => readonly number[];
  readonly link: (origin: number) => Linked;
}

const DONE = new WeakMap<Module, LeafCode>();

/** Compiles, once. Throws `VcodeError` `limit`. */
export function compileLeaf(module: Module): LeafCode {
  let code = DONE.get(module);
  if (code === undefined) {
    code = attempt(module, false) ?? (attempt(module, true) as LeafCode);
    DONE.set(module, code);
  }
  return code;
}

/** One compilation; nothing if a section costs too much for the short form of paying. */
function attempt(given: Module, isDear: boolean): LeafCode | undefined {
  const module = prepareChecked(given);
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
    leafConvention(module, keepsFuel || isDear, isDear);
  const { piece, frame } = compileFunction(module, func as Func, functionSymbol(0), surroundings, convention);
  const pieces: readonly Piece[] = [piece];
  const costs = sectionCosts(pieces, count);
  if (!isDear && costs.some((cost) => cost > MOST_COST)) return undefined;
  return {
    costs,
    activationBytes: record.bytes + frame,
    heaviest: (weigh) => sectionCosts(pieces, count, weigh),
    link: (origin) => link(pieces, origin, { costs }),
  };
}
