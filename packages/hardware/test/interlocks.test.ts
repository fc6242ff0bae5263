import { A0, T0, T1, V0, ZERO, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { PROFILES, type Machine } from '../src/index.ts';
import { Pipeline } from '../src/timing/pipeline.ts';
import { boot, CODE, idle, load } from './support.ts';
import { forgetData, program, run, warm } from './timing-support.ts';

describe('multiplier', () => {
  const gap = (begin: (a: Assembler) => void, gap: number, then: (a: Assembler) => void): number[] =>
    warm((a) => {
      begin(a);
      for (let i = 0; i < gap; i += 1) a.nop();
      then(a);
    });

  test('HI and LO are waited for, 12 cycles from a multiplication and 35 from a division', () => {
    for (const [begin, latency] of [
      [(a: Assembler) => a.mult(T0, T1), 12],
      [(a: Assembler) => a.multu(T0, T1), 12],
      [(a: Assembler) => a.div(T0, T1), 35],
      [(a: Assembler) => a.divu(T0, T1), 35],
    ] as const) {
      for (const [use, n] of [
        [(a: Assembler) => a.mflo(V0), 0],
        [(a: Assembler) => a.mfhi(V0), 3],
        [(a: Assembler) => a.mflo(V0), latency - 2],
        [(a: Assembler) => a.mflo(V0), latency - 1],
        [(a: Assembler) => a.mthi(V0), latency + 2],
        [(a: Assembler) => a.mtlo(V0), 1],
        [(a: Assembler) => a.mult(V0, V0), 2],
        [(a: Assembler) => a.divu(V0, V0), 2],
      ] as const) {
        const timed = Math.max(latency + 1, n + 2);
        expect(gap(begin, n, use)).toEqual([n + 2, timed, timed]);
      }
    }
  });

  test('the second of two multiplications begins when the first is done', () => {
    const [, kn01] = gap(
      (a) => {
        a.mult(T0, T1);
        a.mult(T0, T1);
      },
      0,
      (a) => a.mflo(V0),
    );
    expect(kn01).toBe(12 + 12 + 1);
  });
});

describe('floating point', () => {
  const CU1 = 0x20000000;
  test.each<[string, ((a: Assembler) => void)[], number]>([
    ['add', [(a) => a.add_d(2, 4, 6), (a) => a.add_d(8, 2, 2)], 3],
    ['multiply singles', [(a) => a.mul_s(2, 4, 6), (a) => a.add_s(8, 2, 2)], 5],
    ['multiply doubles', [(a) => a.mul_d(2, 4, 6), (a) => a.add_d(8, 2, 2)], 6],
    ['divide singles', [(a) => a.div_s(2, 4, 6), (a) => a.add_s(8, 2, 2)], 13],
    ['divide doubles', [(a) => a.div_d(2, 4, 6), (a) => a.mov_d(8, 2)], 20],
    ['a move', [(a) => a.mov_d(2, 4), (a) => a.add_d(8, 2, 2)], 2],
    ['either operand', [(a) => a.mul_d(2, 4, 6), (a) => a.add_d(8, 4, 2)], 6],
    ['singles to doubles', [(a) => a.cvt_d_s(2, 4), (a) => a.add_d(8, 2, 2)], 2],
    ['doubles to singles', [(a) => a.cvt_s_d(2, 4), (a) => a.add_s(8, 2, 2)], 3],
    ['words to doubles', [(a) => a.cvt_d_w(2, 4), (a) => a.add_d(8, 2, 2)], 4],
    ['doubles to words', [(a) => a.cvt_w_d(2, 4), (a) => a.mfc1(T0, 2)], 3],
    ['units work side by side', [(a) => a.div_d(2, 4, 6), (a) => a.mul_d(8, 4, 6), (a) => a.add_d(10, 4, 6)], 3],
    ['each at one operation', [(a) => a.mul_d(2, 4, 6), (a) => a.mul_d(8, 4, 6), (a) => a.nop()], 7],
    ['a result is not overtaken', [(a) => a.div_d(2, 4, 6), (a) => a.add_d(2, 4, 6)], 20],
    ['nor by a load', [(a) => a.mul_d(2, 4, 6), (a) => a.mtc1(ZERO, 2)], 6],
    ['a store waits for what it stores', [(a) => a.mul_s(2, 4, 6), (a) => a.swc1(2, 0, A0)], 5],
    ['half of a double too', [(a) => a.mul_d(2, 4, 6), (a) => a.mfc1(T0, 3)], 6],
    ['a branch waits for the compare', [(a) => a.c_eq_d(4, 6), (a) => a.bc1f(CODE + 8), (a) => a.nop()], 4],
    ['the control register for everything', [(a) => a.div_d(2, 4, 6), (a) => a.cfc1(T0, 31)], 20],
    ['integers do not wait', [(a) => a.div_d(2, 4, 6), (a) => a.addu(T0, T1, T1)], 2],
  ])('%s', (_, steps, cycles) => {
    const build = (a: Assembler): void => {
      for (const step of steps) step(a);
    };
    expect(warm(build, CU1).slice(1)).toEqual([cycles, cycles]);
    expect(warm(build, CU1)[0]).toBeLessThan(4);
  });

  test.each<[string, (a: Assembler) => void, number[]]>([
    [
      'a load waits for its register, and meanwhile the write buffer empties',
      (a) => {
        a.sw(T0, 0, A0);
        a.mul_d(2, 4, 6);
        a.lwc1(2, 64, A0);
      },
      [3 + 4 + 6, 3 + 4 + 15],
    ],
    [
      'so does a store',
      (a) => {
        for (let i = 0; i < 4; i += 1) a.sw(T0, 4 * i, A0);
        a.mul_d(2, 4, 6);
        a.swc1(2, 64, A0);
      },
      [6 + 4, 6 + 4],
    ],
    [
      'uncached too',
      (a) => {
        a.lui(T1, 0xa000);
        a.mul_d(2, 4, 6);
        a.lwc1(2, 0x2000, T1);
        a.swc1(4, 0x2000, T1);
        a.lwc1(4, 0x2000, T1);
      },
      [5 + 4 + 6 + 5 + 6, 5 + 4 + 12 + 1 + 12],
    ],
  ])('%s', (_, build, cycles) => {
    expect(warm(build, CU1).slice(1)).toEqual(cycles);
  });

  test.each<[string, (a: Assembler) => void, number]>([
    ['the first operand', (a) => a.add_d(4, 2, 6), 1],
    ['the second', (a) => a.add_d(4, 6, 2), 1],
    ['the other half of a double', (a) => a.mfc1(T0, 3), 1],
    ['what is stored', (a) => a.swc1(2, 64, A0), 1],
    ['nothing of it', (a) => a.add_d(4, 6, 6), 0],
    ['nothing of it, with one operand', (a) => a.mov_d(4, 6), 0],
    ['the other half, which is written', (a) => a.lwc1(3, 64, A0), 0],
  ])('after lwc1 an instruction that reads %s', (_, use, cycles) => {
    for (const uncached of [false, true]) {
      const timed = (between: number): number[] =>
        warm((a) => {
          a.lui(T1, uncached ? 0xa000 : 0x8000);
          a.lwc1(2, 0x2000, T1);
          for (let i = 0; i < between; i += 1) a.nop();
          use(a);
        }, CU1);
      const [at, later] = [timed(0), timed(1)];
      expect(at.map((count, i) => count + 1 - (later[i] ?? 0))).toEqual([0, cycles, cycles]);
    }
  });

  test('an operation that traps has waited, and keeps no unit busy', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    const end = program(machine, (a) => {
      a.mul_d(2, 4, 6);
      a.add_d(8, 2, 0); // f0 is a quiet NaN: Unimplemented
      a.add_d(10, 4, 6);
    });
    machine.cpu.cp0.status = CU1;
    machine.cpu.fpu.words[1] = 0x7ff00001;
    run(machine, end);
    machine.cpu.fpu.status = 0;
    expect(run(machine, end)).toBe(5 + 1 + 1);
  });

  test('unusable, it is not waited for', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    program(machine, (a) => {
      a.div_d(2, 4, 6);
      a.add_d(2, 4, 6);
    });
    machine.cpu.cp0.status = CU1;
    machine.cpu.pc = CODE;
    machine.runTo(machine.cycles + 1);
    machine.cpu.cp0.status = 0;
    const before = machine.cycles;
    machine.runTo(before + 1);
    expect([machine.cycles - before, machine.cpu.pc]).toEqual([7, 0x80000080]); // the fetch, and its own cycle
  });
});

describe('the clock', () => {
  /** A program with everything that is remembered as a cycle. */
  function busy(a: Assembler): void {
    a.mult(T0, T1);
    a.div_d(2, 4, 6);
    for (let i = 0; i < 6; i += 1) a.sw(T0, 4 * i, A0);
    a.lw(T1, 64, A0);
    a.mflo(T0);
    a.mfc1(T0, 2);
  }

  test.each([2 ** 31, 2 ** 32, 2 ** 32 + 2 ** 31, 2 ** 33])('may pass cycle %d', (boundary) => {
    const early = idle({ profile: 'dec3100' });
    const expected = measure(early);
    for (const before of [1, 20, 45, 90]) {
      const machine = idle({ profile: 'dec3100' });
      measure(machine);
      machine.cpu.cp0.status = 1;
      machine.cpu.pc = CODE + 0x800;
      machine.runTo(boundary - before);
      expect(Math.abs(machine.cycles - boundary + before)).toBeLessThan(3);
      expect(measure(machine)).toBe(expected);
    }
  });

  function measure(machine: Machine): number {
    load(machine, CODE + 0x800, (a) => {
      a.b(CODE + 0x800);
      a.nop();
    });
    const end = program(machine, busy);
    machine.cpu.cp0.status = 0x20000000;
    run(machine, end);
    forgetData(machine);
    for (let i = 0; i < 60; i += 1) machine.runTo(machine.cycles + 1);
    machine.cpu.pc = CODE;
    return run(machine, end);
  }

  test('a long wait ends what was under way, a short one does not', () => {
    for (const [wait, stall] of [
      [8, 2],
      [2 ** 31 - 1, 0],
      [2 ** 32 + 2, 0],
      [2 ** 32 - 4, 0],
    ] as const) {
      const machine = boot(() => undefined, { profile: 'dec3100' });
      // One instruction charges no more than 2^28 cycles.
      const charges: number[] = [];
      for (let left = wait + 1; left > 0; left -= 1 + (charges.at(-1) ?? 0)) charges.push(Math.min(2 ** 28, left - 1));
      const end = program(machine, (a) => {
        a.mult(T0, T1);
        for (let i = 0; i < charges.length; i += 1) a.cop2(0);
        a.mflo(T0);
      });
      let next = 0;
      machine.cpu.cp0.status = 0x40000000;
      machine.native.install('kernel', [
        (cpu) => {
          cpu.charge(charges[next % charges.length] ?? 0);
          next += 1;
        },
      ]);
      run(machine, end);
      expect(run(machine, end) - wait).toBe(3 + stall);
    }
  });

  test('a pipeline that is settled now and then never takes the past for the future', () => {
    const { timing } = PROFILES.dec3100;
    if (timing === undefined) throw new Error('no timing');
    const pipeline = new Pipeline(timing, new Int32Array(0x80000 >> 2));
    let now = 2 ** 40;
    pipeline.settle(now);
    pipeline.multiply(now | 0);
    for (let i = 0; i < 5; i += 1) pipeline.write(now | 0);
    expect(pipeline.waitHiLo(now | 0)).toBe(12);
    expect(pipeline.isWriteBufferEmpty(now | 0)).toBe(false);
    for (let stretch = 0; stretch < 12; stretch += 1) {
      now += 2 ** 30 - 1;
      pipeline.settle(now);
      expect(pipeline.waitHiLo(now | 0)).toBe(0);
      expect(pipeline.isWriteBufferEmpty(now | 0)).toBe(true);
    }
    // So it is when the clock has been set back.
    now = 1000;
    pipeline.settle(now);
    pipeline.multiply(now);
    for (let stretch = 0; stretch < 4; stretch += 1) {
      now += 2 ** 30 - 1;
      pipeline.settle(now);
      expect(pipeline.waitHiLo(now | 0)).toBe(0);
    }
  });

  test('stalls are cycles, not instructions', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    const end = program(machine, (a) => {
      a.lw(T0, 0, A0);
      a.nop();
    });
    expect(run(machine, end)).toBe(2 + 3 * 6);
    expect(machine.instructions).toBe(2);
  });

  test('profiles have the clocks of the published machines', () => {
    expect((['ideal', 'dec2100', 'dec3100', 'dec5000'] as const).map((profile) => idle({ profile }).hz)).toEqual([
      25_000_000, 12_500_000, 16_666_667, 25_000_000,
    ]);
  });
});
