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
import { boot, inKernel, lines, load, peek, wordsOf } from './support.ts';

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
const enough = (characters: number): number => 26_300 * (characters + 1);

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
    const expected = 'c=A d=-2147483648     0 100% s=a\r\nb x=deadbeef u=4294967295\r\n.';
    machine.run(enough(expected.length));
    expect(text()).toBe(expected);
    expect((machine.cpu.registers[SP] ?? 0) >>> 0).toBe(PROM_STACK - 48);
  });

  test.each([
    ['%d|%5d|%-5d|%05d', [7, 7, 7, 7], '7|    7|7    |00007'],
    ['%d|%5d|%-5d|%05d|%2d', [-42, -42, -42, -42, -4200], '-42|  -42|-42  |-0042|-4200'],
    ['%08x|%8x|%-8x|%X|%lx', [0xbeef, 0xbeef, 0xbeef, 0xbeef, 1], '0000beef|    beef|beef    |BEEF|1'],
    ['%o|%u|%10u|%x|%x', [8, 0xffffffff, 42, 0, 0xffffffff], '10|4294967295|        42|0|ffffffff'],
    ['%c|%3c|%-3c|', [0x41, 0x42, 0x43], 'A|  B|C  |'],
    ['%.8x|%4.3d|%qd', [0xab, 5, 6], '000000ab|005|6'],
    ['%12d|%d', [-0x80000000, 0x7fffffff], ' -2147483648|2147483647'],
  ] as const)('printf fills widths: %j', (format, values, expected) => {
    const { machine, text } = start((a) => {
      a.addiu(SP, SP, -48);
      values.forEach((value, i) => {
        a.li(T0, value);
        a.sw(T0, 4 + 4 * i, SP);
      });
      a.la(A0, 'format');
      [A1, A2, A3].forEach((register, i) => {
        a.lw(register, 4 + 4 * i, SP);
      });
      call(a, 'printf');
      call(a, 'halt');
      string(a, 'format', format);
    });
    machine.run(enough(expected.length));
    expect(text()).toBe(expected);
  });

  test('printf fills strings with spaces, also empty ones', () => {
    const { machine, text } = start((a) => {
      a.la(A1, 'word');
      a.la(A2, 'word');
      a.la(A3, 'none');
      a.la(A0, 'format');
      call(a, 'printf');
      call(a, 'halt');
      string(a, 'format', '%6s|%-6s|%03s|');
      string(a, 'word', 'rz0');
      string(a, 'none', '');
    });
    machine.run(enough(20));
    expect(text()).toBe('   rz0|rz0   |   |');
  });

  test('puts says a string, showchar what a character is', () => {
    const { machine, text } = start((a) => {
      a.la(A0, 'text');
      call(a, 'puts');
      for (const code of [0x41, 0x03, 0x7f, 0xc1, 0x0a]) {
        a.li(A0, code);
        call(a, 'showchar');
      }
      call(a, 'halt');
      string(a, 'text', 'a\nb');
    });
    machine.run(enough(15));
    expect(text()).toBe('a\r\nbA^C^?A^J');
  });

  test.each([
    ['a line', 'boot -a\r', 'boot -a', 'boot -a\r\n'],
    ['a new line ends it too', 'x\n', 'x', 'x\r\n'],
    ['nothing', '\r', '', '\r\n'],
    ['characters taken back', 'bop\x7f\x08ot\r', 'bot', 'bop\b \b\b \bot\r\n'],
    ['more taken back than there are', '\x7fa\x7f\x7fb\r', 'b', 'a\b \bb\r\n'],
    ['a line taken back', 'abc\x15d\r', 'd', 'abc\b \b\b \b\b \bd\r\n'],
    ['control characters', 'a\x03\tb\x1b\r', 'ab', 'ab\r\n'],
  ])('gets reads %s', (_, typed, line, shown) => {
    const { machine, text } = start((a) => {
      a.li(A0, 0x80032000);
      call(a, 'gets');
      a.move(S0, V0);
      call(a, 'halt');
    });
    machine.memory.write(0x31ff0, new Uint8Array(0x32100 - 0x31ff0).fill(0xee));
    machine.run(1000);
    machine.serialInput(3, new TextEncoder().encode(typed));
    machine.run(enough(typed.length + shown.length));
    expect(text()).toBe(shown);
    expect((machine.cpu.registers[S0] ?? 0) >>> 0).toBe(0x80032000);
    const bytes = machine.memory.read(0x32000, new Uint8Array(line.length + 1));
    expect([...bytes]).toEqual([...new TextEncoder().encode(line), 0]);
    expect(machine.memory.load8(0x31fff)).toBe(0xee);
  });

  test('strcmp, strlen, strcpy and strcat are those of C', () => {
    const { machine } = start((a) => {
      const results = 0x80033000;
      const keep = (i: number): void => {
        a.li(T0, results + 4 * i);
        a.sw(V0, 0, T0);
      };
      const pairs = [
        ['abc', 'abc'],
        ['abc', 'abd'],
        ['b', 'abc'],
        ['ab', 'abc'],
        ['', ''],
      ];
      pairs.forEach(([one = '', two = ''], i) => {
        a.la(A0, `one.${i}`);
        a.la(A1, `two.${i}`);
        call(a, 'strcmp');
        keep(i);
        a.la(A0, `one.${i}`);
        call(a, 'strlen');
        keep(8 + i);
        a.b(`next.${i}`);
        a.nop();
        string(a, `one.${i}`, one);
        string(a, `two.${i}`, two);
        a.label(`next.${i}`);
      });
      a.li(A0, 0x80032000);
      a.la(A1, 'one.0');
      call(a, 'strcpy');
      keep(16);
      for (const name of ['two.1', 'one.4', 'one.2']) {
        a.li(A0, 0x80032000);
        a.la(A1, name);
        call(a, 'strcat');
        keep(17);
      }
      call(a, 'halt');
    });
    machine.memory.write(0x32000, new Uint8Array(0x32100 - 0x32000).fill(0xee));
    machine.run(3000);
    const results = wordsOf(machine, 0x33000, 18);
    expect([...results.subarray(0, 5)].map(Math.sign)).toEqual([0, -1, 1, -1, 0]);
    expect([...results.subarray(8, 13)]).toEqual([3, 3, 1, 2, 0]);
    expect([...results.subarray(16)].map((va) => va >>> 0)).toEqual([0x80032000, 0x80032000]);
    expect([...machine.memory.read(0x32000, new Uint8Array(9))]).toEqual([
      ...new TextEncoder().encode('abcabdb'),
      0,
      0xee,
    ]);
  });

  test('files fail; what would load a program halts', () => {
    for (const place of [6, 7, 8, 9, 10, 11]) {
      const { machine } = start((a) => {
        a.li(T9, PROM_ADDRESS + 8 * place);
        a.jalr(RA, T9);
        a.nop();
        a.move(S0, V0);
        call(a, 'halt');
      });
      machine.run(100);
      expect([place, machine.cpu.registers[S0]]).toEqual([place, -1]);
    }
    for (const place of [1, 3, 4, 5]) {
      const { machine } = start((a) => {
        a.li(T9, PROM_ADDRESS + 8 * place);
        a.jalr(RA, T9);
        a.nop();
        a.li(S0, 1);
      });
      machine.run(100);
      expect([machine.cpu.registers[S0], machine.cpu.pc >= PROM_ADDRESS]).toEqual([0, true]);
    }
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
