import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Wire, type Attachment } from '../src/index.ts';
import { Refused, restore, save, TestClock, type Values } from './support.ts';

/** A wire with two machines and two stations of the host, and what all of them hear. */
interface World {
  readonly wire: Wire;
  readonly clocks: readonly TestClock[];
  readonly stations: readonly Attachment[];
  readonly heard: unknown[];
}

function world(machines = 2): World {
  const faults = { seed: 3, drop: 0.1, duplicate: 0.2, reorder: 0.2, corrupt: 0.2, delay: 0.3 };
  const wire = new Wire({ delayMicroseconds: 300, faults });
  const clocks = [25_000_000, 16_670_000].slice(0, machines).map((hz) => new TestClock(hz));
  const heard: unknown[] = [];
  const attach = (name: number, clock?: TestClock): Attachment =>
    wire.attach(
      {
        receive: (bytes, time) => heard.push([name, clock?.now, time, bytes[20]]),
        damaged: (bytes, fcs, time) => heard.push([name, clock?.now, time, bytes[20], fcs]),
        sent: (how) => heard.push([name, clock?.now, how]),
      },
      clock,
    );
  const stations = [...clocks.map((clock, i) => attach(i, clock)), attach(8), attach(9)];
  return { wire, clocks, stations, heard };
}

/** All machines go on by some microseconds, in steps that are short enough for them not to notice each other late. */
function run({ wire, clocks }: World, microseconds: number): void {
  for (let i = 0; i < microseconds; i += 10) {
    for (const clock of clocks) clock.run((10 * clock.hz) / 1e6);
    if (clocks.length > 1) wire.settle(Math.min(...clocks.map((clock) => wire.baseOf(clock)?.now ?? 0)));
  }
}

/** Every station sends some frames, one of them with an FCS of its own. */
function busy(made: World): World {
  made.stations.forEach(({ send }, i) => {
    for (let n = 0; n < 4; n += 1) send(new Uint8Array(60 + 20 * n).fill(16 * i + n), n === 3 ? 7 : undefined);
  });
  return made;
}

/** A wire in the middle of things. */
function traffic(machines?: number): World {
  const made = busy(world(machines));
  run(made, 300);
  return busy(made);
}

/** A wire like the saved one, with the machines' time. */
function like({ clocks }: World): World {
  const made = world(clocks.length);
  made.clocks.forEach((clock, i) => (clock.now = clocks[i]?.now ?? 0));
  return made;
}

describe.each([1, 2])('the state of a wire with machines: %i', (machines) => {
  test('restored, it is the same, and goes on the same', () => {
    const one = traffic(machines);
    const saved = save(one.wire);
    const two = like(one);
    run(busy(two), 100); // what was on it is gone
    two.clocks.forEach((clock, i) => (clock.now = one.clocks[i]?.now ?? 0));
    restore(two.wire, saved);
    expect(save(two.wire)).toEqual(saved);
    for (const { heard } of [one, two]) heard.length = 0;
    for (const made of [one, two]) run(busy(made), 6000);
    expect(two.heard).toEqual(one.heard);
    expect(one.heard.length).toBeGreaterThan(60);
    expect(save(two.wire)).toEqual(save(one.wire));
  });

  const saved = save(traffic(machines).wire);
  const hostile = [NaN, -1, -0.5, 0.5, 2 ** 31, 2 ** 53, 2 ** 54, 1e300, Infinity, -Infinity];

  test('any one number that cannot be is refused and changes nothing; what is accepted goes on', () => {
    let refused = 0;
    saved.forEach((value, at) => {
      if (typeof value !== 'number') return;
      // A few of them for each number: its neighbours get the others.
      for (const i of [0, 4, 8]) {
        const other = [...hostile, 0, value + 1][(at + i) % 12] ?? 0;
        refused += Number(!isAccepted(saved.with(at, other)));
      }
    });
    // More than one of the three, on average.
    expect(refused).toBeGreaterThan(saved.filter((value) => typeof value === 'number').length);
  });

  test('a machine whose time would be before the first is refused', () => {
    // What the times of two machines hang on: of each, the time of its cycle 0.
    const times = traffic(machines).clocks.map((clock) => (clock.now * 1e9) / clock.hz);
    for (const time of times) {
      const at = saved.findIndex((value, i) => typeof value === 'number' && isAccepted(saved.with(i, -time)));
      expect(at).toBeGreaterThan(0);
      expect(isAccepted(saved.with(at, -time - 1))).toBe(false);
    }
  });

  test('frames that are none are refused', () => {
    const at = saved.findIndex((value) => value instanceof Uint8Array);
    for (const length of [0, 13, 1519, 100_000]) expect(isAccepted(saved.with(at, new Uint8Array(length)))).toBe(false);
    for (const length of [14, 1518]) expect(isAccepted(saved.with(at, new Uint8Array(length)))).toBe(true);
  });

  test('any damage is refused and changes nothing, or what is accepted goes on', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(saved.length - 1), fc.oneof(fc.double(), fc.integer(), fc.constantFrom(...hostile))), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.integer({ min: 0, max: saved.length }),
        (changes, length) => {
          let values: Values = saved;
          for (const [at, value] of changes) values = values.with(at, value);
          isAccepted(length % 3 === 0 ? values.slice(0, length) : values);
        },
      ),
      { numRuns: 200 },
    );
  });

  /** Whether a wire takes these values. It must go on then, and must not have changed otherwise. */
  function isAccepted(values: Values): boolean {
    const made = traffic(machines);
    const before = save(made.wire);
    try {
      restore(made.wire, values);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      expect(save(made.wire)).toEqual(before);
      return false;
    }
    run(busy(made), 500);
    expect(save(made.wire).length).toBeGreaterThan(0);
    return true;
  }
});

test('the numbers of stations of the host that are not there any more are no error: they have left', () => {
  const one = traffic(1);
  const saved = save(one.wire);
  const wire = new Wire({ delayMicroseconds: 300, faults: { seed: 3 } });
  const clock = new TestClock();
  const heard: number[] = [];
  wire.attach(
    { receive: (bytes) => heard.push(bytes[20] ?? 0), damaged: (bytes) => heard.push(bytes[20] ?? 0) },
    clock,
  );
  clock.now = one.clocks[0]?.now ?? 0;
  restore(wire, saved);
  clock.run(1_000_000);
  expect(heard.length).toBeGreaterThan(8);
});

test('a list of a hundred thousand happenings is taken, in their order', () => {
  const wire = new Wire();
  const clock = new TestClock();
  wire.attach({ receive: () => undefined }, clock);
  const { send } = wire.attach({ receive: () => undefined });
  send(new Uint8Array(60));
  const saved = save(wire);
  // The last list is that of the machine's line, with one arrival: time, kind, frame, time, two flags.
  const entry = saved.slice(-6);
  expect(entry).toEqual([57_600, 2, 0, 57_600, false, false]);
  const count = 100_000;
  const long = [...saved.slice(0, -7), count, ...Array.from({ length: count }, () => entry).flat()];
  restore(wire, long);
  const again = save(wire);
  expect([again.length, again.at(-1), again.at(-6)]).toEqual([long.length, false, 57_600]);
  let heard = 0;
  wire.attach({ receive: () => (heard += 1) }, clock);
  clock.run(2000);
  expect(heard).toBe(count);
  const late = long.with(-6, 0);
  expect(() => {
    restore(wire, late);
  }).toThrow(Refused);
});
