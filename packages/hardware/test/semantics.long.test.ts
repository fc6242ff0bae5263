/** The rows of semantics: what they say agrees with the instruction tables, with the interpreter's switch, and with WebAssembly. */
import {
  effects,
  effectsOf,
  encode,
  EXTENSIONS,
  INSTRUCTIONS,
  operandsOf,
  type Extension,
  type Mnemonic,
  type OperandKind,
} from '@exokernel/isa';
import { I32, ModuleBuilder } from '@exokernel/wasm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bus } from '../src/bus/bus.ts';
import { Clock } from '../src/bus/clock.ts';
import { EventStream } from '../src/bus/events.ts';
import { Cpu } from '../src/cpu/cpu.ts';
import { writesFpu } from '../src/cpu/fpu-hazards.ts';
import { isHazard } from '../src/cpu/hazards.ts';
import { interpret } from '../src/cpu/interpreter.ts';
import { settle } from '../src/cpu/load-delay.ts';
import { executeSlow } from '../src/cpu/slow-path.ts';
import { execute } from '../src/cpu/execute.ts';
import * as S from '../src/memory/cpu-state.ts';
import { PhysicalMemory } from '../src/memory/physical-memory.ts';
import { identify } from '../src/semantics/identify.ts';
import {
  apply,
  everyStatement,
  everyValue,
  number,
  reg,
  set,
  type Semantics,
  type Statement,
} from '../src/semantics/language.ts';
import { OPERATORS, type Operator } from '../src/semantics/operators.ts';
import { SEMANTICS } from '../src/semantics/table.ts';
import { findProfile, type Profile } from '../src/timing/profiles.ts';
import { random } from './support.ts';

const MIPS32: readonly Extension[] = ['mips32'];
const ALL = Object.keys(SEMANTICS) as Mnemonic[];
const GENERAL = new Set<OperandKind>(['rd', 'rd2', 'rs', 'rt', 'base']);

/** The statements of a row; undefined if it is the slow path's alone. */
function statementsOf(mnemonic: Mnemonic): readonly Statement<OperandKind>[] | undefined {
  const row = SEMANTICS[mnemonic] as Semantics<OperandKind>;
  return row === 'interpreter' ? undefined : 'where' in row ? row.statements : row;
}

const ROWS = ALL.flatMap((mnemonic) => {
  const statements = statementsOf(mnemonic);
  return statements === undefined ? [] : [[mnemonic, statements] as const];
});

describe('operators', () => {
  test.each(Object.keys(OPERATORS) as Operator[])('%s is what the instruction of WebAssembly computes', (name) => {
    const { opcode, compute } = OPERATORS[name];
    const module = new ModuleBuilder();
    const code = module.function([I32, I32], [I32]);
    code.localGet(0);
    if (compute.length === 2) code.localGet(1);
    code[opcode]();
    module.export('f', 'function', code.index);
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(module.build())).exports;
    const operand = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 0x7fffffff, -0x80000000, 31, 32, 33));
    fc.assert(
      fc.property(operand, operand, (a, b) => {
        expect(compute(a, b)).toBe((f as (a: number, b: number) => number)(a, b));
      }),
      { numRuns: 100 },
    );
  });
});

describe('the table', () => {
  test('a row that names an operand which its instruction does not have does not compile', () => {
    // @ts-expect-error clz has no rt
    const wrong: (typeof SEMANTICS)['clz'] = [set('rt', apply('leadingZeros', reg('rs')))];
    // @ts-expect-error addu has no immediate
    const other: (typeof SEMANTICS)['addu'] = [set('rd', apply<'rs' | 'imm'>('add', reg('rs'), number('imm')))];
    // @ts-expect-error a table without all rows
    const table: typeof SEMANTICS = { add: SEMANTICS.add };
    expect([wrong, other, table]).toHaveLength(3);
  });

  test('only coprocessors are left to the slow path alone', () => {
    const left = ALL.filter((mnemonic) => statementsOf(mnemonic) === undefined);
    expect(left.filter((name) => !/c[0-3]$|\.|^(bc[1-3]|cop|tlb|rfe)/.test(name))).toEqual([]);
  });

  test.each(ROWS)('%s reads, writes and loads what the instruction table says', (mnemonic, statements) => {
    const operands = operandsOf(mnemonic).filter(({ kind }) => GENERAL.has(kind));
    const values = [...everyValue(statements)];
    const all = [...everyStatement(statements)];
    const read = new Set(values.flatMap((v) => (v.kind === 'register' || v.kind === 'merging' ? [v.of] : [])));
    const written = new Set(all.flatMap((s) => (s.kind === 'set' ? [s.register] : [])));
    const marked = (which: 'isRead' | 'isWritten'): unknown[] =>
      operands.filter((o) => o[which]).map(({ kind }) => kind);
    expect([...read].sort()).toEqual(marked('isRead').sort());
    const { loads, branches, calls } = effectsOf(mnemonic, -1);
    const links = calls && marked('isWritten').length === 0;
    expect([...written].sort()).toEqual(links ? [31] : marked('isWritten').sort());
    const asks = values.some(({ kind }) => kind === 'loaded' || kind === 'wordAround' || kind === 'cp0');
    expect(loads !== 0).toBe(asks && written.size > 0);
    expect(branches).toBe(all.some(({ kind }) => kind === 'branchIf' || kind === 'jump'));
    expect(calls).toBe(values.some(({ kind }) => kind === 'behindSlot'));
    const merges = values.some(({ kind }) => kind === 'merging');
    const hidden = (effectsOf(mnemonic, 0x00430000).reads & (1 << 3)) === 0 && read.has('rt');
    expect(hidden).toBe(merges);
  });

  test.each(ROWS)('%s uses every operand that is a number', (mnemonic, statements) => {
    const named = new Set([...everyValue(statements)].flatMap((v) => ('of' in v ? [v.of] : [])));
    const all = [...everyStatement(statements)];
    const implied = new Set<OperandKind>();
    if (all.some(({ kind }) => kind === 'reach')) implied.add('offset');
    if (all.some(({ kind }) => kind === 'branchIf')) implied.add('branch').add('jump');
    if (all.some(({ kind }) => kind === 'trap' || kind === 'trapIf')) implied.add('code').add('trap'); // for software
    const unused = operandsOf(mnemonic).filter(
      ({ kind }) => !named.has(kind) && !implied.has(kind) && !all.some((s) => s.kind === 'set' && s.register === kind),
    );
    expect(unused).toEqual([]);
  });

  test.each(ROWS)('%s changes nothing before the last point at which it may end in an exception', (_, statements) => {
    const mayEnd = (s: Statement<OperandKind>): boolean =>
      ['reach', 'trapIf', 'trap'].includes(s.kind) ||
      (s.kind === 'set' && [...everyValue([s])].some(({ kind }) => kind === 'loaded' || kind === 'wordAround')) ||
      (s.kind === 'setHiLo' && s.value.kind === 'quotient');
    const last = statements.findLastIndex(mayEnd);
    // A kept value is not state; what waits for the write buffer or memory has waited in both engines.
    const harmless = new Set(['keep', 'reach', 'trapIf', 'trap']);
    const early = statements.slice(0, Math.max(0, last)).filter(({ kind }) => !harmless.has(kind));
    expect(early).toEqual([]);
    const nested = statements.flatMap((s) => (s.kind === 'when' ? [...everyStatement(s.then)] : []));
    expect(nested.filter(mayEnd)).toEqual([]);
    const asked = [...everyValue(statements)].filter(({ kind }) => kind === 'loaded' || kind === 'wordAround');
    expect(asked.length).toBeLessThan(2);
  });
});

const RAM = 0x4000;
const AT = 0x80001000;
const DATA = 0x80002000;
const NATIVE = (): void => undefined;

/** A CPU without a machine: RAM and nothing else, executing at AT in kernel mode. */
function makeCpu(profile: Profile, extensions: readonly Extension[] = MIPS32): Cpu {
  const timing = findProfile(profile);
  if (timing === undefined) throw new Error(`no profile ${profile}`);
  return new Cpu(
    new PhysicalMemory(RAM, false),
    new Bus(),
    new Clock(timing.hz),
    new EventStream(),
    timing,
    extensions,
  );
}

/** Puts a CPU into a state that only `seed` decides, with `word` to execute at AT, in a slot or not. */
function prepare(cpu: Cpu, word: number, seed: number, inSlot: boolean, delayed: number): void {
  const next = random(seed);
  cpu.setStatus(0);
  for (let i = 1; i < 32; i += 1) cpu.registers[i] = next() % 3 === 0 ? (next() << 24) >> 24 : next() | 0;
  for (const base of [4, 20, 31]) if (next() % 4 !== 0) cpu.registers[base] = DATA + (next() % 64);
  if (next() % 3 === 0) cpu.registers[5] = cpu.registers[4] ?? 0;
  if (next() % 3 === 0) cpu.registers[5] = 0;
  cpu.state[S.HI] = next();
  cpu.state[S.LO] = next();
  for (let at = 0; at < 0x100; at += 4) cpu.memory.port.store32(0x2000 + at, next());
  cpu.memory.port.storeWords(AT & 0x1fffffff, [word, 0, 0, 0]);
  cpu.jump(AT);
  if (inSlot) {
    cpu.state[S.NEXT_PC] = AT + 0x100;
    cpu.state[S.IN_SLOT] = 1;
  }
  cpu.state[S.DELAY_REGISTER] = delayed;
  cpu.state[S.DELAY_VALUE] = delayed === 0 ? 0 : next();
  const va = (cpu.registers[(word >>> 21) & 31] ?? 0) + ((word << 16) >> 16);
  cpu.state[S.LINK] = next() % 3 === 0 ? 0 : cpu.memory.hostAddress(va & 0x1ffffffc);
}

/** Executes the instruction at AT by its row. */
function byRow(cpu: Cpu, word: number, mnemonic: Mnemonic): void {
  const inSlot = cpu.get(S.IN_SLOT) === 1;
  cpu.stall(cpu.pipeline?.fetch(cpu.memory.hostAddress(AT & 0x1fffffff), cpu.clock.now | 0) ?? 0);
  cpu.at = AT | 0;
  cpu.atInSlot = inSlot;
  cpu.leaveLoop(cpu.clock.now + 1, cpu.get(S.NEXT_PC), cpu.get(S.NEXT_PC) + 4, false);
  if (!execute(cpu, word, mnemonic)) throw new Error('there is no row');
  settle(cpu, word);
  cpu.pipeline?.pass(cpu.clock.now, 0);
}

function seen(cpu: Cpu): unknown {
  return [
    [...cpu.state],
    [...cpu.memory.words.subarray(0x2000 >>> 2, 0x2100 >>> 2)],
    [...cpu.cacheWords.subarray(0, 0x4000)].filter((tag) => tag !== 0),
    cpu.clock.now,
    cpu.charged,
  ];
}

/** A word of an instruction, of registers 0 to 7 and few others, with small offsets. */
function wordOf(mnemonic: Mnemonic, next: () => number): number {
  let pos = 0;
  const operands = operandsOf(mnemonic).map(({ kind }) => {
    switch (kind) {
      case 'base':
        return next() % 3 === 0 ? next() % 8 : 4;
      case 'offset':
        return next() % 2 === 0 ? next() % 64 : 4 * (next() % 16);
      case 'imm':
      case 'branch':
        return (next() << 16) >> 16;
      case 'uimm':
        return next() & 0xffff;
      case 'jump':
        return next() & 0x3ffffff;
      case 'code':
      case 'trap':
        return next() & 0x3ff;
      case 'cn':
        return next() % 2 === 0 ? 31 : 0;
      case 'pos':
        return (pos = next() % 32);
      case 'size':
      case 'last':
        return 1 + (next() % (32 - pos));
      default:
        // Often registers that may be equal.
        return next() % 2 === 0 ? 4 + (next() % 2) : next() % 8;
    }
  });
  return encode({ mnemonic, operands }, MIPS32);
}

/** Rows that the switch of the interpreter executes as well. */
const SWITCHED = ROWS.filter(([mnemonic]) => mnemonic in INSTRUCTIONS);

describe.each<Profile>(['ideal', 'dec5000'])('the switch and the rows: %s', (profile) => {
  const [left, right] = [makeCpu(profile), makeCpu(profile)];

  test.each(SWITCHED)('%s', (mnemonic) => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), fc.boolean(), (seed, inSlot, isDelayed) => {
        const next = random(seed);
        const word = wordOf(mnemonic, next);
        const delayed = isDelayed ? 1 + (next() % 7) : 0;
        for (const cpu of [left, right]) prepare(cpu, word, seed, inSlot, delayed);
        interpret(left, NATIVE, left.clock.now + 1, false);
        byRow(right, word, mnemonic);
        expect(seen(right)).toEqual(seen(left));
      }),
      { numRuns: 15 },
    );
  });
});

describe('the switch lets go of what it does not know', () => {
  const [left, right] = [makeCpu('ideal'), makeCpu('ideal')];

  test.each(Object.keys(EXTENSIONS.mips32) as Mnemonic[])('%s is executed by its row', (mnemonic) => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, inSlot) => {
        const next = random(seed);
        const word = wordOf(mnemonic, next);
        const delayed = next() % 8;
        for (const cpu of [left, right]) prepare(cpu, word, seed, inSlot, delayed);
        expect(identify(word, MIPS32)).toBe(mnemonic);
        interpret(left, NATIVE, left.clock.now + 1, false);
        byRow(right, word, mnemonic);
        expect(seen(right)).toEqual(seen(left));
      }),
      { numRuns: 30 },
    );
  });

  test('bits that the manual wants to be zero change nothing on an R3000 [KANE92 app. A]', () => {
    const [strict, loose] = [makeCpu('ideal', []), makeCpu('ideal', [])];
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...SWITCHED.map(([mnemonic]) => mnemonic)), (seed, mnemonic) => {
        if (/c[0-3]|^j$|^jal$/.test(mnemonic)) return;
        const next = random(seed);
        const word = wordOf(mnemonic, next);
        const [, , mask] = INSTRUCTIONS[mnemonic as keyof typeof INSTRUCTIONS];
        const opcode = word >>> 26;
        const decoded = opcode === 0 ? 0xfc00003f : opcode === 1 ? 0xfc1f0000 : 0xfc000000;
        const ignored = mask & ~decoded;
        const other = word ^ (next() & ignored);
        prepare(strict, word, seed, false, 0);
        prepare(loose, word, seed, false, 0);
        loose.memory.words[0x1000 >>> 2] = other; // through the port it could break the link
        for (const cpu of [strict, loose]) interpret(cpu, NATIVE, cpu.clock.now + 1, false);
        expect(seen(loose)).toEqual(seen(strict));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('effects', () => {
  /** Bits that another value has; the first of an address lead to another word. */
  const FLIPPED = [0x24, 0x80000000 | 0, -1];

  interface Outcome {
    readonly registers: readonly number[];
    readonly rest: string;
    readonly isException: boolean;
  }

  /** What there is after the instruction and a `nop`, which ends a load; a register may have held other bits before. */
  function outcome(cpu: Cpu, word: number, seed: number, register = 0, bits = 0): Outcome {
    prepare(cpu, word, seed, false, 0);
    cpu.state.fill(0, S.CP0, S.CP0 + S.CP0_PRID);
    cpu.setStatus(S.STATUS_CU1 | S.STATUS_CU2);
    cpu.fpu.status = 0;
    cpu.fpu.words.fill(0x3ff00000);
    cpu.registers[register] = (cpu.registers[register] ?? 0) ^ bits;
    interpret(cpu, NATIVE, cpu.clock.now + 1, false);
    const isException = [0x80000000, 0x80000080].includes(cpu.get(S.PC) >>> 0);
    interpret(cpu, NATIVE, cpu.clock.now + 1, false);
    const memory = cpu.memory.words.subarray(0x2000 >>> 2, 0x2100 >>> 2);
    const rest = [memory.join(), cpu.state.subarray(S.HI, S.FCR31 + 1).join(), cpu.state.subarray(S.LINK, 192).join()];
    return { registers: [...cpu.registers], rest: rest.join(), isException };
  }

  const cpu = makeCpu('ideal');

  // Random counts instructions, so it is never the same.
  test.each(ALL.filter((name) => name !== 'tlbwr'))(
    '%s: what it is seen to read and write, the table has',
    (mnemonic) => {
      const found = { reads: 0, writes: 0, words: 0 };
      const next = random(mnemonic.length * 7919 + mnemonic.charCodeAt(0));
      for (let i = 0; i < 60; i += 1) {
        const word = wordOf(mnemonic, next);
        if (mnemonic === 'mfc0' && ((word >>> 11) & 31) === S.CP0_RANDOM) continue;
        const { reads, writes } = effects(word, MIPS32);
        const seed = next();
        prepare(cpu, word, seed, false, 0);
        const before = [...cpu.registers];
        const plain = outcome(cpu, word, seed);
        const touched = plain.registers.reduce((bits, value, n) => bits | (value === before[n] ? 0 : 1 << n), 0);
        expect(touched & ~writes, `registers written by ${word.toString(16)}`).toBe(0);
        if (!plain.isException) found.words += 1;
        found.writes |= touched;
        // lwl and lwr read what they merge into, though no hazard check need see it.
        const merged = /^lw[lr]$/.test(mnemonic) ? writes : 0;
        for (let register = 1; register < 32; register += 1) {
          const bits = FLIPPED[next() % FLIPPED.length] ?? 0;
          const other = outcome(cpu, word, seed, register, bits);
          // An exception leaves what would have been written.
          const isLeft = plain.isException || ((writes >>> register) & 1) === 0;
          const expected = plain.registers.map((value, n) => (n === register && isLeft ? value ^ bits : value));
          if (other.registers.join() === expected.join() && other.rest === plain.rest) continue;
          found.reads |= 1 << register;
          expect(((reads | merged) >>> register) & 1, `register ${register} read by ${word.toString(16)}`).toBe(1);
        }
      }
      if (found.words === 0) return;
      const operands = operandsOf(mnemonic).filter(({ kind }) => GENERAL.has(kind));
      expect(found.writes !== 0).toBe(operands.some(({ isWritten }) => isWritten) || effectsOf(mnemonic, 0).calls);
      expect(found.reads !== 0).toBe(operands.some(({ isRead }) => isRead));
    },
  );

  test('a hazard is seen wherever the instruction after a load reads the register', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...ALL), (seed, mnemonic) => {
        const word = wordOf(mnemonic, random(seed));
        const { reads } = effects(word, MIPS32);
        for (let n = 1; n < 32; n += 1) if (((reads >>> n) & 1) !== 0) expect(isHazard(word, n), `${n}`).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('so is one of floating-point registers, which are pairs; and what writes one is known', () => {
    const fields: Partial<Record<OperandKind, number>> = { fd: 6, fs: 11, ft: 16 };
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(...ALL), (seed, mnemonic) => {
        const word = wordOf(mnemonic, random(seed));
        for (const { kind, isRead, isWritten } of operandsOf(mnemonic)) {
          const shift = fields[kind];
          if (shift === undefined) continue;
          const n = (word >>> shift) & 31;
          if (isRead) for (const half of [n, n ^ 1]) expect(isHazard(word, 32 + half), mnemonic).toBe(true);
          expect(isWritten && !writesFpu(word, n), mnemonic).toBe(false);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('the slow path takes every word without a row as reserved', () => {
    for (const word of [0x0000003f, 0x04020000, 0x50000000, 0x70000003, 0x7c00003b, 0xfc000000]) {
      prepare(cpu, word, 1, false, 0);
      executeSlow(cpu, NATIVE, word, AT, false);
      expect((cpu.get(S.CAUSE) >>> 2) & 31, word.toString(16)).toBe(10);
    }
  });
});
