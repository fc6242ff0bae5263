/** Processes of ExOS: trees of them, their limits, and how they end. */
import { DEATHS } from '@exokernel/abi';
import { A0, A1, RA, S0, SP, T0, V0, ZERO } from '@exokernel/isa';
import { compose, machineProgram, program, type Fiber, type Interfaces, type Placement } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { BAD_ADDRESS, KILLED, exos } from '../src/index.ts';
import { boot, type Booted, checkInvariants, exitOf, FIRST_FREE_FRAME, memoryFor } from '../../testkit/src/index.ts';

type Os = Pick<Interfaces, 'console' | 'clock' | 'memory' | 'processes' | 'pipes'>;

function image(main: (os: Os) => Fiber<number>, placement: Placement = {}): ReturnType<typeof compose> {
  return compose(exos, program('process', ['console', 'clock', 'memory', 'processes', 'pipes'], main), placement);
}

/** Runs one process and all its children, to the end; nothing is left of them. */
function run(main: (os: Os) => Fiber<number>): { booted: Booted; exit: number } {
  const booted = boot([image(main)]);
  const [info] = booted.finish(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  const exit = info === undefined ? -1 : exitOf(info);
  booted.runUntil(() => booted.aegis.environments().every(({ status }) => status === 'dead'), 5);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
  return { booted, exit };
}

test('a tree of three generations: each has the memory of its parent at the fork, and its own from then on', () => {
  const { booted, exit } = run(function* ({ memory, processes }) {
    const at = yield* memory.allocate(3 * 4096);
    yield* memory.store(at, 1);
    function* generation(depth: number): Fiber<number> {
      // What the ancestors wrote, one page each.
      for (let i = 0; i < depth; i += 1) if ((yield* memory.load(at + 4096 * i)) !== i + 1) return 99;
      if (depth === 3) return 1;
      yield* memory.store(at + 4096 * depth, depth + 1);
      let sum = 1;
      for (let i = 0; i < 2; i += 1) if ((yield* processes.fork(() => generation(depth + 1))) < 0) return 98;
      for (let ended = yield* processes.wait(); ended !== undefined; ended = yield* processes.wait()) sum += ended.code;
      return sum;
    }
    const total = yield* generation(1);
    // The descendants' pages are not ours: but for the one we wrote before the forks, they are zeros.
    return (yield* memory.load(at + 4096)) === 2 && (yield* memory.load(at + 8192)) === 0 ? total : 97;
  });
  // One, two, four.
  expect(exit).toBe(7);
  expect(booted.aegis.environments()).toHaveLength(7);
});

test('the seventeenth child is refused, and can be had when one has been waited for', () => {
  const { exit } = run(function* ({ processes, clock }) {
    function* child(): Fiber<number> {
      yield* clock.sleep(3);
      return 5;
    }
    for (let i = 0; i < 16; i += 1) if ((yield* processes.fork(child)) < 0) return 1;
    if ((yield* processes.fork(child)) >= 0) return 2;
    if ((yield* processes.wait())?.code !== 5) return 3;
    if ((yield* processes.fork(child)) < 0) return 4;
    let left = 0;
    while ((yield* processes.wait()) !== undefined) left += 1;
    return left;
  });
  expect(exit).toBe(16);
});

test('when the machine has no room for a child fork says so, and the parent goes on', () => {
  const booted = boot(
    [
      image(function* ({ processes, memory, clock }) {
        const at = yield* memory.allocate(4096);
        let made = 0;
        const failed = yield* (function* (): Fiber<number> {
          for (;;) {
            const child = yield* processes.fork(function* () {
              yield* clock.sleep(20);
              return 0;
            });
            if (child < 0) return child;
            made += 1;
          }
        })();
        if (failed >= 0 || made === 0) return 1;
        yield* memory.store(at, 6);
        for (let i = 0; i < made; i += 1) if ((yield* processes.wait())?.code !== 0) return 2;
        return (yield* processes.wait()) === undefined ? yield* memory.load(at) : 3;
      }),
    ],
    // 64 frames for everybody.
    { ramBytes: memoryFor(64) },
  );
  const [info] = booted.finish(0);
  expect(info).toMatchObject({ death: DEATHS.exit, exit: 6 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(64);
});

describe('a child that errs is seen by its parent', () => {
  const cases: readonly (readonly [string, number, (os: Os) => Fiber<number>])[] = [
    [
      'a bad address',
      BAD_ADDRESS,
      function* ({ memory }) {
        yield* memory.store(0, 1);
        return 0;
      },
    ],
    [
      'an unaligned word',
      BAD_ADDRESS,
      function* ({ memory }) {
        return yield* memory.load(0x400001);
      },
    ],
    [
      'an error of TypeScript',
      BAD_ADDRESS,
      function* ({ clock }) {
        yield* clock.ticks();
        throw new RangeError('of the child');
      },
    ],
  ];

  test.each(cases)('%s', (_, code, child) => {
    const { exit } = run(function* (os) {
      const process = yield* os.processes.fork(() => child(os));
      const ended = yield* os.processes.wait();
      return ended?.process === process ? ended.code : -1;
    });
    expect(exit).toBe(code);
  });

  test('and its pipes end: a reader is not left waiting, a writer is told', () => {
    const { exit } = run(function* ({ memory, pipes, processes }) {
      const there = yield* pipes.pipe();
      const back = yield* pipes.pipe();
      yield* processes.fork(function* () {
        yield* pipes.close(there.writer);
        yield* pipes.close(back.reader);
        yield* pipes.read(there.reader, 1);
        yield* memory.load(0);
        return 0;
      });
      yield* pipes.close(there.reader);
      yield* pipes.close(back.writer);
      yield* pipes.write(there.writer, Uint8Array.of(1));
      if ((yield* pipes.read(back.reader, 10)).length !== 0) return 1;
      if ((yield* processes.wait())?.code !== BAD_ADDRESS) return 2;
      // Nobody reads it any more.
      return (yield* pipes.write(there.writer, new Uint8Array(5000))) === 0 ? 0 : 3;
    });
    expect(exit).toBe(0);
  });

  test('also one whose stack pointer is what is bad', () => {
    const lost = machineProgram('lost', ['processes'], 16, (a, os) => {
      a.move(S0, RA);
      a.li(T0, os.entry('process_fork'));
      a.jalr(RA, T0);
      a.nop();
      a.bnez(V0, 'parent');
      a.li(SP, 0x10);
      a.lw(V0, 0, ZERO);
      a.label('parent');
      a.li(A0, os.data);
      a.li(T0, os.entry('process_wait'));
      a.jalr(RA, T0);
      a.nop();
      a.li(A1, os.data);
      a.lw(V0, 0, A1);
      a.jr(S0);
      a.nop();
    });
    const booted = boot([compose(exos, lost)]);
    expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: BAD_ADDRESS });
  });

  test('also one that the kernel ended', () => {
    const booted = boot([
      image(function* ({ processes, clock }) {
        const child = yield* processes.fork(function* () {
          yield* clock.sleep(1000);
          return 0;
        });
        const ended = yield* processes.wait();
        return ended?.process === child ? ended.code : -1;
      }),
    ]);
    booted.runUntil(
      () => booted.aegis.environments().length === 2 && booted.aegis.environment(1).status === 'runnable',
    );
    booted.runUntil(() => false, 0.2);
    booted.aegis.parts.environments.end(1, DEATHS.destroyed);
    expect(booted.finish(0)[0]).toMatchObject({ exit: KILLED });
  });
});

test('text is shared, and copied for nobody: a child that writes to it ends, the parent’s is as it was', () => {
  const writer = machineProgram('writer', ['processes'], 16, (a, os) => {
    a.move(S0, RA);
    a.li(T0, os.entry('process_fork'));
    a.jalr(RA, T0);
    a.nop();
    a.bnez(V0, 'parent');
    a.lui(T0, 0x40);
    a.sw(ZERO, 0, T0);
    a.li(V0, 1);
    a.label('parent');
    a.li(A0, os.data);
    a.li(T0, os.entry('process_wait'));
    a.jalr(RA, T0);
    a.nop();
    a.li(A1, os.data);
    a.lw(V0, 0, A1);
    a.jr(S0);
    a.nop();
  });
  const booted = boot([compose(exos, writer)]);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: BAD_ADDRESS });
});

describe('the console', () => {
  test('is the line whose capability a process holds; children have their parent’s', () => {
    const speaker = (name: string): ((os: Os) => Fiber<number>) =>
      function* ({ console, processes }) {
        yield* console.write(`${name} `);
        yield* processes.fork(function* () {
          yield* console.write(`child of ${name}`);
          return 0;
        });
        yield* processes.wait();
        return 0;
      };
    const booted = boot([image(speaker('one'), { serialLine: 1 }), image(speaker('two'), { serialLine: 2 })]);
    booted.finish(0, 1);
    booted.runUntil(() => booted.serial(2).length === 16 && booted.serial(1).length === 16, 2);
    expect([0, 1, 2, 3].map((line) => booted.serial(line))).toEqual(['', 'one child of one', 'two child of two', '']);
  });

  test('without a true capability prints nothing, and the process goes on', () => {
    const booted = boot([
      image(function* ({ console, memory }) {
        // The capability lies in its own u-page: it may spoil it, not better it.
        yield* memory.store(0x1318, 12345);
        yield* console.write('not to be seen');
        return 8;
      }),
    ]);
    expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 8 });
    booted.runUntil(() => false, 0.1);
    expect(booted.serial(3)).toBe('');
  });
});
