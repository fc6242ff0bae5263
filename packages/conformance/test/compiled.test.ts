/** What was compiled is what stands in `programs`, and what was made of tables is up to date. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { casesOf, compiledText, CALLS_FILE, COMPILED_FILE, wildCallsText } from '../../../scripts/conformance.ts';

test('src/compiled.ts: npm run conformance:programs', async () => {
  expect(readFileSync(COMPILED_FILE, 'utf8')).toBe(await compiledText());
});

test('programs/wild-calls.ts: npm run conformance:programs', async () => {
  expect(readFileSync(CALLS_FILE, 'utf8')).toBe(await wildCallsText());
});

test('a step says what it expects, and steps are numbered', () => {
  const one = (body: string): string => `/** it waits */\nexport function waits(): i32 {\n${body}\n  return 0;\n}`;
  expect(casesOf(one('  if (a < 1) return step(1, a); // ticks of sleep(1): 1 or more'))).toEqual([
    { name: 'it waits', entry: 'waits', steps: [['ticks of sleep(1)', '1 or more']] },
  ]);
  expect(() => casesOf(one('  if (a < 1) return step(1, a);'))).toThrow('waits');
  expect(() => casesOf(one('  if (a < 1) return step(2, a); // ticks: 1'))).toThrow('waits');
});
