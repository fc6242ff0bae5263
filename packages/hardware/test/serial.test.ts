import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HardwareError, Recorder, Replay, type Machine } from '../src/index.ts';
import { idle, idleUntil, inKernel, lines, peek, poke } from './support.ts';

const CSR = 0x1c000000;
const RBUF = 0x1c000008;
const TCR = 0x1c000010;
const TDR = 0x1c000018;
/** Cycles of a character of 10 bits at 9600 baud and 25 MHz. */
const CHARACTER = 26042;

describe('serial lines [DZ11]', () => {
  test('hostile register pokes never throw and never hang', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(31), fc.integer(), fc.constantFrom(1, 2, 4)), { maxLength: 60 }),
        (pokes) => {
          const machine = idle({ ramBytes: 0x2000 });
          machine.serialInput(2, new Uint8Array(100).fill(65));
          machine.serialBreak(1);
          inKernel(machine, (cpu) => {
            for (const [offset, value, size] of pokes) {
              const va = 0xbc000000 + (offset & ~(size - 1));
              if (size === 1) cpu.store8(va, value);
              else if (size === 2) cpu.store16(va, value);
              else cpu.store32(va, value);
              cpu.load8(0xbc000000 + offset);
            }
          });
          machine.run(20 * CHARACTER);
          expect(machine.cycles).toBe(20 * CHARACTER + 1);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('refuses a line that does not exist', () => {
    for (const line of [4, -1, 0.5, NaN]) {
      expect(() => {
        idle().serialInput(line, Uint8Array.of(1));
      }).toThrow(HardwareError);
      expect(() => {
        idle().serialBreak(line);
      }).toThrow(HardwareError);
    }
  });

  test('transmits a double-buffered character at the speed of the line', () => {
    const out: [number, string, number][] = [];
    const machine = idle({ serial: (line, byte) => out.push([line, String.fromCharCode(byte), machine.cycles]) });
    poke(machine, CSR, 0x4020);
    expect(peek(machine, CSR) & 0x8000).toBe(0);
    poke(machine, TCR, 0x8); // cycle 2
    expect(peek(machine, CSR)).toBe(0xc320);
    expect(lines(machine)).toEqual([4]);
    poke(machine, TDR, 0x41); // cycle 4: to the shift register
    expect(peek(machine, CSR) & 0x8000).toBe(0x8000);
    poke(machine, TDR, 0x42); // holding register
    expect(peek(machine, CSR) & 0x8000).toBe(0);
    expect(lines(machine)).toEqual([]);
    idleUntil(machine, 4 + 2 * CHARACTER + 10);
    expect(out.map(([line, text]) => [line, text])).toEqual([
      [3, 'A'],
      [3, 'B'],
    ]);
    expect((out[1]?.[2] ?? 0) - (out[0]?.[2] ?? 0)).toBe(CHARACTER);
    expect(lines(machine)).toEqual([4]);
    poke(machine, TCR, 0);
    expect(lines(machine)).toEqual([]);
  });

  test('the scanner serves enabled lines in turn', () => {
    const out: string[] = [];
    const machine = idle({ serial: (line, byte) => out.push(`${line}${String.fromCharCode(byte)}`) });
    poke(machine, CSR, 0x20);
    poke(machine, TCR, 0xf);
    for (let i = 0; i < 8; i += 1) {
      const line = (peek(machine, CSR) >>> 8) & 3;
      poke(machine, TDR, 0x61 + line);
    }
    expect(peek(machine, CSR) & 0x8000).toBe(0);
    machine.run(3 * CHARACTER);
    expect(out.toSorted()).toEqual(['0a', '0a', '1b', '1b', '2c', '2c', '3d', '3d']);
  });

  test('receives through the silo with an interrupt, at line speed', () => {
    const machine = idle();
    poke(machine, CSR, 0x60);
    poke(machine, RBUF, 0x1e18 | 3);
    machine.serialInput(3, new TextEncoder().encode('hi'));
    machine.run(CHARACTER + 1);
    expect(lines(machine)).toEqual([4]);
    expect(peek(machine, RBUF)).toBe(0x8300 | 0x68);
    expect(lines(machine)).toEqual([]);
    expect(peek(machine, RBUF)).toBe(0);
    machine.run(CHARACTER);
    expect(peek(machine, RBUF)).toBe(0x8300 | 0x69);
  });

  test('the 65th character is lost and the next one says so', () => {
    const machine = idle();
    poke(machine, CSR, 0x20);
    poke(machine, RBUF, 0x1f18); // line 0, 19200 baud
    machine.serialInput(
      0,
      new Uint8Array(66).map((_, i) => i),
    );
    machine.run(65 * 13021 + 100);
    const first = peek(machine, RBUF);
    expect(first).toBe(0x8000);
    machine.run(13021);
    const rest = Array.from({ length: 64 }, () => peek(machine, RBUF));
    expect(rest[62]).toBe(0x803f);
    expect(rest[63]).toBe(0xc000 | 65);
    expect(peek(machine, RBUF)).toBe(0);
  });

  test('a receiver that is off, or 7 bits wide, loses what it cannot take', () => {
    const machine = idle();
    poke(machine, CSR, 0x20);
    machine.serialInput(1, Uint8Array.of(0xff));
    machine.run(2 * CHARACTER);
    expect(peek(machine, RBUF)).toBe(0);
    poke(machine, RBUF, 0x1e10 | 1);
    machine.serialInput(1, Uint8Array.of(0xff));
    machine.run(2 * CHARACTER);
    expect(peek(machine, RBUF)).toBe(0x817f);
  });

  test('loopback returns what a line sends', () => {
    const out: number[] = [];
    const machine = idle({ serial: (_, byte) => out.push(byte) });
    poke(machine, CSR, 0x28);
    poke(machine, RBUF, 0x1e18);
    poke(machine, TCR, 1);
    poke(machine, TDR, 0x5a);
    machine.run(2 * CHARACTER);
    expect(peek(machine, RBUF)).toBe(0x805a);
    expect(out).toEqual([]);
  });

  test('a break from outside is a character of zeros with a frame error, in its turn; with odd parity also a parity error', () => {
    for (const [parameters, errors] of [
      [0x1e18, 0x2000],
      [0x1e58, 0x2000],
      [0x1ed8, 0x3000],
      [0x1e98, 0x2000],
    ] as const) {
      const machine = idle();
      poke(machine, CSR, 0x60);
      poke(machine, RBUF, parameters | 3);
      machine.serialInput(3, Uint8Array.of(0x41));
      machine.serialBreak(3);
      machine.serialInput(3, Uint8Array.of(0, 0x42));
      machine.run(2 * CHARACTER);
      expect(peek(machine, RBUF)).toBe(0x8341);
      machine.run(4 * CHARACTER);
      expect([peek(machine, RBUF), peek(machine, RBUF), peek(machine, RBUF), peek(machine, RBUF)]).toEqual([
        0x8300 | errors,
        0x8300,
        0x8342,
        0,
      ]);
    }
  });

  test('a break is an input like others: recorded, replayed, and kept in a snapshot on its way', () => {
    const make = (): Machine => {
      const machine = idle();
      poke(machine, CSR, 0x60);
      poke(machine, RBUF, 0x1e18);
      machine.native.install('kernel', []);
      return machine;
    };
    const first = make();
    const recorder = new Recorder(first);
    first.run(1000);
    first.serialInput(0, Uint8Array.of(0x41));
    first.serialInput(0, Uint8Array.of());
    first.serialBreak(0);
    first.run(CHARACTER);
    const saved = first.snapshot();
    first.run(2 * CHARACTER);
    const recording = recorder.finish();
    const second = make();
    const replay = new Replay(second, recording);
    replay.run(10 * CHARACTER);
    const third = make();
    third.restore(saved);
    third.run(2 * CHARACTER);
    for (const machine of [first, second, third]) {
      expect([peek(machine, RBUF), peek(machine, RBUF), peek(machine, RBUF)]).toEqual([0x8041, 0xa000, 0]);
    }
  });

  test('a line that sends a break transmits nothing else, and hears itself in maintenance mode', () => {
    const out: number[] = [];
    const machine = idle({ serial: (line, byte) => out.push(line, byte) });
    poke(machine, CSR, 0x20);
    poke(machine, RBUF, 0x1e18);
    poke(machine, TCR, 1);
    poke(machine, TDR, 0x0100 | 0x41);
    machine.run(2 * CHARACTER);
    expect([out, peek(machine, RBUF)]).toEqual([[], 0]);
    poke(machine, TDR, 0x42);
    machine.run(2 * CHARACTER);
    expect(out).toEqual([0, 0x42]);
    poke(machine, CSR, 0x28);
    inKernel(machine, (cpu) => {
      cpu.store8(0xbc000019, 0x01); // the breaks alone
    });
    machine.run(CHARACTER - 2);
    expect(peek(machine, RBUF)).toBe(0);
    machine.run(10 * CHARACTER);
    expect([peek(machine, RBUF), peek(machine, RBUF)]).toEqual([0xa000, 0]); // once, however long it is
    expect(out).toEqual([0, 0x42]);
    poke(machine, TDR, 0x43);
    machine.run(2 * CHARACTER);
    expect(peek(machine, RBUF)).toBe(0x8043);
  });

  test('a break shorter than a character is not noticed', () => {
    const machine = idle();
    poke(machine, CSR, 0x28);
    poke(machine, RBUF, 0x1e18);
    inKernel(machine, (cpu) => {
      cpu.store8(0xbc000019, 0x01);
    });
    machine.run(CHARACTER / 2);
    inKernel(machine, (cpu) => {
      cpu.store8(0xbc000019, 0);
    });
    machine.run(2 * CHARACTER);
    expect(peek(machine, RBUF)).toBe(0);
  });

  test('without master scan enable the silo is empty and nothing is ready', () => {
    const machine = idle();
    poke(machine, CSR, 0x60);
    poke(machine, RBUF, 0x1e18);
    poke(machine, TCR, 1);
    machine.serialInput(0, Uint8Array.of(1, 2));
    machine.run(3 * CHARACTER);
    expect(peek(machine, CSR)).toBe(0x80e0);
    poke(machine, CSR, 0x40);
    expect([peek(machine, CSR), peek(machine, RBUF), lines(machine)]).toEqual([0x40, 0, []]);
    poke(machine, CSR, 0x60);
    expect(peek(machine, RBUF)).toBe(0);
  });

  test('the modem is ready; its outputs read back', () => {
    const machine = idle();
    poke(machine, TCR, 0xffff);
    expect([peek(machine, TDR), peek(machine, TCR)]).toEqual([0x0200, 0x0f0f]);
  });

  test('CLR empties everything', () => {
    const machine = idle();
    poke(machine, CSR, 0x60);
    poke(machine, RBUF, 0x1e18);
    poke(machine, TCR, 1);
    machine.serialInput(0, Uint8Array.of(1, 2));
    machine.run(3 * CHARACTER);
    poke(machine, CSR, 0x10);
    expect([peek(machine, CSR), peek(machine, RBUF), peek(machine, TCR)]).toEqual([0, 0, 0]);
    expect(lines(machine)).toEqual([]);
  });
});
