/**
 * A client that calls its server in a loop, beside a stranger that gives its slice away when it likes: the client goes on. Its slice comes back from
 * the server also when it owes something; what a server ends in a stranger's instance is not taken for served in the client's; and a reply that
 * an end of slice cuts off, and then another one, is not lost.
 */
import { expect, test } from 'vitest';
import { boot, checkInvariants, quicken } from '../../testkit/src/index.ts';
import { caller, goesOn, stranger } from './lrpc-support.ts';

const CLIENT = 0;
const SERVER = 2;

test.each([
  ['acall', SERVER, 1024, 1],
  ['acall', SERVER, 64, 2],
  ['yield', SERVER, 1024, 1],
  ['yield', CLIENT, 8192, 1],
] as const)('%s to environment %i, %i ticks a second, seed %i', (how, target, hertz, seed) => {
  const booted = boot([caller(), stranger(seed, how, target)]);
  if (hertz !== 64) quicken(booted, hertz);
  const goes = goesOn(booted, hertz === 64 ? 8 : 20, hertz === 64 ? 20_000_000 : 2_000_000);
  expect(booted.aegis.environments().map(({ status }) => status)).toEqual(['runnable', 'runnable', 'runnable']);
  expect(goes).toBe(true);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
