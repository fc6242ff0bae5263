/** Why environments ended, as an observer is told: kind, text, place, registers, the error of TypeScript; and the event. */
import { DEATHS, ERRORS, EXCEPTIONS } from '@exokernel/abi';
import { EVENT_KINDS } from '@exokernel/hardware';
import { S0, T0, V0, ZERO, type Assembler } from '@exokernel/isa';
import { compose, program, type Fiber } from '../../libos-kit/src/index.ts';
import { describe, expect, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { exos } from '../../exos/src/index.ts';
import { boot, rawImage, type Booted, type Raw } from '../../testkit/src/index.ts';

/** An environment that has no handlers. */
function helpless(emit: (a: Assembler) => void): ReturnType<typeof rawImage> {
  return rawImage({
    entry: 'main',
    handlers: Object.fromEntries(Object.keys(EXCEPTIONS).map((name) => [name, undefined])),
    emit: (a) => {
      a.label('main');
      a.li(S0, 0xfedcba98 | 0);
      emit(a);
      a.label('spin');
      a.b('spin');
      a.nop();
    },
  });
}

function sleeper(): ReturnType<typeof rawImage> {
  return rawImage({
    main: function* (raw) {
      yield* raw.sleep(40);
      return 5;
    },
  });
}

describe('an error that TypeScript throws', () => {
  const broken = program('oops', ['clock'], function* (os): Fiber<number> {
    yield* os.clock.sleep(1);
    const nothing = undefined as unknown as { property: number };
    return nothing.property;
  });

  test.each([
    ['batch, which has no handler for it', batch, DEATHS.unhandled | (EXCEPTIONS.reserved << 8)],
    ['ExOS, which ends the process', exos, DEATHS.exit],
  ])('on %s', (_, libos, death) => {
    const booted = boot([compose(libos as typeof batch, broken), sleeper()]);
    const [dead] = booted.finish(0);
    expect(dead?.death).toBe(death);
    expect(dead?.cause).toMatchObject({
      kind: 'error',
      text: "was ended by an error that its TypeScript threw: TypeError: Cannot read properties of undefined (reading 'property')",
      exception: 'reserved',
    });
    const { error, registers = [], pc = 0, address } = dead?.cause ?? {};
    expect(error).toBeInstanceOf(TypeError);
    expect(error?.stack).toContain('causes.test.ts');
    expect(registers).toHaveLength(32);
    expect(registers.every((value) => value >= 0)).toBe(true);
    // The `cop2` of the kit's loop.
    expect(pc).toBeGreaterThan(0x2000);
    expect(address).toBeUndefined();
    expect(booted.finish(1)[0]?.cause).toEqual({ kind: 'exit', text: 'exited with 5' });
  });

  const unfriendly = new Proxy(new Error('x'), {
    getPrototypeOf: () => {
      throw new RangeError('trap');
    },
    get: () => {
      throw new RangeError('trap');
    },
  });
  test.each<[string, unknown, string]>([
    ['a text', 'words', 'words'],
    ['nothing', undefined, 'a value of type undefined'],
    ['a number', 7, 'a value of type number'],
    ['an object without a prototype', Object.create(null), 'a value of type object'],
    ['an object that throws when it is looked at', unfriendly, 'an error that cannot be described'],
  ])('that is %s', (_, thrown, text) => {
    const booted = boot([
      compose(
        exos,
        program('oops', ['clock'], function* (os): Fiber<number> {
          yield* os.clock.sleep(1);
          throw thrown;
        }),
      ),
    ]);
    const { cause } = booted.finish(0)[0] ?? {};
    expect(cause?.text).toBe(`was ended by an error that its TypeScript threw: ${text}`);
    expect(cause?.error?.message).toBe(text);
    expect(cause?.error?.cause === thrown).toBe(true);
  });

  test('is not another’s, who executes an instruction that does not exist', () => {
    const booted = boot([
      rawImage({
        main: function* (raw) {
          yield* raw.sleep(1);
          throw new Error('handled');
        },
        emit: (a) => {
          a.nop();
        },
      }),
      helpless((a) => {
        a.li(T0, 3_000_000);
        a.label('wait');
        a.addiu(T0, T0, -1);
        a.bne(T0, ZERO, 'wait');
        a.nop();
        a.word(0xfc000000);
      }),
    ]);
    const [, dead] = booted.finish(1).concat(booted.finish(1));
    expect(dead?.cause).toMatchObject({ kind: 'exception', exception: 'reserved' });
    expect(dead?.cause?.error).toBeUndefined();
  });
});

describe('an exception without a handler', () => {
  test.each<[keyof typeof EXCEPTIONS, string, number | undefined, (a: Assembler) => void]>([
    ['tlbl', 'a load from 0x0, where nothing is', 0, (a) => a.lw(T0, 0, ZERO)],
    ['tlbs', 'a store to 0x4, where nothing is', 4, (a) => a.sw(T0, 4, ZERO)],
    ['adel', "a load from 0x1002, which is misaligned or the kernel's", 0x1002, (a) => a.lw(T0, 0x1002, ZERO)],
    [
      'ades',
      "a store to 0x80000000, which is misaligned or the kernel's",
      0x80000000,
      (a) => {
        a.li(T0, 0x80000000 | 0);
        a.sw(T0, 0, T0);
      },
    ],
    ['mod', 'a store to 0x2000, which is read-only', 0x2000, (a) => a.sw(T0, 0x2000, ZERO)],
    ['breakpoint', 'a break', undefined, (a) => a.break(3)],
    ['reserved', 'an instruction that does not exist, or may not be executed', undefined, (a) => a.word(0xfc000000)],
    [
      'overflow',
      'an arithmetic overflow',
      undefined,
      (a) => {
        a.li(T0, 0x7fffffff);
        a.add(T0, T0, T0);
      },
    ],
  ])('%s', (exception, what, address, emit) => {
    const booted = boot([helpless(emit), sleeper()]);
    const [dead] = booted.finish(0);
    expect(dead?.death).toBe(DEATHS.unhandled | (EXCEPTIONS[exception] << 8));
    const { pc = 0, registers = [], text } = dead?.cause ?? {};
    expect(dead?.cause).toMatchObject({ kind: 'exception', exception });
    expect(dead?.cause?.address).toBe(address);
    expect(text).toBe(`was ended by ${what}, at 0x${pc.toString(16)}`);
    expect(registers[S0]).toBe(0xfedcba98);
    expect(booted.finish(1)[0]?.cause?.kind).toBe('exit');
  });
});

describe('ends that no exception of the last instruction is to blame for', () => {
  const run = (main: (raw: Raw) => Fiber<number>): Booted => boot([rawImage({ main })]);

  test('an exit, after exceptions that were handled', () => {
    const booted = run(function* (raw) {
      yield* raw.peek(0);
      yield* raw.poke(3, 1);
      return -7;
    });
    expect(booted.finish(0)[0]?.cause).toEqual({
      kind: 'exit',
      text: 'exited with -7 (E.AGAIN: nothing is there now)',
    });
  });

  test('by another environment, after exceptions that were handled', () => {
    const shared: { self?: readonly [number, number, number, number] } = {};
    const booted = boot([
      rawImage({
        main: function* (raw) {
          yield* raw.peek(0);
          shared.self = yield* raw.granted('self');
          for (;;) yield* raw.sleep(10);
        },
      }),
      rawImage({
        main: function* (raw) {
          while (shared.self === undefined) yield* raw.sleep(1);
          expect(yield* raw.code('env_free', ...shared.self, 3)).toBe(ERRORS.E_OK);
          return 0;
        },
      }),
    ]);
    expect(booted.finish(0)[0]?.cause).toEqual({ kind: 'destroyed', text: 'was ended by another environment' });
  });

  test('keeping the processor, without an entry', () => {
    const greedy = rawImage({
      entry: 'main',
      epilogue: 'main',
      emit: (a) => {
        a.label('main');
        a.b('main');
        a.nop();
      },
    });
    expect(boot([greedy, sleeper()]).finish(0)[0]?.cause).toEqual({
      kind: 'excess',
      text: 'was ended: it did not give the processor back',
    });
  });

  test('nothing of the living, nor of records that were never used, nor of a new tenant', () => {
    const booted = boot([sleeper(), sleeper()]);
    for (const id of [0, 1, 127]) expect(booted.aegis.environment(id).cause).toBeUndefined();
    booted.finish(0, 1);
    expect(booted.aegis.environment(0).cause?.kind).toBe('exit');
    for (let i = 0; i < 128 && booted.aegis.environment(0).status === 'dead'; i += 1)
      booted.aegis.load(rawImage({ placement: { slices: 0 } }));
    expect(booted.aegis.environment(0).cause).toBeUndefined();
  });

  test('a child that throws is told of by its own record, and its parent by its own', () => {
    const parent = program('parent', ['processes'], function* (os): Fiber<number> {
      yield* os.processes.fork(function* () {
        yield* os.processes.self();
        throw new RangeError('the child');
      });
      return (yield* os.processes.wait())?.code ?? -1;
    });
    const booted = boot([compose(exos, parent)]);
    booted.finish(0);
    const causes = booted.aegis.environments().map(({ cause }) => cause?.error?.message ?? cause?.text);
    expect(causes).toEqual(['exited with 139', 'the child']);
  });
});

test('an event says which environment ended, of what, and with which word; a load that fails is none', () => {
  const booted = boot([
    sleeper(),
    helpless((a) => a.lw(V0, 0, ZERO)),
    rawImage({
      main: function* (raw) {
        const child = yield* raw.call('env_alloc');
        expect(yield* raw.code('env_free', ...child.capability, 9)).toBe(0);
        return -2;
      },
    }),
  ]);
  const seen: { env: number; death: number; exit: number; text: string | undefined }[] = [];
  booted.machine.listen((kind, _, env, death, exit) => {
    if (kind !== EVENT_KINDS['environment-end'].kind) return;
    seen.push({ env, death, exit, text: booted.aegis.environment(env).cause?.text });
  });
  expect(() => booted.aegis.load(rawImage({ extent: { start: 0, blocks: 1 } }))).toThrow();
  booted.finish(0, 1, 2);
  expect(seen.sort((a, b) => a.env - b.env)).toEqual([
    { env: 0, death: DEATHS.exit, exit: 5, text: 'exited with 5' },
    {
      env: 1,
      death: DEATHS.unhandled | (EXCEPTIONS.tlbl << 8),
      exit: 0,
      text: expect.stringMatching(/^was ended by a load from 0x0, where nothing is, at 0x2/) as string,
    },
    {
      env: 2,
      death: DEATHS.exit,
      exit: -2,
      text: 'exited with -2 (E.CAP: the capability is missing, has ended, or lacks the right)',
    },
  ]);
});

test('of what a snapshot brings only the numbers are known, and nothing of what was there before is taken for its own', () => {
  const saved = boot([helpless((a) => a.lw(V0, 0, ZERO))]);
  saved.finish(0);
  const other = boot([helpless((a) => a.break(1))]);
  other.finish(0);
  expect(other.aegis.environment(0).cause?.exception).toBe('breakpoint');
  other.machine.restore(saved.machine.snapshot());
  expect(other.aegis.environment(0).cause).toEqual({
    kind: 'exception',
    text: 'was ended by an exception that it does not handle: tlbl',
  });
});
