/** Every library operating system of the workspace, also with slices of half a millisecond, whose ends come anywhere. */
import type { InterfaceName, LibOs } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { batch } from '../../batch/src/index.ts';
import { exos, exosInverted } from '../../exos/src/index.ts';
import { conformance, type ConformanceOptions } from '../src/index.ts';
import { compiled, outsider } from './outsider.ts';
import { bootAt } from './machine.ts';

function all<P extends InterfaceName>(libos: LibOs<P>, options: ConformanceOptions = {}): void {
  describe(libos.name, () => {
    for (const { name, run } of conformance(libos, bootAt(), options)) test(name, run);
  });
  describe(`${libos.name}, 2048 slices a second`, () => {
    // Neighbours take as long as before, and more of the host's time.
    const cases = conformance(libos, bootAt(2048), options).filter(({ subject }) => subject !== 'neighbours');
    for (const { name, run } of cases) test(name, run);
  });
}

all(batch);
all(exos);
all(exosInverted);
all(outsider, { programs: ['fiber'] });
all(await compiled(), { programs: ['machine'] });

test('every interface has cases for programs in both forms, but lrpc, whose servers are machine code', () => {
  const subjects = (form: 'fiber' | 'machine'): string[] => [
    ...new Set(conformance(exos, bootAt(), { programs: [form] }).map(({ subject }) => subject)),
  ];
  const everything = [...exos.provides, 'revocation', 'neighbours'].sort();
  expect(subjects('machine').sort()).toEqual(everything);
  expect(subjects('fiber').sort()).toEqual(everything.filter((subject) => subject !== 'lrpc'));
});
