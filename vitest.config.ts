import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Files named `*.long.test.ts` take longer than a change should wait for: attacks, searches, comparisons of engines. */
const LONG: boolean = process.env['LONG_TESTS'] !== undefined;

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // `npm test` stays short; `npm run test:long` runs the others.
    exclude: ['**/node_modules/**', LONG ? '**/!(*.long).test.ts' : '**/*.long.test.ts'],
    testTimeout: 60_000,
    // Files share a worker's modules, which keep no state of a test: a third of the time was compiling them anew.
    isolate: false,
    // By default one core is left idle, which of two is half.
    maxWorkers: '100%',
    // Commands that tests start find the code of the last one compiled: half of their time.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'node') },
  },
});
