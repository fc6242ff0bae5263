import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LABS } from '../src/index.ts';

test('the README example', async () => {
  const pct = await LABS.find(({ name }) => name === 'pct')?.load();
  const result = pct?.(['dec5000'], 'short', () => undefined);
  const rows = result?.sections[0]?.rows ?? [];
  const times = rows.map((row) => `${row.what}: ${row.measured} ${row.unit}, published ${row.published}`);
  expect(times).toEqual(['the call: 1.28 µs, published 1.4', 'the reply: 1.28 µs, published 1.4']);

  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const lines = (/```ts\n(.*?)```/s.exec(readme)?.[1] ?? '').split('\n').filter((line) => line.startsWith('const'));
  expect(lines).toHaveLength(4);
  for (const line of lines) expect(readFileSync(new URL(import.meta.url), 'utf8')).toContain(line);
});
