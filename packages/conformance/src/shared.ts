/** Interface `shared`. */
import { PAGE_BYTES } from '@exokernel/abi';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

export const SHARED: readonly ProgramCase[] = [
  fiberCase(
    'what a child stores its parent finds, and another child too',
    ['shared', 'processes', 'memory'],
    function* ({ shared, processes, memory }, check) {
      const at = yield* shared.allocate();
      check.isBetween('allocate', at, PAGE_BYTES, 0x7fffffff);
      check.is('the address modulo a page', at % PAGE_BYTES, 0);
      check.is('a word of the new page', yield* memory.load(at), 0);
      for (let i = 1; i <= 3; i += 1) {
        yield* processes.fork(function* () {
          yield* memory.store(at, (yield* memory.load(at)) + i);
          return 0;
        });
        check.is('the child’s code', (yield* processes.wait())?.code, 0);
      }
      check.is('the word that three children have added to', yield* memory.load(at), 6);
      check.is('another page is this one', (yield* shared.allocate()) === at, false);
    },
  ),
  compiledCase('shared', 'one'),
];
