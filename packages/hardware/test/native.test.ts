import { A0, createAssembler, K0, RA, T0, T1, V0, ZERO, type Assembler } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { HardwareError, KERNEL_SPACE, type Machine, type NativeCpu, type NativeFunction } from '../src/index.ts';
import { boot, CODE, load, record, state } from './support.ts';

const CU2 = 0x40000000;
const USER = 2;
/** EntryLo bits. */
const VALID = 0x200;
const DIRTY = 0x400;

/** A machine whose kernel has `functions`, with CU2 set. */
function kernel(functions: readonly NativeFunction[], build: (a: Assembler) => void = (a) => a.cop2(0)): Machine {
  const machine = boot(build);
  machine.cpu.cp0.status = CU2;
  machine.native.install('kernel', functions);
  return machine;
}

/** A machine in user mode at page 1 (frame 1, read-only) of ASID 5, with page 2 writable and page 3 readable. */
function user(functions: readonly NativeFunction[], build: (a: Assembler) => void = (a) => a.cop2(0)): Machine {
  const machine = boot(build);
  const { cpu } = machine;
  cpu.tlb.write(0, 0x1000 | (5 << 6), 0x1000 | VALID);
  cpu.tlb.write(1, 0x2000 | (5 << 6), 0x2000 | VALID | DIRTY);
  cpu.tlb.write(2, 0x3000 | (5 << 6), 0x3000 | VALID);
  cpu.cp0.entryHi = 5 << 6;
  cpu.cp0.status = CU2 | USER;
  cpu.pc = 0x1000;
  machine.native.install(5, functions);
  return machine;
}

function exception(machine: Machine): [code: number, epc: number, badVaddr: number, pc: number] {
  const { cause, epc, badVaddr } = machine.cpu.cp0;
  return [(cause >>> 2) & 31, epc, badVaddr, machine.cpu.pc];
}

describe('native unit: hostile functions', () => {
  test('a user function that throws is a reserved instruction, and its message can be read', () => {
    const machine = user([
      (cpu) => {
        cpu.registers[T0] = 77;
        cpu.charge(100);
        throw new TypeError('no such thing');
      },
    ]);
    const events = record(machine);
    machine.run(1);
    expect(exception(machine)).toEqual([10, 0x1000, 0, 0x80000080]);
    expect(machine.cpu.registers[T0]).toBe(0);
    expect(machine.cycles).toBe(1);
    expect(machine.native.lastError).toEqual({
      index: 0,
      space: 5,
      message: 'TypeError: no such thing',
      error: new TypeError('no such thing'),
    });
    expect(events.map(([kind, cycle]) => [kind, cycle])).toEqual([
      ['native-error', 1],
      ['exception', 1],
    ]);
  });

  test.each<[string, NativeFunction]>([
    [
      'a value',
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a hostile function does
        throw 'words';
      },
    ],
    [
      'an object whose message throws',
      () => {
        throw Object.defineProperty(new Error('x'), 'message', {
          get: () => {
            throw new Error('y');
          },
        });
      },
    ],
    ['a negative charge', (cpu) => cpu.charge(-1)],
    ['half a cycle', (cpu) => cpu.charge(0.5)],
    ['too many cycles', (cpu) => cpu.charge(2 ** 18 + 1)],
    [
      'too many cycles, bit by bit',
      (cpu) => {
        cpu.charge(2 ** 18);
        cpu.charge(1);
      },
    ],
  ])('%s', (_, run) => {
    const machine = user([run]);
    machine.run(1);
    expect(exception(machine)[0]).toBe(10);
  });

  test('a function that catches the fault cannot go on', () => {
    const machine = user([
      (cpu) => {
        try {
          cpu.load32(0x9000);
        } catch {
          cpu.registers[T0] = 1;
        }
        try {
          cpu.store32(0x2000, 0x1234);
        } catch {
          cpu.registers[T1] = 1;
        }
      },
    ]);
    machine.run(1);
    expect(exception(machine)).toEqual([2, 0x1000, 0x9000, 0x80000000]);
    expect([machine.cpu.registers[T0], machine.cpu.registers[T1], machine.memory.load32(0x2000)]).toEqual([0, 0, 0]);
  });

  test('a kept NativeCpu is dead after the call, and its registers are not the machine', () => {
    let kept: NativeCpu | undefined;
    const machine = user([
      (cpu) => {
        kept = cpu;
      },
    ]);
    machine.run(1);
    const cpu = kept as unknown as NativeCpu;
    for (const use of [
      () => cpu.load8(0x2000),
      () => {
        cpu.store8(0x2000, 1);
      },
      () => cpu.probe(0x2000, true),
      () => {
        cpu.jump(0);
      },
      () => {
        cpu.charge(1);
      },
    ]) {
      expect(use).toThrow(HardwareError);
    }
    expect(cpu.registers.buffer.byteLength).toBe(128);
    cpu.registers[T0] = 5;
    expect(machine.cpu.registers[T0]).toBe(0);
  });

  test('a user function reaches neither the kernel nor devices nor frames not mapped', () => {
    for (const va of [0x80000000, 0xa0000000, 0xbd000000, 0xfffff000, -4]) {
      const machine = user([(cpu) => void cpu.load32(va)]);
      machine.run(1);
      expect(exception(machine)).toEqual([4, 0x1000, va >>> 0, 0x80000080]);
    }
    const stores = user([(cpu) => cpu.store32(0x80000000, 1)]);
    stores.run(1);
    expect(exception(stores)[0]).toBe(5);
  });

  test('a function of the kernel that throws is the host’s error, and the machine stands before it', () => {
    const machine = kernel([
      (cpu) => {
        cpu.registers[T0] = 3;
        throw new RangeError('kernel bug');
      },
    ]);
    const before = state(machine);
    let caught: unknown;
    try {
      machine.run(10);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(HardwareError);
    expect(caught).toMatchObject({ code: 'kernel-native', details: { index: 0 } });
    expect((caught as Error).cause).toBeInstanceOf(RangeError);
    expect(state(machine)).toEqual(before);
    machine.native.install('kernel', [() => undefined]);
    machine.run(1);
    expect(machine.cpu.pc).toBe(CODE + 4);
  });

  test('run cannot be called from inside, spaces are checked', () => {
    const machine = kernel([() => void machine.run(1)]);
    expect(() => machine.run(1)).toThrow('during a run');
    for (const space of [-1, 64, 1.5, NaN]) {
      expect(() => {
        machine.native.install(space, []);
      }).toThrow(HardwareError);
    }
  });
});

describe('native unit', () => {
  test('runs function n of the kernel with its registers, hi and lo; r0 stays 0', () => {
    const machine = kernel(
      [
        () => undefined,
        (cpu) => {
          cpu.registers[0] = 99;
          cpu.registers[V0] = (cpu.registers[A0] ?? 0) + 1;
          cpu.hi = cpu.lo + 1;
          cpu.lo = -5;
        },
      ],
      (a) => {
        a.cop2(1);
        a.move(T0, ZERO);
      },
    );
    machine.cpu.registers[A0] = 41;
    machine.cpu.lo = 6;
    machine.run(2);
    expect([machine.cpu.registers[V0], machine.cpu.registers[T0]]).toEqual([42, 0]);
    expect([machine.cpu.hi, machine.cpu.lo]).toEqual([7, -5]);
  });

  test('costs one cycle and what it charges, and is one instruction', () => {
    const machine = kernel([
      (cpu) => {
        cpu.charge(10);
        cpu.charge(0);
        cpu.charge(5);
      },
    ]);
    const events = record(machine);
    expect(machine.run(1)).toEqual({ cycles: 16, instructions: 1, idleCycles: 0 });
    expect(events).toEqual([['native', 16, 0, KERNEL_SPACE, 15]]);
    expect(machine.run(15)).toEqual({ cycles: 0, instructions: 0, idleCycles: 0 });
    expect(machine.run(1).instructions).toBe(1);
  });

  test('accesses of every size, zero-extended, word as int32', () => {
    const seen: unknown[] = [];
    const machine = user([
      (cpu) => {
        cpu.store32(0x2000, 0x818283ff);
        cpu.store16(0x2004, 0x1fffe);
        cpu.store8(0x2006, 0x1ab);
        seen.push(cpu.load32(0x2000), cpu.load16(0x2000), cpu.load8(0x2000), cpu.load32(0x2004));
        cpu.write(0x2ffe, Uint8Array.of(1, 2));
        const bytes = new Uint8Array(8);
        cpu.read(0x1ffc, bytes);
        seen.push([...bytes]);
        seen.push(cpu.probe(0x2000, true), cpu.probe(0x3000, false), cpu.probe(0x3000, true), cpu.probe(0x4000, false));
        seen.push(cpu.probe(0x80000000, false));
      },
    ]);
    machine.run(1);
    expect(seen).toEqual([
      0x818283ff | 0,
      0x83ff,
      0xff,
      0x00abfffe,
      [0, 0, 0, 0, 0xff, 0x83, 0x82, 0x81],
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(machine.memory.load16(0x2ffe)).toBe(0x0201);
    expect(machine.cpu.pc).toBe(0x1004);
  });

  test('the kernel reaches devices', () => {
    let magic = 0;
    const machine = kernel([(cpu) => (magic = cpu.load8(0xbd000000 + 4 * 13))]);
    machine.run(1);
    expect(magic).toBe(0x80);
  });

  test('a fault leaves the function, keeps stores made, undoes registers, and restarts', () => {
    let calls = 0;
    const machine = user([
      (cpu) => {
        calls += 1;
        cpu.registers[T0] = calls;
        cpu.hi = 9;
        cpu.charge(50);
        cpu.store32(0x2000, calls);
        cpu.write(0x2ffc, Uint8Array.of(1, 2, 3, 4, 5, 6)); // page 3 is read-only
        cpu.registers[T1] = 1;
      },
    ]);
    machine.run(1);
    expect(exception(machine)).toEqual([1, 0x1000, 0x3000, 0x80000080]);
    expect([machine.cpu.registers[T0], machine.cpu.hi, machine.cycles, machine.memory.load32(0x2000)]).toEqual([
      0, 0, 1, 1,
    ]);
    expect(machine.memory.load32(0x2ffc)).toBe(0x04030201);
    machine.cpu.tlb.write(2, 0x3000 | (5 << 6), 0x3000 | VALID | DIRTY);
    machine.cpu.cp0.status = CU2 | USER;
    machine.cpu.pc = 0x1000;
    machine.run(1);
    expect([calls, machine.cpu.registers[T0], machine.cpu.registers[T1], machine.cpu.hi]).toEqual([2, 2, 1, 9]);
    expect(machine.memory.load16(0x3000)).toBe(0x0605);
  });

  test.each<[string, NativeFunction, [number, number, number]]>([
    ['a miss refills', (cpu) => void cpu.load8(0x7001), [2, 0x7001, 0x80000000]],
    ['a store that misses refills', (cpu) => cpu.store8(0x7001, 0), [3, 0x7001, 0x80000000]],
    ['an unaligned word', (cpu) => void cpu.load32(0x2002), [4, 0x2002, 0x80000080]],
    ['an unaligned store', (cpu) => cpu.store16(0x2001, 0), [5, 0x2001, 0x80000080]],
    ['a store to a clean page', (cpu) => cpu.store8(0x3000, 0), [1, 0x3000, 0x80000080]],
  ])('%s', (_, run, [code, badVaddr, vector]) => {
    const machine = user([run]);
    machine.run(1);
    expect(exception(machine)).toEqual([code, 0x1000, badVaddr, vector]);
  });

  test('a fault in a delay slot has BD and the branch as EPC', () => {
    const machine = user([(cpu) => void cpu.load8(0x7000)], (a) => {
      a.beq(ZERO, ZERO, CODE);
      a.cop2(0);
    });
    machine.run(2);
    expect(exception(machine)).toEqual([2, 0x1000, 0x7000, 0x80000000]);
    expect(machine.cpu.cp0.cause >>> 31).toBe(1);
  });

  test('jumps, also out of a delay slot', () => {
    const machine = kernel([(cpu) => cpu.jump(CODE + 0x40)], (a) => {
      a.beq(ZERO, ZERO, CODE + 0x80);
      a.cop2(0);
    });
    machine.run(2);
    expect([machine.cpu.pc, machine.cpu.inDelaySlot]).toEqual([CODE + 0x40, false]);
  });

  test('sees a load that precedes it', () => {
    const machine = kernel([(cpu) => (cpu.registers[V0] = cpu.registers[T0] ?? 0)], (a) => {
      a.lw(T0, 0x100, A0);
      a.word(0x4a000000);
    });
    machine.cpu.registers[A0] = 0x80000000 | 0;
    machine.memory.store32(0x100, 1234);
    machine.run(2);
    expect(machine.cpu.registers[V0]).toBe(1234);
  });

  test('each address space has its own functions, and the kernel may change CP0 and the TLB from its own', () => {
    const called: string[] = [];
    const machine = boot((a) => {
      a.cop2(0); // kernel
      a.jr(K0);
      a.rfe();
    });
    load(machine, 0x80002000, (a) => {
      a.cop2(0);
      a.cop2(0);
    });
    const { cpu, native } = machine;
    cpu.cp0.status = CU2;
    cpu.registers[K0] = 0x5000;
    native.install('kernel', [
      () => {
        called.push('kernel');
        cpu.tlb.write(3, 0x5000 | (9 << 6), 0x2000 | VALID);
        cpu.cp0.entryHi = 9 << 6;
        cpu.cp0.status = CU2 | (USER << 2);
      },
    ]);
    native.install(9, [() => called.push('nine')]);
    native.install(8, [() => called.push('eight')]);
    machine.run(4);
    expect(called).toEqual(['kernel', 'nine']);
    expect(cpu.pc).toBe(0x5004);
    native.install(9, []);
    machine.run(1);
    expect((cpu.cp0.cause >>> 2) & 31).toBe(10);
  });

  test('interrupts wait for the end of a function', () => {
    const machine = kernel([
      (cpu) => {
        cpu.store8(0xbd000028, 0x2a); // 64 Hz
        cpu.store8(0xbd00002c, 0x46);
        cpu.charge(500_000);
      },
    ]);
    machine.cpu.cp0.status = CU2 | 0x2001;
    const events = record(machine);
    machine.run(500_002);
    expect(events.map(([kind, cycle, a, b]) => [kind, cycle, a, b])).toEqual([
      ['native', 500_001, 0, -1],
      ['interrupt-line', 500_001, 5, 1],
      ['exception', 500_001, 0, CODE + 4],
    ]);
  });
});

test('cop2 encodes its function in 25 bits', () => {
  const a = createAssembler(0);
  a.cop2(0x1ffffff);
  expect(a.assemble().words[0]).toBe(0x4bffffff);
  const machine = kernel([], (b) => {
    b.cop2(0x1ffffff);
    b.jr(RA);
  });
  machine.run(1);
  expect((machine.cpu.cp0.cause >>> 2) & 31).toBe(10);
});
