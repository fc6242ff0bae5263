/** Interface `clock`. */
import { TICKS_PER_SECOND } from '@exokernel/abi';
import { compiledCase, fiberCase, type ProgramCase } from './case.ts';

export const CLOCK: readonly ProgramCase[] = [
  fiberCase('ticks do not go back, and a sleep takes its time', ['clock'], function* ({ clock }, check) {
    const before = yield* clock.ticks();
    yield* clock.sleep(3);
    const passed = (yield* clock.ticks()) - before;
    check.isBetween('ticks of sleep(3)', passed, 3, 2 + TICKS_PER_SECOND);
  }),
  fiberCase('a sleep of nothing, or of less, is a sleep of one tick', ['clock'], function* ({ clock }, check) {
    for (const ticks of [0, -1, -1000]) {
      const before = yield* clock.ticks();
      yield* clock.sleep(ticks);
      check.isBetween(`ticks of sleep(${ticks})`, (yield* clock.ticks()) - before, 1, TICKS_PER_SECOND);
    }
  }),
  compiledCase('clock', 'sleeps'),
  compiledCase('clock', 'least'),
];
