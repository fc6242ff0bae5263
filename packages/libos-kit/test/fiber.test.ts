/** Fibers: TypeScript that waits, step by step, in an environment that can be interrupted and can fault. */
import { A0, T0, T1, V0 } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { BAD_ADDRESS, exos } from '../../exos/src/index.ts';
import { boot, quicken, type Booted } from '../../testkit/src/index.ts';
import {
  FIRST_LIBOS_NATIVE,
  Fibers,
  address,
  assembleRuntime,
  buildImage,
  compose,
  emitFiberEntry,
  machineProgram,
  program,
  type Fiber,
  type Interfaces,
} from '../src/index.ts';

type Os = Pick<Interfaces, 'memory' | 'clock'>;

function run(...mains: ((os: Os) => Fiber<number>)[]): Booted {
  const booted = boot(mains.map((main, i) => compose(exos, program(`fiber ${i}`, ['memory', 'clock'], main))));
  booted.runUntil(() => mains.every((_, env) => booted.aegis.environment(env).status === 'dead'));
  return booted;
}

function exits(booted: Booted): number[] {
  return booted.aegis.environments().map(({ exit }) => exit);
}

test('fibers nest like calls: machine code calls TypeScript calls machine code, each with its own result', () => {
  const fibers = new Fibers();
  const runtime = assembleRuntime({
    resumes: [],
    emit: (a) => {
      for (const [i, name] of ['outer', 'inner'].entries()) emitFiberEntry(a, name, FIRST_LIBOS_NATIVE + i);
      a.label('start');
      a.bal('outer');
      a.li(A0, 5);
      a.j('kit.exit');
      a.move(A0, V0);
    },
  });
  // n! by fibers that call each other through a routine of the machine.
  function* factorial(n: number): Fiber<number> {
    if (n === 0) return 1;
    yield* fibers.syscall('null');
    const before = yield* fibers.call(address(runtime, 'inner'), n - 1);
    yield* fibers.syscall('null');
    return n * before;
  }
  const image = buildImage({
    name: 'factorial',
    libos: 'none',
    runtime,
    entry: address(runtime, 'start'),
    pages: [],
    handlers: {},
    natives: (env) => [
      fibers.step(env),
      fibers.start(env, ([n = 0]) => factorial(n)),
      fibers.start(env, ([n = 0]) => factorial(n)),
    ],
    placement: {},
  });
  // Twice the same image: each environment has fibers of its own.
  const booted = boot([image, image]);
  quicken(booted, 4096);
  expect(booted.finish(0, 1).map(({ exit }) => exit)).toEqual([120, 120]);
});

describe('memory that faults on the way', () => {
  test('is read and written whole, over pages that get their frames meanwhile', () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 11) & 0xff);
    const main = function* ({ memory }: Os): Fiber<number> {
      const at = yield* memory.allocate(32 * 1024);
      yield* memory.write(at + 1234, bytes);
      const back = new Uint8Array(bytes.length + 8);
      yield* memory.read(at + 1230, back);
      if (back.subarray(0, 4).some((byte) => byte !== 0)) return 1;
      return back.subarray(4, -4).every((byte, i) => byte === bytes[i]) ? 0 : 2;
    };
    const booted = run(main, main);
    expect(exits(booted)).toEqual([0, 0]);
    // Pages 0 to 5 of the buffer; each faults once to get its frame.
    expect(booted.aegis.environment(0).tlbUpcalls).toBeGreaterThanOrEqual(6);
  });

  test('is read and written whole while another process takes every entry of the TLB', () => {
    const pages = 80;
    const greedy = machineProgram('greedy', ['clock'], pages * 4096, (a, os) => {
      a.label('again');
      a.li(T0, os.data);
      a.li(T1, pages);
      a.label('touch');
      a.lw(V0, 0, T0);
      a.addiu(T1, T1, -1);
      a.bnez(T1, 'touch');
      a.addiu(T0, T0, 4096);
      a.b('again');
      a.nop();
    });
    const booted = boot([
      compose(
        exos,
        program('worker', ['memory', 'clock'], function* ({ memory }) {
          const at = yield* memory.allocate(40 * 4096);
          for (let round = 0; round < 4; round += 1) {
            for (let i = 0; i < 40; i += 1) yield* memory.store(at + 4100 * i, round * 1000 + i);
            for (let i = 0; i < 40; i += 1) {
              if ((yield* memory.load(at + 4100 * i)) !== round * 1000 + i) return 1;
            }
          }
          return 7;
        }),
      ),
      compose(exos, greedy),
    ]);
    quicken(booted, 8192);
    expect(booted.finish(0)[0]).toMatchObject({ exit: 7 });
    expect(booted.aegis.environment(0).stlbHits).toBeGreaterThan(100);
  });

  test('and is not there at all ends the process, with what came before done, and nobody else', () => {
    let written = 0;
    const booted = run(
      function* ({ memory }) {
        const at = yield* memory.allocate(4096);
        yield* memory.store(at, 1);
        written = yield* memory.load(at);
        yield* memory.write(at + 4000, new Uint8Array(200));
        return 1;
      },
      function* ({ clock }) {
        yield* clock.sleep(4);
        return 2;
      },
    );
    expect(written).toBe(1);
    expect(exits(booted)).toEqual([BAD_ADDRESS, 2]);
  });

  test.each([
    ['null', 0],
    ['kseg0', 0x80000000],
    ['an odd word', 0x400002],
    ['text', 0x2000],
    ['its u-page', 0x1ffe],
  ])('a store to %s ends the process unless it is its own', (_, va) => {
    const booted = run(function* ({ memory }) {
      yield* memory.store(va, 1);
      return 3;
    });
    expect(exits(booted)).toEqual([BAD_ADDRESS]);
  });
});

describe('errors of the program', () => {
  test('a fiber that throws ends its own process', () => {
    const booted = run(
      function* ({ clock }) {
        yield* clock.ticks();
        throw new TypeError('what the program did');
      },
      function* ({ clock }) {
        yield* clock.sleep(4);
        return 2;
      },
    );
    expect(exits(booted)).toEqual([BAD_ADDRESS, 2]);
    expect(booted.machine.native.lastError?.message).toContain('what the program did');
  });

  test('catching what a fault throws does not undo the fault', () => {
    const booted = run(function* ({ memory }) {
      try {
        yield* memory.load(3);
      } catch {
        return 4;
      }
      return 5;
    });
    expect(exits(booted)).toEqual([BAD_ADDRESS]);
  });

  test('a fiber that never waits keeps its own slice, not those of others, as long as the host lets it', () => {
    const booted = run(
      function* ({ clock }) {
        for (let i = 0; i < 2000; i += 1) yield* clock.ticks();
        return 0;
      },
      function* ({ clock }) {
        yield* clock.sleep(2);
        return 1;
      },
    );
    expect(exits(booted)).toEqual([0, 1]);
  });
});
