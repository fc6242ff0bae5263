import { A0, T0, T1, KSEG0, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import type { Machine, Profile } from '../src/index.ts';
import { boot, CODE, load } from './support.ts';
import { CACHE, program, run } from './timing-support.ts';

const ISC = 0x10000;
const SWC = 0x20000;
const CM = 0x80000;
const PLACE = 0x80003000;
/** Where the accesses are executed: no place that they reach. */
const AT = 0x80001840;
const TIMED: readonly Profile[] = ['dec3100', 'dec5000'];

/** One access while Status is `status`; what a load gives, unsigned. */
function access(machine: Machine, status: number, va: number, build: (a: Assembler) => void): number {
  load(machine, AT, (a) => {
    build(a);
    a.nop();
    a.nop();
  });
  machine.cpu.cp0.status = status;
  machine.cpu.registers[A0] = va | 0;
  machine.cpu.pc = AT;
  while (machine.cpu.pc !== AT + 8) machine.runTo(machine.cycles + 1);
  return (machine.cpu.registers[T0] ?? 0) >>> 0;
}

function lw(machine: Machine, status: number, va: number): number {
  return access(machine, status, va, (a) => a.lw(T0, 0, A0));
}

function sw(machine: Machine, status: number, va: number, value: number): void {
  machine.cpu.registers[T1] = value | 0;
  access(machine, status, va, (a) => a.sw(T1, 0, A0));
}

function sb(machine: Machine, status: number, va: number): void {
  access(machine, status, va, (a) => a.sb(T1, 0, A0));
}

/** Whether the last isolated load missed. */
function missed(machine: Machine): boolean {
  return (machine.cpu.cp0.status & CM) !== 0;
}

describe('isolated caches [KANE92 §5]', () => {
  test('`ideal` has none: stores go nowhere, loads give 0', () => {
    const machine = boot(() => undefined);
    machine.memory.store32(0x3000, 5);
    sw(machine, ISC, PLACE, 6);
    expect(lw(machine, ISC, PLACE)).toBe(0);
    expect(missed(machine)).toBe(false);
    expect(lw(machine, 0, PLACE)).toBe(5);
  });

  test.each(TIMED)('%s: a stored word is in the cache and not in memory', (profile) => {
    const machine = boot(() => undefined, { profile });
    machine.memory.store32(0x3000, 5);
    sw(machine, ISC, PLACE, 0xdeadbeef);
    expect(lw(machine, ISC, PLACE)).toBe(0xdeadbeef);
    expect(missed(machine)).toBe(false);
    expect(access(machine, ISC, PLACE + 2, (a) => a.lhu(T0, 0, A0))).toBe(0xdead);
    expect(access(machine, ISC, PLACE + 1, (a) => a.lb(T0, 0, A0))).toBe(0xffffffbe);
    expect(machine.memory.load32(0x3000)).toBe(5);
  });

  test.each(TIMED)('%s: a load tells another word from that it asked for, and gives what is there', (profile) => {
    const machine = boot(() => undefined, { profile });
    expect(lw(machine, ISC, PLACE)).toBe(0);
    expect(missed(machine)).toBe(true);
    sw(machine, ISC, PLACE, 1);
    expect(lw(machine, ISC, PLACE + CACHE)).toBe(1);
    expect(missed(machine)).toBe(true);
    lw(machine, ISC, PLACE);
    expect(missed(machine)).toBe(false);
    // Addresses without memory have tags like any other.
    sw(machine, ISC, 0x85003000, 2);
    expect(lw(machine, ISC, 0x85003000)).toBe(2);
    expect(missed(machine)).toBe(false);
    lw(machine, ISC, PLACE);
    expect(missed(machine)).toBe(true);
  });

  test.each(TIMED)('%s: what ordinary loads brought in can be seen', (profile) => {
    const machine = boot(() => undefined, { profile });
    machine.memory.store32(0x3000, 77);
    machine.memory.store32(0x3004, 78);
    lw(machine, 0, PLACE);
    expect(lw(machine, ISC, PLACE)).toBe(77);
    expect(missed(machine)).toBe(false);
    expect(lw(machine, ISC, PLACE + 4)).toBe(profile === 'dec5000' ? 78 : 0);
    expect(missed(machine)).toBe(profile !== 'dec5000');
    // The instruction there was fetched; that cache is the other one.
    lw(machine, ISC | SWC, AT);
    expect(missed(machine)).toBe(false);
    lw(machine, ISC, AT);
    expect(missed(machine)).toBe(true);
  });

  test.each(TIMED)('%s: a store of a part invalidates the word, and no other', (profile) => {
    const machine = boot(() => undefined, { profile });
    for (let i = 0; i < 8; i += 1) sw(machine, ISC, PLACE + 4 * i, i);
    for (const [at, store] of [
      [4, (a: Assembler) => a.sb(T1, 0, A0)],
      [14, (a: Assembler) => a.sh(T1, 0, A0)],
      [18, (a: Assembler) => a.swl(T1, 0, A0)],
    ] as const) {
      access(machine, ISC, PLACE + at, store);
    }
    const valid = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => {
      lw(machine, ISC, PLACE + 4 * i);
      return missed(machine) ? 0 : 1;
    });
    expect(valid).toEqual([1, 0, 1, 0, 0, 1, 1, 1]);
    expect(lw(machine, ISC, PLACE + 16)).toBe(4); // the bits are still there
  });

  test.each(TIMED)('%s: ordinary accesses never see what isolated ones left, and are slower for it', (profile) => {
    const machine = boot(() => undefined, { profile });
    machine.memory.store32(0x3000, 5);
    const end = program(machine, (a) => a.lw(T0, 0, A0));
    machine.cpu.registers[A0] = PLACE | 0;
    run(machine, end);
    expect(run(machine, end)).toBe(1);
    sw(machine, ISC, PLACE, 6);
    expect(lw(machine, 0, PLACE)).toBe(5);
    for (const spoil of [sw, sb]) {
      spoil(machine, ISC, PLACE, 0);
      program(machine, (a) => a.lw(T0, 0, A0));
      machine.cpu.cp0.status = 0;
      machine.cpu.registers[A0] = PLACE | 0;
      const cold = machine.cycles;
      run(machine, end);
      expect(machine.cycles - cold).toBeGreaterThan(5);
      expect(run(machine, end)).toBe(1);
      expect(machine.cpu.registers[T0]).toBe(5);
    }
  });

  test.each(TIMED)('%s: swapped, the instruction cache is reached: its words are fetched again', (profile) => {
    const machine = boot(() => undefined, { profile });
    const far = CODE + 0x800;
    load(machine, far, (a) => {
      for (let i = 0; i < 4; i += 1) a.addiu(T1, T1, 1);
    });
    const instruction = machine.memory.load32(far & 0x1fffffff);
    const again = (): number => {
      machine.cpu.cp0.status = 0;
      machine.cpu.pc = far;
      const before = machine.cycles;
      while (machine.cpu.pc !== far + 16) machine.runTo(machine.cycles + 1);
      return machine.cycles - before;
    };
    const miss = profile === 'dec3100' ? 6 : 15;
    again();
    expect(again()).toBe(4);
    sb(machine, ISC, far); // the data cache
    expect(again()).toBe(4);
    sb(machine, ISC | SWC, far + 8);
    expect(again()).toBe(4 + miss);
    sw(machine, ISC | SWC, far + 4, 0xffffffff); // no instruction; it is not executed
    expect(lw(machine, ISC | SWC, far + 4)).toBe(0xffffffff);
    expect(lw(machine, ISC | SWC, far)).toBe(instruction);
    expect(missed(machine)).toBe(false);
    expect(again()).toBe(4 + miss);
    expect(again()).toBe(4);
  });

  test('swapped without isolation, data is cached among the instructions', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    machine.memory.store32(0x3000, 9);
    expect(lw(machine, SWC, PLACE)).toBe(9);
    lw(machine, ISC | SWC, PLACE);
    expect(missed(machine)).toBe(false);
    lw(machine, ISC, PLACE);
    expect(missed(machine)).toBe(true);
    sw(machine, SWC, PLACE, 10);
    expect(machine.memory.load32(0x3000)).toBe(10);
  });

  test('isolated accesses wait for nothing, and are checked like others', () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    const end = program(machine, (a) => {
      a.sw(T0, 0, A0);
      a.lw(T0, 4, A0);
      a.sb(T1, 8, A0);
    });
    machine.cpu.registers[A0] = PLACE | 0;
    machine.cpu.cp0.status = ISC;
    run(machine, end);
    expect(run(machine, end)).toBe(3);
    machine.cpu.registers[A0] = 0x5000;
    machine.cpu.pc = CODE;
    machine.runTo(machine.cycles + 1);
    expect([machine.cpu.pc, machine.cpu.cp0.cause]).toEqual([0x80000000, 3 << 2]);
  });

  test("CM is the hardware's to write; the other bits are kept", () => {
    const machine = boot(() => undefined, { profile: 'dec3100' });
    lw(machine, ISC, PLACE);
    expect(machine.cpu.cp0.status).toBe(ISC | CM);
    machine.cpu.cp0.status = 0;
    expect(machine.cpu.cp0.status).toBe(CM);
    sw(machine, ISC, PLACE, 0);
    lw(machine, ISC, PLACE);
    machine.cpu.cp0.status = 0xffffffff & ~(ISC | SWC);
    expect(machine.cpu.cp0.status & CM).toBe(0);
    expect(machine.cpu.cp0.status & 0x40000).toBe(0x40000);
  });
});

/** What Linux does to learn the caches (arch/mips/mm/c-r3k.c), in its order of accesses. */
describe('probing', () => {
  function cacheBytes(machine: Machine, flags: number): number {
    sw(machine, flags, KSEG0, 0xa5a55a5a);
    if (lw(machine, flags, KSEG0) !== 0xa5a55a5a || missed(machine)) return 0;
    for (let size = 512; size <= 0x100000; size *= 2) sw(machine, flags, KSEG0 + size, 0);
    sw(machine, flags, KSEG0, 0xffffffff);
    for (let size = 512; size <= 0x100000; size *= 2) if (lw(machine, flags, KSEG0 + size) !== 0) return size;
    return 0;
  }

  function lineBytes(machine: Machine, flags: number): number {
    for (let i = 0; i < 128; i += 1) sw(machine, flags, KSEG0 + 4 * i, 0);
    sb(machine, flags, KSEG0);
    for (let size = 4; size < 512; size *= 2) {
      lw(machine, flags, KSEG0 + size);
      if (!missed(machine)) return size;
    }
    return 512;
  }

  test.each<[Profile, number, number]>([
    ['ideal', 0, 4],
    ['dec2100', 0x10000, 4],
    ['dec3100', 0x10000, 4],
    ['dec5000', 0x10000, 4],
  ])('%s', (profile, bytes, line) => {
    const machine = boot(() => undefined, { profile });
    for (const flags of [ISC, ISC | SWC]) {
      expect(cacheBytes(machine, flags)).toBe(bytes);
      expect(lineBytes(machine, flags)).toBe(line);
    }
  });
});
