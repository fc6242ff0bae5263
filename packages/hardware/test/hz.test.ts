import { describe, expect, test } from 'vitest';
import { HardwareError, Machine, Recorder, Replay } from '../src/index.ts';

function codeOf(make: () => unknown): string | undefined {
  try {
    make();
  } catch (error) {
    return error instanceof HardwareError ? error.code : String(error);
  }
  return undefined;
}

describe('the clock of profile ideal', () => {
  test('is 25 MHz, or what is asked for', () => {
    expect(new Machine().hz).toBe(25_000_000);
    expect([1e6, 200e6, 4e9].map((hz) => new Machine({ hz }).hz)).toEqual([1e6, 200e6, 4e9]);
  });

  test.each([
    ['too slow', { hz: 999_999 }],
    ['too fast', { hz: 4e9 + 1 }],
    ['no integer', { hz: 1e6 + 0.5 }],
    ['no number', { hz: NaN }],
    ['of a model that has its own', { profile: 'dec5000', hz: 200e6 }],
  ] as const)('refused: %s', (_, options) => {
    expect(codeOf(() => new Machine(options))).toBe('clock');
  });

  test('a model’s own may be named', () => {
    expect(new Machine({ profile: 'dec2100', hz: 12_500_000 }).hz).toBe(12_500_000);
  });

  test('is part of what a machine is: snapshots and recordings of another clock are refused', () => {
    const machine = new Machine({ hz: 200e6 });
    const recorder = new Recorder(machine);
    machine.run(1000);
    const recording = recorder.finish();
    const snapshot = machine.snapshot();
    expect(codeOf(() => new Machine().restore(snapshot))).toBe('snapshot');
    expect(codeOf(() => new Replay(new Machine(), recording))).toBe('recording');
    const again = new Replay(new Machine({ hz: 200e6 }), recording);
    again.run(1000);
    expect(again.agrees).toBe(true);
  });
});
