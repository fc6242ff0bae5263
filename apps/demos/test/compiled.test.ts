/** Programs in AssemblyScript that packages ship, compiled. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compiledPrograms } from '../../../scripts/compile-programs.ts';

test('what is shipped is what the sources give: if not, node scripts/compile-programs.ts', async () => {
  for (const [file, contents] of await compiledPrograms()) expect(readFileSync(file, 'utf8')).toBe(contents);
});
