/**
 * A module to machine code, in either profile; see docs/compiler.md.
 *
 * Functions follow o32 for up to four words of arguments and two of results; gp points to the module's record. Nothing is written below sp.
 */
import { GP, V1 } from '@exokernel/isa';
import { settledGlobals } from '../ir/globals.ts';
import type { Func, Module } from '../ir/ir.ts';
import { prepareChecked } from '../ir/prepare.ts';
import { rotateLoops } from '../ir/rotate.ts';
import { numberSections } from '../ir/sections.ts';
import { tidyBlocks } from '../ssa/blocks.ts';
import { buildGraph } from '../ssa/build.ts';
import { reduceAddresses } from '../ssa/induction.ts';
import { legalise } from '../ssa/legal.ts';
import { place } from '../ssa/place.ts';
import type { Surroundings } from '../ssa/surroundings.ts';
import { allocate, type RegisterSet } from './allocate.ts';
import { ARGUMENTS, bit, FUEL, KEPT, line, load32, LOST, RESULTS } from './code.ts';
import { enterPieces } from './enter.ts';
import { findLife } from './intervals.ts';
import { VIRTUAL, type Selected } from './instructions.ts';
import { layOut } from './layout.ts';
import { functionSymbol, link, type Linked, type Piece } from './link.ts';
import { sectionCosts } from './costs.ts';
import { checkedRecord, ownRecord, type CheckedRecord, type OwnRecord } from '../ir/record.ts';
import { schedule } from './schedule.ts';
import { select } from './select.ts';
import { write, type Calls } from './write.ts';

/** A module of the own profile. */
export interface OwnCode extends Linked {
  readonly record: OwnRecord;
}

/** A module of the checked profile. */
export interface CheckedCode extends Linked {
  readonly record: CheckedRecord;
  /** Fuel by section. */
  readonly costs: readonly number[];
  /** Bytes of stack by function. */
  readonly frames: readonly number[];
}

const symbolOf: Calls['symbol'] = (callee) => {
  if (callee.kind === 'function') return functionSymbol(callee.function);
  return callee.kind === 'import' ? `import ${callee.import}` : callee.kind;
};

const OWN_CALLS: Calls = {
  symbol: symbolOf,
  inline: () => undefined,
  trap: (code, at) => [line('break', [code], { at })],
  stackLimit: undefined,
};

/** Compiles a module of the own profile for execution at `origin`. `more` are pieces that it calls. */
export function compileOwn(given: Module, origin: number, more: readonly Piece[] = []): OwnCode {
  const module = rotateLoops(given);
  const record = ownRecord(module);
  const settled = settledGlobals(module);
  const set: RegisterSet = { lost: LOST, kept: KEPT };
  const pieces = module.functions.map((func, i) => {
    const surroundings: Surroundings = {
      profile: 'own',
      sections: new Map(),
      section: 0,
      record,
      settled: settled[i] ?? new Set(),
    };
    return compileFunction(module, func, functionSymbol(i), surroundings, set, OWN_CALLS).piece;
  });
  return { ...link([...pieces, ...more], origin, { slots: tableOf(module) }), record };
}

/**
 * Compiles a module of the checked profile for execution at `origin`. `imports` are the addresses of what it imports, in order: routines that
 * follow the convention of its functions. Throws `VcodeError` `limit` for a function that is too large, `malformed` for an import without address.
 */
export function compileChecked(given: Module, origin: number, imports: readonly number[] = []): CheckedCode {
  const module = prepareChecked(given);
  const { starts, loops, count } = numberSections(module);
  const record = checkedRecord(module);
  const settled = settledGlobals(module);
  const set: RegisterSet = { lost: LOST, kept: KEPT.filter((register) => register !== FUEL) };
  const calls: Calls = {
    symbol: symbolOf,
    inline: () => undefined,
    trap: (code, at) => [
      ...load32(V1, code, at),
      line('j', [], { symbol: 'abort', reads: bit(V1) | bit(FUEL) | bit(GP), at }),
    ],
    stackLimit: record.stackLimit,
  };
  const compiled = module.functions.map((func, i) => {
    const surroundings: Surroundings = {
      profile: 'checked',
      sections: loops,
      section: starts[i] ?? 0,
      record,
      settled: settled[i] ?? new Set(),
    };
    return compileFunction(module, func, functionSymbol(i), surroundings, set, calls);
  });
  const pieces = compiled.map(({ piece }) => piece);
  const costs = sectionCosts(pieces, count);
  const known = new Map(imports.map((address, i) => [`import ${i}`, address]));
  const linked = link([...pieces, ...enterPieces(module, record)], origin, { slots: tableOf(module), costs, known });
  return { ...linked, record, costs, frames: compiled.map(({ frame }) => frame) };
}

const BUDGETS = new WeakMap<Module, Budgets>();

/** What sections cost and frames take: figures of the MIPS back end, which all charge. */
export interface Budgets {
  readonly costs: readonly number[];
  readonly frames: readonly number[];
}

export function budgetsOf(module: Module): Budgets {
  let budgets = BUDGETS.get(module);
  if (budgets === undefined) {
    // Where imports are does not matter here.
    const { costs, frames } = compileChecked(module, 0, new Array<number>(module.imports.length).fill(0));
    budgets = { costs, frames };
    BUDGETS.set(module, budgets);
  }
  return budgets;
}

/** Address and signature of every slot. */
function tableOf(module: Module): { symbol: string; signature: number }[] {
  return module.table.map((index) => ({
    symbol: index < 0 ? '' : functionSymbol(index),
    signature: module.functions[index]?.signature ?? 0,
  }));
}

function compileFunction(
  module: Module,
  func: Func,
  name: string,
  surroundings: Surroundings,
  set: RegisterSet,
  calls: Calls,
): { readonly piece: Piece; readonly frame: number } {
  const { graph, values } = buildGraph(module, func, surroundings);
  tidyBlocks(graph);
  if (surroundings.profile === 'own') reduceAddresses(graph, values);
  legalise(graph, values);
  place(graph);
  const selected = select(graph);
  const life = findLife(selected);
  const allocation = allocate(selected, life, set, hintsOf(selected));
  const { blocks, frame } = write(selected, life, allocation, calls, surroundings.section);
  return { piece: { name, scheduled: schedule(layOut(blocks)) }, frame };
}

/** Registers in which a value arrives, or in which it is wanted. */
function hintsOf(selected: Selected): Map<number, number> {
  const hints = new Map<number, number>();
  const hint = (register: number, wanted: number | undefined): void => {
    if (register >= VIRTUAL && wanted !== undefined && !hints.has(register)) hints.set(register, wanted);
  };
  for (const { instructions } of selected.lines) {
    for (const { kind, defs, sources } of instructions) {
      const into = kind === 'return' ? RESULTS : ARGUMENTS;
      sources.forEach((source, i) => {
        if ('register' in source) hint(source.register, into[i]);
      });
      const from = kind === 'enter' ? ARGUMENTS : RESULTS;
      defs.forEach((register, i) => {
        hint(register, from[i]);
      });
    }
  }
  return hints;
}
