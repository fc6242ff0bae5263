/**
 * Mutation tests of what the kernel's protection stands on (docs/fuzzing.md), outside CI: `npm run mutants [file…]`.
 *
 * Stryker changes one expression after the other in the working tree, in place, because the packages import each other by
 * links; so the tree must be clean. A mutant survives if the tests of its file hold in spite of it.
 */
import { spawnSync } from 'node:child_process';

/** The kernel's files, and the tests that are to hold each. They are few, because an endless loop costs their time. */
const TESTS: Readonly<Record<string, string>> = {
  nodes: 'nodes capabilities generations registry-rights',
  capabilities: 'capabilities nodes generations rights registry-rights registry mappings',
  frames: 'frames frames-holds families mappings pins repossession secrets',
  registry: 'registry registry-rights registry-blocks repossession',
  revocation: 'revocation revocation-needs revocation-deadlines repossession',
  slices: 'slices slices-vector time environments',
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in TESTS));
if (unknown.length > 0) {
  console.error(`mutants: no such file: ${unknown.join(', ')}; there are ${Object.keys(TESTS).join(', ')}`);
  process.exit(2);
}
if (spawnSync('git', ['diff', '--quiet']).status !== 0) {
  console.error('mutants: the working tree has changes; commit them first');
  process.exit(2);
}
let failed = false;
for (const [name, tests] of Object.entries(TESTS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.error(`mutants: ${name}`);
  const { status } = spawnSync('stryker', ['run', '--mutate', `packages/aegis/src/${name}.ts`], {
    stdio: 'inherit',
    env: { ...process.env, MUTANTS_TESTS: tests },
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
