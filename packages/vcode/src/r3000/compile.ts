/**
 * The own profile: a module to machine code that runs in an environment, as its own program.
 *
 * An address is a virtual address: nothing is added to it and nothing is tested, the MMU protects. Functions follow o32 for up to four
 * words of arguments and two of results; gp points to the module's record. Nothing is written below sp.
 */
import { line, MachineBlock } from './code.ts';
import type { Func, Module, Statement } from '../ir/ir.ts';
import { settledGlobals } from '../ir/globals.ts';
import { rotateLoops } from '../ir/rotate.ts';
import { tidyBlocks } from '../ssa/blocks.ts';
import { buildGraph, type RecordLayout } from '../ssa/build.ts';
import { legalise } from '../ssa/legal.ts';
import { place } from '../ssa/place.ts';
import { reduceAddresses } from '../ssa/induction.ts';
import { allocate } from './allocate.ts';
import { ARGUMENTS, KEPT, LOST, RESULTS } from './code.ts';
import { findLife } from './intervals.ts';
import { VIRTUAL, type Selected } from './instructions.ts';
import { layOut } from './layout.ts';
import { link, type Linked, type Piece } from './link.ts';
import { schedule } from './schedule.ts';
import { select } from './select.ts';
import { write, type Calls } from './write.ts';

const NO_SECTIONS: ReadonlyMap<Statement, number> = new Map();

/** Compiles a module for execution at `origin`; its record stands at `record`. */
export function compileOwn(given: Module, origin: number, record: number, stubs = false): Linked {
  const module = rotateLoops(given);
  const layout = recordLayout(module, record);
  const settled = settledGlobals(module);
  const pieces = module.functions.map((func, i) =>
    compileFunction(module, func, `${i}`, layout, settled[i] ?? new Set()),
  );
  if (stubs) {
    for (const name of ['grow', ...module.imports.map((_, i) => `import ${i}`)]) {
      const block = new MachineBlock(0, 0, 0);
      block.lines.push(line('jr', [31]));
      pieces.push({ name, scheduled: schedule([block]) });
    }
  }
  return link(pieces, origin);
}

function recordLayout(module: Module, record: number): RecordLayout {
  // The first word is the length of memory in bytes, which the kit keeps.
  let next = 4;
  const globals = module.globals.map(({ type }) => {
    const offset = next;
    next += type === 'i64' ? 8 : 4;
    return offset;
  });
  return {
    globals,
    base: () => 0,
    length: () => 0,
    grows: true,
    table: record + next,
    tableLength: module.table.length,
  };
}

const TRAPS: Calls = {
  symbol: (callee) =>
    callee.kind === 'function'
      ? `${callee.function}`
      : callee.kind === 'import'
        ? `import ${callee.import}`
        : callee.kind,
  inline: () => undefined,
  trap: (code, at) => [line('break', [code], { at })],
};

/** One function. */
export function compileFunction(
  module: Module,
  func: Func,
  name: string,
  record: RecordLayout,
  settled: ReadonlySet<number>,
): Piece {
  const { graph, values } = buildGraph(module, func, {
    profile: 'own',
    sections: NO_SECTIONS,
    section: 0,
    record,
    settled,
  });
  tidyBlocks(graph);
  reduceAddresses(graph, values);
  legalise(graph, values);
  place(graph);
  const selected = select(graph);
  const life = findLife(selected);
  const allocation = allocate(selected, life, { lost: LOST, kept: KEPT }, hintsOf(selected));
  const { blocks } = write(selected, life, allocation, TRAPS, 0);
  return { name, scheduled: schedule(layOut(blocks)) };
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
