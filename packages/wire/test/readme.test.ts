import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Wire } from '../src/index.ts';

/** The snippet of the README. Its lines must be found there. */
test('README', () => {
  // A clock of 1 MHz: one alarm per timer, fired by the loop that advances it.
  const timers: { at: number; arm: (at: number) => void; disarm: () => void; fire: (at: number) => void }[] = [];
  const clock = {
    hz: 1_000_000,
    now: 0,
    timer: (fire: (at: number) => void) => {
      const timer = {
        at: Infinity,
        arm: (at: number): void => void (timer.at = at),
        disarm: (): void => void (timer.at = Infinity),
        fire,
      };
      timers.push(timer);
      return timer;
    },
  };

  const wire = new Wire({ bandwidth: 10_000_000, delayMicroseconds: 5, faults: { seed: 1, drop: 0.2 } });
  const heard: [cycle: number, length: number][] = [];
  wire.attach({ receive: (frame) => heard.push([clock.now, frame.length]) }, clock);
  const { send } = wire.attach({ receive: () => undefined }); // a station of the host
  for (let i = 0; i < 10; i += 1) send(new Uint8Array(60 + i));

  while (clock.now < 1000) {
    clock.now += 1;
    for (const timer of timers) {
      const { at } = timer;
      if (at > clock.now) continue;
      timer.disarm();
      timer.fire(at);
    }
  }
  expect([heard[0], heard.length, wire.counters.dropped]).toEqual([[63, 60], 9, 1]);

  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const snippet = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const test = readFileSync(new URL(import.meta.url), 'utf8');
  const lines = snippet.split('\n').filter((line) => line !== '' && !/^(import|console)/.test(line));
  expect(lines.length).toBeGreaterThan(25);
  for (const line of lines) expect(test).toContain(line);
});
