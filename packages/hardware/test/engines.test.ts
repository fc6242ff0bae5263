import { CP0_ENTRYHI, RA, S0, S1, S2, S3, T0, T2, V0, ZERO, encode, type Assembler } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HardwareError, Machine, type MachineOptions, type Profile } from '../src/index.ts';
import { FRAMES, tame, wild } from './random-code.ts';
import { boot, load, random, wordsOf } from './support.ts';

/** Everything that the code can change. */
function state(machine: Machine): number[] {
  let sum = 0;
  for (const word of wordsOf(machine, 0, FRAMES << 10)) sum = (Math.imul(sum, 31) + word) | 0;
  return [sum, machine.cycles, machine.instructions, ...machine.cpu.words()];
}

interface Seen {
  readonly states: unknown[];
  readonly events: number[];
}

/** Runs in steps of `step()` cycles, looking at everything after each, and at the registers at each event. */
function watch(machine: Machine, total: number, step: () => number): Seen {
  const states: unknown[] = [];
  const events: number[] = [];
  machine.listen((kind, cycle, a, b, c) => {
    let hash = kind + cycle;
    for (const r of [a, b, c, ...machine.cpu.registers, machine.cpu.hi, machine.cpu.lo])
      hash = (Math.imul(hash, 31) + r) | 0;
    events.push(hash);
  });
  for (let left = total; left > 0;) {
    const n = Math.min(left, step());
    machine.run(n);
    left -= n;
    states.push(state(machine));
  }
  return { states, events };
}

const PROFILES = ['ideal', 'dec3100', 'dec5000'] as const satisfies readonly Profile[];

/** Runs what `build` makes on both engines, in equal steps, and returns the translator's machine. */
function both(build: (options: MachineOptions) => Machine, profile: Profile, cycles = 20_000): Machine {
  const machines = (['interpreter', 'translator'] as const).map((engine) =>
    build({ engine, profile, translation: { after: 2, worthwhile: 8 } }),
  );
  const [a, b] = machines.map((machine) => watch(machine, cycles, () => 5003));
  expect(b?.events).toEqual(a?.events);
  expect(b?.states).toEqual(a?.states);
  return machines[1] as Machine;
}

describe('the engines', () => {
  test.each(PROFILES)(
    '%s: code that is written to between its runs is the new code, at its first word and its last',
    (profile) => {
      const machine = both((options) => {
        const made = boot((a) => {
          a.la(S0, 'victim');
          a.label('next');
          a.bal('victim');
          a.nop();
          a.addu(S2, S2, V0);
          // In turn: nothing, the first word (li v0, n) or the last (addiu v0, v0, n).
          a.addiu(S3, S3, 1);
          a.andi(T2, S3, 7);
          a.bnez(T2, 'keep');
          a.andi(T2, S3, 8);
          a.addu(T2, S0, T2);
          a.lw(T0, 0, T2);
          a.nop();
          a.addiu(T0, T0, 3);
          a.sw(T0, 0, T2);
          a.label('keep');
          a.b('next');
          a.nop();
          a.label('victim');
          a.addiu(V0, ZERO, 1);
          a.jr(RA);
          a.addiu(V0, V0, 1);
        }, options);
        return made;
      }, profile);
      expect(machine.cpu.registers[18]).toBeGreaterThan(10_000);
    },
  );

  test.each(PROFILES)('%s: functions that push each other out of the instruction cache', (profile) => {
    const machine = both((options) => {
      const made = boot(() => undefined, { ramBytes: 0x40000, ...options });
      const call = (a: Assembler, to: number): void => {
        a.li(T0, to);
        a.jalr(RA, T0);
        a.addiu(V0, V0, 1);
      };
      const leaf = (a: Assembler): void => {
        for (let i = 0; i < 9; i += 1) a.addiu(S1, S1, i);
        a.jr(RA);
        a.addiu(S1, S1, 1);
      };
      load(made, 0x80012040, leaf);
      load(made, 0x80022050, leaf);
      load(made, 0x80003000, leaf);
      load(made, 0x80004000, (a) => {
        a.label('next');
        // Twice each: the second time they are there.
        call(a, 0x80012040);
        call(a, 0x80012040);
        call(a, 0x80022050);
        call(a, 0x80022050);
        for (let i = 0; i < 20; i += 1) a.addiu(S2, S2, i);
        call(a, 0x80003000);
        a.b('next');
        a.nop();
      });
      made.cpu.pc = 0x80004000;
      return made;
    }, profile);
    expect(machine.cpu.registers[2]).toBeGreaterThan(200);
  });

  test.each(PROFILES)('%s: a branch at the end of a page, its slot on the next, in two address spaces', (profile) => {
    const machine = both(
      (options) => {
        const made = boot(() => undefined, { ramBytes: 0x40000, ...options });
        // Page 4 of either space ends with a branch back; page 5, its slot, is another frame in each.
        const code = (a: Assembler, step: number): void => {
          a.label('next');
          a.addiu(V0, V0, step);
          a.andi(T0, V0, 0x3f);
          a.bnez(T0, 'last');
          a.nop();
          a.mfc0(T0, CP0_ENTRYHI);
          a.nop();
          a.xori(T0, T0, 0x40);
          a.mtc0(T0, CP0_ENTRYHI);
          a.nop();
          a.nop();
          while (a.here % 0x1000 !== 0xffc) a.nop();
          a.label('last');
          a.b('next');
        };
        load(made, 0x80010000, (a) => code(a, 1));
        load(made, 0x80012000, (a) => code(a, 1));
        load(made, 0x80011000, (a) => a.addiu(S0, S0, 1));
        load(made, 0x80013000, (a) => a.addiu(S1, S1, 1));
        [0x4000, 0x5000, 0x4040, 0x5040].forEach((hi, i) => {
          made.cpu.tlb.write(i, hi, [0x10200, 0x11200, 0x12200, 0x13200][i] ?? 0);
        });
        made.cpu.pc = 0x4000;
        return made;
      },
      profile,
      60_000,
    );
    expect(machine.cpu.registers[16]).toBeGreaterThan(9);
    expect(machine.cpu.registers[17]).toBeGreaterThan(9);
  });

  test('what the host writes between runs is seen, by whatever view it writes', () => {
    const machine = boot(
      (a) => {
        a.label('next');
        a.addiu(V0, V0, 1);
        a.b('next');
        a.nop();
      },
      { engine: 'translator' },
    );
    machine.run(6000);
    expect(machine.cpu.registers[2]).toBe(2000);
    machine.memory.store32(0x1000, encode({ mnemonic: 'addiu', operands: [2, 2, 5] }));
    machine.run(3000);
    expect(machine.cpu.registers[2]).toBe(7000);
    machine.memory.write(0x1000, Uint8Array.of(1));
    machine.run(3000);
    expect(machine.cpu.registers[2]).toBe(8000);
  });

  test('one that the machine does not have is refused; the other is named', () => {
    expect(() => new Machine({ engine: 'jit' as 'translator' })).toThrow(HardwareError);
    expect(new Machine({ engine: 'interpreter' }).engine).toBe('interpreter');
    expect(new Machine().engine).toBe('translator');
  });

  test.each(PROFILES)(
    '%s: random code, with all its faults, in odd steps: the same registers, memory, cycles and events',
    (profile) => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const steps = (): (() => number) => {
            const next = random(seed ^ 77);
            return () => 1 + (next() % (next() % 3 === 0 ? 60 : 6007));
          };
          const [a, b] = (['interpreter', 'translator'] as const).map((engine) =>
            watch(wild(seed, { engine, profile }), 40_000, steps()),
          );
          expect(b?.events).toEqual(a?.events);
          expect(b?.states).toEqual(a?.states);
        }),
        { numRuns: Number(process.env.EXOKERNEL_RUNS ?? 8) },
      );
    },
  );

  test.each(PROFILES)('%s: loops over more data than the cache holds, to the same cycle', (profile) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const steps = (): (() => number) => {
          const next = random(seed ^ 77);
          return () => 1 + (next() % (next() % 3 === 0 ? 60 : 20_011));
        };
        const [a, b] = (['interpreter', 'translator'] as const).map((engine) =>
          watch(tame(seed, { engine, profile }), 100_000, steps()),
        );
        expect(b?.events).toEqual(a?.events);
        expect(b?.states).toEqual(a?.states);
      }),
      { numRuns: Number(process.env.EXOKERNEL_RUNS ?? 4) },
    );
  });
});
