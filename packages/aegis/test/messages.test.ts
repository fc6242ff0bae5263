/** Message rings: eight words and the sender's number, into a slot of who receives. [XOK] */
import { ENV, ERRORS, MESSAGE, MESSAGE_BYTES, MESSAGE_WORDS } from '@exokernel/abi';
import { expect, test } from 'vitest';
import {
  boot,
  checkInvariants,
  type Fiber,
  FIRST_FREE_FRAME,
  type Raw,
  rawImage,
  runRaw,
  WINDOW,
} from '../../testkit/src/index.ts';

const SLOTS = 4096 / MESSAGE_BYTES;
const words = (n: number): number[] => Array.from({ length: MESSAGE_WORDS }, (_, i) => 100 * n + i);

/** A message ring, always mapped at WINDOW. */
function* ring(raw: Raw): Fiber<void> {
  const frame = yield* raw.frame();
  expect(yield* raw.code('env_map', 0, 0, 0, 0, ...frame.capability, WINDOW | 1)).toBe(0);
  expect(yield* raw.code('msg_bind', ...frame.capability)).toBe(0);
}

function* slot(raw: Raw, i: number): Fiber<number[]> {
  const all: number[] = [];
  for (let word = 0; word <= MESSAGE_WORDS; word += 1) {
    all.push(yield* raw.fibers.load(WINDOW + MESSAGE_BYTES * i + (word === 0 ? MESSAGE.sender : 4 * word)));
  }
  return all;
}

test('who has no ring gets none; nor is there one of nobody', () => {
  const booted = runRaw(function* (raw) {
    const child = yield* raw.call('env_alloc');
    for (const env of [0, child.value, 63, 64, 1000, -1, -0x80000000]) {
      expect(yield* raw.code('msg_send', env, ...words(1)), String(env)).toBe(ERRORS.E_ENV);
    }
    expect(yield* raw.code('msg_free')).toBe(ERRORS.E_NONE);
    yield* ring(raw);
    const frame = yield* raw.frame();
    expect(yield* raw.code('msg_bind', ...frame.capability)).toBe(ERRORS.E_BUSY);
    expect(yield* raw.code('msg_free')).toBe(0);
    expect(yield* raw.code('msg_free')).toBe(ERRORS.E_NONE);
    expect(yield* raw.code('msg_send', 0, ...words(1))).toBe(ERRORS.E_ENV);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a full ring refuses and loses nothing; an emptied slot is used again, in order', () => {
  const booted = runRaw(function* (raw) {
    yield* ring(raw);
    for (let i = 0; i < SLOTS; i += 1) expect(yield* raw.code('msg_send', 0, ...words(i))).toBe(0);
    expect(yield* raw.code('msg_send', 0, ...words(99))).toBe(ERRORS.E_AGAIN);
    for (let i = 0; i < SLOTS; i += 1) expect(yield* slot(raw, i)).toEqual([1, ...words(i)]);
    // Emptied out of order: the next message waits for its turn.
    yield* raw.fibers.store(WINDOW + 5 * MESSAGE_BYTES, 0);
    expect(yield* raw.code('msg_send', 0, ...words(99))).toBe(ERRORS.E_AGAIN);
    yield* raw.fibers.store(WINDOW, 0);
    expect(yield* raw.code('msg_send', 0, ...words(77))).toBe(0);
    expect(yield* slot(raw, 0)).toEqual([1, ...words(77)]);
    return 0;
  });
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('a message wakes who sleeps, and says who sent it, whatever the sender says', () => {
  const receiver = rawImage({
    main: function* (raw) {
      yield* ring(raw);
      for (let i = 0; ; i += 1) {
        yield* raw.routine('kit.sleep', 0);
        const [from, ...got] = yield* slot(raw, 0);
        if (from === 0) continue;
        expect(got).toEqual(words(4));
        return from ?? 0;
      }
    },
  });
  const sender = rawImage({
    main: function* (raw) {
      yield* raw.sleep(3);
      while ((yield* raw.code('msg_send', 0, ...words(4))) !== 0) yield* raw.sleep(1);
      return 0;
    },
  });
  const booted = boot([receiver, sender]);
  expect(booted.finish(0)[0]?.exit).toBe(1 + 1);
  expect(booted.machine.native.lastError).toBeUndefined();
});

test('a ring goes when its owner frees it, and with the last hold of its frame', () => {
  const booted = runRaw(
    function* (raw) {
      for (const freed of [true, false]) {
        const frame = yield* raw.frame();
        expect(yield* raw.code('msg_bind', ...frame.capability)).toBe(0);
        expect(yield* raw.code('msg_send', 0, ...words(1))).toBe(0);
        if (freed) expect(yield* raw.code('msg_free')).toBe(0);
        expect(yield* raw.code('frame_free', ...frame.capability)).toBe(0);
        expect(yield* raw.code('msg_send', 0, ...words(1))).toBe(ERRORS.E_ENV);
        expect(yield* raw.code('msg_free')).toBe(ERRORS.E_NONE);
        expect(yield* raw.code('frame_alloc', frame.ppn)).toBe(0);
      }
      return 0;
    },
    { alone: true },
  );
  expect(booted.aegis.parts.memory.env(0, ENV.messageRing)).toBe(0);
  expect(checkInvariants(booted.aegis)).toEqual([]);
  expect(booted.aegis.framesFree).toBe(booted.aegis.parts.frames.count - FIRST_FREE_FRAME);
});
