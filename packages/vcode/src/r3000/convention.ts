/**
 * How the code of a function finds its words, is entered, pays and ends: compiled modules call each other and have a stack; downloaded code is a
 * leaf that has its activation record alone.
 */
import { A0, AT, GP, RA, SP, T9, V0, V1, ZERO, type Register } from '@exokernel/isa';
import { ACTIVATION, type CheckedRecord } from '../ir/record.ts';
import type { ImportCode } from '../ir/imports.ts';
import type { Callee } from '../ssa/graph.ts';
import type { RegisterSet } from './allocate.ts';
import { bit, FUEL, KEPT, KEPT_MASK, line, load32, LOST, type Line } from './code.ts';
import { functionSymbol } from './link.ts';

/** What `write` and `select` follow. */
export interface Convention {
  readonly registers: RegisterSet;
  /** Holds the address of the record throughout. */
  readonly record: Register;
  /** Where values are that have no register: from this many bytes above this register on. */
  readonly spills: { readonly base: Register; readonly offset: number };
  /** Holds the fuel, where there is any. */
  readonly fuel: Register;
  /** Lines before the first section is paid for, and after it. */
  readonly beforePaying: readonly Line[];
  readonly paid: readonly Line[];
  /** Whether a section may cost more than an immediate holds. */
  readonly isDear: boolean;
  /** The symbol of a function. */
  readonly symbol: (callee: Callee) => string;
  /** A call that is written in line; nothing for an ordinary one. */
  readonly inline: (callee: Callee) => Extract<ImportCode, { kind: 'inline' }> | undefined;
  /** Lines before a return, and the registers that the caller reads besides the results. */
  readonly beforeReturn: readonly Line[];
  readonly returned: number;
  /** A trap; of the last of all, there is no fuel any more. */
  readonly trap: (code: number, at: number) => readonly Line[];
  readonly noFuel: readonly Line[];
  /** What all traps end with, if not each for itself. */
  readonly aborted: readonly Line[];
  /** Where in the record the stack's limit is; nothing where a guard page is the limit, or where there is no stack. */
  readonly stackLimit: number | undefined;
}

const STACK = { base: SP, offset: 0 } as const;

const symbolOf: Convention['symbol'] = (callee) => {
  if (callee.kind === 'function') return functionSymbol(callee.function);
  return callee.kind === 'import' ? `import ${callee.import}` : callee.kind;
};

const called = {
  record: GP,
  spills: STACK,
  fuel: FUEL,
  beforePaying: [],
  paid: [],
  isDear: false,
  symbol: symbolOf,
  inline: (): undefined => undefined,
  beforeReturn: [],
  returned: KEPT_MASK,
  noFuel: [line('addu', [FUEL, ZERO, ZERO])],
  aborted: [],
} as const;

/** Modules of the own profile. A trap is an exception of the environment. */
export function ownConvention(imports: readonly ImportCode[]): Convention {
  return {
    ...called,
    registers: { lost: LOST, kept: KEPT },
    inline: (callee) => {
      const code = callee.kind === 'import' ? imports[callee.import] : undefined;
      return code?.kind === 'inline' ? code : undefined;
    },
    trap: (code, at) => [line('break', [code], { at })],
    stackLimit: undefined,
  };
}

/** Modules of the checked profile. A trap goes to the common end (enter.ts). */
export function checkedConvention(record: CheckedRecord, isDear: boolean): Convention {
  return {
    ...called,
    registers: { lost: LOST, kept: KEPT.filter((register) => register !== FUEL) },
    isDear,
    trap: (code, at) => [
      ...load32(V1, code, at),
      line('j', [], { symbol: 'abort', reads: bit(V1) | bit(FUEL) | bit(GP), at }),
    ],
    stackLimit: record.stackLimit,
  };
}

/** Free for values in downloaded code; `at` is for moves, `a0` holds the record. */
const LEAF: readonly number[] = LOST.filter((register) => register !== A0);

/**
 * Downloaded code: `a0` is the address of the activation record, `ra` the return address; `v0` becomes the value, `v1` the status. Where nothing
 * but the entry is paid for, the fuel needs no register afterwards.
 */
function leaf(keepsFuel: boolean, isDear: boolean): Convention {
  const fuel = keepsFuel ? T9 : AT;
  const record: Register = A0;
  const store = (register: Register, offset: number): Line => line('sw', [register, offset, record]);
  const storeFuel = store(fuel, ACTIVATION.fuel);
  const kept = keepsFuel ? [storeFuel] : [];
  const returned = bit(V0) | bit(V1) | KEPT_MASK;
  return {
    ...called,
    registers: { lost: LEAF.filter((register) => register !== fuel), kept: [] },
    record,
    fuel,
    beforePaying: [line('lw', [fuel, ACTIVATION.fuel, record])],
    paid: keepsFuel ? [] : [storeFuel],
    isDear,
    beforeReturn: [...kept, line('addu', [V1, ZERO, ZERO]), store(ZERO, ACTIVATION.status)],
    returned,
    trap: (code, at) => load32(V1, code, at),
    noFuel: [keepsFuel ? line('addu', [fuel, ZERO, ZERO]) : store(ZERO, ACTIVATION.fuel)],
    aborted: [
      ...kept,
      line('addu', [V0, ZERO, ZERO]),
      store(V1, ACTIVATION.status),
      line('jr', [RA], { reads: returned }),
    ],
    stackLimit: undefined,
  };
}

const ONCE = leaf(false, false);
const OFTEN = leaf(true, false);
const DEAR = leaf(true, true);

/** The convention of downloaded code that adds words of its own behind the first `bytes` of its record. */
export function leafConvention(bytes: number, keepsFuel: boolean, isDear: boolean): Convention {
  return { ...(isDear ? DEAR : keepsFuel ? OFTEN : ONCE), spills: { base: A0, offset: bytes } };
}
