import {
  A0,
  createAssembler,
  CP0_CAUSE,
  CP0_EPC,
  CP0_STATUS,
  K0,
  T0,
  T1,
  T2,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { boot, CODE, load, record } from './support.ts';

const CU2 = 0x40000000;

/** Runs one faulting instruction in kernel mode; returns what the exception left. */
function take(build: (a: Assembler) => void, steps: number, status = 0): Record<string, number> {
  const machine = boot(build);
  machine.cpu.cp0.status = status;
  const events = record(machine);
  machine.run(steps);
  const { cause, epc, badVaddr } = machine.cpu.cp0;
  expect(events.filter(([kind]) => kind === 'exception')).toHaveLength(1);
  return { code: (cause >>> 2) & 31, bd: cause >>> 31, ce: (cause >>> 28) & 3, epc, badVaddr, pc: machine.cpu.pc };
}

describe('exceptions [KANE92 §6]', () => {
  test.each<[string, (a: Assembler) => void, Record<string, number>]>([
    ['syscall', (a) => a.syscall(0), { code: 8 }],
    ['break', (a) => a.break(7), { code: 9 }],
    ['reserved opcode', (a) => a.word(0xfc000000), { code: 10 }],
    ['reserved function', (a) => a.word(0x0000003f), { code: 10 }],
    ['reserved REGIMM', (a) => a.word(0x041f0000), { code: 10 }],
    ['reserved COP0', (a) => a.word(0x42000003), { code: 10 }],
    ['a branch on CP0 of a later MIPS', (a) => a.word(0x41020001), { code: 10 }],
    ['bc3t', (a) => a.bc3t(CODE), { code: 11, ce: 3 }],
    ['floating point without CU1', (a) => a.add_s(0, 0, 0), { code: 11, ce: 1 }],
    ['lwc1 without CU1', (a) => a.lwc1(0, 0, ZERO), { code: 11, ce: 1 }],
    ['coprocessor 2 without CU2', (a) => a.cop2(0), { code: 11, ce: 2 }],
    ['coprocessor 3', (a) => a.cop3(0), { code: 11, ce: 3 }],
    ['lw unaligned', (a) => a.lw(T0, 2, ZERO), { code: 4, badVaddr: 2 }],
    ['lh unaligned', (a) => a.lh(T0, 1, ZERO), { code: 4, badVaddr: 1 }],
    ['sw unaligned', (a) => a.sw(T0, 1, ZERO), { code: 5, badVaddr: 1 }],
    ['sh unaligned', (a) => a.sh(T0, -1, ZERO), { code: 5, badVaddr: 0xffffffff }],
    ['store to kseg2 without an entry', (a) => a.sw(T0, -4, ZERO), { code: 3, badVaddr: 0xfffffffc }],
  ])('%s', (_, build, expected) => {
    const found = take(build, 1);
    expect(found).toMatchObject({ bd: 0, epc: CODE, pc: 0x80000080, ...expected });
  });

  test('a miss in kuseg goes to the refill vector', () => {
    expect(take((a) => a.lw(T0, 0x2004, ZERO), 1)).toMatchObject({ code: 2, badVaddr: 0x2004, pc: 0x80000000 });
    expect(take((a) => a.sw(T0, 0x2004, ZERO), 1)).toMatchObject({ code: 3, badVaddr: 0x2004, pc: 0x80000000 });
  });

  test('BEV moves the vectors to the PROM, where the fetch is a bus error', () => {
    const machine = boot((a) => a.syscall(0));
    machine.cpu.cp0.status = 0x400000;
    const events = record(machine);
    machine.run(3);
    expect(events.map(([, cycle, code, , vector]) => [cycle, code, vector])).toEqual([
      [1, 8, 0xbfc00180],
      [2, 6, 0xbfc00180],
      [3, 6, 0xbfc00180],
    ]);
  });

  test.each<[string, (a: Assembler) => void]>([
    ['add', (a) => a.add(T2, T0, T1)],
    ['addi', (a) => a.addi(T2, T0, 1)],
    ['sub', (a) => a.sub(T2, T0, T1)],
  ])('%s overflows and leaves its register', (name, build) => {
    const machine = boot(build);
    machine.cpu.registers[T0] = 0x7fffffff;
    machine.cpu.registers[T1] = name === 'sub' ? -1 : 1;
    machine.cpu.registers[T2] = 99;
    machine.run(1);
    expect((machine.cpu.cp0.cause >>> 2) & 31).toBe(12);
    expect(machine.cpu.registers[T2]).toBe(99);
  });

  test.each([
    ['taken', 0],
    ['not taken', 1],
  ])('in the delay slot of a branch that is %s, EPC is the branch and BD is set', (_, value) => {
    const machine = boot((a) => {
      a.beq(T0, ZERO, CODE + 0x40);
      a.syscall(0);
    });
    machine.cpu.registers[T0] = value;
    machine.run(2);
    expect(machine.cpu.cp0.epc).toBe(CODE);
    expect(machine.cpu.cp0.cause >>> 31).toBe(1);
  });

  test('the instruction after the slot has no BD', () => {
    const machine = boot((a) => {
      a.beq(ZERO, ZERO, CODE + 0x40);
      a.nop();
    });
    load(machine, CODE + 0x40, (a) => a.syscall(0));
    machine.run(3);
    expect([machine.cpu.cp0.epc, machine.cpu.cp0.cause >>> 31]).toEqual([CODE + 0x40, 0]);
  });

  test('a fetch that fails in a slot has BD, at a target it has not', () => {
    const machine = boot(() => undefined);
    load(machine, 0x80001ffc, (a) => a.word(createJump(0x80000000)));
    machine.cpu.tlb.write(0, 0x00001000, 0x00001300); // page 1 -> frame 1, valid, global
    machine.cpu.pc = 0x00001ffc;
    machine.run(2);
    expect([machine.cpu.cp0.epc, machine.cpu.cp0.cause >>> 31, machine.cpu.cp0.badVaddr]).toEqual([0x1ffc, 1, 0x2000]);
    const other = boot((a) => {
      a.jr(T0);
      a.nop();
    });
    other.cpu.registers[T0] = 0x80001001;
    other.run(3);
    expect([other.cpu.cp0.epc, other.cpu.cp0.cause]).toEqual([0x80001001, 4 << 2]);
  });

  test('absent memory is a bus error to loads and fetches', () => {
    expect(
      take((a) => {
        a.lui(T0, 0xb000);
        a.lw(T1, 0, T0);
      }, 2),
    ).toMatchObject({ code: 7, badVaddr: 0 });
    expect(
      take((a) => {
        a.lui(T0, 0xb000);
        a.jr(T0);
        a.nop();
      }, 4),
    ).toMatchObject({ code: 6, epc: 0xb0000000 });
  });

  test('the KU/IE stack is three deep and rfe pops it', () => {
    const machine = boot((a) => {
      a.syscall(0);
    });
    load(machine, 0x80000080, (a) => {
      a.mfc0(T0, CP0_STATUS);
      a.mfc0(K0, CP0_EPC);
      a.mfc0(T1, CP0_CAUSE);
      a.addiu(K0, K0, 4);
      a.jr(K0);
      a.rfe();
    });
    load(machine, CODE + 4, (a) => a.nop());
    machine.cpu.cp0.status = 0x0d; // old and previous set, current IE
    const events = record(machine);
    machine.run(7);
    expect(machine.cpu.registers[T0]).toBe(0x34);
    expect(machine.cpu.pc).toBe(CODE + 4);
    expect(machine.cpu.cp0.status).toBe(0x3d);
    expect(events.at(-1)).toEqual(['return', 7, 0x3d, 0, 0]);
  });

  test('user mode reaches kuseg only, and CP0 only with CU0', () => {
    const program = (a: Assembler): void => {
      a.lui(T0, 0x8000);
      a.lw(T1, 0, T0);
    };
    const machine = boot(program);
    machine.cpu.tlb.write(0, 0x00001000, 0x00001300);
    machine.cpu.cp0.status = 2;
    machine.cpu.pc = 0x1000;
    machine.run(2);
    expect([machine.cpu.cp0.cause, machine.cpu.cp0.badVaddr]).toEqual([4 << 2, 0x80000000]);

    const jumps = boot((a) => a.nop());
    jumps.cpu.cp0.status = 2;
    jumps.run(1);
    expect([jumps.cpu.cp0.cause, jumps.cpu.cp0.epc, jumps.cpu.cp0.badVaddr]).toEqual([4 << 2, CODE, CODE]);

    for (const [status, code] of [
      [2, 11],
      [0x10000002, 0],
    ] as const) {
      const user = boot((a) => a.mfc0(T0, CP0_STATUS));
      user.cpu.tlb.write(0, 0x00001000, 0x00001300);
      user.cpu.cp0.status = status;
      user.cpu.pc = 0x1000;
      user.run(1);
      expect((user.cpu.cp0.cause >>> 2) & 31).toBe(code);
    }
  });

  test('software interrupts wait for IM and IEc', () => {
    const machine = boot((a) => {
      a.li(T0, 0x100);
      a.mtc0(T0, CP0_CAUSE);
      a.li(T1, 0x101);
      a.mtc0(T1, CP0_STATUS);
      a.nop();
    });
    const events = record(machine);
    machine.run(5);
    expect(events).toEqual([['exception', 4, 0, CODE + 16, 0x80000080]]);
    expect(machine.cpu.cp0.cause).toBe(0x100);
  });

  test('an interrupt between branch and slot restarts at the branch', () => {
    const machine = boot((a) => {
      a.beq(ZERO, ZERO, CODE + 0x40);
      a.addiu(A0, A0, 1);
    });
    machine.cpu.cp0.status = 0x101;
    machine.run(1);
    machine.cpu.cp0.cause = 0x100;
    machine.run(1);
    expect([machine.cpu.cp0.epc, machine.cpu.cp0.cause, machine.cpu.registers[A0]]).toEqual([CODE, 0x80000100, 0]);
  });

  test.each<[string, (a: Assembler) => void, number[]]>([
    ['bc0t is taken', (a) => a.bc0t('there'), [1, 0]],
    ['bc0f is not', (a) => a.bc0f('there'), [1, 1]],
  ])('the write buffer is always empty: %s, after its slot [KN01]', (_, branch, expected) => {
    const machine = boot((a) => {
      branch(a);
      a.li(T0, 1);
      a.li(T1, 1);
      a.nop();
      a.label('there');
      a.nop();
    });
    machine.run(1);
    expect([machine.cpu.pc, machine.cpu.inDelaySlot]).toEqual([CODE + 4, true]);
    machine.run(2);
    expect([machine.cpu.registers[T0], machine.cpu.registers[T1]]).toEqual(expected);
    expect(machine.cpu.inDelaySlot).toBe(false);
  });

  test('a fault in the slot of bc0f restarts at the branch, and user mode cannot use it', () => {
    const machine = boot((a) => {
      a.bc0f(CODE);
      a.syscall(0);
    });
    machine.run(2);
    expect([machine.cpu.cp0.epc, machine.cpu.cp0.cause]).toEqual([CODE, (0x80000000 | (8 << 2)) >>> 0]);
    const user = boot((a) => a.bc0t(CODE));
    user.cpu.tlb.write(0, 0x00001000, 0x00001300);
    user.cpu.cp0.status = 2;
    user.cpu.pc = 0x1000;
    user.run(1);
    expect(user.cpu.cp0.cause).toBe(11 << 2);
  });

  test('a native unit that is usable but empty is a reserved instruction', () => {
    expect(take((a) => a.cop2(0), 1, CU2)).toMatchObject({ code: 10 });
    for (const build of [
      (a: Assembler) => a.mtc2(T0, 0),
      (a: Assembler) => a.lwc2(T0, 0, ZERO),
      (a: Assembler) => a.swc2(T0, 0, ZERO),
      (a: Assembler) => a.bc2t(CODE),
    ]) {
      expect(take(build, 1, CU2)).toMatchObject({ code: 10 });
    }
  });
});

function createJump(target: number): number {
  const a = createAssembler(target);
  a.j(target);
  return a.assemble().words[0] ?? 0;
}
