/** Composition: what the compiler refuses, and what is refused at run time to those without a compiler. */
import { T9 } from '@exokernel/isa';
import { expect, test } from 'vitest';
import {
  LibosError,
  compose,
  machineProgram,
  program,
  type Fiber,
  type InterfaceName,
  type LibOs,
  type Program,
} from '../src/index.ts';
import { rawImage } from '../../testkit/src/index.ts';

const image = rawImage({ main: (raw) => raw.code('null') });
const loaded: string[] = [];

function libos<const P extends InterfaceName>(name: string, provides: readonly P[]): LibOs<P> {
  return {
    name,
    provides,
    load: (one) => {
      loaded.push(one.name);
      return image;
    },
  };
}

const small = libos('small', ['memory', 'clock']);
const large = libos('large', ['memory', 'clock', 'console', 'processes', 'pipes']);
const nothing = program('nothing', [], function* (): Fiber<number> {
  return 0;
});
const sleeper = program('sleeper', ['clock'], function* (os) {
  yield* os.clock.sleep(1);
  // @ts-expect-error: it did not say that it needs a console
  expect(os.console).toBeUndefined();
  return 0;
});
const forker = program('forker', ['processes', 'memory'], function* (os) {
  return yield* os.processes.self();
});
const machine = machineProgram('machine', ['console'], 0, (a, os) => {
  a.li(T9, os.entry('console_write'));
  // @ts-expect-error: an entry point of an interface that it does not need
  a.li(T9, os.entry('clock_sleep'));
});

test('a library operating system that provides what a program needs loads it', () => {
  loaded.length = 0;
  compose(small, nothing);
  compose(small, sleeper);
  compose(large, sleeper);
  compose(large, forker);
  compose(large, machine, { name: 'other name' });
  expect(loaded).toEqual(['nothing', 'sleeper', 'sleeper', 'forker', 'machine']);
});

test('one that does not is a type error, and a LibosError for those without types', () => {
  loaded.length = 0;
  // @ts-expect-error: small provides no processes
  expect(() => compose(small, forker)).toThrow(LibosError);
  // @ts-expect-error: small provides no console
  expect(() => compose(small, machine)).toThrow(LibosError);
  // @ts-expect-error: an interface that nobody knows
  const unknown = program('unknown', ['graphics'], () => nothing.main({}));
  expect(() => compose(large as unknown as LibOs<never>, unknown as unknown as Program<never>)).toThrow(LibosError);
  expect(loaded).toEqual([]);
  let thrown: unknown;
  try {
    compose(small as unknown as LibOs<'processes'>, forker as unknown as Program<'processes'>);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'needs', details: { missing: ['processes'] } });
});

test('a program is what it says: needs are inferred, not widened', () => {
  const needs: readonly 'clock'[] = sleeper.needs;
  expect(needs).toEqual(['clock']);
  // @ts-expect-error: nor are they anything else
  const wrong: readonly 'memory'[] = sleeper.needs;
  expect(wrong).toEqual(['clock']);
});
