import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Machine } from '@exokernel/hardware';
import { batch } from '../../batch/src/index.ts';
import { compose, program } from '../../libos-kit/src/index.ts';
import { Aegis } from '../src/index.ts';

test('the README snippet', () => {
  const answer = program('answer', ['clock'], function* (os) {
    yield* os.clock.sleep(2);
    return 42;
  });

  const machine = new Machine();
  const aegis = new Aegis(machine);
  const env = aegis.load(compose(batch, answer));
  while (aegis.environment(env).status !== 'dead') machine.run(25_000);
  const { name, libos, exit, systemCalls } = aegis.environment(env);
  expect([name, libos, exit]).toEqual(['answer', 'batch', 42]);
  expect(systemCalls).toBeGreaterThan(2);
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const answer =')).trim();
  expect(here).toContain(squeeze(body));
});
