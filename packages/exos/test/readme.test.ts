import { readFileSync } from 'node:fs';
import { compose, program } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { boot } from '../../testkit/src/index.ts';
import { exos } from '../src/index.ts';

test('the README snippet', () => {
  const greeter = program('greeter', ['console', 'processes', 'pipes'], function* (os) {
    const { reader, writer } = yield* os.pipes.pipe();
    const child = yield* os.processes.fork(function* () {
      yield* os.pipes.write(writer, Uint8Array.of(104, 105, 10));
      return 0;
    });
    yield* os.pipes.close(writer);
    const bytes = yield* os.pipes.read(reader, 100);
    yield* os.console.write(`${child} says ${String.fromCharCode(...bytes)}`);
    const ended = yield* os.processes.wait();
    return ended?.code ?? 1;
  });

  const image = compose(exos, greeter, { serialLine: 3 });
  const booted = boot([image]);
  expect(booted.finish(0)[0]).toMatchObject({ name: 'greeter', libos: 'exos', exit: 0 });
  booted.runUntil(() => booted.serial(3).endsWith('\n'), 1);
  expect(booted.serial(3)).toBe('1 says hi\n');
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const greeter')).trim();
  expect(here).toContain(squeeze(body));
});
