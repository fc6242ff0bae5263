/** The hostile environment: every attempt is refused, it is destroyed, and nobody else notices. */
import { DEATHS, ENV, EXPOSED, PAGE_BYTES } from '@exokernel/abi';
import { compose } from '@exokernel/libos-kit';
import { KSEG0 } from '@exokernel/isa';
import { expect, test } from 'vitest';
import { HOSTILE, REFUSED, hostile, matmul, matmulResult } from '../src/index.ts';
import { batch } from '../../../packages/batch/src/index.ts';
import { boot, exitOf } from '../../../packages/testkit/src/index.ts';

const N = 60;

/** A machine with a victim (0), and an attacker (1) of the frame that `victim` names. */
function attack(victim?: number): { booted: ReturnType<typeof boot>; frame: number } {
  const booted = boot([compose(batch, matmul(N))]);
  const uPage = booted.machine.memory.load32(EXPOSED.environments + ENV.uPage) - KSEG0;
  const frame = victim ?? uPage / PAGE_BYTES;
  booted.aegis.load(hostile(frame));
  return { booted, frame };
}

function notes(booted: ReturnType<typeof boot>): Record<string, number> {
  return Object.fromEntries(Object.entries(HOSTILE).map(([name, at]) => [name, booted.uWord(1, at)]));
}

const ALL_REFUSED = {
  forgedFree: REFUSED,
  forgedMap: REFUSED,
  foreignMap: REFUSED,
  addressErrors: 1,
  privileged: 1,
  done: 1,
};

test.each([
  ['the u-page of another', undefined],
  ['the kernel’s own first frame', 0],
  ['the kernel page', 1],
  ['a frame that nobody has', 0xf00],
])('%s', (_, victim) => {
  const { booted, frame } = attack(victim);
  const page = (): Uint8Array => booted.machine.memory.read(frame * PAGE_BYTES, new Uint8Array(PAGE_BYTES));
  const untouched = victim === 0 || victim === 0xf00 ? page() : undefined;
  expect(booted.runUntil(() => booted.uWord(1, HOSTILE.done) === 1, 2)).toBe(true);
  expect(notes(booted)).toEqual(ALL_REFUSED);
  if (untouched !== undefined) expect(page()).toEqual(untouched);
  const [victimEnv, attacker] = booted.finish(0, 1);
  expect(victimEnv === undefined ? 'gone' : exitOf(victimEnv)).toBe(matmulResult(N));
  expect(attacker?.death).toBe(DEATHS.excess);
});

test('its end gives back what it had', () => {
  // Alone on the machine it could loop for ever: its slices would be nobody else's loss.
  const booted = boot([compose(batch, matmul(1)), hostile(0)]);
  booted.finish(0, 1);
  expect(booted.aegis.framesFree).toBe(boot([]).aegis.framesFree);
  expect(booted.aegis.environment(1)).toMatchObject({ death: DEATHS.excess, exceptions: 2 });
});

test('alone on the machine it has all of it, for as long as it is alone', () => {
  const booted = boot([hostile(0)]);
  booted.runUntil(() => false, 1);
  expect(booted.aegis.environment(0).status).toBe('runnable');
  booted.aegis.load(compose(batch, matmul(N)));
  expect(exitOf(booted.finish(1)[0] ?? expect.unreachable())).toBe(matmulResult(N));
  expect(booted.aegis.environment(0)).toMatchObject({ death: DEATHS.excess });
  // It runs no more, and its slices have debts to pay before they pay for its end.
  booted.finish(0);
});

test('a dozen of them, one after the other, cost a slice and its excess each', () => {
  const { booted } = attack();
  for (let i = 2; i < 13; i += 1) booted.aegis.load(hostile(0));
  const outcome = booted.finish(...Array.from({ length: 13 }, (_, i) => i));
  expect(outcome[0]?.exit).toBe(matmulResult(N));
  // It runs in the first; the end of each takes one piece of a few more.
  for (const attacker of outcome.slice(1)) {
    expect(attacker).toMatchObject({ death: DEATHS.excess });
    expect(attacker.slices).toBeLessThan(8);
  }
});
