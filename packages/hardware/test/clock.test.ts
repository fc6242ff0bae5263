import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Clock, type Timer } from '../src/bus/clock.ts';

test('timers fire in order of time, then of arming, whatever is armed, moved and disarmed', () => {
  const action = fc.record({ timer: fc.nat(9), at: fc.option(fc.nat(12), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const clock = new Clock(1000);
      const fired: [number, number][] = [];
      const timers = Array.from({ length: 10 }, (_, id) => clock.timer((at) => fired.push([id, at])));
      let expected: [number, number][] = [];
      for (const { timer, at } of actions) {
        expected = expected.filter(([id]) => id !== timer);
        if (at === undefined) timers[timer]?.disarm();
        else {
          timers[timer]?.arm(at);
          expected.push([timer, at]);
        }
        expect(clock.next).toBe(Math.min(Infinity, ...expected.map(([, when]) => when)));
      }
      expected = expected.toSorted(([, a], [, b]) => a - b); // stable: arming order breaks ties
      for (clock.now = 0; clock.now <= 12; clock.now += 1) {
        clock.runDue();
        expect(fired).toEqual(expected.filter(([, at]) => at <= clock.now));
      }
      expect(timers.some((timer) => timer.armed)).toBe(false);
    }),
  );
});

test('a timer that arms itself and others while it fires keeps the order', () => {
  const clock = new Clock(1000);
  const fired: string[] = [];
  const other = clock.timer(() => fired.push('other'));
  const self = clock.timer((at) => {
    fired.push(`self ${at}`);
    if (at < 3) self.arm(at + 0.5); // rounded up
    if (at === 2) other.arm(1); // already due
  });
  self.arm(1);
  clock.now = 5;
  clock.runDue();
  expect(fired).toEqual(['self 1', 'self 2', 'other', 'self 3']);
  expect(clock.next).toBe(Infinity);
});

test('timers with a rank fire before the others of their cycle, lowest first, whenever they were armed', () => {
  const clock = new Clock(1000);
  const fired: string[] = [];
  const make = (name: string, rank?: number): Timer => clock.timer(() => fired.push(name), rank);
  const plain = make('plain');
  const minusOne = make('-1', -1);
  const minusTwo = make('-2', -2);
  for (const order of [
    [plain, minusOne, minusTwo],
    [minusTwo, plain, minusOne],
  ]) {
    fired.length = 0;
    for (const timer of order) timer.arm(clock.now + 5);
    clock.now += 5;
    clock.runDue();
    expect(fired).toEqual(['-2', '-1', 'plain']);
  }
});
