import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HardwareError, Machine, Wire, type Station } from '../src/index.ts';
import { idle } from './support.ts';

const MAC = Uint8Array.of(8, 0, 0x2b, 1, 2, 3);

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
    expect(wire.counters).toEqual({ sent: 0, droppedSize: 4, droppedQueue: 2 });
  });

  test('refuses impossible options and a second machine', () => {
    for (const options of [{ delayMicroseconds: -1 }, { delayMicroseconds: NaN }, { capacity: 0 }, { capacity: 1.5 }]) {
      expect(() => new Wire(options)).toThrow(HardwareError);
    }
    const wire = new Wire();
    idle({ lance: { mac: MAC, wire } });
    expect(() => new Machine({ lance: { mac: MAC, wire } })).toThrow('another clock');
    expect(() => new Machine({ lance: { mac: MAC.subarray(1), wire: new Wire() } })).toThrow('6 bytes');
  });

  test('serialises frames: 57.6 us for the smallest, a gap of 9.6 us, then the delay', () => {
    const wire = new Wire({ delayMicroseconds: 5 });
    const a = listener(() => machine.cycles);
    const b = listener(() => machine.cycles);
    const { send } = wire.attach(a);
    wire.attach(b);
    send(frame(20, 1)); // padded to 60
    send(frame(1514, 2)); // waits for the machine's clock and for the first frame
    const machine = idle({ lance: { mac: MAC, wire } });
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
    const machine = idle({ lance: { mac: MAC, wire } });
    const a = wire.attach({ receive: () => undefined });
    const b = listener(() => machine.cycles);
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
          const machine = idle({ ramBytes: 0x2000, lance: { mac: MAC, wire } });
          const { send } = wire.attach({ receive: () => undefined });
          const b = listener(() => machine.cycles);
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
