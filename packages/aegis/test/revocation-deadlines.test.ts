/** Deadlines of revocation that nobody meets because nobody runs. [SOSP95 §3.4] */
import { ENV, ERRORS, FRAME_MINIMUM, REVOKE_KINDS, REVOKE_MODES } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { KP } from '../src/layout.ts';
import {
  boot,
  bystander,
  BystanderWatch,
  checkInvariants,
  memoryFor,
  rawImage,
  runRaw,
  type RawFrame,
} from '../../testkit/src/index.ts';

const { E_BUSY, E_NONE } = ERRORS;
const { frames: FRAMES } = REVOKE_KINDS;
const { cooperative: ASK } = REVOKE_MODES;

test('many at one tick: one at most loses in one', () => {
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const frames: RawFrame[] = [];
        for (let i = 0; i < FRAME_MINIMUM + 1; i += 1) frames.push(yield* raw.frame());
        for (let i = 0; i < 10; i += 1) {
          const child = yield* raw.call('env_alloc');
          for (const { capability } of frames) {
            expect(yield* raw.code('frame_hold', ...child.capability, ...capability)).toBe(0);
          }
          expect(yield* raw.code('revoke', ...child.capability, FRAMES, 1, ASK)).toBe(0);
        }
        yield* raw.sleep(120);
        return 0;
      },
    }),
  ]);
  const { memory } = booted.aegis.parts;
  const lostBy = new Map<number, number>();
  booted.runUntil(() => {
    const losers = Array.from({ length: 12 }, (_, env) => memory.env(env, ENV.lost)).filter((count) => count === 1);
    lostBy.set(memory.kernelPage(KP.tick), losers.length);
    return booted.aegis.environment(0).status === 'dead';
  });
  expect(booted.machine.native.lastError).toBeUndefined();
  const counts = [...lostBy.values()];
  expect(counts.at(-1)).toBe(10);
  const perTick = counts.map((count, i) => count - (counts[i - 1] ?? 0));
  expect(Math.max(...perTick)).toBe(1);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('who never runs loses at the latest a round of the slice vector after the request', () => {
  const booted = runRaw(function* (raw) {
    const child = yield* raw.call('env_alloc');
    for (let i = 0; i < FRAME_MINIMUM + 5; i += 1) {
      expect(yield* raw.code('frame_hold', ...child.capability, ...(yield* raw.frame()).capability)).toBe(0);
    }
    const before = (yield* raw.call('tick')).value;
    expect(yield* raw.call('revoke', ...child.capability, FRAMES, 100, ASK)).toMatchObject({ code: 0, value: 5 });
    yield* raw.sleep(80);
    expect((yield* raw.call('tick')).value - before).toBeGreaterThanOrEqual(66);
    expect(yield* raw.code('revoke', ...child.capability, FRAMES, 1, ASK)).toBe(E_NONE);
    return child.value;
  });
  const { memory } = booted.aegis.parts;
  expect(memory.env(booted.aegis.environment(0).exit, ENV.lost)).toBe(5);
  expect(memory.kernelPage(KP.revokeTick)).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('who has no slice that pays for the taking loses nothing at a deadline, and is not asked again: others would pay', () => {
  const state = { ready: false, codes: new Set<number>() };
  const self: (readonly [number, number, number, number])[] = [];
  const debtor = rawImage({
    placement: { slices: 0 },
    main: function* (raw) {
      self.push(yield* raw.granted('self'));
      for (;;) yield* raw.routine('kit.yield', -1);
    },
  });
  const asker = rawImage({
    main: function* (raw) {
      for (const env of [2, 3]) yield* raw.routine('kit.yield', env);
      const frames: RawFrame[] = [];
      for (let i = 0; i < 800; i += 1) frames.push(yield* raw.frame());
      for (const one of self) {
        for (const { capability } of frames) yield* raw.code('frame_hold', ...one, ...capability);
      }
      state.ready = true;
      for (;;) {
        for (const one of self) state.codes.add(yield* raw.code('revoke', ...one, FRAMES, 100_000, ASK));
        yield* raw.sleep(1);
      }
    },
  });
  const booted = boot([asker, bystander(), debtor, debtor], { ramBytes: memoryFor(1000), profile: 'dec3100' });
  const { aegis, machine } = booted;
  expect(booted.runUntil(() => state.ready, 30)).toBe(true);
  const watch = new BystanderWatch(aegis, 1);
  booted.runUntil(() => {
    watch.look();
    return false;
  }, 8);
  expect(machine.native.lastError).toBeUndefined();
  expect(watch.damage()).toEqual([]);
  expect(state.codes).toEqual(new Set([0, E_BUSY]));
  expect([2, 3].map((env) => aegis.parts.memory.env(env, ENV.lost))).toEqual([0, 0]);
  expect([2, 3].map((env) => aegis.parts.memory.env(env, ENV.revokeDeadline))).toEqual([0, 0]);
  expect(checkInvariants(aegis)).toEqual([]);
});
