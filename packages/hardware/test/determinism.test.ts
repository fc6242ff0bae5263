import { A0, CP0_EPC, CP0_STATUS, K0, K1, S0, S1, T0, T1, V0, type Assembler } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  HardwareError,
  Machine,
  memoryStore,
  Wire,
  type MachineOptions,
  type NativeFunction,
  type Profile,
} from '../src/index.ts';
import { boot, CODE, idle, load, random, record, state, type Recorded } from './support.ts';

const PROFILES: readonly Profile[] = ['ideal', 'dec2100', 'dec3100', 'dec5000'];
const MAC = Uint8Array.of(8, 0, 0x2b, 1, 2, 3);

/** A kernel that counts clock ticks, calls native functions, loads with hazards, and waits in an idle loop. */
function ticking(options: MachineOptions): Machine {
  const machine = boot(() => undefined, { ramBytes: 0x4000, ...options });
  load(machine, 0x80000080, (a) => {
    a.lui(K0, 0xbd00);
    a.lw(K1, 0x30, K0); // acknowledges the clock
    a.addiu(S0, S0, 1);
    a.mfc0(K0, CP0_EPC);
    a.nop();
    a.jr(K0);
    a.rfe();
  });
  const busy = (a: Assembler): void => {
    a.label('work');
    a.lw(T0, 0x100, A0);
    a.word(0x25090001); // addiu t1, t0, 1: in the load's delay
    a.mult(T1, T0);
    a.sw(T1, 0x100, A0);
    a.cop2(0);
    a.mflo(V0);
    a.addiu(S1, S1, 1);
    a.andi(T0, S1, 7);
    a.bnez(T0, 'work');
    a.lw(T1, 0x104, A0);
    a.move(T0, S0);
    a.label('wait');
    a.bne(T0, S0, 'work');
    a.nop();
    a.label('halt');
    a.b('halt');
    a.nop();
  };
  load(machine, CODE, busy);
  const charge: NativeFunction = (cpu) => {
    const chance = (Math.imul(cpu.registers[7] ?? 0, 1664525) + 1013904223) | 0;
    cpu.registers[7] = chance;
    cpu.charge((chance >>> 20) & 63);
  };
  machine.native.install('kernel', [charge]);
  machine.cpu.registers[A0] = 0x80000000 | 0;
  load(machine, 0x80000200, (a) => {
    a.lui(T0, 0xbd00);
    a.li(T1, 0x23); // 8192 Hz
    a.sw(T1, 0x28, T0);
    a.li(T1, 0x46);
    a.sw(T1, 0x2c, T0);
    a.li(T1, 0x4000_2001);
    a.mtc0(T1, CP0_STATUS);
    a.j(CODE);
    a.nop();
  });
  machine.cpu.pc = 0x80000200;
  return machine;
}

/** Advances by the same total in different steps; `splits` gives the sizes. */
function inSteps(machine: Machine, total: number, splits: () => number): void {
  for (let left = total; left > 0;) {
    const step = Math.min(left, splits());
    machine.run(step);
    left -= step;
  }
}

describe('run', () => {
  test('refuses impossible budgets', () => {
    const machine = idle();
    for (const budget of [-1, 0.5, NaN, Infinity, 2 ** 60]) expect(() => machine.run(budget)).toThrow(HardwareError);
    expect(machine.run(0)).toEqual({ cycles: 0, instructions: 0, idleCycles: 0 });
    expect(() => new Machine({ profile: 'dec9000' as 'ideal' })).toThrow('dec9000');
    expect(() => new Machine({ profile: 'toString' as 'ideal' })).toThrow(HardwareError);
    for (const ramBytes of [0, 4095, 4097, -4096, 2 ** 29, NaN]) expect(() => new Machine({ ramBytes })).toThrow('RAM');
    for (const startTime of [-1, 0.5, 2 ** 41]) expect(() => new Machine({ startTime })).toThrow('start time');
  });

  test.each(PROFILES)('%s, in one step, steps of one, odd steps, without the fast idle loop: the same', (profile) => {
    const total = 20_011;
    const machines: [Machine, Recorded[], () => number][] = [
      [ticking({ profile }), [], () => total],
      [ticking({ profile }), [], () => 1],
      [ticking({ profile }), [], random(7)],
      [ticking({ profile, fastIdle: false }), [], () => 997],
    ];
    const results = machines.map(([machine, , splits]) => {
      const events = record(machine);
      inSteps(machine, total, () => 1 + ((splits() - 1) % 5000));
      return { state: state(machine), events };
    });
    for (const result of results.slice(1)) expect(result).toEqual(results[0]);
    expect(results[0]?.events.filter(([kind]) => kind === 'exception').length).toBeGreaterThan(5);
    expect(results[0]?.events.filter(([kind]) => kind === 'native').length).toBeGreaterThan(5);
  });

  test('random code and interrupts: any steps give the same machine and the same events', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const make = (fastIdle: boolean): [Machine, Recorded[]] => {
          const machine = hostile(seed, fastIdle);
          return [machine, record(machine)];
        };
        const [whole, wholeEvents] = make(true);
        whole.run(12_000);
        const [cut, cutEvents] = make(false);
        const next = random(seed + 1);
        inSteps(cut, 12_000, () => (next() % 4 === 0 ? 1 + (next() % 999) : 1));
        expect(state(cut)).toEqual(state(whole));
        expect(cutEvents).toEqual(wholeEvents);
      }),
      { numRuns: 10 },
    );
  });

  test('overshoot is debt: time is exact in the long run', () => {
    const machine = ticking({});
    for (let i = 1; i <= 2000; i += 1) {
      machine.run(17);
      expect(machine.cycles).toBeGreaterThanOrEqual(17 * i);
      expect(machine.cycles).toBeLessThan(17 * i + 64);
    }
  });
});

describe('idle', () => {
  test.each<[string, (a: Assembler) => void]>([
    ['b', (a) => a.b(CODE)],
    ['j', (a) => a.j(CODE)],
  ])('a %s to itself passes at once, interrupts included', (_, branch) => {
    const results = [true, false].map((fastIdle) => {
      const machine = boot(
        (a) => {
          branch(a);
          a.nop();
        },
        { fastIdle },
      );
      load(machine, 0x80000080, (a) => {
        a.lui(K0, 0xbd00);
        a.lw(K1, 0x30, K0);
        a.addiu(S0, S0, 1);
        a.mfc0(K0, CP0_EPC);
        a.nop();
        a.jr(K0);
        a.rfe();
      });
      const events = record(machine);
      machine.native.install('kernel', [
        (cpu) => {
          cpu.write(0xbd000028, Uint8Array.of(0x24, 0, 0, 0, 0x46));
        },
      ]);
      load(machine, 0x80000300, (a) => {
        a.cop2(0);
        a.j(CODE);
        a.nop();
      });
      machine.cpu.cp0.status = 0x40002001;
      machine.cpu.pc = 0x80000300;
      let passed = 0;
      for (const budget of [3, 100_001, 7, 1, 50_000]) passed += machine.run(budget).idleCycles;
      return { state: state(machine), events, idle: passed > 149_000, ticks: machine.cpu.registers[S0] };
    });
    expect(results[0]).toEqual({ ...results[1], idle: true });
    expect(results[0]?.ticks).toBe(24);
  });

  test('a loop with a busy slot is executed; one with interrupts disabled is idle for ever', () => {
    for (const [status, slot, idleCycles] of [
      [1, 0x24020001, 0],
      [0, 0, 1000],
    ] as const) {
      const machine = boot((a) => {
        a.b(CODE);
        a.word(slot);
      });
      machine.cpu.cp0.status = status;
      expect(machine.run(1001)).toEqual({ cycles: 1001, instructions: 1001, idleCycles });
    }
  });

  test('a day passes quickly, to the cycle', () => {
    const machine = idle();
    const day = 86_400 * machine.hz;
    const result = machine.run(day + 1);
    expect([machine.cycles, machine.instructions]).toEqual([day + 1, day + 1]);
    expect(result.idleCycles).toBeGreaterThan(day - 100_000 * 3);
  });
});

/** RAM full of words that are mostly instructions, everything attached, registers at interesting places. */
function hostile(seed: number, fastIdle = true): Machine {
  const next = random(seed);
  const wire = new Wire();
  const peer = wire.attach({ receive: () => undefined });
  const machine = new Machine({
    ramBytes: 0x10000,
    lance: { mac: MAC, wire, geometry: next() % 2 === 0 ? 'linear' : 'kn01' },
    profile: PROFILES[next() % 4] ?? 'ideal',
    disk: { store: memoryStore(64 * 512) },
    serial: () => undefined,
    fastIdle,
  });
  const { memory, cpu, native } = machine;
  const opcodes = [
    0, 0, 0, 1, 2, 3, 4, 5, 8, 9, 12, 13, 15, 16, 16, 17, 17, 18, 32, 35, 34, 38, 40, 43, 42, 46, 49, 57, 63,
  ];
  const functions = [0, 2, 3, 4, 6, 7, 8, 9, 12, 16, 17, 18, 19, 24, 25, 26, 27, 33, 34, 35, 36, 37, 38, 39, 42, 43];
  for (let at = 0; at < 0x10000; at += 4) {
    const opcode = opcodes[next() % opcodes.length] ?? 0;
    let word = ((opcode << 26) | (next() & 0x3ffffff)) >>> 0;
    if (opcode === 0 && next() % 8 !== 0) word = (word & ~63) | (functions[next() % functions.length] ?? 0);
    if (opcode === 16) {
      const operation = 0x42000000 + ([1, 2, 6, 8, 16, 16][next() % 6] ?? 0);
      word = [0x40000000 + (next() & 0x1ff83f), 0x40800000 + (next() & 0x1ff83f), operation][next() % 3] ?? 0;
    }
    if (opcode === 18) word = 0x4a000000 + (next() % 5);
    if (opcode >= 2 && opcode <= 3) word = ((opcode << 26) | (next() % 0x4000)) >>> 0;
    if (next() % 50 === 0) word = 0x1000ffff;
    memory.store32(at, next() % 8 === 0 ? 0 : word);
  }
  const bases = [
    0x80000000, 0xa0000000, 0xb8000000, 0xb9000000, 0xba000000, 0xbc000000, 0xbd000000, 0xbe000000, 0xb7000000, 0,
    0xffff0000,
  ];
  for (let n = 1; n < 32; n += 1) cpu.registers[n] = (bases[next() % bases.length] ?? 0) + (next() % 0x400);
  for (let i = 0; i < 64; i += 1)
    cpu.tlb.write(i, ((next() % 32) << 12) | ((next() % 3) << 6), ((next() % 20) << 12) | (next() & 0xf00));
  const natives: NativeFunction[] = [
    (n) => n.charge((n.registers[4] ?? 0) & 255),
    (n) => (n.registers[5] = n.load32(n.registers[6] ?? 0)),
    (n) => n.store32(n.registers[6] ?? 0, n.registers[7] ?? 0),
    (n) => n.jump(n.registers[8] ?? 0),
  ];
  native.install('kernel', natives);
  for (let space = 0; space < 3; space += 1) {
    native.install(space, [
      ...natives,
      () => {
        throw new Error('user');
      },
    ]);
  }
  cpu.cp0.status = [0x40000000, 0x6000ff01, 0x4000ff03, 0x7000ff0b, 0x40010000, 0x40020001][next() % 6] ?? 0;
  cpu.pc = (0x80000000 * (next() % 2) + ((next() % 0x10000) & ~3)) >>> 0;
  machine.serialInput(next() % 4, new Uint8Array(20).fill(next()));
  for (let i = 0; i < 5; i += 1) peer.send(new Uint8Array(60 + (next() % 1400)).fill(0xff));
  return machine;
}

test('hostile code in user and kernel mode never throws out of run', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const machine = hostile(seed);
      const next = random(seed ^ 0x5a5a5a5a);
      for (let round = 0; round < 40; round += 1) {
        machine.run(2000);
        // Guests get stuck in loops of exceptions: put them elsewhere, in another mode.
        const { cpu } = machine;
        cpu.cp0.status = [0x40000000, 0x4000ff01, 0x4000ff03, 0x5000ff0b, 0xf000ff03][next() % 5] ?? 0;
        cpu.cp0.entryHi = (next() % 3) << 6;
        cpu.registers[1 + (next() % 31)] = next() | 0;
        cpu.pc = (0x80000000 * (next() % 2) + ((next() % 0x10000) & ~3)) >>> 0;
      }
      expect(machine.cycles).toBeGreaterThanOrEqual(80_000);
      expect(machine.cpu.registers[0]).toBe(0);
    }),
    { numRuns: 12 },
  );
});

test('nothing is listened to when nobody listens, and a listener can leave', () => {
  const machine = ticking({});
  const events: number[] = [];
  const leave = machine.listen((kind) => events.push(kind));
  machine.run(5000);
  const { length } = events;
  expect(length).toBeGreaterThan(0);
  leave();
  machine.run(5000);
  expect(events).toHaveLength(length);
});
