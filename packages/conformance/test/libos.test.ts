/** Every library operating system of the workspace, and those of an outsider; most with slices of half a millisecond, whose ends come anywhere. */
import type { Aegis } from '@exokernel/aegis';
import type { InterfaceName, LibOs } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { exos, exosInverted } from '../../exos/src/index.ts';
import { conformance, type ConformanceOptions } from '../src/index.ts';
import { compiled, compiledFrom, outsider } from './outsider.ts';
import { bootAt } from './machine.ts';

function suite<P extends InterfaceName>(
  libos: LibOs<P>,
  hertz: Parameters<typeof bootAt>[0],
  options?: ConformanceOptions,
): void {
  describe(`${libos.name}, ${hertz ?? 64} slices a second`, () => {
    for (const { name, run } of conformance(libos, bootAt(hertz), options)) test(name, run);
  });
}

suite(batch, undefined);
suite(batch, 2048);
suite(exos, undefined);
suite(exos, 2048);
suite(exosInverted, 2048);
suite(outsider, undefined, { programs: ['fiber'] });
suite(await compiled(), 2048, { programs: ['machine'] });
// The template runs the suite in its own tests.
suite(await compiledFrom('apps/demos/programs/kv.ts', ['clock', 'console', 'memory']), undefined, {
  programs: ['machine'],
});

test('every interface has cases for programs in both forms, but lrpc, whose servers are machine code', () => {
  const subjects = (form: 'fiber' | 'machine'): string[] => [
    ...new Set(conformance(exos, bootAt(), { programs: [form] }).map(({ subject }) => subject)),
  ];
  const everything = [...exos.provides, 'disk', 'revocation', 'neighbours'].sort();
  expect(subjects('machine').sort()).toEqual(everything);
  expect(subjects('fiber').sort()).toEqual(everything.filter((subject) => subject !== 'lrpc'));
});

test('the neighbours are at work while the programs run', () => {
  let kernel: Aegis | undefined;
  const boot = bootAt(undefined, (aegis) => {
    kernel = aegis;
  });
  const one = conformance(batch, boot).find(({ subject }) => subject === 'neighbours');
  one?.run();
  const calls = kernel?.environments().filter(({ name }) => /^(wild|stranger)/.test(name));
  expect(calls?.map(({ name }) => name)).toEqual(['wild 2', 'stranger']);
  for (const { name, systemCalls } of calls ?? []) expect(systemCalls, name).toBeGreaterThan(100);
});
