/** `ll` and `sc` of the extension `mips32`: what a link is, and who breaks it. */
import {
  A0,
  A1,
  CP0_CAUSE,
  CP0_EPC,
  K0,
  K1,
  S0,
  S1,
  S2,
  T0,
  T1,
  T2,
  V0,
  V1,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { memoryStore, type Machine, type MachineOptions, type Profile } from '../src/index.ts';
import { DATA, ENGINES, extended, place } from './mips32-support.ts';
import { CODE, inKernel, poke } from './support.ts';

const PROFILES = ['ideal', 'dec3100', 'dec5000'] as const satisfies readonly Profile[];

const DISK = 0x1a000000;

/** Has the disk read its first sector to `physical`, by one descriptor chain at 0x4000. */
function readSector(machine: Machine, physical: number): void {
  const { memory } = machine;
  const queue = [0x030, 0, 0x038, 8, 0x080, 0x4000, 0x090, 0x4100, 0x0a0, 0x4200, 0x044, 1, 0x070, 0xf];
  const registers = [0x070, 0, 0x070, 3, 0x024, 1, 0x020, 1, 0x024, 0, 0x020, 0x244, 0x070, 0xb, ...queue, 0x050, 0];
  const chain = [
    [0x5000, 16, 1, 1],
    [physical, 512, 3, 2],
    [0x5100, 1, 2, 0],
  ] as const;
  chain.forEach(([address, bytes, flags, next], i) => {
    memory.storeWords(0x4000 + 16 * i, [address, 0, bytes, flags | (next << 16)]);
  });
  memory.storeWords(0x4100, [1 << 16, 0]);
  for (let i = 0; i < registers.length; i += 2) poke(machine, DISK + (registers[i] ?? 0), registers[i + 1] ?? 0);
  for (let i = 0; i < 200 && memory.load16(0x4202) === 0; i += 1) machine.run(25_000);
  expect([memory.load16(0x4202), memory.load8(0x5100)]).toEqual([1, 0]);
}

describe.each(ENGINES)('ll and sc on the %s [MIPS32 ch. 3]', (engine) => {
  /** Words of DATA after `between` has happened between `ll` and `sc`; and what `sc` said. */
  function attempt(between: (machine: Machine) => void, options: MachineOptions = {}): [word: number, result: number] {
    const machine = extended(
      (a) => {
        a.ll(T0, 4, A0);
        a.nop();
        a.addiu(T1, T0, 1);
        a.sc(T1, 4, A0);
        a.b(CODE + 16);
        a.nop();
      },
      { engine, ...options },
    );
    machine.memory.store32(0x2004, 41);
    while (machine.instructions < 2) machine.run(1);
    between(machine);
    machine.run(400);
    return [machine.memory.load32(0x2004), machine.cpu.registers[T1] ?? 0];
  }

  const nothing = (): void => undefined;

  test('a pair that nothing disturbs stores', () => {
    for (const profile of PROFILES) expect(attempt(nothing, { profile })).toEqual([42, 1]);
  });

  test.each<[string, number, number, (machine: Machine) => void]>([
    ['a byte of the word, by the host', 0x63000029, 0, (m) => m.memory.store8(0x2007, 99)],
    ['a halfword of it', 0x2a, 0, (m) => m.memory.store16(0x2004, 42)],
    ['the same value', 41, 0, (m) => m.memory.store32(0x2004, 41)],
    ['bytes that end in it', 0, 0, (m) => m.memory.write(0x2000, new Uint8Array(8))],
    ['bytes that begin in it', 0x29, 0, (m) => m.memory.write(0x2005, new Uint8Array(8))],
    ['zeros', 0, 0, (m) => m.memory.zero(0x1ff0, 0x100)],
    ['a copy', 0, 0, (m) => m.memory.copy(0x2004, 0x3000, 4)],
    ['a program', 7, 0, (m) => m.memory.installCode(0x2000, [5, 7])],
    ['the word before', 42, 1, (m) => m.memory.store32(0x2000, 7)],
    ['the bytes before', 42, 1, (m) => m.memory.write(0x1ff0, new Uint8Array(20))],
    ['the bytes after', 42, 1, (m) => m.memory.write(0x2008, new Uint8Array(20))],
    ['no byte of it', 42, 1, (m) => m.memory.write(0x2006, new Uint8Array(0))],
    ['its program counter', 42, 1, (m) => (m.cpu.pc = CODE + 8)],
  ])('a store of others between them: %s', (_, word, result, between) => {
    expect(attempt(between)).toEqual([word, result]);
  });

  test('a store of the CPU between them, fast or slow, does not break the link', () => {
    const machine = extended(
      (a) => {
        a.ll(T0, 0, A0);
        a.nop();
        a.sw(S0, 0, A0);
        a.sb(S0, 3, A0);
        a.sw(S0, 0, A1);
        a.sc(T0, 0, A0);
        a.nop();
      },
      { engine },
    );
    machine.cpu.registers[A1] = 0xa0002000 | 0;
    machine.run(7);
    expect(machine.cpu.registers[T0]).toBe(1);
  });

  test('an exception between them breaks the link, a return alone does too', () => {
    for (const build of [
      (a: Assembler) => a.syscall(0),
      (a: Assembler) => a.rfe(),
      (a: Assembler) => a.lw(V0, 1, A0),
    ]) {
      const machine = extended(
        (a) => {
          a.ll(T0, 0, A0);
          a.nop();
          build(a);
          a.sc(T0, 0, A0);
          a.nop();
        },
        { engine },
      );
      // The handler goes on behind the instruction, without rfe.
      place(machine, 0x80000080, (a) => {
        a.mfc0(K0, CP0_EPC);
        a.nop();
        a.addiu(K0, K0, 4);
        a.jr(K0);
        a.nop();
      });
      machine.cpu.registers[S0] = 1;
      machine.run(12);
      expect([machine.cpu.registers[T0], machine.memory.load32(0x2000)]).toEqual([0, 0]);
    }
  });

  test('an interrupt between them breaks it, also if its handler does not touch memory', () => {
    const [word, result] = attempt((machine) => {
      place(machine, 0x80000080, (a) => {
        a.mtc0(ZERO, CP0_CAUSE);
        a.mfc0(K0, CP0_EPC);
        a.nop();
        a.jr(K0);
        a.rfe();
      });
      machine.cpu.cp0.status = 0x101;
      machine.cpu.cp0.cause = 0x100;
    });
    expect([word, result]).toEqual([41, 0]);
  });

  test('sc without ll, to another word, and for the second time stores nothing and says so', () => {
    const machine = extended(
      (a) => {
        a.sc(T0, 0, A0);
        a.ll(T1, 0, A0);
        a.nop();
        a.sc(T1, 4, A0);
        a.ll(T2, 0, A0);
        a.nop();
        a.move(V0, T2);
        a.sc(V0, 0, A0);
        a.sc(T2, 0, A0);
        a.nop();
      },
      { engine },
    );
    machine.memory.storeWords(0x2000, [5, 6]);
    for (const register of [T0, T1, T2]) machine.cpu.registers[register] = 9;
    machine.run(10);
    const { registers } = machine.cpu;
    expect([registers[T0], registers[T1], registers[V0], registers[T2]]).toEqual([0, 0, 1, 0]);
    expect([machine.memory.load32(0x2000), machine.memory.load32(0x2004)]).toEqual([5, 6]);
  });

  test('the link is to the word and not to its address: another mapping of it stores', () => {
    const machine = extended(
      (a) => {
        a.ll(T0, 0, A0);
        a.nop();
        a.addiu(T0, T0, 1);
        a.sc(T0, 0, A1);
        a.nop();
      },
      { engine },
    );
    machine.cpu.tlb.write(3, 0x7000, 0x2700);
    machine.cpu.registers[A1] = 0x7000;
    machine.run(5);
    expect([machine.cpu.registers[T0], machine.memory.load32(0x2000)]).toEqual([1, 1]);
  });

  test('both are precise: address errors, a page that is not there, one that is only read, linked or not', () => {
    const cases: [build: (a: Assembler<'mips32'>) => void, code: number, badVaddr: number][] = [
      [(a) => a.ll(T0, 2, A0), 4, DATA + 2],
      [(a) => a.sc(T0, 2, A0), 5, DATA + 2],
      [(a) => a.ll(T0, 0, A1), 2, 0x6000],
      [(a) => a.sc(T0, 0, A1), 3, 0x6000],
      [(a) => a.sc(T0, 0x1000, A1), 1, 0x7000],
      [(a) => a.ll(T0, 0x7f00, S2), 7, 0],
    ];
    for (const [build, code, badVaddr] of cases) {
      const machine = extended(
        (a) => {
          a.ll(T1, 0x1000, A1);
          a.nop();
          build(a);
          a.nop();
        },
        { engine },
      );
      machine.cpu.tlb.write(3, 0x7000, 0x2300); // read-only
      machine.cpu.registers[A1] = 0x6000;
      machine.cpu.registers[S2] = 0xbe000000 | 0; // nothing answers
      machine.cpu.registers[T0] = 77;
      machine.run(3);
      const { cause, badVaddr: bad, epc } = machine.cpu.cp0;
      expect([(cause >>> 2) & 31, bad, epc]).toEqual([code, badVaddr, CODE + 8]);
      expect(machine.cpu.registers[T0]).toBe(77);
    }
  });

  test('a device links nothing: ll is a load of it, sc to it fails and stores nothing', () => {
    const machine = extended(
      (a) => {
        a.ll(T0, 0, A1);
        a.nop();
        a.sc(S0, 0, A1);
        a.nop();
      },
      { engine },
    );
    machine.cpu.registers[A1] = 0xbe000000 | 0; // the system register
    machine.cpu.registers[S0] = 0x1234;
    machine.run(4);
    expect(machine.cpu.registers[S0]).toBe(0);
  });

  test.each([
    ['to the word', 0x2000 - 508, 0],
    ['to bytes before it', 0x2000 - 512, 1],
    ['to bytes after it', 0x2004, 1],
  ])('a transfer of the disk between them: %s', (_, to, result) => {
    const machine = extended(
      (a) => {
        a.ll(T0, 0, A0);
        a.label('wait');
        a.beqz(S1, 'wait');
        a.nop();
        a.sc(S0, 0, A0);
        a.nop();
      },
      { engine, disk: { store: memoryStore(8 * 512) } },
    );
    machine.run(3);
    readSector(machine, to);
    machine.cpu.registers[S1] = 1;
    machine.run(6);
    expect(machine.cpu.registers[S0]).toBe(result);
  });

  test('a page that holds translated code is stored to, and the code is the new one', () => {
    const machine = extended(
      (a) => {
        a.la(A0, CODE + 0x100);
        a.label('next');
        a.bal(CODE + 0x100);
        a.nop();
        a.addu(V1, V1, V0);
        a.ll(T0, 0, A0);
        a.nop();
        a.addiu(T0, T0, 1);
        a.sc(T0, 0, A0);
        a.addu(S0, S0, T0);
        a.b('next');
        a.addiu(S1, S1, 1);
      },
      { engine },
    );
    place(machine, CODE + 0x100, (a) => {
      a.addiu(V0, ZERO, 1);
      a.ret();
      a.nop();
    });
    machine.run(2 + 13 * 200);
    const { registers } = machine.cpu;
    expect([registers[S0], registers[V1]]).toEqual([200, (200 * 201) / 2]);
  });
});

describe('a link in a snapshot', () => {
  test.each(ENGINES)('saved on the %s, it goes on on the other engine', (engine) => {
    const build = (which: 'interpreter' | 'translator'): Machine =>
      extended(
        (a) => {
          a.ll(T0, 0, A0);
          a.nop();
          a.addiu(T0, T0, 1);
          a.sc(T0, 0, A0);
          a.nop();
        },
        { engine: which },
      );
    const machine = build(engine);
    machine.run(3);
    const other = build(engine === 'interpreter' ? 'translator' : 'interpreter');
    other.restore(machine.snapshot());
    other.run(2);
    expect([other.cpu.registers[T0], other.memory.load32(0x2000)]).toEqual([1, 1]);
  });
});

test('what a native function of the kernel writes through the port breaks the link', () => {
  const machine = extended((a) => {
    a.ll(T0, 0, A0);
    a.nop();
    a.sc(K1, 0, A0);
  });
  machine.run(2);
  inKernel(machine, () => {
    machine.memory.store32(0x2000, 9);
  });
  machine.run(1);
  expect([machine.cpu.registers[K1], machine.memory.load32(0x2000)]).toEqual([0, 9]);
});
