import { PcapngWriter } from '@exokernel/capture';
import { expect, test } from 'vitest';
import { captureWire, Wire } from '../src/index.ts';
import { machineOn } from './support.ts';

/** Of every frame in the blocks of a capture: interface, time, length, and whether it is marked as damaged. */
function frames(blocks: readonly Uint8Array[]): unknown[] {
  return blocks.flatMap((block) => {
    const view = new DataView(block.buffer, block.byteOffset, block.length);
    if (view.getUint32(0, true) !== 6) return [];
    const time = view.getUint32(12, true) * 2 ** 32 + view.getUint32(16, true);
    const length = view.getUint32(20, true);
    return [[view.getUint32(8, true), time, length, block.length > 32 + ((length + 3) & ~3)]];
  });
}

test('wires are captured from then on until it is ended, each as an interface, damaged frames as such', () => {
  const blocks: Uint8Array[] = [];
  const writer = new PcapngWriter((block) => blocks.push(block));
  const wires = [new Wire(), new Wire({ faults: { corrupt: 1, seed: 4 } })];
  wires.forEach((wire, i) => {
    const machine = machineOn(wire);
    const { send } = wire.attach({ receive: () => undefined });
    send(new Uint8Array(60));
    machine.run(25_000);
    const end = captureWire(wire, writer, { name: `wire${i}` });
    send(new Uint8Array(62));
    send(new Uint8Array(63));
    machine.run(25_000);
    end();
    send(new Uint8Array(64));
    machine.run(25_000);
  });
  const [first, second] = [1_000_000 + (62 + 12) * 800, 1_000_000 + (62 + 12 + 12 + 63 + 12) * 800];
  expect(frames(blocks)).toEqual([
    [0, first, 62, false],
    [0, second, 63, false],
    [1, first, 62, true],
    [1, second, 63, true],
  ]);
});
