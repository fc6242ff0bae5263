import { readFileSync } from 'node:fs';
import { compose, program } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { boot } from '../../testkit/src/index.ts';
import { batch } from '../src/index.ts';

test('the README snippet', () => {
  const sum = program('sum', ['memory'], function* (os) {
    const squares = yield* os.memory.allocate(4 * 1000);
    for (let i = 0; i < 1000; i += 1) yield* os.memory.store(squares + 4 * i, i * i);
    let total = 0;
    for (let i = 0; i < 1000; i += 1) total += yield* os.memory.load(squares + 4 * i);
    return total;
  });

  // Four neighbouring slices: one switch in and one out per round.
  const image = compose(batch, sum, { slices: 4 });
  expect(image.slices).toEqual({ count: 4, contiguous: true });
  expect(boot([image]).finish(0)[0]).toMatchObject({ name: 'sum', libos: 'batch', exit: 332_833_500 });
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const sum')).trim();
  expect(here).toContain(squeeze(body));
});
