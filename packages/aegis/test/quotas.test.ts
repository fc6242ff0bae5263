/** Limits on how many frames an environment holds. */
import { ENV, ERRORS, FRAME_MINIMUM, NO_TARGET, type CapabilityWords } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { checkInvariants, runRaw, type Fiber, type RawFrame } from '../../testkit/src/index.ts';

const { E_CAP, E_NONE, E_RANGE } = ERRORS;

test('a limit of frames: nobody gives more than it has, nobody raises its own, children inherit it', () => {
  const booted = runRaw(function* (raw) {
    const child = yield* raw.call('env_alloc');
    const self = yield* raw.granted('self');
    const limit = (who: CapabilityWords, value: number): Fiber<number> =>
      raw.code('env_set', ...who, ENV.frameLimit, value);
    expect(yield* limit(child.capability, FRAME_MINIMUM - 1)).toBe(E_RANGE);
    expect(yield* limit(child.capability, FRAME_MINIMUM)).toBe(0);
    const frames: RawFrame[] = [];
    for (let i = 0; i < FRAME_MINIMUM; i += 1) {
      const frame = yield* raw.frame();
      frames.push(frame);
      expect(yield* raw.code('frame_hold', ...child.capability, ...frame.capability)).toBe(0);
    }
    const more = yield* raw.frame();
    expect(yield* raw.code('frame_hold', ...child.capability, ...more.capability)).toBe(E_NONE);
    expect(yield* raw.code('env_map', ...child.capability, ...more.capability, 0x200000)).toBe(E_NONE);
    expect(yield* raw.code('env_map', ...child.capability, ...more.capability, 0x1003)).toBe(E_NONE);
    // What it holds already costs nothing.
    expect(yield* raw.code('env_map', ...child.capability, ...(frames[0]?.capability ?? []), 0x1003)).toBe(0);
    for (const who of [self, [0, 0, 0, 0] as const]) {
      expect(yield* limit(who, 40)).toBe(0);
      for (const value of [41, NO_TARGET]) expect(yield* limit(who, value)).toBe(E_CAP);
    }
    expect(yield* limit(child.capability, 41)).toBe(E_CAP);
    expect(yield* limit(child.capability, 40)).toBe(0);
    const second = yield* raw.call('env_alloc');
    expect(yield* limit(second.capability, 41)).toBe(E_CAP);
    let code: number = ERRORS.E_OK;
    let taken = 0;
    for (; code === 0; taken += 1) code = yield* raw.code('frame_alloc', -1);
    expect(code).toBe(E_NONE);
    expect(taken).toBe(40 - 8 - 9 + 1);
    return second.value;
  });
  const second = booted.aegis.environment(0).exit;
  expect(booted.aegis.parts.memory.env(second, ENV.frameLimit)).toBe(40);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});
