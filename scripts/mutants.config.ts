/** Vitest for `npm run mutants`: the tests that MUTANTS_TESTS names, each file beside its tests in `mutants.ts`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: (process.env['MUTANTS_TESTS'] ?? '').split(' ').map((name) => `packages/aegis/test/${name}.test.ts`),
    testTimeout: 60_000,
    isolate: false,
    maxWorkers: 1,
  },
});
