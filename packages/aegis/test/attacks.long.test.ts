/**
 * What an environment can do to those that have nothing to do with it, in machine code and without end: nothing. Each attack
 * runs beside a bystander, whose memory stays what it was and whose cycles are what they are beside a polite neighbour.
 */
import { A0, A1, A2, A3, S0, T0, ZERO } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { EXCESS_LIMIT } from '../src/layout.ts';
import {
  boot,
  BystanderWatch,
  bystander,
  checkInvariants,
  emitCall,
  quicken,
  type RawImage,
} from '../../testkit/src/index.ts';
import { ATTACKS, attacker } from './attackers.ts';

const HERTZ = 1024;
const TICKS = 256;
/** Quanta that may still be to be given back at the end: half for rounding, half for an overrun that is being repaid. */
const LAG = 1 + EXCESS_LIMIT / 2;

/** Slices and cycles that the bystander has in `TICKS` ticks beside this one. */
function share(image: RawImage): { slices: number; cycles: number; damage: string[] } {
  const booted = boot([image, bystander()]);
  quicken(booted, HERTZ);
  const watch = new BystanderWatch(booted.aegis, 1);
  booted.machine.run(Math.round((TICKS * booted.machine.hz) / HERTZ));
  watch.look();
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(checkInvariants(booted.aegis)).toEqual([]);
  const { slices, cycles } = booted.aegis.environment(1);
  return { slices, cycles, damage: watch.damage() };
}

const polite = share(attacker((a) => a.addiu(S0, S0, 1)));

test('beside a polite neighbour half of all slices', () => {
  expect(polite.slices).toBeGreaterThanOrEqual(TICKS / 2 - 1);
});

test.each(ATTACKS)('%s', (_, image) => {
  const { cycles, damage } = share(image());
  expect(damage).toEqual([]);
  expect(cycles + (LAG * 25_000_000) / HERTZ).toBeGreaterThan(0.99 * polite.cycles);
});

test('free slices are anybody’s and make the round longer; in each the bystander has its own', () => {
  const taker = attacker((a) => {
    for (const r of [A0, A1, A2, A3]) a.move(r, ZERO);
    a.li(T0, -1);
    emitCall(a, 'slice_alloc');
  });
  const { slices, damage } = share(taker);
  expect(damage).toEqual([]);
  expect(slices).toBeLessThan(polite.slices);
});
