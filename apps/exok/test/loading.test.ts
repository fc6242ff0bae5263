/** What a command line loads before a command runs: help and completion must come at once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Every module that a file loads when it is loaded: no types, nothing that is imported when a command runs. */
function loaded(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm);
  for (const [, name = ''] of imports) {
    if (name.startsWith('.')) loaded(join(file, '..', name), seen);
    else if (name === '@exokernel/labs') loaded(join(import.meta.dirname, '../../labs/src/index.ts'), seen);
    else seen.add(name);
  }
  return seen;
}

test('the help loads neither machine nor kernel, neither tables nor spinners', () => {
  const modules = [...loaded(join(import.meta.dirname, '../src/main.ts'))];
  expect(modules.filter((name) => name.endsWith('.ts')).length).toBeGreaterThan(8);
  expect(modules.filter((name) => !/^node:|\.ts$/.test(name)).sort()).toEqual(['@bomb.sh/tab/commander', 'commander']);
});
