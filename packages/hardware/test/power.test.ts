/** What a loss of power leaves on a disk, and what of a disk is in a snapshot. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HardwareError, Machine, memoryStore, Recorder, Replay, type BlockStore } from '../src/index.ts';
import { DATA, disk, HEADER, header, NEXT, offer, request, STATUS, WRITE } from './disk-support.ts';

const SECTORS = 64;
const FLUSH = 4;

/** Writes `value` all over so many sectors. */
function write(machine: Machine, sector: number, count: number, value: number): void {
  machine.memory.write(DATA, new Uint8Array(count * 512).fill(value));
  expect(request(machine, 1, sector, count * 512)).toBe(0);
}

/** Each sector as one number; -1 if it is torn. */
function sectors(store: BlockStore): number[] {
  const bytes = new Uint8Array(SECTORS * 512);
  store.read(0, bytes);
  return Array.from({ length: SECTORS }, (_, i) => {
    const here = bytes.subarray(i * 512, (i + 1) * 512);
    return here.every((byte) => byte === here[0]) ? (here[0] ?? 0) : -1;
  });
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HardwareError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('a loss of power', () => {
  test('leaves any subset of what was written since the last flush, each sector whole', () => {
    const step = fc.oneof(
      fc.record({ sector: fc.nat(SECTORS - 5), count: fc.integer({ min: 1, max: 4 }) }),
      fc.constant('flush' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.integer(), (steps, seed) => {
        const store = memoryStore(SECTORS * 512);
        const machine = disk(store);
        let may: Set<number>[] = Array.from({ length: SECTORS }, () => new Set([0]));
        let last = Array.from({ length: SECTORS }, () => 0);
        steps.forEach((what, i) => {
          if (what === 'flush') {
            expect(request(machine, FLUSH, 0, 0)).toBe(0);
            may = last.map((value) => new Set([value]));
            return;
          }
          write(machine, what.sector, what.count, i + 1);
          for (let n = what.sector; n < what.sector + what.count; n += 1) {
            may[n]?.add(i + 1);
            last[n] = i + 1;
          }
        });
        last = sectors(store);
        machine.powerCut(seed);
        sectors(store).forEach((value, n) => expect([...(may[n] ?? [])]).toContain(value));
      }),
      { numRuns: 15 },
    );
  });

  test('comes to every outcome by some seed, and to the same by the same', () => {
    const outcome = (seed: number): string => {
      const store = memoryStore(SECTORS * 512);
      const machine = disk(store);
      write(machine, 0, 1, 1);
      write(machine, 0, 2, 2);
      machine.powerCut(seed);
      return sectors(store).slice(0, 2).join();
    };
    const seen = new Set(Array.from({ length: 30 }, (_, seed) => outcome(seed)));
    expect([...seen].sort()).toEqual(['0,0', '0,2', '1,0', '1,2', '2,0', '2,2']);
    expect(outcome(7)).toBe(outcome(7));
  });

  test('tears the write that is under way, between sectors', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 28; seed += 1) {
      const store = memoryStore(SECTORS * 512);
      const machine = disk(store);
      machine.memory.write(DATA, new Uint8Array(3 * 512).fill(9));
      header(machine, 1, 8);
      offer(machine, [
        [HEADER, 16, NEXT, 1],
        [DATA, 3 * 512, NEXT, 2],
        [STATUS, 1, WRITE, 0],
      ]);
      machine.run(1000);
      machine.powerCut(seed);
      expect(machine.memory.load8(STATUS)).toBe(0xee);
      seen.add(sectors(store).slice(8, 11).join());
    }
    expect(seen.size).toBe(8);
  });

  test('changes nothing without a write cache', () => {
    const store = memoryStore(SECTORS * 512);
    // Without FLUSH what is answered is flushed.
    const machine = disk(store, {}, 0x40000, 0);
    write(machine, 3, 4, 5);
    const before = sectors(store);
    machine.powerCut(3);
    expect(sectors(store)).toEqual(before);
  });

  test('is the end of the machine', () => {
    const machine = disk();
    machine.powerCut();
    machine.powerCut();
    expect(refusal(() => machine.run(1))).toBe('power');
    expect(refusal(() => machine.snapshot())).toBe('snapshot');
    expect(refusal(() => new Machine().powerCut())).toBe('nothing thrown');
  });
});

/** The machine without the test's own native functions, with which it cannot be saved. */
function saved(machine: Machine): Uint8Array {
  machine.native.install('kernel', []);
  return machine.snapshot();
}

describe('a snapshot', () => {
  test('holds what differs on the disk, and puts it back', () => {
    const image = Uint8Array.from({ length: SECTORS * 512 }, (_, i) => (i >>> 9) + 100);
    const store = memoryStore(image.slice());
    const machine = disk(store);
    write(machine, 1, 2, 1);
    expect(request(machine, FLUSH, 0, 0)).toBe(0);
    write(machine, 2, 2, 2);
    const then = sectors(store);
    const snapshot = saved(machine);
    write(machine, 1, 8, 3);
    machine.native.install('kernel', []);
    machine.restore(snapshot);
    expect(sectors(store)).toEqual(then);
    const other = memoryStore(image.slice());
    const copy = disk(other);
    copy.native.install('kernel', []);
    copy.restore(snapshot);
    expect(sectors(other)).toEqual(then);
    expect(copy.fingerprint).toBe(machine.fingerprint);
    expect(copy.snapshot()).toEqual(machine.snapshot());
    // What was not flushed is lost by the same seeds.
    machine.powerCut(5);
    copy.powerCut(5);
    expect(sectors(other)).toEqual(sectors(store));
  });

  test('is taken up again over the disk as it was left', () => {
    const store = memoryStore(SECTORS * 512);
    const machine = disk(store);
    write(machine, 1, 2, 1);
    const snapshot = saved(machine);
    // Another process opens the same file later: what it has is now the image.
    const later = disk(store);
    later.native.install('kernel', []);
    later.restore(snapshot);
    expect(later.fingerprint).toBe(machine.fingerprint);
  });

  test('is refused over another image, with nothing changed', () => {
    const machine = disk(memoryStore(SECTORS * 512));
    write(machine, 1, 2, 1);
    const snapshot = saved(machine);
    const store = memoryStore(new Uint8Array(SECTORS * 512).fill(8));
    const other = disk(store);
    other.native.install('kernel', []);
    const before = other.snapshot();
    expect(refusal(() => other.restore(snapshot))).toBe('snapshot');
    expect(other.snapshot()).toEqual(before);
    expect(sectors(store)).toEqual(Array.from({ length: SECTORS }, () => 8));
  });
});

test('a recording holds what differed on the disk when it began', () => {
  const start = (): Machine => {
    const machine = disk(memoryStore(SECTORS * 512));
    machine.native.install('kernel', []);
    return machine;
  };
  const machine = disk(memoryStore(SECTORS * 512));
  write(machine, 4, 1, 6);
  const snapshot = saved(machine);
  const recorder = new Recorder(machine);
  machine.run(100_000);
  const recording = recorder.finish();
  const again = start();
  again.restore(snapshot);
  const replay = new Replay(again, recording);
  replay.run(100_000);
  expect(replay.agrees).toBe(true);
  // Memory and registers alike, but a disk of another image.
  const other = disk(memoryStore(new Uint8Array(SECTORS * 512).fill(1)));
  other.native.install('kernel', []);
  expect(refusal(() => new Replay(other, recording))).toBe('recording');
});
