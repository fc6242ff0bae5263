/** Batch: eager memory, contiguous slices, and what becomes of programs that err. */
import { DEATHS, PAGE_BYTES } from '@exokernel/abi';
import { A0, A1, RA, S0, SP, T0, V0, ZERO } from '@exokernel/isa';
import { compose, machineProgram, program, type Fiber, type Interfaces } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { BAD_ADDRESS, batch } from '../src/index.ts';
import { boot, type Booted, checkInvariants, FIRST_FREE_FRAME } from '../../testkit/src/index.ts';

type Os = Pick<Interfaces, 'memory' | 'clock'>;

function run(...mains: ((os: Os) => Fiber<number>)[]): Booted {
  const booted = boot(mains.map((main, i) => compose(batch, program(`task ${i}`, ['memory', 'clock'], main))));
  booted.runUntil(() => mains.every((_, env) => booted.aegis.environment(env).status === 'dead'));
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return booted;
}

describe('memory', () => {
  test.each([
    ['-1', -1],
    ['almost all of the address space', -4096],
    ['2 GiB', -0x80000000],
    ['2 GiB less one', 0x7fffffff],
    ['a page more than the region', 1024 * PAGE_BYTES + 1],
  ])('%s bytes are refused, and nothing is taken', (_, bytes) => {
    const booted = run(function* ({ memory }) {
      if ((yield* memory.allocate(bytes)) !== -1) return 1;
      const first = yield* memory.allocate(1);
      return first === 0x400000 ? 0 : 2;
    });
    expect(booted.aegis.environment(0).exit).toBe(0);
  });

  test('when frames run out what was taken on the way goes back, and less can be had', () => {
    // Two tasks want more than the machine has between them: 4 MiB each of the 3 MiB that are left.
    const images = [1, 2].map((i) =>
      compose(
        batch,
        program(`hog ${i}`, ['memory', 'clock'], function* ({ memory, clock }) {
          const all = yield* memory.allocate(1000 * PAGE_BYTES);
          if (all !== -1) return 1;
          // Long enough for the other one to have tried and given back.
          yield* clock.sleep(32);
          const some = yield* memory.allocate(100 * PAGE_BYTES);
          if (some !== 0x400000) return 2;
          yield* memory.store(some + 99 * PAGE_BYTES, i);
          yield* clock.sleep(2);
          return (yield* memory.load(some + 99 * PAGE_BYTES)) === i ? 0 : 3;
        }),
      ),
    );
    const booted = boot(images, { ramBytes: 4 * 1024 * 1024 });
    booted.runUntil(() => [0, 1].every((env) => booted.aegis.environment(env).status === 'dead'));
    expect([0, 1].map((env) => booted.aegis.environment(env).exit)).toEqual([0, 0]);
    expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('all of the region can be had, page by page, and then no more', () => {
    const booted = run(function* ({ memory }) {
      for (let i = 0; i < 1024; i += 1) {
        const at = yield* memory.allocate(PAGE_BYTES);
        if (at !== 0x400000 + i * PAGE_BYTES) return 1;
      }
      if ((yield* memory.allocate(1)) !== -1) return 2;
      yield* memory.store(0x7ffffc, 7);
      return (yield* memory.load(0x7ffffc)) === 7 ? 0 : 3;
    });
    expect(booted.aegis.environment(0).exit).toBe(0);
    expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
  });
});

describe('a bad address ends the task with its code, and nobody else', () => {
  test.each([
    ['null', 0],
    ['a page that was not allocated', 0x401000],
    ['behind the region', 0x800000],
  ])('%s', (_, va) => {
    const booted = run(
      function* ({ memory }) {
        yield* memory.allocate(1);
        yield* memory.load(va);
        return 1;
      },
      function* ({ clock }) {
        yield* clock.sleep(4);
        return 2;
      },
    );
    expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.exit, exit: BAD_ADDRESS });
    expect(booted.aegis.environment(1)).toMatchObject({ death: DEATHS.exit, exit: 2 });
  });

  test('its own text cannot be written', () => {
    const image = compose(
      batch,
      machineProgram('self-modifying', [], 0, (a) => {
        a.lui(T0, 0x40);
        a.sw(ZERO, 0, T0);
        a.ret();
        a.li(V0, 1);
      }),
    );
    const booted = boot([image]);
    booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
    expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.exit, exit: BAD_ADDRESS });
  });
});

test('a task that runs long owns neighbouring slices and runs through them', () => {
  const spin = machineProgram('spin', ['clock'], 0, (a, os) => {
    // Until tick 8.
    a.addiu(SP, SP, -8);
    a.sw(RA, 4, SP);
    a.li(S0, 8);
    a.label('again');
    a.li(T0, os.entry('clock_ticks'));
    a.jalr(RA, T0);
    a.nop();
    a.sltu(V0, V0, S0);
    a.bnez(V0, 'again');
    a.nop();
    a.lw(RA, 4, SP);
    a.addiu(SP, SP, 8);
    a.ret();
    a.move(V0, ZERO);
  });
  const booted = boot([compose(batch, spin, { slices: 4 }), compose(batch, spin)]);
  const turns = booted.watch();
  booted.finish(0, 1);
  const tick = booted.machine.hz / 64;
  const [first, second] = turns;
  expect(Math.round(((second?.from ?? 0) - (first?.from ?? 0)) / tick)).toBe(4);
});

test('machine code uses every entry point', () => {
  const all = machineProgram('all', ['memory', 'clock'], 16, (a, os) => {
    const call = (name: Parameters<typeof os.entry>[0]): void => {
      a.li(T0, os.entry(name));
      a.jalr(RA, T0);
      a.nop();
    };
    a.addiu(SP, SP, -16);
    a.sw(RA, 12, SP);
    // Three ticks of sleep, measured; kept in the program's data.
    call('clock_ticks');
    a.li(S0, os.data);
    a.sw(V0, 0, S0);
    a.li(A0, 3);
    call('clock_sleep');
    call('clock_ticks');
    a.lw(A1, 0, S0);
    a.nop();
    a.subu(V0, V0, A1);
    a.sw(V0, 4, S0);
    // A page, written and read.
    a.li(A0, 10);
    call('memory_allocate');
    a.li(T0, 77);
    a.sw(T0, 0, V0);
    a.lw(T0, 0, V0);
    a.lw(V0, 4, S0);
    a.nop();
    a.sltiu(V0, V0, 5);
    a.beqz(V0, 'late');
    a.move(V0, T0);
    a.label('end');
    a.lw(RA, 12, SP);
    a.addiu(SP, SP, 16);
    a.ret();
    a.nop();
    a.label('late');
    a.b('end');
    a.li(V0, 1);
  });
  const booted = boot([compose(batch, all)]);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 77 });
});
