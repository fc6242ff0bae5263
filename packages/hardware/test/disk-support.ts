/** A driver of the disk for tests: requests in three descriptors. */
import { expect } from 'vitest';
import { memoryStore, type BlockStore, type DiskGeometry, type Machine } from '../src/index.ts';
import { idle, peek, poke } from './support.ts';

export const DISK = 0x1a000000;
export const SIZE = 8;
export const DESCRIPTORS = 0x4000;
export const AVAILABLE = 0x4100;
export const USED = 0x4200;
export const HEADER = 0x5000;
export const STATUS = 0x5100;
export const DATA = 0x6000;
export const NEXT = 1;
export const WRITE = 2;

/** SEG_MAX, BLK_SIZE, FLUSH. */
export const PLAIN = 0x244;

/** Makes the device ready, as a driver does. */
export function setup(machine: Machine, features = PLAIN): void {
  for (const at of [AVAILABLE, AVAILABLE + 2, USED + 2]) machine.memory.store16(at, 0);
  for (const [offset, value] of [
    [0x070, 0],
    [0x070, 3],
    [0x024, 1],
    [0x020, 1],
    [0x024, 0],
    [0x020, features],
    [0x070, 0xb],
    [0x030, 0],
    [0x038, SIZE],
    [0x080, DESCRIPTORS],
    [0x084, 0],
    [0x090, AVAILABLE],
    [0x094, 0],
    [0x0a0, USED],
    [0x0a4, 0],
    [0x044, 1],
    [0x070, 0xf],
  ] as const) {
    poke(machine, DISK + offset, value);
  }
  expect(peek(machine, DISK + 0x070)).toBe(0xf);
}

/** A machine with a disk that is ready. */
export function disk(
  store: BlockStore = memoryStore(64 * 512),
  geometry: DiskGeometry = {},
  ramBytes = 0x40000,
  features = PLAIN,
): Machine {
  const machine = idle({ disk: { store, geometry }, ramBytes });
  setup(machine, features);
  return machine;
}

export type Descriptor = readonly [address: number, length: number, flags: number, next: number];

/** Writes descriptors one behind the other. */
export function table({ memory }: Machine, from: number, chain: readonly Descriptor[]): void {
  chain.forEach(([address, length, flags, next], i) => {
    const at = from + 16 * i;
    memory.store32(at, address);
    memory.store32(at + 4, 0);
    memory.store32(at + 8, length);
    memory.store16(at + 12, flags);
    memory.store16(at + 14, next);
  });
}

/** Writes a chain from descriptor 0 on, offers it and rings. */
export function offer(machine: Machine, chain: readonly Descriptor[], head = 0): void {
  const { memory } = machine;
  table(machine, DESCRIPTORS, chain);
  const index = memory.load16(AVAILABLE + 2);
  memory.store16(AVAILABLE + 4 + 2 * (index % SIZE), head);
  memory.store16(AVAILABLE + 2, (index + 1) & 0xffff);
  poke(machine, DISK + 0x050, 0);
}

/** Writes the header of a request. */
export function header(machine: Machine, type: number, sector: number): void {
  machine.memory.store32(HEADER, type);
  machine.memory.store32(HEADER + 8, sector % 2 ** 32);
  machine.memory.store32(HEADER + 12, Math.floor(sector / 2 ** 32));
  machine.memory.store8(STATUS, 0xee);
}

/** One request in three descriptors; runs until it is done. Returns its status. */
export function request(
  machine: Machine,
  type: number,
  sector: number,
  bytes: number,
  dataFlags = type === 0 ? WRITE : 0,
): number {
  header(machine, type, sector);
  offer(
    machine,
    bytes === 0
      ? [
          [HEADER, 16, NEXT, 1],
          [STATUS, 1, WRITE, 0],
        ]
      : [
          [HEADER, 16, NEXT, 1],
          [DATA, bytes, NEXT | dataFlags, 2],
          [STATUS, 1, WRITE, 0],
        ],
  );
  const used = machine.memory.load16(USED + 2);
  for (let i = 0; i < 200 && machine.memory.load16(USED + 2) === used; i += 1) machine.run(25_000);
  return machine.memory.load8(STATUS);
}
