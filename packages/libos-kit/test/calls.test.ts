/** System calls of fibers: typed by the table, and checked where types are not. */
import { CALLS, ERRORS, RIGHTS, type CallArguments, type CallName, type CapabilityWords } from '@exokernel/abi';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { boot, type Booted } from '../../testkit/src/index.ts';
import { LibosError, type Fiber, type Fibers } from '../src/index.ts';
import { fiberImage, type Self } from './fiber-libos.ts';

/** Runs one environment to its end. */
function run(main: (self: Self) => Fiber<number>): Booted {
  const booted = boot([fiberImage({ main })]);
  booted.finish(0);
  return booted;
}

/** Never run: what compiles, and what does not. */
export function* typed(fibers: Fibers, extent: CapabilityWords, frame: CapabilityWords): Fiber<void> {
  yield* fibers.syscall('null');
  yield* fibers.syscall('frame_alloc', -1);
  yield* fibers.syscall('disk_read', ...extent, ...frame, 0, 3);
  yield* fibers.syscall('cap_derive', ...frame, RIGHTS.read, 0);
  yield* fibers.syscall('env_map', 0, 0, 0, 0, ...frame, 0x1000);
  yield* fibers.syscall('msg_send', 3, 1, 2, 3, 4, 5, 6, 7, 8);
  yield* fibers.syscall('serial_write', ...extent, 28, 1, 2, 3, 4, 5, 6, 7);
  // @ts-expect-error a word too few
  yield* fibers.syscall('frame_alloc');
  // @ts-expect-error a word too many
  yield* fibers.syscall('null', 0);
  // @ts-expect-error one word of ten
  yield* fibers.syscall('disk_read', 1);
  // @ts-expect-error a capability forgotten
  yield* fibers.syscall('disk_read', ...frame, 0, 3);
  // @ts-expect-error a capability that is not spread
  yield* fibers.syscall('frame_free', frame);
  // @ts-expect-error three of its four words
  yield* fibers.syscall('frame_free', 1, 2, 3);
  // @ts-expect-error seven words of eight
  yield* fibers.syscall('msg_send', 3, 1, 2, 3, 4, 5, 6, 7);
  // @ts-expect-error no such call
  yield* fibers.syscall('disk_erase', ...extent);
  // @ts-expect-error as many words as somebody gives
  yield* fibers.syscall('frame_free', ...([] as number[]));
  // @ts-expect-error not a number
  yield* fibers.syscall('frame_alloc', '1');
  expectTypeOf(fibers.results('frame_alloc')).toEqualTypeOf<{
    readonly ppn: number;
    readonly capability: CapabilityWords;
  }>();
  expectTypeOf(fibers.results('tick')).toEqualTypeOf<{ readonly tick: number }>();
}

test('the types have as many words as the table says', () => {
  expectTypeOf<CallArguments<'disk_request'>['length']>().toEqualTypeOf<11>();
  expectTypeOf<CallArguments<'serial_write'>['length']>().toEqualTypeOf<12>();
  expectTypeOf<CallArguments<'null'>>().toEqualTypeOf<readonly []>();
  // Of two calls: the words of either, not of neither.
  expectTypeOf<CallArguments<'null' | 'tlbvad'>>().toEqualTypeOf<readonly [] | readonly [number]>();
  // All that there is of results: single words, and one capability behind them.
  for (const { results } of Object.values(CALLS)) expect(results.join()).toMatch(/^(\w+(,capability:4)?)?$/);
});

describe('results', () => {
  test('have the names of the table', () => {
    const seen: unknown[] = [];
    run(function* ({ fibers }) {
      yield* fibers.syscall('frame_alloc', -1);
      const { ppn, capability } = fibers.results('frame_alloc');
      seen.push(
        capability[1] === ppn,
        ppn > 0,
        capability.every((word) => word >= 0),
      );
      seen.push(yield* fibers.syscall('cap_derive', ...capability, RIGHTS.read, 1));
      const { node, capability: lower } = fibers.results('cap_derive');
      seen.push(node > 0, lower[1] === ppn);
      seen.push(yield* fibers.syscall('cap_revoke', ...capability, node), fibers.results('cap_revoke'));
      seen.push(yield* fibers.syscall('frame_free', ...lower), yield* fibers.syscall('frame_free', ...capability));
      return 0;
    });
    expect(seen).toEqual([true, true, true, 0, true, true, 0, {}, ERRORS.E_CAP, 0]);
  });

  test.each<[string, (self: Self) => Fiber<unknown>]>([
    [
      'of a call before the last',
      function* ({ fibers }) {
        yield* fibers.syscall('tick');
        yield* fibers.syscall('null');
        return fibers.results('tick');
      },
    ],
    [
      'when a routine was called since',
      function* ({ fibers, memory }) {
        yield* fibers.syscall('tick');
        yield* memory.allocate(1);
        return fibers.results('tick');
      },
    ],

    [
      'before any call',
      function* ({ fibers }) {
        return fibers.results('tick');
      },
    ],
  ])('are refused %s', (_, main) => {
    const booted = run(function* (self) {
      yield* main(self);
      return 0;
    });
    const { cause } = booted.aegis.environment(0);
    expect(cause?.error).toBeInstanceOf(LibosError);
    expect(cause?.error).toMatchObject({ code: 'call', details: { name: 'tick' } });
  });

  test('outlast a load that faults', () => {
    const booted = run(function* ({ fibers, memory }) {
      const page = yield* memory.allocate(4096);
      yield* fibers.syscall('tlbvad', page);
      yield* fibers.syscall('frame_alloc', -1);
      yield* fibers.load(page);
      const { ppn, capability } = fibers.results('frame_alloc');
      return ppn === capability[1] ? 0 : 1;
    });
    expect(booted.aegis.environment(0)).toMatchObject({ exit: 0, death: 1 });
  });
});

describe('what does not compile ends the program, and says why, before the kernel sees it', () => {
  type Untyped = (name: string, ...words: unknown[]) => Fiber<number>;
  test.each<[string, unknown[]]>([
    ['disk_read', [1]],
    ['frame_alloc', []],
    ['null', [0]],
    ['serial_write', [0, 0, 0, 0, 1, 2]],
    ['tick', Array.from({ length: 100 }, () => 0)],
    ['no_such_call', []],
    ['constructor', []],
    ['__proto__', []],
    ['', []],
  ])('%s %j', (name, words) => {
    const booted = run(function* ({ fibers }) {
      yield* (fibers.syscall.bind(fibers) as unknown as Untyped)(name, ...words);
      return 0;
    });
    const { cause, systemCalls } = booted.aegis.environment(0);
    expect(cause).toMatchObject({ kind: 'error', error: { code: 'call', details: { name } } });
    expect(systemCalls).toBe(0);
  });
});

test('every call of the table can be made with as many words as it has, and answers', () => {
  const leaving: readonly string[] = ['yield', 'sleep', 'scall', 'acall', 'env_free'];
  const names = (Object.keys(CALLS) as CallName[]).filter((name) => !leaving.includes(name));
  const codes: number[] = [];
  run(function* ({ fibers }) {
    for (const name of names) {
      const count = CALLS[name].args.reduce((sum, field) => sum + Number(field.split(':')[1] ?? 1), 0);
      const words = Array.from({ length: count }, () => 0x7fffffff);
      codes.push(yield* fibers.syscall(name, ...(words as unknown as CallArguments<typeof name>)));
    }
    return 0;
  });
  expect(codes).toHaveLength(names.length);
  for (const code of codes) expect(Object.values(ERRORS)).toContain(code);
});
