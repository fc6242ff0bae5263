/**
 * The fuzzer (docs/fuzzing.md): environments that work together against one that is polite. Whatever they do, what is bound stays
 * protected, time is shared as it was given out, and the kernel goes on.
 */
import { CALLS } from '@exokernel/abi';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { episode, EPISODE_CALLS } from './fuzz/episode.ts';
import { PATCHES } from './fuzz/patches.ts';

/** `npm run fuzz` wants a million; FUZZ_SEED is the first episode's seed: each failure names its own. */
const CALLS_WANTED = Number(process.env['FUZZ_CALLS'] ?? 2000);
/** From so many calls on it tells how far it is. */
const MANY = 100_000;
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);

test(`colluding environments, ${CALLS_WANTED} calls from seed ${SEED} on`, () => {
  const succeeded = new Set<string>();
  let calls = 0;
  for (let seed = SEED; calls < CALLS_WANTED; seed += 1) {
    const result = episode(seed, Math.min(EPISODE_CALLS, CALLS_WANTED / 2));
    expect(result.findings, `FUZZ_SEED=${seed}`).toEqual([]);
    // An episode in which nothing happens shows nothing.
    expect(result.calls, `FUZZ_SEED=${seed}`).toBeGreaterThan(0);
    calls += result.calls;
    for (const answer of result.answers.keys()) if (answer.endsWith(' 0')) succeeded.add(answer.slice(0, -2));
    if (CALLS_WANTED >= MANY) process.stderr.write(`fuzz: seed ${seed}, ${calls} of ${CALLS_WANTED} calls\n`);
  }
  // In the long run every call succeeds.
  if (CALLS_WANTED < MANY) return;
  expect(Object.keys(CALLS).filter((name) => !succeeded.has(name))).toEqual([]);
}, 36_000_000);

test('the same seed does the same, in whatever the host did before', () => {
  const [one, other] = [episode(7, 500), episode(7, 500)];
  expect({ calls: one.calls, cycles: one.cycles, answers: one.answers }).toEqual({
    calls: other.calls,
    cycles: other.cycles,
    answers: other.answers,
  });
});

test.each(PATCHES)('what the proof takes out stands once in the kernel: $name', ({ file, replace: [from] }) => {
  const source = readFileSync(join(import.meta.dirname, '../src', file), 'utf8');
  expect(source.split(from)).toHaveLength(2);
});
