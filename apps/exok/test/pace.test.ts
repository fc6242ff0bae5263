import { expect, test } from 'vitest';
import { Pace } from '../src/pace.ts';

const HZ = 25_000_000;

/** A machine at `cycles` and a host's clock, in ms, that a test sets. */
function begin(cycles: number) {
  const host = { now: 5000 };
  const machine = { hz: HZ, cycles };
  return { host, machine, pace: new Pace(machine, () => host.now) };
}

test('a machine gets the cycles that the host’s clock has passed, and no more', () => {
  const { host, machine, pace } = begin(0);
  expect(pace.due).toBe(0);
  host.now += 10;
  expect(pace.due).toBe(HZ / 100);
  machine.cycles += HZ / 100;
  expect(pace.due).toBe(0);
  // One instruction too many, as runs do.
  machine.cycles += 3;
  expect(pace.due).toBe(0);
  host.now += 1;
  expect(pace.due).toBe(HZ / 1000 - 3);
});

test('a machine that goes on after an hour is not an hour ahead of the host, nor behind', () => {
  const { host, machine, pace } = begin(3600 * HZ);
  expect(pace.due).toBe(0);
  machine.cycles += HZ;
  host.now += 999;
  expect(pace.due).toBe(0);
  host.now += 2;
  expect(pace.due).toBe(HZ / 1000);
});

test('a machine that cannot follow, or was stopped, has lost the time', () => {
  const { host, machine, pace } = begin(0);
  host.now += 3600_000;
  expect(pace.due).toBe(HZ / 4);
  machine.cycles += HZ / 4;
  expect(pace.due).toBe(0);
  host.now += 4;
  expect(pace.due).toBe(HZ / 250);
});
