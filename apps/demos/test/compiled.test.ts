/** Programs in AssemblyScript: what packages ship is what the sources say, and what these declare is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CALLS } from '@exokernel/abi';
import { ENTRY_POINTS } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { compiledPrograms } from '../../../scripts/compile-programs.ts';

test('what is shipped is what the sources give: if not, node scripts/compile-programs.ts', async () => {
  for (const [file, contents] of await compiledPrograms()) expect(readFileSync(file, 'utf8')).toBe(contents);
});

test.each([
  ['kit.ts', Object.values(ENTRY_POINTS).flatMap((names): readonly string[] => names)],
  ['aegis.ts', Object.keys(CALLS)],
])('%s declares what there is', (file, known) => {
  const text = readFileSync(join(import.meta.dirname, '../programs', file), 'utf8');
  const names = [...text.matchAll(/declare function (\w+)/g)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(0);
  expect(known).toEqual(expect.arrayContaining(names));
});
