import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { civilDate } from '../src/devices/calendar.ts';
import { idle, idleUntil, inKernel, lines, peek, poke, record } from './support.ts';

const RTC = 0x1d000000;
const reg = (n: number): number => RTC + 4 * n;
const A = reg(10);
const B = reg(11);
const C = reg(12);

function time(machine: ReturnType<typeof idle>): number[] {
  return [0, 2, 4, 6, 7, 8, 9].map((n) => peek(machine, reg(n)) & 0xff);
}

describe('real-time clock [MC146818]', () => {
  test('hostile accesses do nothing surprising', () => {
    const machine = idle();
    inKernel(machine, (cpu) => {
      for (let offset = 0; offset < 0x100; offset += 1) {
        cpu.store8(0xbd000000 + offset, 0xff);
        cpu.load8(0xbd000000 + offset);
      }
    });
    machine.run(60_000_000);
    expect(peek(machine, reg(13)) & 0xff).toBe(0x80);
  });

  test('time of day starts at startTime and advances by the machine', () => {
    // 28 February 2000, 23:59:58, a Monday
    const machine = idle({ startTime: 951782398 });
    expect(time(machine)).toEqual([58, 59, 23, 2, 28, 2, 0]);
    idleUntil(machine, machine.hz * 2 + 1);
    expect(time(machine)).toEqual([0, 0, 0, 3, 29, 2, 0]);
  });

  test('dates are those of the host language', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_000_000 }), (days) => {
        const date = new Date(days * 86_400_000);
        expect(civilDate(days)).toEqual({
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
          weekday: date.getUTCDay() + 1,
        });
      }),
      { numRuns: 500 },
    );
  });

  test('SET stops the time, BCD and 12 hours are kept in that form', () => {
    const machine = idle();
    poke(machine, B, 0x80);
    for (const [n, value] of [
      [0, 0x59],
      [2, 0x59],
      [4, 0x91],
      [7, 0x31],
      [8, 0x12],
      [9, 0x99],
    ] as const) {
      poke(machine, reg(n), value); // 11:59:59 pm, 31 December 99
    }
    idleUntil(machine, machine.hz * 3 + 1);
    expect(peek(machine, reg(0)) & 0xff).toBe(0x59);
    poke(machine, B, 0x00);
    idleUntil(machine, machine.hz * 4 + 1);
    expect(time(machine)).toEqual([0, 0, 0x12, 6, 1, 1, 0]);
  });

  test('64 Hz interrupts on line 5, and C acknowledges by being read', () => {
    const machine = idle();
    const events = record(machine);
    poke(machine, A, 0x2a);
    poke(machine, B, 0x46);
    idleUntil(machine, 390_625);
    expect(lines(machine)).toEqual([]);
    idleUntil(machine, 390_626);
    expect(lines(machine)).toEqual([5]);
    idleUntil(machine, 390_625 * 3);
    expect(peek(machine, C) & 0xff).toBe(0xc0);
    expect(lines(machine)).toEqual([]);
    expect(peek(machine, C) & 0xff).toBe(0);
    idleUntil(machine, 390_625 * 4 + 1);
    expect(lines(machine)).toEqual([5]);
    const moves = events.filter(([kind]) => kind === 'interrupt-line').map(([, cycle, , level]) => [cycle, level]);
    expect(moves).toEqual([
      [390_625, 1],
      [390_625 * 3 + 1, 0],
      [390_625 * 4, 1],
    ]);
  });

  test.each([
    [1, 256],
    [2, 128],
    [3, 8192],
    [6, 1024],
    [15, 2],
  ])('rate select %i is %i Hz', (select, rate) => {
    const machine = idle();
    poke(machine, A, 0x20 | select);
    poke(machine, B, 0x46);
    let interrupts = 0;
    machine.listen((kind, _cycle, line, level) => {
      if (kind === 4 && line === 5 && level === 1) interrupts += 1;
    });
    for (let i = 1; i <= 2 * rate; i += 1) {
      idleUntil(machine, Math.ceil((i * machine.hz) / rate) + 1);
      peek(machine, C);
      if (i > 600) break;
    }
    expect(interrupts).toBe(Math.min(2 * rate, 601));
  });

  test('update-ended and alarm interrupts', () => {
    const machine = idle();
    poke(machine, reg(1), 2); // at second 2 of every minute
    poke(machine, reg(3), 0xff);
    poke(machine, reg(5), 0xc0);
    poke(machine, B, 0x26);
    idleUntil(machine, machine.hz * 2);
    expect(lines(machine)).toEqual([]);
    idleUntil(machine, machine.hz * 2 + 1);
    expect(lines(machine)).toEqual([5]);
    expect(peek(machine, C) & 0xff).toBe(0xb0);
    poke(machine, B, 0x16);
    idleUntil(machine, machine.hz * 3 + 1);
    expect(peek(machine, C) & 0xff).toBe(0x90);
  });

  test('UIP warns 244 us before the update', () => {
    const machine = idle();
    idleUntil(machine, machine.hz - 6200);
    expect(peek(machine, A) & 0x80).toBe(0);
    idleUntil(machine, machine.hz - 6000);
    expect(peek(machine, A) & 0x80).toBe(0x80);
    idleUntil(machine, machine.hz + 1);
    expect(peek(machine, A) & 0x80).toBe(0);
  });

  test('the divider in reset stops time and ticks; after its release the first second takes half of one', () => {
    const machine = idle();
    poke(machine, B, 0x56); // periodic and update-ended
    poke(machine, A, 0x7a);
    const { hz } = machine;
    idleUntil(machine, 3 * hz);
    expect([time(machine)[0], lines(machine), peek(machine, A) & 0x80]).toEqual([0, [], 0]);
    const released = machine.cycles + 1; // the cycle of the instruction that writes
    poke(machine, A, 0x2a);
    idleUntil(machine, released + hz / 2 - 6200);
    expect(peek(machine, A) & 0x80).toBe(0);
    idleUntil(machine, released + hz / 2 - 3000);
    expect(peek(machine, A) & 0x80).toBe(0x80);
    peek(machine, C);
    idleUntil(machine, released + hz / 2 - 40);
    expect(time(machine)[0]).toBe(0);
    idleUntil(machine, released + hz / 2 + 20);
    expect([time(machine)[0], peek(machine, C) & 0xff]).toEqual([1, 0xd0]); // a tick falls on the update
    idleUntil(machine, released + hz / 2 + 390_625 - 10);
    expect(lines(machine)).toEqual([]);
    idleUntil(machine, released + hz / 2 + 390_625 + 1);
    expect(lines(machine)).toEqual([5]);
    idleUntil(machine, released + hz / 2 + 2 * hz + 20);
    expect(time(machine)[0]).toBe(3);
  });

  test('a tick stays pending until register C is read, also when register A is written with another rate, or none', () => {
    for (const a of [0x26, 0x2f, 0x20, 0x7a]) {
      const machine = idle();
      poke(machine, A, 0x26); // 1024 Hz
      poke(machine, B, 0x46); // periodic
      peek(machine, C);
      machine.run(50_000); // 2 ms
      expect(lines(machine)).toEqual([5]);
      poke(machine, A, a);
      expect(lines(machine)).toEqual([5]);
      expect(peek(machine, C) & 0xff).toBe(0xc0);
      expect(lines(machine)).toEqual([]);
      expect(peek(machine, C) & 0xff).toBe(0);
    }
  });

  test('with a start time, the last byte of RAM says that register 9 counts from 2000, as Linux reads it', () => {
    expect([reg(9), reg(63)].map((at) => peek(idle({ startTime: 1_796_000_000 }), at) & 0xff)).toEqual([26, 72]);
    expect(peek(idle(), reg(63)) & 0xff).toBe(0);
  });

  describe('daylight saving', () => {
    /** A clock of 24 hours and binary numbers, or 12 hours and BCD, that begins at this time of a Sunday. */
    function at(values: readonly number[], b: number): ReturnType<typeof idle> {
      const machine = idle();
      poke(machine, B, 0x80);
      values.forEach((value, i) => {
        poke(machine, reg([0, 2, 4, 6, 7, 8, 9][i] ?? 0), value);
      });
      poke(machine, B, b);
      return machine;
    }

    test.each([
      ['begins on the last Sunday of April', [59, 59, 1, 1, 24, 4, 94], 0x07, [0, 0, 3, 1, 24, 4, 94]],
      ['in 12 hours and BCD', [0x59, 0x59, 0x01, 1, 0x30, 0x04, 0x89], 0x01, [0, 0, 3, 1, 0x30, 4, 0x89]],
      ['not on another Sunday', [59, 59, 1, 1, 23, 4, 95], 0x07, [0, 0, 2, 1, 23, 4, 95]],
      ['not on another day', [59, 59, 1, 2, 25, 4, 94], 0x07, [0, 0, 2, 2, 25, 4, 94]],
      ['not in another month', [59, 59, 1, 1, 29, 5, 94], 0x07, [0, 0, 2, 1, 29, 5, 94]],
      ['not in the afternoon', [0x59, 0x59, 0x81, 1, 0x30, 0x04, 0x89], 0x01, [0, 0, 0x82, 1, 0x30, 4, 0x89]],
      ['not without DSE', [59, 59, 1, 1, 24, 4, 94], 0x06, [0, 0, 2, 1, 24, 4, 94]],
      ['ends on the last Sunday of October', [59, 59, 1, 1, 30, 10, 94], 0x07, [0, 0, 1, 1, 30, 10, 94]],
      ['not on the one before', [59, 59, 1, 1, 24, 10, 93], 0x07, [0, 0, 2, 1, 24, 10, 93]],
    ])('%s', (_, from, b, to) => {
      const machine = at(from, b);
      idleUntil(machine, machine.hz + 20);
      expect(time(machine)).toEqual(to);
    });

    test('the hour comes twice, not three times, and again the next year', () => {
      const machine = at([58, 59, 1, 1, 30, 10, 94], 0x07);
      idleUntil(machine, 2 * machine.hz + 20);
      expect(time(machine).slice(0, 3)).toEqual([0, 0, 1]);
      poke(machine, reg(2), 59);
      poke(machine, reg(0), 59);
      idleUntil(machine, 3 * machine.hz + 20);
      expect(time(machine).slice(0, 3)).toEqual([0, 0, 2]);
      for (const [i, value] of [
        [9, 95],
        [7, 29],
        [4, 1],
        [2, 59],
        [0, 59],
      ] as const) {
        poke(machine, reg(i), value);
      }
      idleUntil(machine, 4 * machine.hz + 20);
      expect(time(machine)).toEqual([0, 0, 1, 1, 29, 10, 95]);
    });
  });
});
