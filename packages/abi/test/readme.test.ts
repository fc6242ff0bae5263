import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CALLS, ERRORS } from '../src/index.ts';

test('the README snippet', () => {
  // A page of documentation from the table of calls.
  const page = Object.entries(CALLS).map(([name, { number, args, results, what }]) => {
    const signature = `${number} ${name}(${args.join(', ')})`;
    return `${signature}${results.length === 0 ? '' : ` → ${results.join(', ')}`}: ${what}`;
  });
  const codes = Object.entries(ERRORS).map(([name, code]) => `${code} ${name}`);
  expect(page).toContain('8 tick() → tick: reads the tick counter (1/64 s)');
  expect(codes).toContain('-2 E_CAP');
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('// A page')).trim();
  expect(here).toContain(squeeze(body));
});
