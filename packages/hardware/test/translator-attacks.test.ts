import { A0, CP0_STATUS, K0, RA, S0, S1, T0, T1, T2, V0, V1, ZERO } from '@exokernel/isa';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HardwareError, Machine, type MachineOptions, type Profile } from '../src/index.ts';
import { boot, load, record, state } from './support.ts';

const PROFILES = ['ideal', 'dec3100', 'dec5000'] as const satisfies readonly Profile[];
const TRANSLATION = { after: 2, worthwhile: 8 };

/** Runs what `build` makes on both engines, in equal steps; state and events are the same. Returns the translator's machine. */
function both(
  build: (options: MachineOptions) => Machine,
  options: MachineOptions,
  cycles = 20_000,
  before: () => void = () => undefined,
): Machine {
  const [a, b] = (['interpreter', 'translator'] as const).map((engine) => {
    before();
    const machine = build({ engine, translation: TRANSLATION, ...options });
    const events = record(machine);
    const states: unknown[] = [];
    for (let left = cycles; left > 0; left -= 5003) {
      machine.run(Math.min(left, 5003));
      states.push(state(machine));
    }
    return { machine, events, states };
  });
  expect(b?.events).toEqual(a?.events);
  expect(b?.states).toEqual(a?.states);
  return b?.machine as Machine;
}

/** An exception handler at 0x80000080 that counts in S1 and goes on at S0. */
function handler(machine: Machine): void {
  load(machine, 0x80000080, (a) => {
    a.addiu(S1, S1, 1);
    a.jr(S0);
    a.rfe();
  });
}

describe('addresses that are nearly those of translated code', () => {
  test.each(PROFILES)(
    '%s: a jump to an odd address of user code is an address error, from user and from kernel',
    (profile) => {
      const machine = both(
        (options) => {
          const made = boot(() => undefined, options);
          // User code at 0x4000 (frame 4), twice the same loop; kernel code at 0x80002000 jumps to its odd addresses.
          handler(made);
          load(made, 0x80004000, (a) => {
            a.label('next');
            for (let i = 0; i < 8; i += 1) a.addiu(V0, V0, 1);
            a.addiu(T1, T1, 1);
            a.andi(T2, T1, 63);
            a.bnez(T2, 'next');
            a.nop();
            a.jr(T0); // odd
            a.addiu(T0, T0, 1);
          });
          made.cpu.tlb.write(0, 0x4000, 0x4700);
          made.cpu.registers[T0] = 0x4001;
          load(made, 0x80002000, (a) => {
            // The handler comes here: jumps to 0x4001 in kernel mode every other time.
            a.andi(T2, S1, 1);
            a.beqz(T2, 'user');
            a.li(T0, 0x4001);
            a.jr(T0);
            a.nop();
            a.label('user');
            a.li(K0, 0x4000);
            a.mfc0(T2, CP0_STATUS);
            a.nop();
            a.ori(T2, T2, 0x8);
            a.mtc0(T2, CP0_STATUS);
            a.nop();
            a.jr(K0);
            a.rfe();
          });
          made.cpu.registers[S0] = 0x80002000 | 0;
          made.cpu.pc = 0x80002000;
          return made;
        },
        { profile },
      );
      expect(machine.cpu.registers[S1]).toBeGreaterThan(20);
    },
  );

  test.each(PROFILES)('%s: kernel code at address 0 that is written to', (profile) => {
    const machine = both(
      (options) => {
        const made = boot(() => undefined, options);
        load(made, 0x80004000, (a) => {
          a.addiu(V0, V0, 1);
          a.addiu(T1, T1, 1);
          a.andi(T2, T1, 63);
          a.bnez(T2, 'out');
          a.lw(T0, 0x4000, A0);
          a.nop();
          a.addiu(T0, T0, 1);
          a.sw(T0, 0x4000, A0);
          a.label('out');
          a.jr(RA);
          a.nop();
        });
        made.cpu.tlb.write(0, 0, 0x4700);
        load(made, 0x80002000, (a) => {
          a.lui(A0, 0x8000);
          a.label('again');
          a.li(RA, 0x80002010);
          a.jr(ZERO);
          a.nop();
          a.nop();
          a.b('again');
          a.nop();
        });
        made.cpu.pc = 0x80002000;
        return made;
      },
      { profile },
    );
    expect(machine.cpu.registers[V0]).toBeGreaterThan(1000);
  });
});

describe('the instruction cache', () => {
  test.each(PROFILES)('%s: loses what a store finds there while the caches are swapped', (profile) => {
    both(
      (options) => {
        const made = boot(() => undefined, options);
        load(made, 0x80004000, (a) => {
          for (let i = 0; i < 9; i += 1) a.addiu(V0, V0, i);
          a.jr(RA);
          a.addiu(V0, V0, 1);
        });
        load(made, 0x80002000, (a) => {
          a.lui(S0, 0x8001);
          a.label('again');
          a.li(T1, 20);
          a.label('next');
          a.li(T0, 0x80004000);
          a.jalr(RA, T0);
          a.nop();
          a.addiu(T1, T1, -1);
          a.bnez(T1, 'next');
          a.nop();
          a.lui(T0, 2);
          a.mtc0(T0, CP0_STATUS);
          a.nop();
          a.nop();
          a.sw(ZERO, 0x4010, S0);
          a.sw(ZERO, 0x4014, S0);
          a.nop();
          a.mtc0(ZERO, CP0_STATUS);
          a.nop();
          a.nop();
          a.b('again');
          a.nop();
        });
        made.cpu.pc = 0x80002000;
        return made;
      },
      { profile },
    );
  });
});

describe('a host that compiles no WebAssembly', () => {
  const api = (globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } }).WebAssembly;
  const { Module } = api;
  afterEach(() => {
    api.Module = Module;
  });
  /** Modules can be made `allowed` times from now on. */
  function allow(allowed: number): { refused: number } {
    const seen = { refused: 0 };
    let left = allowed;
    api.Module = vi.fn(function make(bytes: Uint8Array) {
      left -= 1;
      if (left >= 0) return new Module(bytes);
      seen.refused += 1;
      throw new RangeError('no');
    });
    return seen;
  }

  test('has machines that interpret; one that must translate is refused', () => {
    allow(0);
    expect(new Machine({ ramBytes: 4096 }).engine).toBe('interpreter');
    let code = 'nothing thrown';
    try {
      new Machine({ ramBytes: 4096, engine: 'translator' });
    } catch (error) {
      if (error instanceof HardwareError) code = error.code;
    }
    expect(code).toBe('engine');
  });

  test.each(PROFILES)('%s: or not any more: the code is interpreted', (profile) => {
    for (const allowed of [1, 2]) {
      let seen = { refused: 0 };
      both(
        (options) => {
          const made = boot((a) => {
            a.label('next');
            a.addiu(V0, V0, 1);
            a.andi(T0, V0, 7);
            a.bnez(T0, 'next');
            a.nop();
            a.jal('there');
            a.nop();
            a.slti(T0, V0, 1000);
            a.bnez(T0, 'next');
            a.nop();
            a.jal('later'); // gets hot when the rest has been compiled
            a.nop();
            a.label('there');
            a.jr(RA);
            a.addiu(V0, V0, 1);
            a.label('later');
            a.addiu(V1, V1, 1);
            a.bnez(V1, 'later');
            a.nop();
          }, options);
          return made;
        },
        { profile, ramBytes: 0x4000 },
        20_000,
        () => {
          api.Module = Module;
          seen = allow(allowed);
        },
      );
      expect(seen.refused > 0, `with ${allowed}`).toBe(true);
    }
  });
});
