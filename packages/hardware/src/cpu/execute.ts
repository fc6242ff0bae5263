/**
 * Executes instructions as their rows say: each row becomes functions, once.
 *
 * The caller has advanced PC and NEXT_PC, and `at` and `atInSlot` of the CPU say which instruction it is. An instruction is
 * completed or its exception is taken, never both.
 */
import {
  effectsOf,
  EXTENSIONS,
  INSTRUCTIONS,
  OPERAND_FIELDS,
  operandKinds,
  operandOf,
  type Mnemonic,
  type OperandKind,
} from '@exokernel/isa';
import * as S from '../memory/cpu-state.ts';
import type { Semantics, Size, Statement, Value, Wide } from '../semantics/language.ts';
import { OPERATORS } from '../semantics/operators.ts';
import { SEMANTICS } from '../semantics/table.ts';
import { waitForReached } from './access.ts';
import type { Cpu } from './cpu.ts';

/** One instruction under way. */
interface Execution {
  readonly cpu: Cpu;
  readonly word: number;
  /** The access reached. */
  va: number;
  physical: number;
  size: Size;
  kept: number;
}

type Getter = (x: Execution) => number;
/** Returns false if an exception has ended the instruction. */
type Step = (x: Execution) => boolean;
type Executor = (cpu: Cpu, word: number) => void;

/** What a row of `isa` says of the instruction. */
interface Traits {
  readonly isLoad: boolean;
  readonly isJump: boolean;
}

/**
 * Executes `word` as that instruction. Returns false, having done nothing, if there are no statements to execute: it is the slow
 * path's own.
 */
export function execute(cpu: Cpu, word: number, mnemonic: Mnemonic): boolean {
  const executor = EXECUTORS.get(mnemonic);
  if (executor === undefined) return false;
  executor(cpu, word);
  return true;
}

function executorOf(mnemonic: Mnemonic): Executor | undefined {
  const row = SEMANTICS[mnemonic] as Semantics<OperandKind>;
  if (row === 'interpreter') return undefined;
  const traits = { isLoad: effectsOf(mnemonic, -1).loads !== 0, isJump: operandKinds(mnemonic).includes('jump') };
  const run = sequence('where' in row ? row.statements : row, traits);
  return (cpu, word) => {
    run({ cpu, word, va: 0, physical: 0, size: 1, kept: 0 });
  };
}

function sequence(statements: readonly Statement<OperandKind>[], traits: Traits): Step {
  const steps = statements.map((statement) => step(statement, traits));
  return (x) => {
    for (const next of steps) if (!next(x)) return false;
    return true;
  };
}

function step(statement: Statement<OperandKind>, traits: Traits): Step {
  switch (statement.kind) {
    case 'set':
      return setter(statement.register, getter(statement.value), traits.isLoad);
    case 'setState': {
      const { word } = statement;
      const value = getter(statement.value);
      return (x) => {
        x.cpu.state[word] = value(x);
        return true;
      };
    }
    case 'setHiLo':
      return wideSetter(statement.value);
    case 'keep': {
      const value = getter(statement.value);
      return (x) => {
        x.kept = value(x);
        return true;
      };
    }
    case 'multiplier': {
      const { use } = statement;
      return ({ cpu }) => {
        if (cpu.pipeline !== undefined) cpu.stall(cpu.pipeline.useMultiplier(use, cpu.clock.now | 0));
        return true;
      };
    }
    case 'reach':
      return reacher(registerOf(statement.of), statement.size, statement.isStore);
    case 'store':
      return storer(getter(statement.value));
    case 'storeAround': {
      const value = getter(statement.value);
      const mask = getter(statement.mask);
      return (x) => {
        waitForReached(x.cpu, x.va, x.physical, 1, true);
        x.cpu.storeReached(x.physical, value(x), mask(x));
        return true;
      };
    }
    case 'trapIf': {
      const condition = getter(statement.condition);
      const { code } = statement;
      return (x) => {
        if (condition(x) === 0) return true;
        x.cpu.raise(code);
        return false;
      };
    }
    case 'trap': {
      const { code } = statement;
      return ({ cpu }) => {
        cpu.raise(code);
        return false;
      };
    }
    case 'branchIf': {
      const condition = getter(statement.condition);
      if (traits.isJump) {
        return ({ cpu, word }) => {
          cpu.branch(true, ((cpu.at + 4) & 0xf0000000) | ((word << 6) >>> 4));
          return true;
        };
      }
      return (x) => {
        x.cpu.branchBy(condition(x) !== 0, x.word);
        return true;
      };
    }
    case 'jump': {
      const target = getter(statement.target);
      return (x) => {
        x.cpu.branch(true, target(x));
        return true;
      };
    }
    case 'when': {
      const condition = getter(statement.condition);
      const then = sequence(statement.then, traits);
      return (x) => condition(x) === 0 || then(x);
    }
  }
}

function setter(register: OperandKind | number, value: Getter, isLoad: boolean): Step {
  const field = typeof register === 'number' ? 0 : OPERAND_FIELDS[register].shift;
  const fixed = typeof register === 'number' ? register : undefined;
  return (x) => {
    const { cpu, word } = x;
    const result = value(x);
    if (cpu.fault >= 0) {
      cpu.raiseFault();
      return false;
    }
    const n = fixed ?? (word >>> field) & 31;
    if (isLoad) cpu.completeLoad(n, result);
    else if (n !== 0) cpu.registers[n] = result;
    return true;
  };
}

function wideSetter({ kind, isSigned, a, b }: Wide<OperandKind>): Step {
  const [first, second] = [getter(a), getter(b)];
  const result = kind === 'product' ? multiply : divide;
  return (x) => {
    const { state } = x.cpu;
    const [hi, lo] = result(first(x), second(x), isSigned);
    state[S.HI] = hi;
    state[S.LO] = lo;
    return true;
  };
}

function multiply(a: number, b: number, isSigned: boolean): [hi: number, lo: number] {
  const wide = isSigned ? BigInt(a) * BigInt(b) : BigInt(a >>> 0) * BigInt(b >>> 0);
  return [Number(BigInt.asIntN(32, wide >> 32n)), Number(BigInt.asIntN(32, wide))];
}

/** Remainder and quotient; by zero, and of the quotient that does not fit, as the R3000 has them. */
function divide(a: number, b: number, isSigned: boolean): [hi: number, lo: number] {
  if (b === 0) return [a, isSigned && a < 0 ? 1 : -1];
  return isSigned ? [(a % b) | 0, (a / b) | 0] : [((a >>> 0) % (b >>> 0)) | 0, ((a >>> 0) / (b >>> 0)) | 0];
}

/** The address of an access, which a load waits for; a store waits when it happens. */
function reacher(base: Getter, size: Size, isStore: boolean): Step {
  return (x) => {
    const { cpu, word } = x;
    x.va = (base(x) + ((word << 16) >> 16)) | 0;
    x.physical = cpu.reach(x.va, size, isStore);
    x.size = size;
    if (x.physical < 0) {
      cpu.raiseFault();
      return false;
    }
    if (!isStore) waitForReached(cpu, x.va, x.physical, size, false);
    return true;
  };
}

function storer(value: Getter): Step {
  return (x) => {
    const { cpu, va, physical, size } = x;
    waitForReached(cpu, va, physical, size, true);
    const shift = 8 * (va & 3);
    const lanes = size === 4 ? -1 : (1 << (8 * size)) - 1;
    cpu.storeReached(physical, value(x) << shift, lanes << shift);
    return true;
  };
}

function getter(value: Value<OperandKind>): Getter {
  switch (value.kind) {
    case 'constant': {
      const constant = value.value;
      return () => constant;
    }
    case 'operand': {
      const { of } = value;
      return ({ word }) => operandOf(word, of) ?? 0;
    }
    case 'register':
      return registerOf(value.of);
    case 'merging': {
      const { shift } = OPERAND_FIELDS[value.of];
      const register = registerOf(value.of);
      return (x) =>
        x.cpu.get(S.DELAY_REGISTER) === ((x.word >>> shift) & 31) ? x.cpu.get(S.DELAY_VALUE) : register(x);
    }
    case 'cp0': {
      const { shift } = OPERAND_FIELDS[value.of];
      return ({ cpu, word }) => cpu.readCp0((word >>> shift) & 31);
    }
    case 'state': {
      const { word } = value;
      return ({ cpu }) => cpu.get(word);
    }
    case 'loaded': {
      const { size, isSigned } = value;
      const shift = isSigned ? 32 - 8 * size : 0;
      return ({ cpu, va, physical }) => (cpu.loadReached(physical, va, size) << shift) >> shift;
    }
    case 'kept':
      return ({ kept }) => kept;
    case 'byteNumber':
      return ({ va }) => va & 3;
    case 'wordAround':
      return ({ cpu, va, physical }) => cpu.loadReached((physical & ~3) >>> 0, va, 4);
    case 'place':
      return ({ cpu, physical }) => Math.max(0, cpu.memory.hostAddress(physical));
    case 'behindSlot':
      return ({ cpu }) => cpu.at + 8;
    case 'writeBufferEmpty':
      return ({ cpu }) => (cpu.isWriteBufferEmpty ? 1 : 0);
    case 'apply': {
      const { compute } = OPERATORS[value.operator];
      const [a, b] = value.values.map(getter);
      return (x) => compute(a?.(x) ?? 0, b?.(x) ?? 0);
    }
    case 'select': {
      const [condition, yes, no] = [getter(value.condition), getter(value.yes), getter(value.no)];
      return (x) => (condition(x) !== 0 ? yes(x) : no(x));
    }
  }
}

function registerOf(kind: OperandKind): Getter {
  const { shift } = OPERAND_FIELDS[kind];
  return ({ cpu, word }) => cpu.registers[(word >>> shift) & 31] ?? 0;
}

const EXECUTORS: ReadonlyMap<string, Executor> = new Map(
  [INSTRUCTIONS, ...Object.values(EXTENSIONS)].flatMap((table) =>
    (Object.keys(table) as Mnemonic[]).flatMap((mnemonic) => {
      const executor = executorOf(mnemonic);
      return executor === undefined ? [] : [[mnemonic, executor] as const];
    }),
  ),
);
