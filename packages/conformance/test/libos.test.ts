/** Library operating systems of the workspace, and those of an outsider; `libos.long.test.ts` has them with shorter slices. */
import type { Aegis } from '@exokernel/aegis';
import { expect, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { exos } from '../../exos/src/index.ts';
import { conformance } from '../src/index.ts';
import { compiled, compiledFrom, outsider } from './outsider.ts';
import { bootAt } from './machine.ts';
import { suite } from './suite.ts';

suite(batch, undefined);
suite(exos, undefined);
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
