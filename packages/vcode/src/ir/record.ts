/**
 * The record of a module: the words that its code finds through gp.
 *
 *     own        +0 the memory's length in bytes    +4 the table's address    then the globals
 *     checked    +0 fuel       in and out, below 2^31
 *                +4 status     out
 *                +8 the stack's limit: no frame goes below it
 *                +12 the code's own
 *                +16 the table's address
 *                +20 the most bytes that region 0 may get
 *                +24 base and length of region 0, then of region 1, …
 *                then the globals, then arguments and results of calls from outside
 *     downloaded code: its activation record
 *                +0 fuel       in and out, below 2^31
 *                +4 status     out
 *                +8 base and length of region 0, then of region 1, …
 *                then the parameters, then words of the code's own
 */
import type { Module } from './ir.ts';

/** What the code of both profiles needs to know. */
export interface RecordLayout {
  readonly globals: readonly number[];
  readonly base: (region: number) => number;
  readonly length: (region: number) => number;
  /** The most bytes that region 0 may get; -1 where the kit decides. */
  readonly most: number;
  readonly table: number;
  readonly tableLength: number;
  /** Where parameters are; nothing where registers bring them. */
  readonly parameters?: number;
  readonly bytes: number;
}

export type OwnRecord = RecordLayout;

/** Offsets in the record of the checked profile, in bytes. */
export interface CheckedRecord extends RecordLayout {
  readonly fuel: number;
  readonly status: number;
  readonly stackLimit: number;
  readonly savedStack: number;
  /** Arguments, and from the same word on results, in words; the low word of a long first. */
  readonly values: number;
}

function globalsFrom(module: Module, start: number): { readonly globals: number[]; readonly end: number } {
  let next = start;
  const globals = module.globals.map(({ type }) => {
    const offset = next;
    next += type === 'i64' ? 8 : 4;
    return offset;
  });
  return { globals, end: next };
}

export function ownRecord(module: Module): OwnRecord {
  const { globals, end } = globalsFrom(module, 8);
  return { globals, base: () => 0, length: () => 0, most: -1, table: 4, tableLength: module.table.length, bytes: end };
}

const REGIONS = 24;

export function checkedRecord(module: Module): CheckedRecord {
  const { globals, end } = globalsFrom(module, REGIONS + 8 * module.regions.length);
  const words = (types: readonly string[]): number => types.reduce((sum, type) => sum + (type === 'i64' ? 2 : 1), 0);
  let most = 0;
  for (const index of module.exports.values()) {
    const func = module.functions[index];
    if (func === undefined) continue;
    most = Math.max(most, words(func.parameters.map(({ type }) => type)), words(func.results));
  }
  return {
    fuel: 0,
    status: 4,
    stackLimit: 8,
    savedStack: 12,
    table: 16,
    most: 20,
    base: (region) => REGIONS + 8 * region,
    length: (region) => REGIONS + 8 * region + 4,
    globals,
    tableLength: module.table.length,
    values: end,
    bytes: end + 4 * most,
  };
}

/** Offsets in an activation record, in bytes: fuel and status; base and length of region 0, of which each other one follows. */
export const ACTIVATION = { fuel: 0, status: 4, base: 8, length: 12 } as const;

/** Offset in an activation record of the base of a region; its length is in the word behind it. */
export function activationRegion(region: number): number {
  return ACTIVATION.base + 8 * region;
}

/** The activation record of downloaded code: a module of one function without memory, globals and table. */
export function activationRecord({ regions, functions }: Module): RecordLayout & { readonly parameters: number } {
  const parameters = activationRegion(regions.length);
  return {
    globals: [],
    base: activationRegion,
    length: (region) => activationRegion(region) + 4,
    most: -1,
    table: -1,
    tableLength: 0,
    parameters,
    bytes: parameters + 4 * (functions[0]?.parameters.length ?? 0),
  };
}
