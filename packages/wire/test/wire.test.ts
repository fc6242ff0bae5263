import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32, Wire, type Attachment, type FaultOptions, type SeenFrame, type Station } from '../src/index.ts';
import { codeOf, machineOn, TestClock } from './support.ts';

function frame(length: number, fill = 0): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

/** A station that notes at which cycle it got frames of which length. */
function listener(clock: () => number): Station & { readonly got: [number, number, number][] } {
  const got: [number, number, number][] = [];
  return { got, receive: (bytes) => got.push([clock(), bytes.length, bytes[20] ?? 0]) };
}

describe('wire', () => {
  test('drops and counts what is no frame, and never throws', () => {
    const wire = new Wire({ capacity: 4 });
    const { send } = wire.attach({ receive: () => undefined });
    expect([send(frame(0)), send(frame(13)), send(frame(1519)), send(frame(100_000))]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(Array.from({ length: 6 }, () => send(frame(60)))).toEqual([true, true, true, true, false, false]);
    expect(wire.counters).toMatchObject({ sent: 0, droppedSize: 4, droppedQueue: 2 });
  });

  test("the queue is its sender's: one that floods does not silence another", () => {
    const wire = new Wire({ capacity: 2 });
    const flood = wire.attach({ receive: () => undefined });
    const other = wire.attach({ receive: () => undefined });
    for (let i = 0; i < 100; i += 1) flood.send(frame(60));
    expect([other.send(frame(60)), other.send(frame(60)), other.send(frame(60))]).toEqual([true, true, false]);
    const machine = machineOn(wire);
    machine.run(58 * 25);
    expect([flood.send(frame(60)), flood.send(frame(60))]).toEqual([true, false]); // one has left
  });

  test.each([
    ['96 bits', {}, [57.6, 124.8]],
    ['never shorter than 96 bits', { gapMicroseconds: 1 }, [57.6, 124.8]],
    ['as asked for', { gapMicroseconds: 120 }, [57.6, 235.2]],
  ])('between two frames is a gap: %s', (_, options, microseconds) => {
    const wire = new Wire(options);
    const machine = machineOn(wire);
    const times: number[] = [];
    wire.tap(({ time }) => times.push(time / 1000));
    const { send } = wire.attach({ receive: () => undefined });
    send(frame(60));
    send(frame(60));
    expect(wire.isQuiet).toBe(false);
    machine.run(10_000);
    expect(times.map((time) => Math.round(time * 10) / 10)).toEqual(microseconds);
    expect(wire.isQuiet).toBe(true);
  });

  test('a wire without a machine is not quiet while frames wait', () => {
    const wire = new Wire();
    expect(wire.isQuiet).toBe(true);
    wire.attach({ receive: () => undefined }).send(frame(60));
    expect(wire.isQuiet).toBe(false);
  });

  test('refuses impossible options', () => {
    for (const options of [
      { delayMicroseconds: -1 },
      { delayMicroseconds: NaN },
      { capacity: 0 },
      { capacity: 1.5 },
      { delayMicroseconds: 1e10 },
      { gapMicroseconds: -1 },
      { gapMicroseconds: NaN },
      { gapMicroseconds: 1e10 },
      { bandwidth: 0 },
      { bandwidth: 999 },
      { bandwidth: NaN },
      { bandwidth: Infinity },
      { faults: { drop: -0.1 } },
      { faults: { corrupt: 1.1 } },
      { faults: { delay: NaN } },
      { faults: { seed: 0.5 } },
      { faults: { delayMicroseconds: Infinity } },
      { faults: { delayMicroseconds: 1e10 } },
    ]) {
      expect(
        codeOf(() => new Wire(options)),
        JSON.stringify(options),
      ).toBe('option');
    }
    for (const [hz, now] of [
      [0, 0],
      [-1, 0],
      [NaN, 0],
      [Infinity, 0],
      [1, NaN],
    ] as const) {
      const clock = new TestClock(hz);
      clock.now = now;
      expect(
        codeOf(() => new Wire().attach({ receive: () => undefined }, clock)),
        `${hz} ${now}`,
      ).toBe('option');
    }
  });

  test('serialises frames: 57.6 us for the smallest, a gap of 9.6 us, then the delay', () => {
    const wire = new Wire({ delayMicroseconds: 5 });
    const a = listener(() => machine.now);
    const b = listener(() => machine.now);
    const { send } = wire.attach(a);
    wire.attach(b);
    send(frame(20, 1)); // padded to 60
    send(frame(1514, 2)); // waits for the machine's clock and for the first frame
    const machine = machineOn(wire);
    machine.run(100_000);
    expect(a.got).toEqual([]);
    const first = 57.6 * 25;
    const second = first + 9.6 * 25 + (1514 + 12) * 20;
    expect(b.got).toEqual([
      [first + 125, 60, 0],
      [second + 125, 1514, 2],
    ]);
    expect(wire.counters.sent).toBe(2);
  });

  test('a frame keeps its bytes whatever the sender does, and a detached station hears nothing', () => {
    const wire = new Wire();
    const machine = machineOn(wire);
    const a = wire.attach({ receive: () => undefined });
    const b = listener(() => machine.now);
    const leaving = wire.attach(b);
    const bytes = frame(60, 7);
    a.send(bytes);
    bytes.fill(9);
    machine.run(2000);
    expect(b.got.map(([, , value]) => value)).toEqual([7]);
    a.send(bytes);
    leaving.detach();
    machine.run(2000);
    expect(b.got).toHaveLength(1);
  });

  test('frames arrive in the order in which they were sent, none twice, however they are sent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 14, max: 1518 }), fc.nat(5000)), { maxLength: 12 }),
        fc.nat(200),
        (sends, delayMicroseconds) => {
          const wire = new Wire({ delayMicroseconds });
          const machine = machineOn(wire);
          const { send } = wire.attach({ receive: () => undefined });
          const b = listener(() => machine.now);
          wire.attach(b);
          sends.forEach(([length, wait], i) => {
            send(frame(Math.max(length, 21), i));
            machine.run(wait);
          });
          machine.run(1_000_000);
          expect(b.got.map(([, , value]) => value)).toEqual(sends.map((_, i) => i));
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('what may be heard on a wire', () => {
  test('bandwidth: the same frame takes a tenth of the time at 100 Mbit/s', () => {
    const wire = new Wire({ bandwidth: 100_000_000 });
    const machine = machineOn(wire);
    const b = listener(() => machine.now);
    wire.attach(b);
    wire.attach({ receive: () => undefined }).send(frame(60));
    machine.run(5.76 * 25 - 1);
    expect(b.got).toEqual([]);
    machine.run(1);
    machine.run(1);
    expect(b.got.map(([cycle]) => cycle)).toEqual([5.76 * 25]);
  });

  test('a tap sees every frame once, in its time, and hears no more once it is removed', () => {
    const wire = new Wire({ delayMicroseconds: 50, faults: { drop: 1 } });
    const machine = machineOn(wire);
    const seen: SeenFrame[] = [];
    const stop = wire.tap((one) => seen.push(one));
    const { send } = wire.attach({ receive: () => undefined });
    send(frame(60, 1));
    send(frame(100, 2));
    machine.run(57.6 * 25);
    expect(seen).toEqual([]);
    machine.run(10_000);
    stop();
    send(frame(60, 3));
    machine.run(10_000);
    expect(seen.map(({ bytes, time, damaged }) => [bytes[20], bytes.length, time, damaged])).toEqual([
      [1, 60, 57_600, false],
      [2, 100, 57_600 + 9_600 + 112 * 800, false],
    ]);
  });

  test('inputs are what stations of the host send, and is taken', () => {
    const wire = new Wire({ capacity: 1 });
    const entered: number[] = [];
    const stop = wire.listenInputs((bytes) => entered.push(bytes.length));
    const { send } = wire.attach({ receive: () => undefined });
    send(frame(10));
    send(frame(61));
    send(frame(62));
    stop();
    machineOn(wire).run(100_000);
    send(frame(63));
    expect(entered).toEqual([61]);
  });

  test('a frame with its own FCS is taken at its word', () => {
    const wire = new Wire();
    const machine = machineOn(wire);
    const got: unknown[] = [];
    wire.attach({
      receive: (bytes) => got.push(bytes.length),
      damaged: (bytes, fcs) => got.push([bytes.length, fcs]),
    });
    const deaf = listener(() => machine.now);
    wire.attach(deaf);
    const { send } = wire.attach({ receive: () => undefined });
    send(frame(60), 0x12345678);
    send(frame(60), 0x04128908); // of 60 zero bytes
    send(frame(59), 0x12345678);
    machine.run(100_000);
    expect(got).toEqual([[60, 0x12345678], 60]);
    expect(deaf.got).toHaveLength(1); // what is damaged does not reach who does not ask for it
    expect(wire.counters.sent).toBe(3);
  });

  test('without the cable frames are lost, and their sender hears so', () => {
    const wire = new Wire();
    const machine = machineOn(wire);
    const b = listener(() => machine.now);
    wire.attach(b);
    const carriers: boolean[] = [];
    const { send } = wire.attach({ receive: () => undefined, sent: ({ carrier }) => carriers.push(carrier) });
    wire.carrier = false;
    send(frame(60));
    machine.run(2000);
    wire.carrier = true;
    send(frame(60));
    machine.run(2000);
    expect(carriers).toEqual([false, true]);
    expect(b.got).toHaveLength(1);
  });
});

describe('a wire with two clocks', () => {
  /** Two stations with clocks of 25 and 10 MHz, and what the wire carries. */
  function two(): { wire: Wire; clocks: TestClock[]; senders: Attachment[]; seen: [number, number][] } {
    const wire = new Wire();
    const clocks = [new TestClock(25_000_000), new TestClock(10_000_000)];
    const senders = clocks.map((clock) => wire.attach({ receive: () => undefined }, clock));
    const seen: [number, number][] = [];
    wire.tap(({ bytes, time }) => seen.push([bytes[20] ?? 0, time]));
    return { wire, clocks, senders, seen };
  }

  test('what is asked for after the settled time waits for who may ask before it', () => {
    const { wire, clocks, senders, seen } = two();
    const [a, b] = clocks as [TestClock, TestClock];
    a.now = 2505; // 100.2 us: an instruction went beyond the settled time
    senders[0]?.send(frame(60, 1));
    b.now = 1000;
    wire.settle(100_000);
    b.now = 1001; // 100.1 us
    senders[1]?.send(frame(60, 2));
    a.now = 100_000;
    b.now = 40_000;
    wire.settle(4_000_000);
    expect(seen).toEqual([
      [2, 100_100 + 57_600],
      [1, 100_100 + 57_600 + 67_200],
    ]);
  });

  test('arrivals are in cycles of each clock, rounded up', () => {
    const wire = new Wire({ delayMicroseconds: 0.01 });
    const clocks = [new TestClock(25_000_000), new TestClock(10_000_000), new TestClock(16_670_000)] as const;
    const at: number[] = [];
    const senders = clocks.map((clock, i) =>
      wire.attach({ receive: () => (at[i] = clock.now), sent: () => (at[i] = clock.now) }, clock),
    );
    senders[0]?.send(frame(60));
    wire.settle(57_600);
    for (const clock of clocks) {
      while (clock.now < 2000) {
        clock.now += 1;
        clock.runDue();
      }
    }
    expect(at).toEqual([1440, 577, Math.ceil(57_610 * 0.01667)]);
  });
});

describe('faults', () => {
  interface Arrival {
    readonly number: number;
    readonly time: number;
    readonly fcs: number | undefined;
    readonly bytes: Uint8Array;
  }

  /** Sends `count` numbered frames through a wire with these faults. */
  function through(faults: FaultOptions, count = 200): { arrivals: Arrival[]; wire: Wire } {
    const wire = new Wire({ capacity: count, faults });
    const machine = machineOn(wire);
    const arrivals: Arrival[] = [];
    const note = (bytes: Uint8Array, fcs: number | undefined, time: number): void => {
      arrivals.push({ number: bytes[20] ?? -1, time, fcs, bytes: bytes.slice() });
    };
    wire.attach({
      receive: (bytes, time) => {
        note(bytes, undefined, time);
      },
      damaged: note,
    });
    const { send } = wire.attach({ receive: () => undefined });
    for (let i = 0; i < count; i += 1) send(frame(60, i));
    machine.run((count + 100) * 1680);
    return { arrivals, wire };
  }

  test('none: every frame arrives once, in order, whole', () => {
    const { arrivals } = through({ seed: 7 });
    expect(arrivals.map(({ number }) => number)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('all dropped; all duplicated; all corrupted', () => {
    const dropped = through({ drop: 1, duplicate: 1, corrupt: 1 });
    expect(dropped.arrivals).toEqual([]);
    expect(dropped.wire.counters).toMatchObject({ sent: 200, dropped: 200, duplicated: 0, corrupted: 0 });
    const duplicated = through({ duplicate: 1 });
    expect(duplicated.arrivals).toHaveLength(400);
    for (let i = 0; i < 200; i += 1) expect(duplicated.arrivals.filter(({ number }) => number === i)).toHaveLength(2);
    const corrupted = through({ corrupt: 1 });
    expect(corrupted.wire.counters.corrupted).toBe(200);
    expect(corrupted.arrivals).toHaveLength(200);
  });

  test('one inverted bit, in the frame or in its FCS, which then do not match', () => {
    const { arrivals } = through({ corrupt: 1, seed: 3 });
    let inFcs = 0;
    arrivals.forEach(({ bytes, fcs }, i) => {
      const sent = frame(60, i);
      let flipped = 0;
      bytes.forEach((byte, at) => {
        for (let x = byte ^ (sent[at] ?? 0); x !== 0; x &= x - 1) flipped += 1;
      });
      const right = ~crc32(sent, 60) >>> 0;
      for (let x = right ^ (fcs ?? right); x !== 0; x &= x - 1) {
        flipped += 1;
        inFcs += 1;
      }
      expect(flipped).toBe(1);
      expect(fcs).not.toBe(~crc32(bytes, 60) >>> 0);
    });
    expect(inFcs).toBeGreaterThan(0);
    expect(inFcs).toBeLessThan(40);
  });

  test('half of them, reproducibly, and another half with another seed', () => {
    const one = through({ drop: 0.5, seed: 1 });
    const numbers = ({ arrivals }: { arrivals: Arrival[] }): number[] => arrivals.map(({ number }) => number);
    expect(one.arrivals.length).toBeGreaterThan(70);
    expect(one.arrivals.length).toBeLessThan(130);
    expect(numbers(through({ drop: 0.5, seed: 1 }))).toEqual(numbers(one));
    expect(numbers(through({ drop: 0.5, seed: 2 }))).not.toEqual(numbers(one));
    // What else may happen does not change which frames are dropped.
    expect(new Set(numbers(through({ drop: 0.5, seed: 1, duplicate: 0.5, delay: 0.5 })))).toEqual(
      new Set(numbers(one)),
    );
  });

  test('a reordered frame is overtaken by the one behind it', () => {
    const { arrivals, wire } = through({ reorder: 0.2, seed: 5 });
    const numbers = arrivals.map(({ number }) => number);
    expect(numbers).toHaveLength(200);
    expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
    const { reordered } = wire.counters;
    expect(reordered).toBeGreaterThan(20);
    expect(reordered).toBeLessThan(60);
  });

  test('a delayed frame is late by up to the longest delay', () => {
    const { arrivals, wire } = through({ delay: 1, delayMicroseconds: 30 });
    const late = arrivals.map(({ number, time }) => time - (57_600 + number * 67_200));
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThan(30_000);
    expect(Math.max(...late)).toBeGreaterThan(25_000);
    expect(wire.counters.delayed).toBe(200);
  });
});
