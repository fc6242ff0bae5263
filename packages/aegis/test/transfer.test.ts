/** Protected control transfer, synchronous and asynchronous. [SOSP95 §5.2] */
import { CALLS, DEATHS, ENV, ENV_LIMIT, ENV_STATUS, ERRORS, SLICE } from '@exokernel/abi';
import { A0, S0, S1, T0, V0, V1, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { describe, expect, test } from 'vitest';
import { environmentName } from '../src/environments.ts';
import { KP } from '../src/layout.ts';
import { envAddress } from '../src/memory.ts';
import {
  boot as bootSlow,
  checkInvariants,
  emitCall,
  quicken,
  rawImage,
  runRaw,
  type Booted,
  type RawImage,
} from '../../testkit/src/index.ts';
import { changed, DUMP, emitDump, emitFill, emitRoutine, pattern, SCRATCH } from '../../testkit/src/index.ts';

type Call = 'scall' | 'acall';
const E_ENV = ERRORS.E_ENV;
/** Words of a machine-code environment, in its scratch page. */
const ENTERED = SCRATCH;
const STARTED = SCRATCH + 4;
const ANSWER = SCRATCH + 8;

function emitIncrement(a: Assembler, word: number): void {
  a.lw(T0, word, ZERO);
  a.nop();
  a.addiu(T0, T0, 1);
  a.sw(T0, word, ZERO);
}

function emitLoop(a: Assembler): void {
  const loop = a.fresh('loop');
  a.label(loop);
  a.b(loop);
  a.nop();
}

function emitTransferTo(a: Assembler, env: number, call: Call = 'scall'): void {
  a.li(V1, env);
  emitCall(a, call);
  a.sw(V0, ANSWER, ZERO);
}

/** Machine code: what to do at the first start, at the others, when entered, and at the end of a slice (default: yield). */
function machine(
  parts: {
    first?: (a: Assembler) => void;
    again?: (a: Assembler) => void;
    entered?: (a: Assembler) => void;
    end?: (a: Assembler) => void;
  },
  slices = 1,
): RawImage {
  return rawImage({
    prologue: 'start',
    epilogue: 'end',
    syncEntry: 'entry',
    asyncEntry: 'entry',
    placement: { slices },
    emit: (a) => {
      a.label('start');
      a.lw(S0, STARTED, ZERO);
      emitIncrement(a, STARTED);
      a.bnez(S0, 'again');
      a.nop();
      parts.first?.(a);
      emitLoop(a);
      a.label('again');
      parts.again?.(a);
      emitLoop(a);
      a.label('entry');
      emitIncrement(a, ENTERED);
      parts.entered?.(a);
      emitLoop(a);
      a.label('end');
      parts.end?.(a);
      a.li(A0, -1);
      emitCall(a, 'yield');
    },
    handlers: { breakpoint: undefined },
  });
}

/** A clock sixteen times as fast as the kernel's, so that a quantum is soon over. */
const HERTZ = 1024;

function run(booted: Booted, ticks: number): void {
  booted.machine.run(Math.round((ticks * booted.machine.hz) / HERTZ));
}

function boot(images: readonly RawImage[]): Booted {
  const booted = bootSlow(images);
  quicken(booted, HERTZ);
  return booted;
}

/** Who runs in the slice at `position`: an environment's number. */
function runner({ aegis }: Booted, position: number): number {
  const running = aegis.parts.memory.slice(position, SLICE.running);
  return Array.from({ length: ENV_LIMIT }, (_, env) => env).find((env) => envAddress(env) === running) ?? -1;
}

describe('the registers are the message', () => {
  test('there and back: all but v0, v1, k0; v1 is the caller', () => {
    const seen: { there: number[]; back: number[]; callers: number[] } = { there: [], back: [], callers: [] };
    const client = rawImage({
      main: function* (raw) {
        yield* raw.routine('call');
        for (let i = 0; i < 0x40; i += 1) seen.back.push(yield* raw.fibers.load(DUMP + 4 * i));
        return 0;
      },
      syncEntry: 'answered',
      emit: (a) => {
        emitRoutine(a, 'call', () => {
          emitFill(
            a,
            new Map([
              [V0, CALLS.scall.number],
              [V1, 1],
            ]),
          );
          a.syscall(0);
          a.label('answered');
          emitDump(a);
        });
      },
    });
    const server = rawImage({
      syncEntry: 'serve',
      placement: { slices: 0 },
      emit: (a) => {
        a.label('serve');
        emitDump(a);
        // The answer: the same registers but for s0.
        a.lw(T0, DUMP + 4 * T0, ZERO);
        a.li(S0, 4711);
        a.li(V0, CALLS.scall.number);
        a.syscall(0);
      },
    });
    const booted = boot([client, server]);
    booted.runUntil(() => {
      if (seen.there.length === 0 && booted.word(1, DUMP + 4 * V1) === 0 && booted.word(1, DUMP + 4 * S1) !== 0) {
        for (let i = 0; i < 0x40; i += 1) seen.there.push(booted.word(1, DUMP + 4 * i));
      }
      return booted.aegis.environment(0).status === 'dead';
    });
    expect(booted.aegis.environment(0).death).toBe(DEATHS.exit);
    const others = (
      dump: readonly number[],
      more: readonly (readonly [Register, number])[],
    ): ReadonlyMap<Register, number> => new Map([[V0, dump[V0] ?? 0], ...more]);
    expect(changed(seen.there, 0, others(seen.there, [[V1, 0]]))).toEqual([]);
    expect(
      changed(
        seen.back,
        0,
        others(seen.back, [
          [V1, 1],
          [S0, 4711],
        ]),
      ),
    ).toEqual([]);
    expect(booted.aegis.environment(1)).toMatchObject({ slices: 0, systemCalls: 1 });
  });

  test.each(['scall', 'acall'] as const)('a %s that is refused changes v0 alone', (call) => {
    const dump: number[] = [];
    runRaw(
      function* (raw) {
        yield* raw.routine('call');
        for (let i = 0; i < 0x40; i += 1) dump.push(yield* raw.fibers.load(DUMP + 4 * i));
        return 0;
      },
      {
        emit: (a) => {
          emitRoutine(a, 'call', () => {
            emitFill(a, new Map([[V0, CALLS[call].number]]));
            a.syscall(0);
            emitDump(a);
          });
        },
      },
    );
    expect(changed(dump)).toEqual(['v0']);
    expect(dump[V0]).toBe(E_ENV);
    expect(dump[V1]).toBe(pattern(V1));
  });
});

test.each(['scall', 'acall'] as const)(
  '%s to nobody, the dead, the unborn, those without an entry answers E_ENV',
  (call) => {
    const codes: number[] = [];
    const booted = boot([
      rawImage({
        main: function* (raw) {
          const embryo = yield* raw.call('env_alloc');
          const dead = yield* raw.call('env_alloc');
          yield* raw.call('env_free', ...dead.capability, 0);
          // Its u-page is there, and so are its entries as far as it may have any before it is started.
          const frame = yield* raw.frame();
          expect(yield* raw.code('env_map', ...embryo.capability, ...frame.capability, 0x1003)).toBe(0);
          for (const field of [ENV.syncEntry, ENV.asyncEntry]) {
            expect(yield* raw.code('env_set', ...embryo.capability, field, 0x2000)).toBe(ERRORS.E_RANGE);
          }
          for (const env of [1, embryo.value, dead.value, 62, 63, 64, 65, 1000, 0x7fffffff, -1, -64, -0x80000000]) {
            codes.push(yield* raw.routine('call', env));
          }
          return 0;
        },
        emit: (a) => {
          a.label('call');
          a.move(V1, A0);
          a.li(V0, CALLS[call].number);
          a.syscall(0);
          a.ret();
          a.nop();
        },
      }),
      rawImage({
        main: function* (raw) {
          for (;;) yield* raw.sleep(1);
        },
      }),
    ]);
    booted.finish(0);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(codes).toEqual(Array.from({ length: 12 }, () => E_ENV));
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);

describe('synchronous', () => {
  test('donates this and all further instances of the slice, until it is transferred back', () => {
    const client = machine({ first: (a) => emitTransferTo(a, 1) });
    // Serves for four ends of slice, then answers.
    const server = machine(
      {
        entered: (a) => a.li(S1, 7),
        again: (a) => {
          a.addiu(S0, S0, -2);
          a.bltz(S0, 'server.more');
          a.nop();
          emitTransferTo(a, 0);
          a.label('server.more');
        },
      },
      0,
    );
    const booted = boot([client, server, machine({})]);
    const turns = booted.watch();
    run(booted, 12);
    expect(turns.map(({ env }) => env).join('')).toMatch(/^0121212(0|10)2020/);
    expect(booted.word(1, ENTERED)).toBe(1);
    expect(booted.word(0, ENTERED)).toBe(1);
    expect(runner(booted, 0)).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('goes on from hand to hand, and back to the owner when the last hand dies', () => {
    const first = machine({ first: (a) => emitTransferTo(a, 1) });
    const second = machine({ entered: (a) => emitTransferTo(a, 2) }, 0);
    const third = machine({ again: (a) => a.break(0) }, 0);
    const booted = boot([first, second, third, machine({})]);
    run(booted, 1.5);
    expect(runner(booted, 0)).toBe(2);
    run(booted, 14);
    expect(booted.aegis.environment(2).status).toBe('dead');
    expect(runner(booted, 0)).toBe(0);
    // The owner starts again at its prologue.
    expect(booted.word(0, STARTED)).toBeGreaterThan(1);
    expect(booted.word(1, STARTED)).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('when the owner dies the slice is nobody’s: who has it runs to its end, and can donate it no further', () => {
    const client = rawImage({
      main: function* (raw) {
        yield* raw.routine('call');
        return 0;
      },
      emit: (a) => {
        a.label('call');
        // Its own slice, in which it runs.
        for (let r = 4; r < 8; r += 1) a.move(r as Register, ZERO);
        a.li(T0, 0);
        emitCall(a, 'slice_alloc');
        emitCall(a, 'slice_free');
        a.li(V1, 1);
        emitCall(a, 'scall');
      },
    });
    const server = machine({}, 0);
    const booted = boot([client, server, machine({})]);
    run(booted, 0.5);
    expect(booted.word(1, ENTERED)).toBe(1);
    expect(checkInvariants(booted.aegis)).toEqual([]);
    run(booted, 8);
    expect(runner(booted, 0)).toBe(-1);
    expect(booted.word(1, STARTED)).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('a slice that was freed and allocated again is its new owner’s, also while the old one runs in it', () => {
    const client = rawImage({
      main: function* (raw) {
        const child = yield* raw.call('env_alloc');
        const own = yield* raw.call('slice_alloc', 0, 0, 0, 0, 0);
        expect(yield* raw.code('slice_free', ...own.capability)).toBe(0);
        expect(yield* raw.code('slice_alloc', ...child.capability, 0)).toBe(0);
        yield* raw.routine('call');
        return 0;
      },
      emit: (a) => {
        a.label('call');
        a.li(V1, 1);
        emitCall(a, 'scall');
      },
    });
    const booted = boot([client, machine({}, 0), machine({})]);
    run(booted, 3);
    expect(booted.machine.native.lastError).toBeUndefined();
    expect(booted.word(1, ENTERED)).toBe(1);
    expect(booted.word(1, STARTED)).toBe(0);
    expect(booted.aegis.parts.memory.slice(0, SLICE.owner)).toBe(3);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('to oneself is a jump to one’s own entry', () => {
    const booted = boot([machine({ first: (a) => emitTransferTo(a, 0) })]);
    run(booted, 1);
    expect(booted.word(0, ENTERED)).toBe(1);
    expect(runner(booted, 0)).toBe(0);
  });
});

describe('asynchronous', () => {
  test('donates what is left of this instance, and nothing else', () => {
    const client = machine({
      first: (a) => emitTransferTo(a, 1, 'acall'),
      again: (a) => emitTransferTo(a, 1, 'acall'),
    });
    const booted = boot([client, machine({}, 0), machine({})]);
    const turns = booted.watch();
    run(booted, 7);
    expect(turns.map(({ env }) => env).join('')).toMatch(/^012012012/);
    expect(runner(booted, 0)).toBe(0);
    expect(booted.word(1, STARTED)).toBe(0);
    expect(booted.word(1, ENTERED)).toBeGreaterThan(2);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test.each([
    ['an asynchronous transfer', (a: Assembler) => emitTransferTo(a, 1, 'acall')],
    [
      'a directed yield',
      (a: Assembler) => {
        a.li(A0, 1);
        emitCall(a, 'yield');
      },
    ],
  ])('who got the processor by %s has no slice to donate', (_, give) => {
    const client = machine({ first: give });
    const middle = machine({ entered: (a) => emitTransferTo(a, 2), first: (a) => emitTransferTo(a, 2) }, 0);
    const last = machine({}, 0);
    const booted = boot([client, middle, last, machine({})]);
    const turns = booted.watch();
    run(booted, 5);
    // The last one gets the rest of the quantum, once.
    expect(turns.map(({ env }) => env).join('')).toMatch(/^0123030/);
    expect(booted.word(2, ENTERED)).toBe(1);
    expect(runner(booted, 0)).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });
});

test.each(['scall', 'acall'] as const)('%s is refused once the slice is over', (call) => {
  const booted = boot([machine({ end: (a) => emitTransferTo(a, 1, call) }), machine({})]);
  run(booted, 3);
  expect(booted.word(0, ANSWER)).toBe(ERRORS.E_SLICE);
  expect(booted.word(1, ENTERED)).toBe(0);
});

test('a sleeper is awake when it is entered', () => {
  const sleeper = machine(
    {
      first: (a) => {
        a.li(A0, 0);
        emitCall(a, 'sleep');
      },
    },
    1,
  );
  const client = machine({ first: (a) => emitTransferTo(a, 0) });
  const booted = boot([sleeper, client]);
  run(booted, 0.5);
  expect(booted.word(0, ENTERED)).toBe(1);
  expect(booted.aegis.parts.memory.env(0, ENV.asleep)).toBe(0);
  // From then on it runs in its own slice and in the one it was given.
  run(booted, 4);
  expect(booted.aegis.environment(0).slices).toBeGreaterThan(3);
  expect(booted.word(1, STARTED)).toBe(1);
  expect(booted.aegis.parts.memory.kernelPage(KP.ending)).toBe(0);
});

describe('a client whose server dies, and another has the number at once', () => {
  const SECOND = SCRATCH + 12;
  const OTHER = 2;

  /** Ends the server (1) and makes another tenant of its record, which answers whom it can. Returns the newcomer's name. */
  function replace(booted: Booted): number {
    const { memory, environments } = booted.aegis.parts;
    const old = memory.env(1, ENV.name);
    // Its record is the only one that is left.
    for (let id = 0; id < ENV_LIMIT; id += 1) {
      if (memory.env(id, ENV.status) === ENV_STATUS.free) memory.setEnv(id, ENV.status, ENV_STATUS.embryo);
    }
    environments.end(1, DEATHS.destroyed);
    expect(booted.aegis.load(machine({ first: (a) => emitTransferTo(a, 0), again: (a) => emitTransferTo(a, 0) }))).toBe(
      1,
    );
    for (let id = 3; id < ENV_LIMIT; id += 1) memory.setEnv(id, ENV.status, ENV_STATUS.free);
    expect(memory.env(1, ENV.name)).not.toBe(old);
    return memory.env(1, ENV.name);
  }

  /** Calls environment 1 by the name that its first tenant has, at the first start and at the second, and notes who answers. */
  const client = (): RawImage =>
    rawImage({
      prologue: 'start',
      epilogue: 'end',
      syncEntry: 'entry',
      emit: (a) => {
        a.label('start');
        a.lw(S0, STARTED, ZERO);
        emitIncrement(a, STARTED);
        a.bnez(S0, 'again');
        a.nop();
        emitTransferTo(a, 1);
        emitLoop(a);
        a.label('again');
        emitTransferTo(a, 1);
        a.sw(V0, SECOND, ZERO);
        emitLoop(a);
        a.label('entry');
        a.sw(V1, CALLER, ZERO);
        emitIncrement(a, ENTERED);
        emitLoop(a);
        a.label('end');
        a.li(A0, -1);
        emitCall(a, 'yield');
      },
    });
  const CALLER = SCRATCH + 16;

  test('before it calls: it is refused', () => {
    const booted = boot([client(), machine({}, 0), machine({})]);
    replace(booted);
    run(booted, 0.5);
    expect(booted.word(0, ANSWER)).toBe(E_ENV);
    expect(booted.word(1, ENTERED)).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('while it is called: the slice comes back, the name is refused, and an answer has another name', () => {
    const booted = boot([client(), machine({}, 0), machine({})]);
    run(booted, 0.5);
    expect([booted.word(1, ENTERED), runner(booted, 0)]).toEqual([1, 1]);
    // The caller's name is what the server may answer to.
    const name = replace(booted);
    expect(runner(booted, 0)).toBe(0);
    run(booted, 6);
    expect(booted.word(0, SECOND)).toBe(E_ENV);
    // The newcomer has called it, under its own name.
    expect(booted.word(0, ENTERED)).toBeGreaterThan(0);
    expect(booted.word(0, CALLER) >>> 0).toBe(name);
    expect(name).not.toBe(1);
    expect(booted.word(1, ENTERED)).toBe(0);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('after it was answered: the next call is refused; by the new name it is not', () => {
    const booted = boot([client(), machine({ entered: (a) => emitTransferTo(a, 0) }, 0), machine({})]);
    run(booted, 0.5);
    expect([booted.word(0, ENTERED), booted.word(0, CALLER), runner(booted, 0)]).toEqual([1, 1, 0]);
    const name = replace(booted);
    run(booted, 6);
    expect(booted.word(0, SECOND)).toBe(E_ENV);
    expect(booted.word(1, ENTERED)).toBe(0);
    const third = booted.aegis.load(machine({ first: (a) => emitTransferTo(a, name) }));
    run(booted, 6);
    expect(booted.word(1, ENTERED)).toBe(1);
    expect(booted.word(third, ANSWER)).toBe(0);
    expect(booted.aegis.environment(OTHER).status).toBe('runnable');
  });

  test('names of one record: the number first, then never a number, another each time', () => {
    const names = [1, 2, 3, 2 ** 24, 2 ** 24 + 1].map((life) => environmentName(5, life));
    expect(names).toEqual([5, 0x80000085, 0x80000105, 0xffffff85, 0x80000005]);
  });
});
