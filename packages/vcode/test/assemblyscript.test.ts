/** What docs/assemblyscript.md says of AssemblyScript is so: every block is compiled, every function run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compileAssemblyScript } from '../src/asc.ts';
import { fromWasm } from '../src/from-wasm/module.ts';
import { instantiateModule } from '../src/run/host.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/assemblyscript.md'), 'utf8');
const BLOCKS = [...PAGE.matchAll(/```ts\n(.*?)```/gs)].map(([, block = '']) => block);
const FUEL = 1_000_000;

/** What stands in the comments: by function a number or a trap, by line an error. */
function claims(block: string): { readonly results: Map<string, string>; readonly errors: string[] } {
  const results = new Map<string, string>();
  const errors: string[] = [];
  let name = '';
  block.split('\n').forEach((line, i) => {
    name = /^export function (\w+)/.exec(line)?.[1] ?? name;
    const [, error] = /\/\/ error: (.*)$/.exec(line) ?? [];
    const [, result] = /\/\/ (-?\d+|trap)$/.exec(line) ?? [];
    if (error !== undefined) errors.push(`${i + 1}: ${error}`);
    if (result !== undefined) results.set(name, result);
  });
  return { results, errors };
}

test('the page has blocks of every kind', () => {
  const all = BLOCKS.map(claims);
  expect(all.every(({ results, errors }) => results.size + errors.length > 0)).toBe(true);
  expect(all.reduce((sum, { results }) => sum + results.size, 0)).toBeGreaterThan(15);
});

describe.each(BLOCKS.map((block) => [/(?:function|class) (\w+)/.exec(block)?.[1] ?? '', block] as const))(
  'the block of %s',
  (_, block) => {
    test('does what it says', async () => {
      const { results, errors } = claims(block);
      const { wasm, diagnostics } = await compileAssemblyScript(new Map([['main.ts', block]]), 'main.ts');
      expect(diagnostics.map(({ place, message }) => `${place?.line ?? 0}: ${message}`)).toEqual(errors);
      expect(wasm === undefined).toBe(errors.length > 0);
      if (wasm === undefined) return;
      const instance = instantiateModule(fromWasm(wasm));
      for (const [name, result] of results) {
        const { status, values } = instance.call(name, [], { fuel: FUEL });
        expect([name, status === 0 ? String(Number(values[0]) | 0) : 'trap']).toEqual([name, result]);
      }
    });
  },
);
