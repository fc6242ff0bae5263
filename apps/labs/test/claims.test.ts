/** The claims that labs share turn out false when they should: also of nothing, and of what is no number. */
import { expect, test } from 'vitest';
import { noNatives, type Sample } from '../src/bench.ts';
import { notSlower, type Row, type Section } from '../src/lab.ts';

function section(...rows: readonly Omit<Row, 'unit'>[]): Section {
  return { title: 'machine', rows: rows.map((row) => ({ unit: 'µs', ...row })) };
}

test.each([
  ['as fast', [section({ what: 'a', measured: 2, published: 2 })], true],
  [
    'one without a published value',
    [section({ what: 'a', measured: 1, published: 2 }, { what: 'b', measured: 9 })],
    true,
  ],
  ['slower', [section({ what: 'a', measured: 2.01, published: 2 })], false],
  [
    'slower on the second machine',
    [section({ what: 'a', measured: 1, published: 2 }), section({ what: 'a', measured: 3, published: 2 })],
    false,
  ],
  ['no number', [section({ what: 'a', measured: NaN, published: 2 })], false],
  ['nothing to compare', [section({ what: 'a', measured: 1 })], false],
  ['no machine', [], false],
] as const)('notSlower: %s', (_, sections, holds) => {
  expect(notSlower(sections).holds).toBe(holds);
});

test('noNatives: of every sample, and of one at least', () => {
  const sample: Sample = { cycles: 10, instructions: 10, natives: 0, nativeCycles: 0 };
  expect(noNatives([sample, sample]).holds).toBe(true);
  expect(noNatives([sample, { ...sample, natives: 1 }]).holds).toBe(false);
  expect(noNatives([]).holds).toBe(false);
});
