/** What a developer sees of a test that fails inside an environment. */
import { V0 } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { emitDump, emitFill, emitRoutine, runRaw } from '../src/index.ts';

test('an error that the fiber throws is the one that is thrown, also after a routine', () => {
  const mine = new Error('mine');
  const run = (after: boolean) => (): void => {
    runRaw(
      function* (raw) {
        if (after) yield* raw.routine('call0');
        else yield* raw.frame();
        throw mine;
      },
      {
        emit: (a) => {
          emitRoutine(a, 'call0', () => {
            emitFill(a);
            a.li(V0, 63);
            a.syscall(0);
            emitDump(a);
          });
        },
      },
    );
  };
  expect(run(false)).toThrow(mine);
  expect(run(true)).toThrow(mine);
});

test('a routine that is not there is named', () => {
  expect(() =>
    runRaw(function* (raw) {
      yield* raw.routine('nonesuch');
      return 0;
    }),
  ).toThrow('nonesuch');
});
