/** The extension `mips32`: off by default, the same on both engines, its exceptions and delays. (`linked.test.ts`: `ll` and `sc`.) */
import {
  A0,
  encode,
  EXTENSIONS,
  operandKinds,
  S0,
  S1,
  T0,
  T1,
  T2,
  V0,
  V1,
  ZERO,
  type Assembler,
  type Extension,
  type Mnemonic,
} from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Machine, type HardwareError, type Profile } from '../src/index.ts';
import { EAGER, ENGINES, extended, MIPS32, place } from './mips32-support.ts';
import { wild } from './random-code.ts';
import { boot, CODE, random, record, state } from './support.ts';

const MNEMONICS = Object.keys(EXTENSIONS.mips32) as Mnemonic[];
const PROFILES = ['ideal', 'dec3100', 'dec5000'] as const satisfies readonly Profile[];

/** An instruction with operands that are in range. */
function some(mnemonic: Mnemonic): number {
  const operands = operandKinds(mnemonic).map((kind) => (kind === 'size' || kind === 'last' ? 8 : 4));
  return encode({ mnemonic, operands }, MIPS32);
}

describe.each(ENGINES)('without the extension, on the %s', (engine) => {
  test.each(MNEMONICS)('%s is a Reserved Instruction, also in user mode and in a slot', (mnemonic) => {
    for (const [status, slot] of [
      [0, 0],
      [2, 0],
      [0, 1],
    ] as const) {
      const machine = boot(() => undefined, { engine, translation: EAGER });
      machine.cpu.tlb.write(0, 0x1000, 0x1700);
      machine.memory.storeWords(0x1000, slot === 1 ? [0x10000001, some(mnemonic)] : [some(mnemonic)]);
      for (let i = 1; i < 32; i += 1) machine.cpu.registers[i] = 0x2000;
      machine.cpu.cp0.status = status;
      machine.cpu.pc = status === 0 ? CODE : 0x1000;
      machine.run(1 + slot);
      const { cause, epc } = machine.cpu.cp0;
      expect([(cause >>> 2) & 31, cause >>> 31]).toEqual([10, slot]);
      expect(epc & 0xffff).toBe(0x1000);
      expect([...machine.cpu.registers.subarray(1)]).toEqual(Array.from({ length: 31 }, () => 0x2000));
    }
  });
});

describe('the option', () => {
  test('an extension that there is not is refused, with a code', () => {
    const extensions = ['mips64'] as unknown as Extension[];
    expect(() => new Machine({ extensions })).toThrow(expect.objectContaining({ code: 'extension' }) as HardwareError);
  });

  test('belongs to what a machine is: neither takes the snapshot of the other', () => {
    const [plain, other] = [new Machine(), new Machine({ extensions: MIPS32 })];
    const twice = new Machine({ extensions: ['mips32', 'mips32'] });
    const refusal = expect.objectContaining({ code: 'snapshot' }) as HardwareError;
    expect(() => {
      plain.restore(other.snapshot());
    }).toThrow(refusal);
    expect(() => {
      other.restore(plain.snapshot());
    }).toThrow(refusal);
    twice.restore(other.snapshot());
    expect(twice.fingerprint).toBe(other.fingerprint);
  });
});

describe('random code with the extension, with all its faults', () => {
  const observe = (machine: Machine, cycles: number, step: () => number): unknown => {
    const events = record(machine);
    const states: unknown[] = [];
    for (let left = cycles, next = 5000; left > 0;) {
      const n = Math.min(left, next, step());
      machine.run(n);
      left -= n;
      next -= n;
      if (next > 0) continue;
      states.push(state(machine));
      next = 5000;
    }
    return { events, states };
  };

  test.each(PROFILES)(
    '%s: the same on both engines, from whatever time on code is translated, in whatever steps',
    (profile) => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const build = (after: number, engine: 'interpreter' | 'translator'): Machine =>
            wild(seed, { engine, profile, extensions: MIPS32, translation: { after, worthwhile: after } });
          const expected = observe(build(1, 'interpreter'), 30_000, () => 5000);
          for (const after of [1, 2, 7]) {
            expect(observe(build(after, 'translator'), 30_000, () => 5000)).toEqual(expected);
          }
          const next = random(seed);
          expect(observe(build(1, 'translator'), 30_000, () => 1 + (next() % 97))).toEqual(expected);
        }),
        { numRuns: Number(process.env.EXOKERNEL_RUNS ?? 2) },
      );
    },
  );

  test.each(ENGINES)('%s: a long run is as many runs of one cycle', (engine) => {
    const options = { engine, extensions: MIPS32, translation: EAGER };
    const [once, many] = [wild(7, options), wild(7, options)];
    const expected = observe(once, 20_000, () => 5000);
    expect(observe(many, 20_000, () => 1)).toEqual(expected);
  });
});

describe.each(ENGINES)('teq on the %s', (engine) => {
  test.each([0, 1])('traps with ExcCode 13, precisely; in a slot: %d', (slot) => {
    const machine = extended(
      (a) => {
        a.teq(T0, T1, 3);
        if (slot === 1) a.b(CODE + 0x40);
        else a.nop();
        a.teq(T0, T2, 5);
        a.addiu(T0, T0, 1);
      },
      { engine },
    );
    machine.cpu.registers[T1] = 1;
    machine.run(3);
    const { cause, epc } = machine.cpu.cp0;
    expect([(cause >>> 2) & 31, cause >>> 31, epc]).toEqual([13, slot, CODE + 8 - 4 * slot]);
    expect([machine.cpu.pc, machine.cpu.registers[T0]]).toEqual([0x80000080, 0]);
  });
});

describe.each(ENGINES)('the load delay on the %s', (engine) => {
  /** t0 is 7 and gets 5 from memory late; gives t0 and v0 after `use` in the slot. */
  function after(use: (a: Assembler<'mips32'>) => void, load: 'lw' | 'll' = 'lw'): number[] {
    const machine = extended(() => undefined, { engine });
    place(machine, CODE, (a) => (load === 'll' ? a.ll(T0, 0, A0) : a.lw(T0, 0, A0)));
    place(machine, CODE + 4, use);
    machine.memory.store32(0x2000, 5);
    machine.cpu.registers[T0] = 7;
    machine.cpu.registers[V0] = 3;
    machine.cpu.registers[V1] = 2;
    // Often enough to be translated, if it could be.
    const { registers } = machine.cpu;
    let result: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      registers[T0] = 7;
      registers[V0] = 3;
      machine.cpu.pc = CODE;
      machine.run(4);
      result = [registers[T0] ?? 0, registers[V0] ?? 0];
    }
    return result;
  }

  test.each<[string, number[], (a: Assembler<'mips32'>) => void]>([
    ['movz reads what it moves', [5, 7], (a) => a.movz(V0, T0, ZERO)],
    ['movz reads its condition', [5, 3], (a) => a.movz(V0, V1, T0)],
    ['movn leaves what the register had', [7, 3], (a) => a.movn(T0, V1, ZERO)],
    ['movn that moves', [2, 3], (a) => a.movn(T0, V1, V0)],
    ['movz that does not move', [7, 3], (a) => a.movz(T0, V1, V0)],
    ['ins keeps the old bits', [(7 & ~0xff00) | 0x200, 3], (a) => a.ins(T0, V1, 8, 8)],
    ['ins of the register', [5, 3 | (7 << 8)], (a) => a.ins(V0, T0, 8, 8)],
    ['ext', [5, 3], (a) => a.ext(V0, T0, 1, 8)],
    ['clz', [5, 29], (a) => a.clz(V0, T0)],
    ['clz over it', [30, 3], (a) => a.clz(T0, V1)],
    ['seb', [5, 7], (a) => a.seb(V0, T0)],
    ['seh over it', [2, 3], (a) => a.seh(T0, V1)],
    ['mul', [5, 14], (a) => a.mul(V0, T0, V1)],
    ['mul over it', [6, 3], (a) => a.mul(T0, V0, V1)],
    ['sc that fails', [0, 3], (a) => a.sc(T0, 4, A0)],
  ])('a load before: %s', (_, expected, use) => {
    expect(after(use)).toEqual(expected);
  });

  test('ll is late as lw is, and links at once: sc in its slot stores the old value', () => {
    expect(after((a) => a.move(V0, T0), 'll')).toEqual([5, 7]);
    expect(after((a) => a.sc(T0, 0, A0), 'll')).toEqual([1, 3]);
    expect(after((a) => a.movz(T0, V1, V0), 'll')).toEqual([7, 3]);
  });
});

describe('at the ends of pages', () => {
  test.each(ENGINES)('%s: code that runs over them, with its data at the end of one', (engine) => {
    // Two virtual pages in frames that are far apart; the last word of the data page is the one of ll and sc.
    const machine = extended(() => undefined, { engine });
    machine.cpu.tlb.write(0, 0x4000, 0x8600);
    machine.cpu.tlb.write(1, 0x5000, 0x5600);
    machine.cpu.tlb.write(2, 0x9000, 0x2600);
    place(machine, 0x80008000 + 0x1000 - 24, (a) => {
      a.ll(T0, 0xffc, A0);
      a.nop();
      a.ext(T1, T0, 0, 8);
      a.addiu(T0, T0, 1);
      a.ins(T0, T1, 24, 8);
      a.mul(T2, T1, T1);
    });
    place(machine, 0x80005000, (a) => {
      a.sc(T0, 0xffc, A0);
      a.addu(S0, S0, T0);
      a.addiu(S1, S1, -1);
      a.bnez(S1, 0x80005000 - 24);
      a.clz(V0, T2);
      a.teq(ZERO, ZERO, 0);
    });
    machine.cpu.registers[A0] = 0x9000;
    machine.cpu.registers[S1] = 300;
    machine.cpu.cp0.status = 2;
    machine.cpu.pc = 0x5000 - 24;
    machine.run(11 * 300 + 1);
    expect(machine.cpu.cp0.cause >>> 2).toBe(13);
    expect(machine.cpu.registers[S0]).toBe(300);
    expect(machine.memory.load32(0x2ffc) & 0xffff).toBe(300);
  });
});
