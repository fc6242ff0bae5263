/**
 * How a module of the checked profile is entered from outside: `enter NAME` is called with the record's address in a0. It takes arguments
 * from the record, leaves results, fuel and status there, and gives the status in v1. `abort` ends a run from anywhere.
 */
import { A0, GP, RA, SP, V1 } from '@exokernel/isa';
import type { Module } from '../ir/ir.ts';
import { ARGUMENTS, FUEL, KEPT, line, MachineBlock, RESULTS, type Line } from './code.ts';
import { enterSymbol, functionSymbol, type Piece } from './link.ts';
import type { CheckedRecord } from '../ir/record.ts';
import { schedule } from './schedule.ts';

const SAVED: readonly number[] = [RA, GP, ...KEPT];
/** The caller's registers. */
const FRAME = (4 * SAVED.length + 7) & ~7;

export function enterPieces(module: Module, record: CheckedRecord): Piece[] {
  const pieces = [...module.exports].map(([name, index]) => piece(enterSymbol(name), enter(module, index, record)));
  const abort = [
    line('sw', [FUEL, record.fuel, GP]),
    line('sw', [V1, record.status, GP]),
    line('lw', [SP, record.savedStack, GP]),
    ...SAVED.map((register, i) => line('lw', [register, FRAME - 4 * (i + 1), SP])),
    line('addiu', [SP, SP, FRAME]),
    line('jr', [RA]),
  ];
  return [...pieces, piece('abort', abort)];
}

function enter(module: Module, index: number, record: CheckedRecord): Line[] {
  const func = module.functions[index];
  const words = (types: readonly string[]): number => types.reduce((sum, type) => sum + (type === 'i64' ? 2 : 1), 0);
  const parameters = words((func?.parameters ?? []).map(({ type }) => type));
  const results = words(func?.results ?? []);
  const outgoing = (4 * Math.max(0, parameters - ARGUMENTS.length, results - RESULTS.length) + 7) & ~7;
  const lines = [
    line('addiu', [SP, SP, -FRAME]),
    ...SAVED.map((register, i) => line('sw', [register, FRAME - 4 * (i + 1), SP])),
    line('addu', [GP, A0, 0]),
    line('sw', [SP, record.savedStack, GP]),
    line('lw', [FUEL, record.fuel, GP]),
  ];
  if (outgoing > 0) lines.push(line('addiu', [SP, SP, -outgoing]));
  for (let word = parameters - 1; word >= 0; word -= 1) {
    const register = ARGUMENTS[word] ?? V1;
    lines.push(line('lw', [register, record.values + 4 * word, GP]));
    if (word >= ARGUMENTS.length) lines.push(line('sw', [V1, 4 * (word - ARGUMENTS.length), SP]));
  }
  lines.push(line('jal', [], { symbol: functionSymbol(index) }));
  for (let word = 0; word < results; word += 1) {
    const register = RESULTS[word] ?? V1;
    if (word >= RESULTS.length) lines.push(line('lw', [V1, 4 * (word - RESULTS.length), SP]));
    lines.push(line('sw', [register, record.values + 4 * word, GP]));
  }
  lines.push(line('addu', [V1, 0, 0]), line('j', [], { symbol: 'abort' }));
  return lines;
}

/** Straight code, in which loads wait for their registers. */
function piece(name: string, lines: readonly Line[]): Piece {
  const block = new MachineBlock(0, 0, 0);
  block.lines = [...lines];
  return { name, scheduled: schedule([block]) };
}
