/** For `npm run mutants` (docs/fuzzing.md): the tests of what is mutated, without those that take long. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'packages/aegis/test/{capabilities,nodes,frames,registry,registry-rights,revocation,revocation-deadlines,repossession,slices,rights,generations,families,quotas,mappings,refusals}.test.ts',
    ],
    testTimeout: 60_000,
  },
});
