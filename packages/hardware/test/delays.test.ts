import { A0, CP0_EPC, CP0_STATUS, K0, RA, S0, T0, T1, T2, V0, ZERO, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { boot, CODE, load } from './support.ts';

const DATA = 0x80002000;

/** Runs words (hazards allowed) with S0 at two data words, 0x11111111 and 0x44332211, and T0 = 7. */
function run(words: readonly ((a: Assembler) => void)[], steps: number = words.length): Int32Array {
  const machine = boot(() => undefined);
  machine.memory.store32(0x2000, 0x11111111);
  machine.memory.store32(0x2004, 0x44332211);
  words.forEach((word, i) => {
    load(machine, CODE + 4 * i, word);
  });
  const { registers } = machine.cpu;
  registers[S0] = DATA | 0;
  registers[T0] = 7;
  registers[RA] = (CODE + 0x40) | 0;
  for (let i = 0; i < steps; i += 1) machine.run(1);
  machine.cpu.pc = machine.cpu.pc; // ends what is still under way
  return registers;
}

describe('load delay [KANE92 §1]', () => {
  test('the next instruction sees the old value, the one after it the new', () => {
    const r = run([(a) => a.lw(T0, 0, S0), (a) => a.move(T1, T0), (a) => a.move(T2, T0)]);
    expect([r[T0], r[T1], r[T2]]).toEqual([0x11111111, 7, 0x11111111]);
  });

  test('a write by the next instruction wins, even of the same value', () => {
    expect(run([(a) => a.lw(T0, 0, S0), (a) => a.addiu(T0, T0, 1)])[T0]).toBe(8);
    expect(run([(a) => a.lw(T0, 0, S0), (a) => a.addiu(T0, T0, 0)])[T0]).toBe(7);
    expect(run([(a) => a.lw(T0, 0, S0), (a) => a.li(T0, 3)])[T0]).toBe(3);
  });

  test('a store of the loaded register stores the old value', () => {
    const r = run([(a) => a.lw(T0, 0, S0), (a) => a.sw(T0, 8, S0), (a) => a.lw(T1, 8, S0), (a) => a.nop()]);
    expect(r[T1]).toBe(7);
  });

  test('a branch compares the old value', () => {
    const r = run([
      (a) => a.lw(T0, 0, S0),
      (a) => a.beq(T0, ZERO, CODE + 0x20),
      (a) => a.move(T1, T0),
      (a) => a.li(T2, 1),
    ]);
    expect([r[T1], r[T2]]).toEqual([0x11111111, 1]);
  });

  test('loads in a row: the second address uses the old base, the third instruction the first value', () => {
    const r = run([(a) => a.lw(T0, 0, S0), (a) => a.lw(T0, 4, S0), (a) => a.move(T1, T0), (a) => a.move(T2, T0)]);
    expect([r[T1], r[T2]]).toEqual([0x11111111, 0x44332211]);
    const base = run([(a) => a.lw(S0, 0, S0), (a) => a.lw(T1, 4, S0), (a) => a.nop()]);
    expect([base[S0], base[T1]]).toEqual([0x11111111, 0x44332211]);
  });

  test('through a jump into another page', () => {
    const words = [(a: Assembler): void => a.jr(RA), (a: Assembler): void => a.lw(T0, 0, S0)];
    const machine = boot(() => undefined);
    words.forEach((word, i) => {
      load(machine, CODE + 4 * i, word);
    });
    machine.memory.store32(0x2000, 5);
    load(machine, 0x80003ffc, (a) => a.move(T1, T0));
    machine.cpu.registers[S0] = DATA | 0;
    machine.cpu.registers[T0] = 7;
    machine.cpu.registers[RA] = 0x80003ffc | 0;
    machine.run(4);
    expect([machine.cpu.registers[T0], machine.cpu.registers[T1]]).toEqual([5, 7]);
  });

  test('lwl and lwr of one register follow each other', () => {
    const r = run([(a) => a.lwr(T0, 2, S0), (a) => a.lwl(T0, 5, S0), (a) => a.nop()]);
    expect((r[T0] ?? 0) >>> 0).toBe(0x22111111);
    const after = run([(a) => a.lw(T0, 0, S0), (a) => a.lwl(T0, 5, S0), (a) => a.move(T1, T0), (a) => a.nop()]);
    expect([(after[T0] ?? 0) >>> 0, after[T1]]).toEqual([0x22111111, 0x11111111]);
  });

  test('moves from CP0 are loads', () => {
    const r = run([(a) => a.mfc0(T0, CP0_STATUS), (a) => a.move(T1, T0), (a) => a.move(T2, T0)]);
    expect([r[T1], r[T2]]).toEqual([7, 0]);
  });

  test('an exception or interrupt after the load ends it', () => {
    const machine = boot((a) => {
      a.lw(T0, 0, S0);
      a.syscall(0);
    });
    load(machine, 0x80000080, (a) => a.move(T1, T0));
    machine.memory.store32(0x2000, 5);
    machine.cpu.registers[S0] = DATA | 0;
    machine.run(3);
    expect(machine.cpu.registers[T1]).toBe(5);

    const interrupted = boot(() => undefined);
    load(interrupted, CODE, (a) => a.lw(T0, 0, S0));
    load(interrupted, CODE + 4, (a) => a.move(T1, T0));
    load(interrupted, 0x80000080, (a) => {
      a.move(T2, T0);
      a.mfc0(K0, CP0_EPC);
      a.nop();
      a.jr(K0);
      a.rfe();
    });
    interrupted.memory.store32(0x2000, 5);
    interrupted.cpu.registers[S0] = DATA | 0;
    interrupted.cpu.registers[T0] = 7;
    interrupted.cpu.cp0.status = 0x101;
    interrupted.run(1);
    expect(interrupted.cpu.registers[T0]).toBe(7);
    interrupted.cpu.cp0.cause = 0x100;
    interrupted.run(1);
    expect([interrupted.cpu.registers[T2], interrupted.cpu.registers[T0]]).toEqual([5, 5]);
    interrupted.cpu.cp0.cause = 0;
    interrupted.run(5);
    expect(interrupted.cpu.registers[T1]).toBe(5); // restarted, it sees the new value
  });

  test('a load into r0 has no effect', () => {
    const r = run([(a) => a.lw(ZERO, 0, S0), (a) => a.move(T1, ZERO), (a) => a.addu(T2, ZERO, ZERO)]);
    expect([r[T1], r[T2]]).toEqual([0, 0]);
  });
});

describe('branch delay [KANE92 §1]', () => {
  test('the slot is executed once, whether or not the branch is taken', () => {
    const machine = boot((a) => {
      a.bne(ZERO, ZERO, CODE + 0x40);
      a.addiu(V0, V0, 1);
      a.beq(ZERO, ZERO, CODE + 0x40);
      a.addiu(V0, V0, 1);
    });
    machine.run(4);
    expect([machine.cpu.registers[V0], machine.cpu.pc]).toEqual([2, CODE + 0x40]);
  });

  test('links point behind the slot, and are written whether or not the branch is taken', () => {
    for (const [build, link] of [
      [(a: Assembler) => a.jal(CODE + 0x40), RA],
      [(a: Assembler) => a.jalr(T0, A0), T0],
      [(a: Assembler) => a.bgezal(ZERO, CODE + 0x40), RA],
      [(a: Assembler) => a.bltzal(ZERO, CODE + 0x40), RA],
    ] as const) {
      const machine = boot(build);
      machine.cpu.registers[A0] = (CODE + 0x40) | 0;
      machine.run(1);
      expect((machine.cpu.registers[link] ?? 0) >>> 0).toBe(CODE + 8);
    }
  });

  test('jalr and bgezal may name their own link register', () => {
    const machine = boot((a) => {
      a.jalr(T0, T0);
      a.nop();
    });
    machine.cpu.registers[T0] = (CODE + 0x40) | 0;
    machine.run(2);
    expect(machine.cpu.pc).toBe(CODE + 0x40);
    const bal = boot((a) => {
      a.bltzal(RA, CODE + 0x40);
      a.nop();
    });
    bal.cpu.registers[RA] = -1;
    bal.run(2);
    expect(bal.cpu.pc).toBe(CODE + 0x40);
  });
});
