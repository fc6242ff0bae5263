/** The cycle counter, CP0 register 9, which an R3000 does not have: `docs/machine.md`. */
import { createAssembler, CP0_COUNT, S0, S1, T0, T1, T2, ZERO } from '@exokernel/isa';
import { Machine, type MachineOptions } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';

const LOOP = 0x80001000;

/** Reads the counter without end: s0 the sum of the differences, s1 how many differ from `expected`. */
function counting(options: MachineOptions): Machine {
  const machine = new Machine({ ramBytes: 0x10000, translation: { after: 4 }, ...options });
  const a = createAssembler(LOOP);
  a.mfc0(T0, CP0_COUNT);
  a.nop();
  a.label('loop');
  a.mfc0(T1, CP0_COUNT);
  a.mtc0(ZERO, CP0_COUNT);
  a.subu(T2, T1, T0);
  a.addu(S0, S0, T2);
  a.move(T0, T1);
  a.b('loop');
  a.xor(S1, S1, T1);
  machine.memory.storeWords(0x1000, a.assemble().words);
  machine.cpu.cp0.status = 0;
  machine.cpu.pc = LOOP;
  return machine;
}

describe.each(['ideal', 'dec3100', 'dec5000'] as const)('%s: the cycle counter', (profile) => {
  test('counts the cycles of the machine, the same on both engines, in any steps; nothing sets it', () => {
    const ends = (['interpreter', 'translator'] as const).flatMap((engine) =>
      [100_000, 777].map((step) => {
        const machine = counting({ engine, profile });
        for (let left = 100_000; left > 0; left -= step) machine.run(Math.min(step, left));
        return [machine.cycles, ...machine.cpu.registers];
      }),
    );
    for (const end of ends) expect(end).toEqual(ends[0]);
    // All but what came before the first and after the last reading.
    const sum = ends[0]?.[1 + 16] ?? 0;
    expect(sum).toBeLessThan(100_000);
    expect(sum).toBeGreaterThan(99_900);
  });
});

test('it is the low word of them', () => {
  const machine = counting({ profile: 'ideal' });
  const snapshot = machine.snapshot();
  machine.run(50_000);
  expect(machine.cpu.registers[9]).toBeLessThan(50_000);
  machine.restore(snapshot);
  expect(machine.cycles).toBe(0);
});
