/** One program, unchanged, on two library operating systems. */
import { readFileSync } from 'node:fs';
import { compose } from '@exokernel/libos-kit';
import { describe, expect, test } from 'vitest';
import { matmul, matmulResult } from '../src/index.ts';
import { Aegis } from '../../../packages/aegis/src/index.ts';
import { batch } from '../../../packages/batch/src/index.ts';
import { exos } from '../../../packages/exos/src/index.ts';
import { Machine } from '../../../packages/hardware/src/index.ts';
import { boot, exitOf, memoryFor } from '../../../packages/testkit/src/index.ts';

describe.each([1, 2, 3, 7, 16, 33, 40])('%i × %i', (n) => {
  const program = matmul(n);

  test.each([
    ['batch', () => compose(batch, program)],
    ['exos', () => compose(exos, program)],
  ] as const)('on %s', (_, image) => {
    expect(boot([image()]).finish(0).map(exitOf)).toEqual([matmulResult(n)]);
  });
});

test('the README example: on both at once, on one machine', () => {
  const program = matmul(20);
  const aegis = new Aegis(new Machine());
  aegis.load(compose(batch, program));
  aegis.load(compose(exos, program)); // with a libOS that has no memory this would not compile
  while (aegis.environments().some(({ status }) => status !== 'dead')) aegis.machine.run(100_000);
  const words = aegis.environments().map(({ exit }) => exit);
  expect(words).toEqual([matmulResult(20), matmulResult(20)]);

  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const lines = (/```ts\n(.*?)```/s.exec(readme)?.[1] ?? '')
    .split('\n')
    .filter((line) => /^(const|aegis|while)/.test(line));
  expect(lines).toHaveLength(6);
  for (const line of lines) expect(readFileSync(new URL(import.meta.url), 'utf8')).toContain(line);
});

test('the result tells products apart', () => {
  // By hand: A = 1, B = 3; and [[1, 6], [4, 9]] × [[3, 5], [10, 12]].
  expect(matmulResult(1)).toBe(3);
  expect(matmulResult(2)).toBe(((63 * 31 + 77) * 31 + 102) * 31 + 128);
  expect(new Set(Array.from({ length: 50 }, (_, i) => matmulResult(i + 1))).size).toBe(50);
});

test('without memory it says so', () => {
  const [env] = boot([compose(batch, matmul(256))], { ramBytes: memoryFor(128) }).finish(0);
  expect(env?.exit).toBe(-1);
});

test.each([0, -1, 257, 1.5, NaN])('%d rows are refused', (n) => {
  expect(() => matmul(n)).toThrow(RangeError);
});
