/** Serial lines: bytes out and in through a bounded queue, for whoever holds the line's capability. */
import { ENV, ERRORS } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { boot, checkInvariants, rawImage, type Fiber, type Raw } from '../../testkit/src/index.ts';

function run(main: (raw: Raw) => Fiber<number>, line = 3): ReturnType<typeof boot> {
  const booted = boot([rawImage({ main, placement: { serialLine: line } })]);
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead');
  const error = booted.machine.native.lastError;
  if (error !== undefined) throw new Error(error.message);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead', exit: 0 });
  expect(checkInvariants(booted.aegis)).toEqual([]);
  return booted;
}

const ABCD = 0x64636261;

test('lengths beyond what the registers carry are refused', () => {
  run(function* (raw) {
    const line = yield* raw.granted('serial');
    for (const length of [29, 100, 0x7fffffff, -1, -0x80000000]) {
      expect(yield* raw.code('serial_write', ...line, length, ABCD)).toBe(ERRORS.E_RANGE);
    }
    expect(yield* raw.call('serial_write', ...line, 0)).toMatchObject({ code: 0, value: 0 });
    return 0;
  });
});

test('bytes come out in order on their line alone, all 28 of a call', () => {
  const booted = run(function* (raw) {
    const line = yield* raw.granted('serial');
    const words = Array.from({ length: 7 }, (_, i) => 0x03020100 + i * 0x04040404);
    expect(yield* raw.call('serial_write', ...line, 28, ...words)).toMatchObject({ code: 0, value: 28 });
    expect(yield* raw.call('serial_write', ...line, 2, ABCD)).toMatchObject({ code: 0, value: 2 });
    yield* raw.sleep(4);
    return 0;
  }, 1);
  expect(booted.serial(1)).toBe(String.fromCharCode(...Array.from({ length: 28 }, (_, i) => i)) + 'ab');
  expect([0, 2, 3].map((line) => booted.serial(line))).toEqual(['', '', '']);
});

test('what does not fit in the queue is not accepted, and nothing accepted is lost', () => {
  let accepted = '';
  const booted = run(function* (raw) {
    const line = yield* raw.granted('serial');
    let refused = 0;
    for (let i = 0; i < 30; i += 1) {
      const byte = 65 + (i % 26);
      const { value } = yield* raw.call(
        'serial_write',
        ...line,
        28,
        ...Array.from({ length: 7 }, () => byte * 0x01010101),
      );
      accepted += String.fromCharCode(byte).repeat(value);
      if (value < 28) refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
    // The sender is told when the queue is half empty, and when it is empty.
    yield* raw.routine('kit.sleep', 0);
    yield* raw.routine('kit.sleep', 0);
    yield* raw.sleep(32);
    return 0;
  });
  expect(accepted.length).toBeGreaterThanOrEqual(256);
  expect(booted.serial(3)).toBe(accepted);
});

test('what arrives is read byte by byte, then E_AGAIN; beyond 256 unread bytes it is lost', () => {
  const got: number[] = [];
  const phase = { listening: false };
  const booted = boot([
    rawImage({
      main: function* (raw) {
        const line = yield* raw.granted('serial');
        expect(yield* raw.code('serial_read', ...line)).toBe(ERRORS.E_AGAIN);
        phase.listening = true;
        // Wakes at the first byte; 300 of them take a third of a second.
        yield* raw.routine('kit.sleep', 0);
        yield* raw.sleep(40);
        for (;;) {
          const { code, value } = yield* raw.call('serial_read', ...line);
          if (code !== 0) return code === ERRORS.E_AGAIN ? 0 : 1;
          got.push(value);
        }
      },
    }),
  ]);
  expect(booted.runUntil(() => phase.listening)).toBe(true);
  booted.machine.serialInput(
    3,
    Uint8Array.from({ length: 300 }, (_, i) => i & 0xff),
  );
  booted.finish(0);
  expect(booted.machine.native.lastError).toBeUndefined();
  expect(got).toEqual(Array.from({ length: 256 }, (_, i) => i));
});

test('input for a line that nobody uses, or whose user is dead, disturbs nobody', () => {
  const booted = run(function* (raw) {
    expect(yield* raw.code('serial_read', ...(yield* raw.granted('serial')))).toBe(ERRORS.E_AGAIN);
    return 0;
  });
  for (let line = 0; line < 4; line += 1)
    booted.machine.serialInput(
      line,
      Uint8Array.from({ length: 100 }, () => 1),
    );
  booted.runUntil(() => false, 0.2);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('nothing is accepted from who owes more than a quantum, until its slices have paid', () => {
  const state: { owe?: (cycles: number) => void } = {};
  const accepted: number[] = [];
  const image = rawImage({
    main: function* (raw) {
      const line = yield* raw.granted('serial');
      const quantum = 25_000_000 / 64;
      for (const cycles of [0, -quantum / 2, -3 * quantum]) {
        state.owe?.(cycles);
        accepted.push((yield* raw.call('serial_write', ...line, 4, ABCD)).value);
      }
      while ((yield* raw.call('serial_write', ...line, 4, ABCD)).value === 0) yield* raw.routine('kit.yield', -1);
      return 0;
    },
    placement: { serialLine: 3 },
  });
  const booted = boot([image]);
  state.owe = (cycles) => {
    booted.aegis.parts.memory.setEnv(0, ENV.credit, cycles);
  };
  booted.finish(0);
  expect(accepted).toEqual([4, 4, 0]);
});
