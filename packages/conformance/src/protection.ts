/** Interface `protection`. Handlers are for machine code: machine-code.ts. */
import { PAGE_BYTES } from '@exokernel/abi';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

export const PROTECTION: readonly ProgramCase[] = [
  fiberCase(
    'a protected page ends a process that has no handler; one that was unprotected does not',
    ['protection', 'memory', 'processes'],
    function* ({ protection, memory, processes }, check) {
      const at = yield* memory.allocate(4 * PAGE_BYTES);
      yield* memory.store(at, 5);
      for (const pages of [1, 3]) {
        yield* processes.fork(function* () {
          check.is(`protect of ${pages} pages`, yield* protection.protect(at, pages), 0);
          yield* memory.load(at);
          return 55;
        });
        const ended = yield* processes.wait();
        check.is('a child that loads from a protected page goes on', ended?.code === 55, false);
        check.is(`protect of ${pages} pages`, yield* protection.protect(at, pages), 0);
        check.is(`unprotect of ${pages} pages`, yield* protection.unprotect(at, pages), 0);
        check.is('the word of a page that was unprotected', yield* memory.load(at), 5);
      }
    },
  ),
  fiberCase(
    'ranges that are none are refused, and change nothing',
    ['protection', 'memory'],
    function* ({ protection, memory }, check) {
      const at = yield* memory.allocate(4 * PAGE_BYTES);
      yield* memory.store(at, 5);
      const ranges = [
        [0, 1],
        [-1, 1],
        [-PAGE_BYTES, 2],
        [at, 0],
        [at, -1],
        [at, 0x7fffffff],
      ] as const;
      for (const [va, pages] of ranges) {
        check.is(`protect(${va}, ${pages})`, yield* protection.protect(va, pages), -1);
        check.is(`unprotect(${va}, ${pages})`, yield* protection.unprotect(va, pages), -1);
        check.is(`clean(${va}, ${pages})`, yield* protection.clean(va, pages), -1);
      }
      for (const va of [0, -1]) check.is(`dirty(${va})`, yield* protection.dirty(va), -1);
      check.is('the word of a page in none of them', yield* memory.load(at), 5);
    },
  ),
  fiberCase(
    'a page is dirty when it was written, clean when it was cleaned, and a reader leaves it so',
    ['protection', 'memory'],
    function* ({ protection, memory }, check) {
      const at = yield* memory.allocate(3 * PAGE_BYTES);
      for (let i = 0; i < 3; i += 1) yield* memory.store(at + i * PAGE_BYTES, i + 1);
      check.is('dirty, of a page that was written', yield* protection.dirty(at + PAGE_BYTES + 8), 1);
      check.is('clean(at, 3)', yield* protection.clean(at, 3), 0);
      for (let i = 0; i < 3; i += 1)
        check.is('dirty, of a clean page', yield* protection.dirty(at + i * PAGE_BYTES), 0);
      check.is('the word of a clean page', yield* memory.load(at), 1);
      check.is('dirty, of a page that was read', yield* protection.dirty(at), 0);
      yield* memory.store(at + PAGE_BYTES, 7);
      check.is('dirty, of a page that was written again', yield* protection.dirty(at + PAGE_BYTES), 1);
      check.is('dirty, of the page before it', yield* protection.dirty(at), 0);
      check.is('the word written last', yield* memory.load(at + PAGE_BYTES), 7);
    },
  ),
  compiledCase('protection', 'dirt'),
  compiledCase('protection', 'ranges'),
];
