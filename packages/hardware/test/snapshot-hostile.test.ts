/** Snapshots that are made up, with a checksum that is right: refused with nothing changed, or a machine that goes on. */
import { Wire } from '@exokernel/wire';
import { describe, expect, test } from 'vitest';
import { memoryStore, Machine, type MachineOptions } from '../src/index.ts';
import { checksum } from '../src/state/checksum.ts';
import { ENVELOPE_HEADER, seal } from '../src/state/envelope.ts';
import { SNAPSHOT } from '../src/state/snapshot.ts';
import { random } from './support.ts';

/** A soak makes more: SNAPSHOT_MUTANTS. */
const MUTANTS = Number(process.env.SNAPSHOT_MUTANTS ?? 300);
/** Bytes at the end of the small state that are the clock's and the devices'. */
const DEVICES = 1500;
const RAM = 0x10000;

function make(options: MachineOptions = {}): Machine {
  const machine = new Machine({
    ramBytes: RAM,
    lance: { mac: Uint8Array.of(8, 0, 0x2b, 0, 0, 1), wire: new Wire() },
    disk: { store: memoryStore(64 * 512) },
    ...options,
  });
  machine.memory.storeWords(0x1000, [0x08000400, 0]); // j 0x80001000
  machine.cpu.cp0.status = 0;
  machine.cpu.pc = 0x80001000;
  return machine;
}

/** The machine's own bytes say whether anything has changed. */
function sum(machine: Machine): string {
  return `${machine.fingerprint} ${checksum(machine.snapshot())}`;
}

function refusal(run: () => void): string {
  try {
    run();
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
  return 'nothing thrown';
}

describe.each(['ideal', 'dec3100'] as const)('%s', (profile) => {
  const good = make({ profile });
  good.serialInput(3, Uint8Array.of(1, 2, 3));
  good.run(12_345);
  const bytes = good.snapshot();
  const view = new DataView(bytes.buffer);
  const state = ENVELOPE_HEADER + 8 + view.getUint32(ENVELOPE_HEADER + 4, true);

  test('a changed byte of the small state is refused, with nothing changed, or accepted, and the machine runs on', () => {
    const next = random(4711);
    const machine = make({ profile });
    machine.run(999);
    let refused = 0;
    for (let i = 0; i < MUTANTS; i += 1) {
      const mutant = bytes.slice();
      const changes = 1 + ((next() >>> 0) % 3);
      for (let n = 0; n < changes; n += 1) {
        const first = i % 4 === 0 ? ENVELOPE_HEADER : state - DEVICES;
        mutant[first + ((next() >>> 0) % (state - first))] = next();
      }
      const before = checksum(machine.snapshot());
      const code = refusal(() => {
        machine.restore(seal(SNAPSHOT, mutant));
      });
      if (code === 'nothing thrown') {
        machine.run(100_000);
        machine.restore(bytes);
        continue;
      }
      refused += 1;
      expect(code).toBe('snapshot');
      expect(checksum(machine.snapshot()), `mutant ${i}`).toBe(before);
    }
    expect(refused).toBeGreaterThan(MUTANTS / 10);
  });

  test('one that is cut short anywhere is refused, with nothing changed', () => {
    const machine = make({ profile });
    machine.run(5);
    machine.cpu.registers[5] = 77;
    const before = sum(machine);
    for (let length = ENVELOPE_HEADER; length < bytes.length; length += 97) {
      expect(refusal(() => machine.restore(seal(SNAPSHOT, bytes.slice(0, length))))).toBe('snapshot');
    }
    expect(sum(machine)).toBe(before);
  });

  test.each([
    ['far ahead of its timers', 9e15],
    ['beyond what a clock counts', 2 ** 53],
    ['no number', NaN],
    ['negative', -1],
    ['fractional', 12_345.5],
  ])('a clock that is %s is refused', (_, cycles) => {
    const mutant = bytes.slice();
    let found = 0;
    for (let i = ENVELOPE_HEADER; i + 8 <= state; i += 1) {
      if (view.getFloat64(i, true) !== good.cycles) continue;
      new DataView(mutant.buffer).setFloat64(i, cycles, true);
      found += 1;
    }
    expect(found).toBeGreaterThan(0);
    const machine = make({ profile });
    const before = sum(machine);
    expect(refusal(() => machine.restore(seal(SNAPSHOT, mutant)))).toBe('snapshot');
    expect(sum(machine)).toBe(before);
    machine.run(1);
  });
});
