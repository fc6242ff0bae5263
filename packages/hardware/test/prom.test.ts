import {
  A0,
  A1,
  A2,
  A3,
  type Assembler,
  CP0_STATUS,
  RA,
  S0,
  S1,
  S2,
  S3,
  SP,
  T0,
  T1,
  T9,
  V0,
  ZERO,
} from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import {
  bootProm,
  type BootOptions,
  HardwareError,
  Machine,
  type MachineOptions,
  PROM_ADDRESS,
  PROM_ENTRIES,
  PROM_STACK,
} from '../src/index.ts';
import { boot, inKernel, lines, load, peek } from './support.ts';

const ENTRY = 0x80031000;
const PROM = 0x1fc00000;

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HardwareError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

interface Started {
  readonly machine: Machine;
  readonly symbols: ReadonlyMap<string, number>;
  readonly text: () => string;
}

/** A machine as it is switched on, with `build`'s program in RAM for the PROM to start. */
function start(build: (a: Assembler) => void, options: Partial<BootOptions> = {}): Started {
  let text = '';
  const machine = new Machine({
    ramBytes: 0x40000,
    prom: bootProm({ entry: ENTRY, ...options }),
    serial: (line, byte) => (text += line === 3 ? String.fromCharCode(byte) : `[line ${line}]`),
  });
  const symbols = load(machine, ENTRY, build);
  return { machine, symbols, text: () => text };
}

/** Calls a routine of the PROM through its table. */
function call(a: Assembler, name: keyof typeof PROM_ENTRIES): void {
  a.li(T9, PROM_ADDRESS + 8 * PROM_ENTRIES[name]);
  a.jalr(RA, T9);
  a.nop();
}

function string(a: Assembler, name: string, text: string): void {
  a.label(name);
  a.bytes(new TextEncoder().encode(`${text}\0`));
}

/** Characters take 26,042 cycles each on the line. */
const enough = (characters: number): number => 30_000 * (characters + 2);

describe('options of the boot PROM', () => {
  test('an entry that is no address of an instruction, or text that is not ASCII, is refused', () => {
    for (const entry of [0, 0x7ffffffc, 0x80000002, 0xc0000000, -0x80000000, 0x80000000 + 0.5, NaN, Infinity]) {
      expect(
        codeOf(() => bootProm({ entry })),
        String(entry),
      ).toBe('prom');
    }
    expect(codeOf(() => bootProm({ entry: ENTRY, args: ['a\nb'] }))).toBe('prom');
    expect(codeOf(() => bootProm({ entry: ENTRY, environment: { é: 'x' } }))).toBe('prom');
    expect(codeOf(() => bootProm({ entry: ENTRY, environment: { x: '\0' } }))).toBe('prom');
  });

  test('a PROM of more than 256 KiB is refused', () => {
    const make = (bytes: number): Machine => new Machine({ ramBytes: 0x1000, prom: new Uint8Array(bytes) });
    expect(codeOf(() => make(0x40001))).toBe('prom');
    expect(make(0x40000).memory.load8(PROM + 0x3ffff)).toBe(0);
  });
});

describe('the boot PROM is memory that the CPU only reads', () => {
  const options: MachineOptions = { prom: Uint8Array.of(0x78, 0x56, 0x34, 0x12) };

  test.each([
    ['kseg0', 0x9fc00000],
    ['kseg1', 0xbfc00000],
    ['a page of the TLB', 0x00005000],
  ])('a store through %s times out: MEMERR, line 6, and the word stays', (_, va) => {
    for (const size of [1, 2, 4] as const) {
      const machine = boot(() => undefined, options);
      machine.cpu.tlb.write(0, 0x00005000, (PROM | 0x700) >>> 0);
      inKernel(machine, (cpu) => {
        if (size === 1) cpu.store8(va, 0xff);
        else if (size === 2) cpu.store16(va, 0xffff);
        else cpu.store32(va, -1);
        expect([cpu.probe(va, false), cpu.probe(va, true)]).toEqual([true, false]);
      });
      expect(machine.cpu.cp0.cause & 0x7c).toBe(0); // no exception
      expect(lines(machine)).toEqual([6]);
      expect(peek(machine, 0x1e000000) & 0x400).toBe(0x400);
      expect(peek(machine, 0x17000000)).toBe(PROM);
      expect(peek(machine, PROM)).toBe(0x12345678);
    }
  });

  test('the store instructions time out too, swl and swr included', () => {
    const machine = boot((a) => {
      a.lui(T0, 0xbfc0);
      a.sb(T0, 0, T0);
      a.sh(T0, 0, T0);
      a.sw(T0, 0, T0);
      a.swl(T0, 2, T0);
      a.swr(T0, 1, T0);
      a.lw(T1, 0, T0);
      a.nop();
    }, options);
    machine.run(8);
    expect(machine.cpu.registers[T1]).toBe(0x12345678);
    expect(lines(machine)).toEqual([6]);
  });

  test('without one, its addresses are a bus error', () => {
    const machine = boot((a) => {
      a.lui(T0, 0xbfc0);
      a.lw(T1, 0, T0);
    });
    machine.run(2);
    expect((machine.cpu.cp0.cause >>> 2) & 31).toBe(7);
  });
});

describe('what the boot PROM does [KN01]', () => {
  test('it starts the program in kernel mode with arguments, table and stack', () => {
    const { machine } = start(
      (a) => {
        a.lw(S0, 0, A1);
        a.lw(S1, 4, A1);
        a.lw(S2, 8, A1);
        a.mfc0(S3, CP0_STATUS);
        a.b('end');
        a.label('end');
        a.nop();
      },
      { args: ['rz(0,0,0)vmunix', '-a'] },
    );
    machine.run(60);
    const { registers } = machine.cpu;
    const read = (va = 0): string => {
      let text = '';
      for (let at = va & 0x1fffffff; machine.memory.load8(at) !== 0; at += 1) {
        text += String.fromCharCode(machine.memory.load8(at));
      }
      return text;
    };
    expect([registers[A0], registers[A2], registers[A3]]).toEqual([2, 0, PROM_ADDRESS | 0]);
    expect([read(registers[S0]), read(registers[S1]), registers[S2]]).toEqual(['rz(0,0,0)vmunix', '-a', 0]);
    expect([registers[S3], (registers[SP] ?? 0) >>> 0]).toEqual([0, PROM_STACK - 16]);
  });

  test('printf prints strings, characters, numbers and its own sign', () => {
    const { machine, text } = start((a) => {
      a.addiu(SP, SP, -32);
      a.la(T0, 'word');
      a.sw(T0, 16, SP); // the fifth argument: %s
      a.li(T0, 0xdeadbeef);
      a.sw(T0, 20, SP); // %x
      a.li(T0, -1);
      a.sw(T0, 24, SP); // %u
      a.la(A0, 'format');
      a.li(A1, 0x41); // %c
      a.li(A2, -0x80000000); // %d
      a.li(A3, 0); // %d
      call(a, 'printf');
      a.label('end');
      a.b('end');
      a.nop();
      string(a, 'format', 'c=%c d=%d %5d 100%% s=%s x=%x u=%u\n.%');
      string(a, 'word', 'a\nb');
    });
    const expected = 'c=A d=-2147483648 0 100% s=a\r\nb x=deadbeef u=4294967295\r\n.';
    machine.run(enough(expected.length));
    expect(text()).toBe(expected);
    expect((machine.cpu.registers[SP] ?? 0) >>> 0).toBe(PROM_STACK - 48);
  });

  test('getchar waits for a character of the console, putchar sends one and leaves the other lines alone', () => {
    const { machine, text } = start((a) => {
      a.lui(T0, 0xbc00);
      a.li(T1, 0x1);
      a.sh(T1, 0x10, T0); // line 0 is ready to transmit all the time
      a.label('again');
      call(a, 'getchar');
      a.move(A0, V0);
      a.move(S0, V0);
      call(a, 'putchar');
      a.bne(S0, V0, 'wrong');
      a.lui(T0, 0xbc00);
      a.lhu(T1, 0x10, T0);
      a.li(T0, 1);
      a.beq(T1, T0, 'again');
      a.nop();
      a.label('wrong');
      a.b('wrong');
      a.nop();
    });
    machine.run(1000);
    machine.serialInput(0, new TextEncoder().encode('no'));
    machine.serialInput(3, new TextEncoder().encode('yes'));
    machine.run(enough(6));
    expect(text()).toBe('yes');
  });

  test('getenv finds a variable by its whole name', () => {
    const { machine, text } = start(
      (a) => {
        for (const name of ['systype', 'boot', 'bootx', 'boo', '']) {
          a.la(A0, `name.${name}`);
          call(a, 'getenv');
          a.move(A0, V0);
          a.bne(V0, ZERO, `found.${name}`);
          a.nop();
          a.la(A0, 'none');
          a.label(`found.${name}`);
          call(a, 'printf');
          a.li(A0, 0x20);
          call(a, 'putchar');
        }
        a.label('end');
        a.b('end');
        a.nop();
        for (const name of ['systype', 'boot', 'bootx', 'boo', '']) string(a, `name.${name}`, name);
        string(a, 'none', '-');
      },
      { environment: { boot: 'rz', bootx: '' } },
    );
    machine.run(enough(40));
    expect(text()).toBe('0x82010101 rz  - - ');
  });

  test.each<[string, (a: Assembler) => void]>([
    [
      'returns',
      (a) => {
        a.ret();
        a.nop();
      },
    ],
    [
      'halts',
      (a) => {
        call(a, 'halt');
      },
    ],
    [
      'goes back to reset',
      (a) => {
        call(a, 'reset');
      },
    ],
    [
      'takes an exception in bootstrap mode',
      (a) => {
        a.lui(T0, 0x0040);
        a.mtc0(T0, CP0_STATUS);
        a.syscall(0);
      },
    ],
    [
      'misses the TLB in bootstrap mode',
      (a) => {
        a.lui(T0, 0x0040);
        a.mtc0(T0, CP0_STATUS);
        a.lw(T0, 0x1000, ZERO);
      },
    ],
  ])('a program that %s ends in one place of the PROM, with interrupts off', (_, build) => {
    const { machine } = start((a) => {
      a.li(T0, 0xff01);
      a.mtc0(T0, CP0_STATUS);
      build(a);
    });
    machine.run(100);
    const places = new Set<number>();
    for (let i = 0; i < 10; i += 1) {
      machine.run(1);
      places.add(machine.cpu.pc);
    }
    expect(places.size).toBe(2);
    expect(Math.min(...places)).toBeGreaterThan(PROM_ADDRESS + 0x180);
    expect(machine.cpu.cp0.status & 0xff01).toBe(0);
  });

  test('a routine that does not exist returns 0', () => {
    const { machine, text } = start((a) => {
      a.li(T9, PROM_ADDRESS + 8 * 20);
      a.jalr(RA, T9);
      a.li(V0, 1);
      a.addiu(A0, V0, 0x2e);
      call(a, 'putchar');
      call(a, 'halt');
    });
    machine.run(enough(2));
    expect(text()).toBe('.');
  });
});
