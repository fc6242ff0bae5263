/**
 * A module to machine code, in either profile; see docs/compiler.md.
 *
 * Functions follow o32 for up to four words of arguments and two of results; gp points to the module's record. Nothing is written below sp.
 */
import { T9 } from '@exokernel/isa';
import { settledGlobals } from '../ir/globals.ts';
import type { ImportCode } from '../ir/imports.ts';
import type { Func, Module } from '../ir/ir.ts';
import { prepareChecked } from '../ir/prepare.ts';
import { VcodeError } from '../program/error.ts';
import { rotateLoops } from '../ir/rotate.ts';
import { numberSections } from '../ir/sections.ts';
import { tidyBlocks } from '../ssa/blocks.ts';
import { buildGraph } from '../ssa/build.ts';
import { reduceAddresses } from '../ssa/induction.ts';
import type { Graph } from '../ssa/graph.ts';
import { legalise } from '../ssa/legal.ts';
import { place } from '../ssa/place.ts';
import type { Surroundings } from '../ssa/surroundings.ts';
import { findTailCalls } from '../ssa/tail.ts';
import { allocate } from './allocate.ts';
import { ARGUMENTS, RESULTS } from './code.ts';
import { checkedConvention, ownConvention, type Convention } from './convention.ts';
import { enterPieces } from './enter.ts';
import { findLife } from './intervals.ts';
import { VIRTUAL, type Selected } from './instructions.ts';
import { layOut } from './layout.ts';
import { functionSymbol, link, REACH, type Linked, type Piece } from './link.ts';
import { pathsOf, sectionCosts } from './costs.ts';
import { checkedRecord, ownRecord, type CheckedRecord, type OwnRecord } from '../ir/record.ts';
import { schedule } from './schedule.ts';
import { select } from './select.ts';
import { write } from './write.ts';

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

/** What a module of the own profile finds around it. */
export interface OwnSurroundings {
  /** What calls of its imports are, in their order. */
  readonly imports?: readonly ImportCode[];
  /** The routine that makes the memory longer: pages of 64 KiB in a0, the pages before or -1 in v0. */
  readonly grow?: number;
  /** Words left free at the origin, for code of the caller's. */
  readonly reserve?: number;
}

/**
 * Compiles a module of the own profile for execution at `origin`. Throws `VcodeError` `limit` for a function that is too large, `malformed` for an
 * import of which nothing is known.
 */
export function compileOwn(given: Module, origin: number, surroundings: OwnSurroundings = {}): OwnCode {
  const { imports = [], grow, reserve = 0 } = surroundings;
  const convention = ownConvention(imports);
  const known = new Map<string, number>();
  if (grow !== undefined) known.set('grow', grow);
  imports.forEach((code, i) => {
    if (code.kind === 'routine') known.set(`import ${i}`, code.address);
  });
  const module = rotateLoops(given);
  const record = ownRecord(module);
  const settled = settledGlobals(module);
  const pieces = module.functions.map((func, i) => {
    const around: Surroundings = {
      profile: 'own',
      isLeaf: false,
      sections: new Map(),
      section: 0,
      record,
      settled: settled[i] ?? new Set(),
      imports,
    };
    return compileFunction(module, func, functionSymbol(i), around, convention).piece;
  });
  return { ...link(pieces, origin, { slots: tableOf(module), known, reserve }), record };
}

/**
 * Compiles a module of the checked profile for execution at `origin`. `imports` are the addresses of what it imports, in order: routines that
 * follow the convention of its functions. Throws `VcodeError` `limit` for a function that is too large, `malformed` for an import without address.
 */
export function compileChecked(given: Module, origin: number, imports: readonly number[] = []): CheckedCode {
  return attempt(given, origin, imports, false) ?? (attempt(given, origin, imports, true) as CheckedCode);
}

/** One compilation; nothing if a section costs too much for the short form of paying. */
function attempt(given: Module, origin: number, imports: readonly number[], isDear: boolean): CheckedCode | undefined {
  const module = prepareChecked(given);
  const { starts, loops, count } = numberSections(module);
  const record = checkedRecord(module);
  const settled = settledGlobals(module);
  const convention = checkedConvention(record, isDear);
  const compiled = module.functions.map((func, i) => {
    const surroundings: Surroundings = {
      profile: 'checked',
      isLeaf: false,
      sections: loops,
      section: starts[i] ?? 0,
      record,
      settled: settled[i] ?? new Set(),
      imports: [],
    };
    return compileFunction(module, func, functionSymbol(i), surroundings, convention);
  });
  const pieces = compiled.map(({ piece }) => piece);
  const costs = sectionCosts(
    pieces.map(({ scheduled }) => pathsOf(scheduled)),
    count,
  );
  if (!isDear && costs.some((cost) => cost > MOST_COST)) return undefined;
  const known = new Map(imports.map((address, i) => [`import ${i}`, address]));
  const linked = link([...pieces, ...enterPieces(module, record)], origin, { slots: tableOf(module), costs, known });
  return { ...linked, record, costs, frames: compiled.map(({ frame }) => frame) };
}

/** The largest cost that an immediate holds. */
export const MOST_COST = 0x7fff;

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

/** Words of arguments and results that need no stack. */
const IN_REGISTERS = { taken: ARGUMENTS.length, given: RESULTS.length } as const;

/** Compiles one function. `frame` is in bytes: of the stack, or of what the code adds to its record. */
export function compileFunction(
  module: Module,
  func: Func,
  name: string,
  surroundings: Surroundings,
  convention: Convention | ((keepsFuel: boolean) => Convention),
): { readonly piece: Piece; readonly frame: number } {
  const { graph, values } = buildGraph(module, func, surroundings);
  if (surroundings.profile === 'own') findTailCalls(graph, surroundings.imports, IN_REGISTERS);
  tidyBlocks(graph);
  if (surroundings.profile === 'own') reduceAddresses(graph, values);
  if (surroundings.isLeaf) refuseLarge(graph, module.name);
  legalise(graph, values, !surroundings.isLeaf);
  place(graph, surroundings.isLeaf);
  if (surroundings.isLeaf) refuseLarge(graph, module.name);
  const to = typeof convention === 'function' ? convention(paysOften(graph)) : convention;
  const selected = select(graph, to.record);
  const life = findLife(selected);
  const allocation = allocate(selected, life, to.registers, hintsOf(selected));
  const { blocks, frame } = write(selected, life, allocation, to, surroundings.section);
  return { piece: { name, scheduled: schedule(layOut(blocks)) }, frame };
}

/**
 * Throws `VcodeError` `limit` for a function of more instructions than a branch reaches: it is refused before the steps that take long. Every
 * node that stands in a block is one instruction at least, every branch two.
 */
function refuseLarge({ blocks }: Graph, name: string): void {
  let least = 0;
  for (const { nodes, end } of blocks) least += nodes.length + (end.kind === 'if' ? 2 : 0);
  if (least < REACH) return;
  throw new VcodeError('limit', `${name} is too large: a branch reaches ${REACH} instructions`, { name });
}

/** Whether there is more to be paid for than the entry. */
function paysOften({ blocks }: Graph): boolean {
  let charges = 0;
  for (const { nodes } of blocks) for (const { op } of nodes) if (op === 'charge') charges += 1;
  return charges > 1;
}

/** Registers in which a value arrives, or in which it is wanted. */
function hintsOf(selected: Selected): Map<number, number> {
  const hints = new Map<number, number>();
  const hint = (register: number, wanted: number | undefined): void => {
    if (register >= VIRTUAL && wanted !== undefined && !hints.has(register)) hints.set(register, wanted);
  };
  for (const { instructions } of selected.lines) {
    for (const { kind, callee, a, defs, sources } of instructions) {
      if (callee?.kind === 'address') hint(a, T9);
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
