import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { A0, V0 } from '@exokernel/isa';
import { boot } from '../../testkit/src/index.ts';
import * as kit from '../src/index.ts';

test('the README snippet', () => {
  const tiny: kit.LibOs<'clock'> = {
    name: 'tiny',
    provides: ['clock'],
    load: (program, placement) => {
      if (program.kind !== 'fiber') throw new RangeError('tiny runs TypeScript only');
      const fibers = new kit.Fibers();
      const runtime = kit.assembleRuntime({
        resumes: [],
        emit: (a) => {
          kit.emitClock(a);
          kit.emitFiberEntry(a, 'tiny.main', kit.FIRST_LIBOS_NATIVE);
          a.label('tiny.start');
          a.bal('tiny.main');
          a.nop();
          a.j('kit.exit');
          a.move(A0, V0);
        },
      });
      const os = { clock: kit.fiberClock(fibers, runtime) };
      return kit.buildImage({
        name: program.name,
        libos: 'tiny',
        runtime,
        entry: kit.address(runtime, 'tiny.start'),
        pages: [],
        handlers: {},
        natives: (env) => [fibers.step(env), fibers.start(env, () => program.main(os))],
        placement,
      });
    },
  };

  const nap = kit.program('nap', ['clock'], function* (os) {
    const before = yield* os.clock.ticks();
    yield* os.clock.sleep(3);
    return (yield* os.clock.ticks()) - before;
  });
  const image = kit.compose(tiny, nap);
  const [outcome] = boot([image]).finish(0);
  expect(outcome).toMatchObject({ name: 'nap', libos: 'tiny', exit: 3 });
});

test('is this code', () => {
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const here = squeeze(readFileSync(new URL(import.meta.url), 'utf8'));
  const snippet = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? expect.unreachable();
  const body = snippet.slice(snippet.indexOf('const tiny')).trim();
  expect(here).toContain(squeeze(body));
});
