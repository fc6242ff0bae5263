import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Timer, Timers } from '../src/timers.ts';

test('any sequence of set, clear and fire runs what a sorted list would run', () => {
  const operation = fc.tuple(fc.nat(9), fc.constantFrom('set', 'set', 'clear', 'fire'), fc.nat(100));
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const timers = new Timers();
      const ran: number[] = [];
      const model = new Map<number, number>();
      const all = Array.from({ length: 10 }, (_, n) => new Timer(() => ran.push(n)));
      for (const [n, what, at] of operations) {
        const timer = all[n] as Timer;
        if (what === 'set') {
          timers.set(timer, at);
          model.set(n, at);
        } else if (what === 'clear') {
          timers.clear(timer);
          model.delete(n);
        } else {
          ran.length = 0;
          timers.fire(at);
          const due = [...model].filter(([, deadline]) => deadline <= at);
          expect(ran.map((m) => model.get(m))).toEqual(due.map(([, deadline]) => deadline).toSorted((x, y) => x - y));
          expect(ran.toSorted()).toEqual(due.map(([m]) => m).toSorted());
          for (const [m] of due) model.delete(m);
        }
        expect(timers.next).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
        all.forEach((timer, m) => {
          expect(timer.isSet).toBe(model.has(m));
        });
      }
    }),
  );
});

test('a timer may set itself again', () => {
  const timers = new Timers();
  const times: number[] = [];
  const timer = new Timer((now) => {
    times.push(now);
    if (times.length < 3) timers.set(timer, now + 10);
  });
  timers.set(timer, 5);
  for (const now of [4, 5, 14, 15, 100, 200]) timers.fire(now);
  expect(times).toEqual([5, 15, 100]);
});
