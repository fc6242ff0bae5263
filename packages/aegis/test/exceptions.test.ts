/** Exceptions, delivered to the application, which resumes itself. [SOSP95 §5.3] */
import { CALLS, CALL_LIMIT, DEATHS, ENV, ERRORS, EXCEPTIONS, U, type ExceptionName } from '@exokernel/abi';
import { A0, A1, CP0_STATUS, RA, S0, T0, T1, T2, V0, ZERO, KSEG0, type Assembler, type Register } from '@exokernel/isa';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  boot,
  type Booted,
  checkInvariants,
  emitEnd,
  FIRST_FREE_FRAME,
  RAW,
  rawImage,
  type RawImage,
  runRaw,
} from '../../testkit/src/index.ts';
import {
  changed,
  DUMP,
  emitDump,
  emitFill,
  emitRoutine,
  pattern,
  REGISTERS,
  SCRATCH,
} from '../../testkit/src/index.ts';

const U_PAGE = 0x1000;
const NOTHING_MAPPED = 0x00a00000;
/** Where the test itself, as the hardware never would, maps a page to physical addresses at which there is nothing. */
const HOLE = 0x00b00000;
const A_HOLE: readonly [hi: number, lo: number] = [HOLE | (1 << 6), 0x0f000000 | 0x600];

interface Case {
  readonly exception: ExceptionName;
  readonly what: string;
  readonly emit: (a: Assembler) => void;
  readonly badVaddr?: number;
  readonly coprocessor?: number;
}

/** a0 is 0x7fffffff, a1 is NOTHING_MAPPED. */
const REGISTERS_IN: ReadonlyMap<Register, number> = new Map([
  [A0, 0x7fffffff],
  [A1, NOTHING_MAPPED],
]);
const CASES: readonly Case[] = [
  { exception: 'mod', what: 'a store to its own text', emit: (a) => a.sw(S0, 0x2004, ZERO), badVaddr: 0x2004 },
  { exception: 'tlbl', what: 'a load where nothing is', emit: (a) => a.lw(S0, 4, A1), badVaddr: NOTHING_MAPPED + 4 },
  { exception: 'tlbl', what: 'a load from page 0', emit: (a) => a.lw(S0, 4, ZERO), badVaddr: 4 },
  { exception: 'tlbs', what: 'a store where nothing is', emit: (a) => a.sw(S0, 8, A1), badVaddr: NOTHING_MAPPED + 8 },
  { exception: 'adel', what: 'an unaligned load', emit: (a) => a.lw(S0, 2, A1), badVaddr: NOTHING_MAPPED + 2 },
  { exception: 'adel', what: 'a load from kseg0', emit: (a) => a.lw(S0, 1, A0), badVaddr: KSEG0 },
  { exception: 'adel', what: 'a load from the kernel page', emit: (a) => a.lw(S0, -4, ZERO), badVaddr: 0xfffffffc },
  { exception: 'ades', what: 'an unaligned store', emit: (a) => a.sh(S0, 1, A1), badVaddr: NOTHING_MAPPED + 1 },
  { exception: 'ades', what: 'a store to kseg0', emit: (a) => a.sw(S0, 1, A0), badVaddr: KSEG0 },
  { exception: 'ades', what: 'a store to the kernel page', emit: (a) => a.sw(S0, -4, ZERO), badVaddr: 0xfffffffc },
  { exception: 'breakpoint', what: 'break', emit: (a) => a.break(7) },
  { exception: 'reserved', what: 'an instruction that is none', emit: (a) => a.word(0x0000003f) },
  { exception: 'reserved', what: 'a native function that is not there', emit: (a) => a.cop2(77) },
  { exception: 'coprocessor', what: 'mtc0', emit: (a) => a.mtc0(ZERO, CP0_STATUS), coprocessor: 0 },
  { exception: 'coprocessor', what: 'mfc0', emit: (a) => a.mfc0(S0, CP0_STATUS), coprocessor: 0 },
  { exception: 'coprocessor', what: 'tlbwr', emit: (a) => a.tlbwr(), coprocessor: 0 },
  { exception: 'coprocessor', what: 'rfe', emit: (a) => a.rfe(), coprocessor: 0 },
  { exception: 'coprocessor', what: 'mfc1', emit: (a) => a.word(0x44100000), coprocessor: 1 },
  { exception: 'coprocessor', what: 'lwc1', emit: (a) => a.word(0xc4000000), coprocessor: 1 },
  { exception: 'coprocessor', what: 'coprocessor 3', emit: (a) => a.word(0x4c000000), coprocessor: 3 },
  { exception: 'overflow', what: 'add', emit: (a) => a.add(S0, A0, A0) },
  { exception: 'overflow', what: 'addi', emit: (a) => a.addi(S0, A0, 1) },
  { exception: 'dbe', what: 'a load from a hole in physical memory', emit: (a) => a.lw(S0, HOLE & 0xffff, A1) },
];

/** Emits handlers that dump all registers as they find them, number 1, and then do what the raw handlers do. */
function emitNoting(a: Assembler): Partial<Record<ExceptionName, string>> {
  const handlers: Partial<Record<ExceptionName, string>> = {};
  for (const name of Object.keys(EXCEPTIONS) as ExceptionName[]) {
    if (name === 'interrupt' || name === 'syscall') continue;
    handlers[name] = `note.${name}`;
    a.label(`note.${name}`);
    for (const r of REGISTERS) a.sw(r, DUMP + 0x100 + 4 * r, ZERO);
    a.j(`raw.${name}`);
    a.nop();
  }
  return handlers;
}

interface Seen {
  readonly dumps: number[];
  readonly uPage: number[];
  readonly at: number;
}

/** Registers before the instruction; the hole can only be reached through a1. */
function registersOf({ exception }: Case): ReadonlyMap<Register, number> {
  return new Map([...REGISTERS_IN, ...(exception === 'dbe' ? [[A1, HOLE] as const] : [])]);
}

/** Executes the instruction with all registers filled, in a delay slot or not; `seen` is filled in. */
function provoking(one: Case, inSlot: boolean): { image: RawImage; seen: Seen } {
  const [dumps, uPage]: [number[], number[]] = [[], []];
  const image = rawImage({
    name: one.what,
    main: function* (raw) {
      yield* raw.routine('case');
      for (let i = 0; i < 0x80; i += 1) dumps.push(yield* raw.fibers.load(DUMP + 4 * i));
      for (let i = 0; i < 0x400; i += 1) uPage.push(yield* raw.fibers.load(U_PAGE + 4 * i));
      return 0;
    },
    emit: (a) => {
      emitNoting(a);
      emitRoutine(a, 'case', () => {
        emitFill(a, registersOf(one));
        a.label('at');
        if (inSlot) a.b('after');
        one.emit(a);
        a.label('after');
        emitDump(a);
      });
    },
    handlers: Object.fromEntries(
      (Object.keys(EXCEPTIONS) as ExceptionName[])
        .filter((name) => name !== 'interrupt' && name !== 'syscall')
        .map((name) => [name, `note.${name}`]),
    ),
  });
  return { image, seen: { dumps, uPage, at: image.runtime.symbols.get('at') ?? 0 } };
}

/** A machine at the first instruction of environment 0, which finds a hole in physical memory at HOLE. */
function bootWithHole(...images: RawImage[]): Booted {
  const booted = boot(images);
  while (booted.aegis.environment(0).slices === 0) booted.machine.run(1);
  // Wired entries are the kernel's, which uses the first alone.
  booted.machine.cpu.tlb.write(1, ...A_HOLE);
  return booted;
}

describe.each([
  ['', false],
  [' in a delay slot', true],
])('what is delivered%s', (_, inSlot) => {
  // All on one machine; the case with the hole in memory is environment 0.
  const cases = [...CASES].sort((a, b) => Number(b.exception === 'dbe') - Number(a.exception === 'dbe'));
  const provoked = cases.map((one) => provoking(one, inSlot));
  let booted: Booted;
  beforeAll(() => {
    const [first, ...others] = provoked.map(({ image }) => image);
    if (first === undefined) return;
    booted = bootWithHole(first, ...others);
    booted.finish(...cases.keys());
  });

  test.each(cases.map((one, env) => [one.exception, one.what, one, env] as const))(
    '%s: %s',
    (exception, _what, one, env) => {
      const seen = provoked[env]?.seen ?? expect.unreachable();
      const code = EXCEPTIONS[exception];
      const word = (at: number): number => (seen.uPage[(at - U_PAGE) / 4] ?? 0) >>> 0;
      const registers = registersOf(one);

      expect(booted.aegis.environment(env)).toMatchObject({ name: one.what, death: DEATHS.exit, exit: 0 });
      expect(word(RAW.counts + 4 * code)).toBe(1);
      expect(word(RAW.epc)).toBe(seen.at);
      const cause = word(RAW.cause);
      expect((cause >>> 2) & 31).toBe(code);
      expect(cause >>> 31).toBe(inSlot ? 1 : 0);
      expect((cause >>> 28) & 3).toBe(one.coprocessor ?? 0);
      if (one.badVaddr !== undefined) expect(word(RAW.badVaddr)).toBe(one.badVaddr);

      // The handler found every register as it was, but for the three whose values are in the save area.
      const save = U_PAGE + U.exceptionSave + 16 * code;
      expect([word(save), word(save + 4), word(save + 8)]).toEqual([T0, T1, T2].map((r) => pattern(r) >>> 0));
      const found = changed(seen.dumps, 1, registers).filter((name) => name !== 'hi' && name !== 'lo');
      expect(found).toEqual(['t0', 't1', 't2']);
      // And afterwards all is as before; k1 is what an application resumes itself with.
      expect(changed(seen.dumps, 0, registers)).toEqual(['k1']);
    },
  );

  test('and nothing else is disturbed', () => {
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });
});

test.each([
  ['where nothing is', NOTHING_MAPPED, 'tlbl'],
  ['from kseg0', KSEG0, 'adel'],
  ['between two words', 0x2002, 'adel'],
  ['from a hole in physical memory', HOLE, 'ibe'],
] as const)('a jump to fetch %s is delivered with that address, and the program comes back', (_, target, exception) => {
  const seen: number[] = [];
  const image = rawImage({
    main: function* (raw) {
      yield* raw.routine('jump');
      for (let i = 0; i < 3; i += 1) seen.push((yield* raw.fibers.load(RAW.user + 4 * i)) >>> 0);
      return 0;
    },
    emit: (a) => {
      a.label('jump');
      a.sw(RA, SCRATCH, ZERO);
      a.li(T0, target);
      a.jr(T0);
      a.nop();
      // Resumes at the caller of `jump`: EPC is the target, of no use.
      a.label('caught');
      a.sw(T0, RAW.user, ZERO);
      a.sw(T1, RAW.user + 4, ZERO);
      a.sw(T2, RAW.user + 8, ZERO);
      a.lw(RA, SCRATCH, ZERO);
      a.nop();
      a.ret();
      a.nop();
    },
    handlers: { [exception]: 'caught' },
  });
  const booted = bootWithHole(image);
  booted.finish(0);
  const [epc, badVaddr, cause = 0] = seen;
  expect(epc).toBe(target);
  if (exception !== 'ibe') expect(badVaddr).toBe(target);
  expect((cause >>> 2) & 31).toBe(EXCEPTIONS[exception]);
});

test('an environment without a handler is destroyed, alone, and says of what', () => {
  const bad = CASES.filter(({ exception }) => exception !== 'dbe');
  const images = bad.map(({ exception, what, emit }) =>
    rawImage({
      name: what,
      entry: 'bad',
      emit: (a) => {
        a.label('bad');
        for (const [r, value] of REGISTERS_IN) a.li(r, value);
        emit(a);
        a.li(V0, 1);
        emitEnd(a);
      },
      handlers: { [exception]: undefined },
    }),
  );
  const good = rawImage({
    main: function* (raw) {
      yield* raw.sleep(bad.length + 10);
      return 5;
    },
  });
  const booted = boot([...images, good]);
  const outcome = booted.finish(...Array.from({ length: bad.length + 1 }, (_, env) => env));
  expect(outcome.map(({ name, death }) => [name, death])).toEqual([
    ...bad.map(({ what, exception }) => [what, DEATHS.unhandled | (EXCEPTIONS[exception] << 8)]),
    ['raw', DEATHS.exit],
  ]);
  expect(outcome.at(-1)?.exit).toBe(5);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
});

test('call numbers that are none answer E_CALL and change nothing', () => {
  runRaw(function* (raw) {
    const numbers = new Set<number>(Object.values(CALLS).map(({ number }) => number));
    const none = Array.from({ length: CALL_LIMIT + 16 }, (_, i) => i).filter((n) => !numbers.has(n));
    for (const n of [...none, 1000, 0x7fffffff, -1, -2, -48, -0x80000000, 0x40000000, 0x40000010]) {
      expect(yield* raw.code(n, 1, 2, 3, 4), String(n)).toBe(ERRORS.E_CALL);
    }
    return 0;
  });
});

test('a syscall in a delay slot is executed, then executed again, and the branch is lost', () => {
  const booted = runRaw(
    function* (raw) {
      expect(yield* raw.routine('slot')).toBe(1);
      return 0;
    },
    {
      emit: (a) => {
        a.label('slot');
        a.li(V0, CALLS.null.number);
        a.b('slot.branched');
        a.syscall(0);
        a.ret();
        a.li(V0, 1);
        a.label('slot.branched');
        a.ret();
        a.li(V0, 2);
      },
    },
  );
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a double fault, where the handler itself cannot begin, ends that environment alone', () => {
  const image = rawImage({
    entry: 'bad',
    emit: (a) => {
      a.label('bad');
      a.break(0);
      a.li(V0, 1);
      emitEnd(a);
    },
  });
  // The handler of breakpoints is not mapped, and so is that of the misses to which this leads.
  const nowhere = new Map([
    [EXCEPTIONS.breakpoint, 0x7ffffffc],
    [EXCEPTIONS.tlbl, 0x6000000],
  ]);
  const booted = boot([
    { ...image, exceptionPc: nowhere },
    rawImage({
      main: function* (raw) {
        yield* raw.sleep(20);
        return 4;
      },
    }),
  ]);
  const [other] = booted.finish(1);
  expect(other).toMatchObject({ death: DEATHS.exit, exit: 4 });
  expect(booted.aegis.environment(0)).toMatchObject({
    status: 'dead',
    death: DEATHS.double | (EXCEPTIONS.tlbl << 8),
    tlbUpcalls: 2,
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a handler that takes its own exception later goes on for ever, in the environment’s own time', () => {
  const image = rawImage({
    entry: 'bad',
    handlers: { breakpoint: 'handler' },
    emit: (a) => {
      a.label('handler');
      a.nop();
      a.label('bad');
      a.break(0);
    },
  });
  const booted = boot([
    image,
    rawImage({
      main: function* (raw) {
        yield* raw.sleep(20);
        return 4;
      },
    }),
  ]);
  const [other] = booted.finish(1);
  expect(other).toMatchObject({ death: DEATHS.exit, exit: 4 });
  const lost = booted.aegis.environment(0);
  expect(lost.status).toBe('runnable');
  expect(lost.slices).toBeGreaterThan(15);
  expect(lost.exceptions).toBeGreaterThan(10_000);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('system calls cannot be handled by an application', () => {
  runRaw(function* (raw) {
    const field = ENV.exceptionPc + 4 * EXCEPTIONS.syscall;
    expect(yield* raw.code('env_set', 0, 0, 0, 0, field, 0x2000)).toBe(ERRORS.E_RANGE);
    return 0;
  });
});
