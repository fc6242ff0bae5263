import { A0, type Assembler, CP0_CAUSE, CP0_EPC, K0, K1, type Mnemonic, T0, T1, T2, ZERO } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVENT_KINDS, type Machine } from '../src/index.ts';
import { CU1, FpuBench } from './fpu-support.ts';
import { boot, CODE, lines, load, random, record, state } from './support.ts';

/** Interrupts enabled, line 7 let in. */
const TRAPS = 0x8001;
const EMPTY = 0x0123456789abcdefn;
const bench = new FpuBench();

/** A machine with a usable unit. */
function unit(build: (a: Assembler) => void, status = CU1): Machine {
  const machine = boot(build);
  machine.cpu.cp0.status = status;
  return machine;
}

describe('hostile code for the floating-point unit', () => {
  test('random words of coprocessor 1 with random registers never throw, and steps of any size agree', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const machines = [1, 2].map(() => {
          const next = random(seed);
          const machine = unit(
            (a) => {
              for (let i = 0; i < 64; i += 1) {
                const opcode = [0x11, 0x11, 0x11, 0x31, 0x39][next() % 5] ?? 0x11;
                const format = [0, 2, 4, 6, 8, 16, 17, 20, 17, next() % 32][next() % 10] ?? 0;
                const fields = next() & 0xffff & (next() % 4 === 0 ? -1 : ~0x0840);
                a.word(
                  (opcode << 26) | (opcode === 0x11 ? (format << 21) | ((next() % 32) << 16) | fields : next() % 256),
                );
              }
            },
            CU1 | (next() % 2 === 0 ? TRAPS : 0),
          );
          load(machine, 0x80000080, (a) => {
            a.mfc0(K0, CP0_EPC);
            a.ctc1(ZERO, 31);
            a.addiu(K0, K0, 4);
            a.jr(K0);
            a.rfe();
          });
          for (let n = 0; n < 32; n += 1) machine.cpu.fpu.words[n] = next();
          machine.cpu.fpu.status = next() & 0xf83;
          return machine;
        });
        const [one, other] = machines;
        if (one === undefined || other === undefined) throw new Error('two machines');
        one.run(300);
        for (let i = 0; i < 300; i += 1) other.run(1);
        expect(state(other)).toEqual(state(one));
      }),
      { numRuns: 40 },
    );
  });

  test.each<[string, number]>([
    ['sqrt.d, of MIPS II', 0x46200004],
    ['trunc.w.d, of MIPS II', 0x4620000d],
    ['an operation of an extended format', 0x46400000],
    ['add.w', 0x46800000],
    ['cvt.w.w', 0x46800024],
    ['cvt.s.s', 0x46000020],
    ['mov.w', 0x46800006],
    ['an odd source', 0x46200800],
    ['an odd destination of a single', 0x46000040],
    ['a comparison with a condition number', 0x46200130],
    ['abs with a second source', 0x46220005],
  ])('%s is Unimplemented and changes nothing', (_, word) => {
    const machine = unit((a) => a.word(word), CU1 | TRAPS);
    const before = [...machine.cpu.fpu.words.fill(0x3ff00000)];
    machine.run(1);
    expect([machine.cpu.fpu.status, ...machine.cpu.fpu.words]).toEqual([0x20000, ...before]);
    expect([machine.cpu.cp0.cause, machine.cpu.cp0.epc]).toEqual([0x8000, CODE]);
  });

  test.each<[string, number]>([
    ['a transfer that does not exist', 0x44200000],
    ['a branch of MIPS II', 0x45020000],
  ])('%s is a reserved instruction', (_, word) => {
    const machine = unit((a) => a.word(word));
    machine.run(1);
    expect(machine.cpu.cp0.cause).toBe(10 << 2);
  });

  test.each<[string, (a: Assembler) => void]>([
    ['add.s', (a) => a.add_s(0, 0, 0)],
    ['mfc1', (a) => a.mfc1(T0, 0)],
    ['ctc1', (a) => a.ctc1(T0, 31)],
    ['bc1f', (a) => a.bc1f(CODE)],
    ['lwc1 of no address', (a) => a.lwc1(0, 1, ZERO)],
    ['swc1 of no address', (a) => a.swc1(0, 1, ZERO)],
  ])('without CU1 %s is Coprocessor Unusable', (_, build) => {
    const machine = unit(build, 0);
    machine.run(1);
    expect(machine.cpu.cp0.cause).toBe((11 << 2) | (1 << 28));
  });

  test('an access that faults leaves the register', () => {
    for (const [build, code] of [
      [(a: Assembler): void => a.lwc1(2, 2, ZERO), 4],
      [(a: Assembler): void => a.swc1(2, 2, ZERO), 5],
      [(a: Assembler): void => a.lwc1(2, 0x1000, ZERO), 2],
      [(a: Assembler): void => a.swc1(2, 0x1000, ZERO), 3],
    ] as const) {
      const machine = unit(build);
      machine.cpu.fpu.words[2] = 77;
      machine.run(1);
      expect([machine.cpu.cp0.cause, machine.cpu.cp0.epc, machine.cpu.fpu.words[2]]).toEqual([code << 2, CODE, 77]);
    }
  });
});

describe('operations on literal bits [KANE92 §8]', () => {
  const ONE_S = 0x3f800000n;
  const TINY_S = 0x33800000n; // 2^-24
  const ONE = 0x3ff0000000000000n;
  const TINY = 0x3ca0000000000000n; // 2^-53
  const INF = 0x7ff0000000000000n;
  const NEGATIVE = 0x8000000000000000n;

  test.each<[Mnemonic, bigint, bigint, (bigint | string)[]]>([
    // to nearest, towards zero, up, down
    ['add.s', ONE_S, TINY_S, [ONE_S, ONE_S, ONE_S + 1n, ONE_S, 'I']],
    ['add.s', ONE_S + 1n, TINY_S, [ONE_S + 2n, ONE_S + 1n, ONE_S + 2n, ONE_S + 1n, 'I']],
    ['sub.s', ONE_S, 0x33000000n, [ONE_S, ONE_S - 1n, ONE_S, ONE_S - 1n, 'I']],
    ['sub.s', ONE_S, ONE_S, [0n, 0n, 0n, 0x80000000n, '']],
    ['mul.s', 0x7f000000n, 0x40000000n, [0x7f800000n, 0x7f7fffffn, 0x7f800000n, 0x7f7fffffn, 'OI']],
    ['div.s', ONE_S, 0x40400000n, [0x3eaaaaabn, 0x3eaaaaaan, 0x3eaaaaabn, 0x3eaaaaaan, 'I']],
    ['div.s', 0xbf800000n, 0x40400000n, [0xbeaaaaabn, 0xbeaaaaaan, 0xbeaaaaaan, 0xbeaaaaabn, 'I']],
    ['add.d', ONE, TINY, [ONE, ONE, ONE + 1n, ONE, 'I']],
    [
      'add.d',
      NEGATIVE | ONE,
      NEGATIVE | TINY,
      [NEGATIVE | ONE, NEGATIVE | ONE, NEGATIVE | ONE, (NEGATIVE | ONE) + 1n, 'I'],
    ],
    ['mul.d', ONE + 1n, ONE + 1n, [ONE + 2n, ONE + 2n, ONE + 3n, ONE + 2n, 'I']],
    [
      'mul.d',
      0xffe0000000000000n,
      0x4000000000000000n,
      [NEGATIVE | INF, 0xffefffffffffffffn, 0xffefffffffffffffn, NEGATIVE | INF, 'OI'],
    ],
    [
      'div.d',
      ONE,
      0x4008000000000000n,
      [0x3fd5555555555555n, 0x3fd5555555555555n, 0x3fd5555555555556n, 0x3fd5555555555555n, 'I'],
    ],
    ['div.d', ONE, NEGATIVE, [NEGATIVE | INF, NEGATIVE | INF, NEGATIVE | INF, NEGATIVE | INF, 'Z']],
    ['div.d', INF, 0n, [INF, INF, INF, INF, '']],
    ['cvt.s.d', 0x3fb999999999999an, 0n, [0x3dcccccdn, 0x3dccccccn, 0x3dcccccdn, 0x3dccccccn, 'I']],
    ['cvt.s.d', 0x7fe0000000000000n, 0n, [0x7f800000n, 0x7f7fffffn, 0x7f800000n, 0x7f7fffffn, 'OI']],
    [
      'cvt.d.s',
      0x3dcccccdn,
      0n,
      [0x3fb99999a0000000n, 0x3fb99999a0000000n, 0x3fb99999a0000000n, 0x3fb99999a0000000n, ''],
    ],
    ['cvt.s.w', 0x01000001n, 0n, [0x4b800000n, 0x4b800000n, 0x4b800001n, 0x4b800000n, 'I']],
    [
      'cvt.d.w',
      0x80000000n,
      0n,
      [0xc1e0000000000000n, 0xc1e0000000000000n, 0xc1e0000000000000n, 0xc1e0000000000000n, ''],
    ],
    ['cvt.w.s', 0x40200000n, 0n, [2n, 2n, 3n, 2n, 'I']], // 2.5
    ['cvt.w.d', 0xc00c000000000000n, 0n, [0xfffffffcn, 0xfffffffdn, 0xfffffffdn, 0xfffffffcn, 'I']], // -3.5
    ['cvt.w.d', 0x41dfffffffe00000n, 0n, [0x7fffffffn, 0x7fffffffn, 0x7fffffffn, 0x7fffffffn, undefined as never]],
  ])('%s of 0x%s', (mnemonic, a, b, expected) => {
    for (let mode = 0; mode < 4; mode += 1) {
      const { bits, cause, flags, trapped } = bench.run(mnemonic, a, b, mode);
      expect([mode, bits, trapped]).toEqual([mode, expected[mode], false]);
      const exceptions = expected[4] ?? (mode === 0 || mode === 2 ? 'V' : 'I'); // 2^31 - 0.5
      expect([cause, flags]).toEqual([exceptions, exceptions]);
    }
  });

  test.each<[Mnemonic, bigint, bigint, bigint]>([
    ['add.s', 0x7f800000n, 0xff800000n, 0x7fbfffffn],
    ['sub.d', INF, INF, 0x7ff7ffffffffffffn],
    ['mul.d', INF, 0n, 0x7ff7ffffffffffffn],
    ['div.s', 0n, 0x80000000n, 0x7fbfffffn],
    ['div.d', INF, NEGATIVE | INF, 0x7ff7ffffffffffffn],
    ['add.s', 0x7fc00000n, ONE_S, 0x7fbfffffn], // signalling on MIPS
    ['abs.d', 0xfff8000000000001n, 0n, 0x7ff7ffffffffffffn],
    ['neg.s', 0x7fffffffn, 0n, 0x7fbfffffn],
    ['cvt.d.s', 0x7fc00000n, 0n, 0x7ff7ffffffffffffn],
    ['cvt.w.s', 0x7f800000n, 0n, 0x7fffffffn],
    ['cvt.w.d', 0x7ff0000000000001n, 0n, 0x7fffffffn],
    ['cvt.w.d', 0xc1e0000000200000n, 0n, 0x7fffffffn], // -2^31 - 1
    ['cvt.w.d', 0x7fefffffffffffffn, 0n, 0x7fffffffn],
  ])('%s 0x%s is Invalid, and traps if enabled', (mnemonic, a, b, expected) => {
    expect(bench.run(mnemonic, a, b)).toEqual({ bits: expected, cause: 'V', flags: 'V', trapped: false });
    const trap = bench.run(mnemonic, a, b, 0x800);
    expect([trap.cause, trap.flags, trap.trapped]).toEqual(['V', '', true]);
    expect([EMPTY, EMPTY & 0xffffffffn]).toContain(trap.bits);
  });

  test.each<[Mnemonic, bigint, bigint]>([
    ['add.s', 1n, ONE_S],
    ['mul.d', ONE, 0x000fffffffffffffn],
    ['abs.s', 0x807fffffn, 0n],
    ['neg.d', 1n, 0n],
    ['cvt.d.s', 1n, 0n],
    ['cvt.s.d', 1n, 0n],
    ['cvt.w.d', 1n, 0n],
    ['div.s', 0x7f800001n, ONE_S], // a quiet NaN on MIPS
    ['sub.d', 0x7ff0000000000001n, 0x7fffffffffffffffn], // quiet beside signalling
    ['mul.s', 0x00800000n, 0x3f000000n], // underflow
    ['sub.d', 0x0010000000000001n, 0x0010000000000000n],
    ['cvt.s.d', 0x0010000000000000n, 0n],
  ])('%s 0x%s is left to software', (mnemonic, a, b) => {
    const { cause, flags, trapped, bits } = bench.run(mnemonic, a, b);
    expect([cause, flags, trapped]).toEqual(['E', '', true]);
    expect([EMPTY, EMPTY & 0xffffffffn]).toContain(bits);
  });

  test('abs, neg and mov; mov moves any bits and leaves the status', () => {
    expect(bench.run('abs.s', 0xbf800000n, 0n).bits).toBe(ONE_S);
    expect(bench.run('neg.d', 0n, 0n).bits).toBe(NEGATIVE);
    expect(bench.run('abs.d', NEGATIVE | INF, 0n).bits).toBe(INF);
    const status = 0x0001507c;
    for (const bits of [0x7ff8000000000001n, 1n, INF, 0xffffffffffffffffn]) {
      expect(bench.run('mov.d', bits, 0n, status)).toEqual({ bits, cause: 'VOI', flags: 'VZOUI', trapped: false });
    }
    expect(bench.run('mov.s', 0x7fc12345n, 0n).bits).toBe(0x7fc12345n);
  });

  test('flags stay until they are written, causes are of the last operation', () => {
    const machine = unit((a) => {
      a.div_d(4, 6, 8);
      a.add_d(4, 6, 6);
    });
    machine.cpu.fpu.doubles[3] = 1;
    machine.run(1);
    expect(machine.cpu.fpu.status).toBe((8 << 12) | (8 << 2));
    machine.run(1);
    expect([machine.cpu.fpu.status, machine.cpu.fpu.doubles[2]]).toEqual([8 << 2, 2]);
  });

  test.each<[Mnemonic, string]>([
    // less, equal, greater, unordered (quiet); V where the comparison signals
    ['c.f.d', '0000'],
    ['c.un.d', '0001'],
    ['c.eq.d', '0100'],
    ['c.ueq.d', '0101'],
    ['c.olt.d', '1000'],
    ['c.ult.d', '1001'],
    ['c.ole.d', '1100'],
    ['c.ule.d', '1101'],
    ['c.sf.d', '0000V'],
    ['c.ngle.d', '0001V'],
    ['c.seq.d', '0100V'],
    ['c.ngl.d', '0101V'],
    ['c.lt.d', '1000V'],
    ['c.nge.d', '1001V'],
    ['c.le.d', '1100V'],
    ['c.ngt.d', '1101V'],
  ])('%s answers %s', (mnemonic, expected) => {
    const two = ONE + (1n << 52n);
    const quiet = INF + 1n;
    const answers = [
      bench.run(mnemonic, ONE, two),
      bench.run(mnemonic, 0n, NEGATIVE),
      bench.run(mnemonic, ONE, NEGATIVE | two),
      bench.run(mnemonic, ONE, quiet),
    ];
    expect(answers.map(({ bits }) => String(bits)).join('') + (answers[3]?.cause ?? '')).toBe(expected);
    expect(bench.run(mnemonic, ONE, INF | (1n << 51n)).cause).toBe('V'); // signalling
    expect(bench.run(mnemonic, 1n, 2n).cause).toBe(''); // denormalised
    const kept = bench.run(mnemonic, ONE, INF | (1n << 51n), 0x800 | 0x800000);
    expect([kept.bits, kept.trapped]).toEqual([1n, true]); // a trap leaves the condition
  });
});

describe('traps of the floating-point unit are interrupt 7 [KN01]', () => {
  const divide = (a: Assembler): void => {
    a.nop();
    a.div_d(4, 6, 8);
    a.addiu(T0, ZERO, 1);
    a.nop();
  };

  test('precise: EPC is the instruction, its register stays, the line falls when the cause is cleared', () => {
    const machine = unit(divide, CU1 | TRAPS);
    load(machine, 0x80000080, (a) => {
      a.mfc0(K0, CP0_CAUSE);
      a.cfc1(K1, 31);
      a.ctc1(ZERO, 31);
      a.nop();
    });
    const { cpu } = machine;
    cpu.fpu.doubles.set([7, 1, 0], 2);
    cpu.fpu.status = 0x400;
    const events = record(machine);
    machine.run(2);
    expect([cpu.cp0.epc, cpu.fpu.doubles[2], cpu.registers[T0]]).toEqual([CODE + 4, 7, 0]);
    machine.run(4);
    expect([cpu.registers[K0], cpu.registers[K1]]).toEqual([0x8000, 0x8400]);
    expect(events).toEqual([
      ['interrupt-line', 2, 7, 1, 0],
      ['exception', 2, EVENT_KINDS.exception.kind, CODE + 4, 0x80000080],
      ['interrupt-line', 5, 7, 0, 0],
    ]);
  });

  test('in a delay slot EPC is the branch and BD is set', () => {
    const machine = unit((a) => {
      a.b(CODE + 0x40);
      a.div_d(4, 6, 8);
    }, CU1 | TRAPS);
    machine.cpu.fpu.doubles[3] = 1;
    machine.cpu.fpu.status = 0x400;
    machine.run(2);
    expect([machine.cpu.cp0.epc, machine.cpu.cp0.cause]).toEqual([CODE, 0x80008000]);
  });

  test.each([
    ['IEc off', CU1 | 0x8000],
    ['line 7 masked', CU1 | 0x0001],
  ])('with %s the program goes on without the result, and is interrupted when it lets it', (_, status) => {
    const machine = unit(divide, status);
    const { cpu } = machine;
    cpu.fpu.doubles.set([7, 1, 0], 2);
    cpu.fpu.status = 0x400;
    machine.run(3);
    expect([cpu.registers[T0], cpu.fpu.doubles[2], lines(machine)]).toEqual([1, 7, [7]]);
    cpu.cp0.status = CU1 | TRAPS;
    machine.run(1);
    expect([cpu.cp0.epc, cpu.cp0.cause]).toEqual([CODE + 12, 0x8000]);
  });

  test('an operation without a trap after one that was not taken ends it', () => {
    const machine = unit((a) => {
      a.div_d(4, 6, 8);
      a.add_d(4, 6, 6);
    });
    machine.cpu.fpu.doubles[3] = 1;
    machine.cpu.fpu.status = 0x400;
    machine.run(1);
    expect(lines(machine)).toEqual([7]);
    machine.run(1);
    expect([lines(machine), machine.cpu.fpu.doubles[2]]).toEqual([[], 2]);
  });

  test('ctc1 of a cause that is enabled traps after the write; E is always enabled', () => {
    for (const value of [0x8400, 0x20000]) {
      const machine = unit((a) => a.ctc1(T0, 31), CU1 | TRAPS);
      machine.cpu.registers[T0] = value;
      machine.run(1);
      expect([machine.cpu.cp0.epc, machine.cpu.cp0.cause, machine.cpu.fpu.status]).toEqual([CODE, 0x8000, value]);
    }
    const quiet = unit((a) => a.ctc1(T0, 31), CU1 | TRAPS);
    quiet.cpu.registers[T0] = -1 & ~0x3f000;
    quiet.run(1);
    expect([quiet.cpu.cp0.cause, quiet.cpu.fpu.status]).toEqual([0, 0x00800fff]);
  });
});

describe('transfers and delays [KANE92 §7]', () => {
  test('control registers: FCR0 is an R3010, what does not exist is 0 and takes nothing', () => {
    const machine = unit((a) => {
      a.cfc1(T0, 0);
      a.cfc1(T1, 31);
      a.cfc1(T2, 30);
      a.ctc1(A0, 0);
      a.nop();
    });
    machine.cpu.fpu.status = 0x800003;
    machine.cpu.registers[A0] = -1;
    machine.cpu.registers[T2] = 9;
    machine.run(5);
    expect([...machine.cpu.registers.subarray(T0, T0 + 3)]).toEqual([0x340, 0x800003, 0]);
    expect(machine.cpu.fpu.status).toBe(0x800003);
  });

  test.each<[string, (a: Assembler) => void]>([
    ['mfc1', (a) => a.mfc1(T0, 6)],
    ['cfc1', (a) => a.cfc1(T0, 31)],
  ])('%s gives its register one instruction late', (_, move) => {
    const machine = unit((a) => {
      a.lui(A0, 0x8000);
      a.word(0); // filled in below
      a.addu(T1, T0, ZERO);
      a.addu(T2, T0, ZERO);
    });
    load(machine, CODE + 4, (a) => {
      move(a);
    });
    machine.cpu.registers[T0] = 5;
    machine.cpu.fpu.words[6] = 3;
    machine.cpu.fpu.status = 3;
    machine.run(4);
    expect([machine.cpu.registers[T1], machine.cpu.registers[T2]]).toEqual([5, 3]);
  });

  // What lwc1 loads is seen at once: a program that GNU's assembler made for MIPS I reads it without an instruction between [GAS].
  test.each<[string, number, (a: Assembler) => void]>([
    ['mtc1', 1, (a) => a.mtc1(T0, 6)],
    ['lwc1', 2, (a) => a.lwc1(6, 0x800, A0)],
  ])('after %s, swc1, mfc1 and operations see %d, and after one more instruction 2', (_, first, move) => {
    for (const [build, result] of [
      [(a: Assembler): void => a.swc1(6, 0x900, A0), (m: Machine): number => m.memory.load32(0x900)],
      [(a: Assembler): void => a.mfc1(T1, 6), (m: Machine): number => m.cpu.registers[T1] ?? 0],
      [(a: Assembler): void => a.mov_s(8, 6), (m: Machine): number => m.cpu.fpu.words[8] ?? 0],
    ] as const) {
      for (const [gap, expected] of [
        [0, first],
        [1, 2],
      ] as const) {
        for (const stepwise of [false, true]) {
          const machine = boot(() => undefined);
          load(machine, CODE, (a) => {
            move(a);
            if (gap === 1) a.nop();
            build(a);
            a.nop();
            a.nop();
          });
          machine.cpu.cp0.status = CU1;
          machine.cpu.registers[A0] = 0x80000000 | 0;
          machine.cpu.registers[T0] = 2;
          machine.memory.store32(0x800, 2);
          machine.cpu.fpu.words[6] = 1;
          if (stepwise) for (let i = 0; i < 4; i += 1) machine.run(1);
          else machine.run(4);
          expect(result(machine)).toBe(expected);
          expect(machine.cpu.fpu.words[6]).toBe(2);
        }
      }
    }
  });

  test('an operation that overwrites what is being loaded wins; a trap lets the load end', () => {
    const build = (a: Assembler): void => {
      a.mtc1(T0, 4);
      a.add_s(4, 4, 4);
      a.nop();
    };
    const machine = unit(build);
    machine.cpu.registers[T0] = 7;
    machine.cpu.fpu.singles[4] = 1.5;
    machine.run(3);
    expect(machine.cpu.fpu.singles[4]).toBe(3);
    const trapped = unit(build);
    trapped.cpu.registers[T0] = 7;
    trapped.cpu.fpu.words[4] = 1; // denormalised
    trapped.run(3);
    expect([trapped.cpu.fpu.words[4], lines(trapped)]).toEqual([7, [7]]);
  });

  test('a general load before mfc1 of the same register does not undo it', () => {
    const machine = unit((a) => {
      a.word(0x8c080800); // lw t0, 0x800(zero)
      a.word(0x44083000); // mfc1 t0, f6
      a.nop();
      a.nop();
    });
    machine.cpu.tlb.write(0, 0, 0x300);
    machine.memory.store32(0x800, 1);
    machine.cpu.fpu.words[6] = 2;
    machine.run(4);
    expect(machine.cpu.registers[T0]).toBe(2);
  });

  test.each([
    ['bc1t', true, true],
    ['bc1t', false, false],
    ['bc1f', false, true],
    ['bc1f', true, false],
  ] as const)('%s with the condition %s: taken %s, after its slot', (name, condition, taken) => {
    const machine = unit((a) => {
      a[name]('there');
      a.li(T0, 1);
      a.li(T1, 1);
      a.label('there');
      a.nop();
    });
    machine.cpu.fpu.status = condition ? 0x800000 : 0;
    machine.run(3);
    expect([machine.cpu.registers[T0], machine.cpu.registers[T1]]).toEqual([1, taken ? 0 : 1]);
  });

  test('a double is an even register, its low word, and the next one', () => {
    const machine = unit((a) => {
      a.lwc1(6, 0x800, A0);
      a.lwc1(7, 0x804, A0);
      a.nop();
      a.add_d(8, 6, 6);
      a.swc1(8, 0x900, A0);
      a.swc1(9, 0x904, A0);
    });
    machine.cpu.registers[A0] = 0x80000000 | 0;
    machine.memory.store32(0x800, 0xdeadbeef);
    machine.memory.store32(0x804, 0x3ff12345);
    machine.run(6);
    expect([machine.memory.load32(0x900), machine.memory.load32(0x904)]).toEqual([0xdeadbeef, 0x40012345]);
  });
});
