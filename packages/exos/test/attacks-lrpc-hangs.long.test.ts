/**
 * A client that calls its server in a loop, beside a stranger that gives its slice away when it likes: the client goes on. Its slice comes back from
 * the server also when it owes something; what a server ends in a stranger's instance is not taken for served in the client's; and a reply that
 * an end of slice cuts off, and then another one, is not lost. Nor is a refusal that an end of slice cuts off in the rest of a stranger's instance,
 * in which the client has called, while another stranger keeps the server busy.
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

test.each([
  [1024, 1, 40],
  [1024, 2, 150],
  [64, 1, 8],
] as const)(
  'one keeps the server busy and one yields to the client, %i ticks a second, seed %i',
  (hertz, seed, pieces) => {
    const booted = boot([caller(256), stranger(seed, 'scall', 3), stranger(seed + 9, 'yield', CLIENT)]);
    if (hertz !== 64) quicken(booted, hertz);
    const goes = goesOn(booted, pieces, hertz === 64 ? 20_000_000 : 2_000_000);
    expect(booted.aegis.environments().map(({ status }) => status)).toEqual(new Array<string>(4).fill('runnable'));
    expect(goes).toBe(true);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);
