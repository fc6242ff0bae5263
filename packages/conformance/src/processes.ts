/** Interface `processes`. */
import { PAGE_BYTES } from '@exokernel/abi';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

export const PROCESSES: readonly ProgramCase[] = [
  fiberCase(
    'a child has a copy of the memory, and its code comes back',
    ['processes', 'memory'],
    function* ({ processes, memory }, check) {
      const a = yield* memory.allocate(2 * PAGE_BYTES);
      const b = a + PAGE_BYTES;
      yield* memory.store(a, 1);
      const child = yield* processes.fork(function* () {
        check.is('the word in the child', yield* memory.load(a), 1);
        check.is('a word that was not touched, in the child', yield* memory.load(b), 0);
        yield* memory.store(a, 2);
        yield* memory.store(b, 3);
        check.is('the word that the child has stored', yield* memory.load(a), 2);
        return 42;
      });
      check.isBetween('fork', child, 0, 0x7fffffff);
      check.is('the child is the parent', child === (yield* processes.self()), false);
      yield* memory.store(b, 4);
      const ended = yield* processes.wait();
      check.is('the process that wait gives', ended?.process, child);
      check.is('its code', ended?.code, 42);
      check.is('the word that the child has stored too', yield* memory.load(a), 1);
      check.is('the word that both have stored', yield* memory.load(b), 4);
      check.is('wait without a child', (yield* processes.wait())?.process, undefined);
    },
  ),
  fiberCase(
    'many children, one after the other, leave nothing behind',
    ['processes', 'memory'],
    function* ({ processes, memory }, check) {
      const a = yield* memory.allocate(PAGE_BYTES);
      for (let i = 0; i < 20; i += 1) {
        yield* memory.store(a, i);
        const child = yield* processes.fork(function* () {
          return yield* memory.load(a);
        });
        check.isBetween(`fork number ${i}`, child, 0, 0x7fffffff);
        const ended = yield* processes.wait();
        check.is('the process that wait gives', ended?.process, child);
        check.is('its code', ended?.code, i);
      }
    },
  ),
  fiberCase('numbers agree, children have children', ['processes'], function* ({ processes }, check) {
    const self = yield* processes.self();
    const child = yield* processes.fork(function* () {
      const own = yield* processes.self();
      check.is('the child has its parent’s number', own === self, false);
      const grandchild = yield* processes.fork(function* () {
        return (yield* processes.self()) === own ? 1 : 40;
      });
      const ended = yield* processes.wait();
      check.is('the process that wait gives to the child', ended?.process, grandchild);
      check.is('the code of the grandchild', ended?.code, 40);
      return own;
    });
    const ended = yield* processes.wait();
    check.is('the process that wait gives', ended?.process, child);
    check.is('its number, as it knows it', ended?.code, child);
  }),
  fiberCase(
    'wait gives every child once, whichever ends first',
    ['processes', 'clock'],
    function* ({ processes, clock }, check) {
      const codes = new Map<number, number>();
      for (let i = 0; i < 5; i += 1) {
        const child = yield* processes.fork(function* () {
          yield* clock.sleep(12 - 2 * i);
          return 100 + i;
        });
        check.isBetween('fork', child, 0, 0x7fffffff);
        codes.set(child, 100 + i);
      }
      for (;;) {
        const ended = yield* processes.wait();
        if (ended === undefined) break;
        check.is(`the code of process ${ended.process}`, ended.code, codes.get(ended.process));
        codes.delete(ended.process);
      }
      check.is('children that wait did not give', codes.size, 0);
    },
  ),
  compiledCase('processes', 'copies'),
  compiledCase('processes', 'family'),
];
