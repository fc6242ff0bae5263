/** The disk in AssemblyScript: several requests at a time, what is exposed, and what is refused. */
import { PAGE_BYTES } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { exitOf } from '../../testkit/src/index.ts';
import { memoryStore } from '../../hardware/src/index.ts';
import { image, KIT, machine, store } from './log-support.ts';

const HEAD = `
  import { E, PLACE, PAGE_BYTES, UKIT } from '${KIT}/abi';
  import { capabilityAt } from '${KIT}/capability';
  import { EXTENT, DiskView, extentBlocks, frameOf, giveSlot, pages, poll, startRead, startRun, startWrite, takeSlot, transfer, wait } from '${KIT}/disk';
`;

async function run(main: string, disk = store(2048), extent = { start: 0, blocks: 2048 }): Promise<number> {
  const booted = machine([await image(`${HEAD}\n${main}`, { extent })], disk);
  return exitOf(booted.finish(0)[0]!);
}

test('sixteen requests are under way at a time, and what they move is what was meant', async () => {
  const numbered = memoryStore(Uint8Array.from({ length: 64 * PAGE_BYTES }, (_, i) => Math.floor(i / PAGE_BYTES)));
  const code = await run(
    `export function main(): i32 {
      const at = pages(16);
      const frame = capabilityAt(memory.data(16));
      const tickets = new StaticArray<i32>(16);
      if (extentBlocks() != 32) return 1;
      for (let i = 0; i < 16; i++) {
        if (frameOf(at + i * PAGE_BYTES, true, frame) != 0) return 2;
        tickets[i] = startRead(EXTENT, 31 - i, frame);
        if (tickets[i] < 0) return 3;
      }
      if (startRead(EXTENT, 0, frame) != E.BUSY) return 4;
      if (poll(tickets[15]) != E.AGAIN) return 5;
      for (let i = 15; i >= 0; i--) if (wait(tickets[i]) != 0) return 6;
      for (let i = 0; i < 16; i++) if (load<u8>(at + i * PAGE_BYTES + 77) != 32 + 31 - i) return 7;
      // All at once, and one page to many blocks.
      store<u32>(at, 0xabcdef01);
      if (transfer(EXTENT, 0, at, 32, true, true) != 0) return 8;
      memory.fill(at, 0, 16 * PAGE_BYTES);
      if (transfer(EXTENT, 16, at, 16, false, false) != 0) return 9;
      for (let i = 0; i < 16; i++) if (load<u32>(at + i * PAGE_BYTES) != 0xabcdef01) return 10;
      return 42;
    }`,
    numbered,
    { start: 32, blocks: 32 },
  );
  expect(code).toBe(42);
});

test('the arm and the queue can be read', async () => {
  const code = await run(`export function main(): i32 {
    const view = new DiskView(PLACE.windows + 0x8000);
    if (view.blocks != 2048 || view.cylinders < 2 || view.requests != 0) return 1;
    const at = pages(2);
    for (let block = 0; block < 2048; block += 500) {
      if (transfer(EXTENT, block, at, 1, false, false) != 0) return 2;
      if (view.arm != view.cylinderOf(block)) return 3;
    }
    const self = load<i32>(UKIT.self + 4);
    const first = startRun(EXTENT, 0, at, 1, false, false);
    const second = startRun(EXTENT, 1800, at + PAGE_BYTES, 1, false, false);
    if (view.requestsOf(self) != 2 || view.requests != 2) return 4;
    if (wait(first) != 0 || wait(second) != 0) return 5;
    if (view.requestsOf(self) != 0) return 6;
    return view.arm == view.cylinderOf(1800) ? 42 : 7;
  }`);
  expect(code).toBe(42);
});

test('what is not there is refused', async () => {
  const code = await run(
    `export function main(): i32 {
      const at = pages(2);
      const none = capabilityAt(memory.data(16));
      const frame = capabilityAt(memory.data(16));
      for (let i = 0; i < 40; i++) {
        if (transfer(EXTENT, 8, at, 1, false, false) != E.RANGE) return 1;
        if (transfer(EXTENT, 7, at, 2, true, true) != E.RANGE) return 2;
        if (transfer(EXTENT, -1, at, 1, true, false) != E.RANGE) return 3;
        if (transfer(none, 0, at, 1, false, false) != E.CAP) return 4;
        if (transfer(EXTENT, 0, at, 0, false, false) != E.RANGE) return 5;
        if (transfer(EXTENT, 0, at, 65, false, false) != E.RANGE) return 6;
        if (transfer(EXTENT, 0, at, -5, false, false) != E.RANGE) return 7;
        if (startWrite(EXTENT, 0, none) != E.CAP) return 8;
      }
      // Guaranteed mappings are not of the table.
      if (frameOf(PLACE.pageTable, false, frame) != E.RANGE) return 9;
      // No completion word is lost.
      for (let i = 0; i < 16; i++) if (takeSlot() != i) return 10;
      if (takeSlot() != E.BUSY) return 11;
      giveSlot(3);
      return takeSlot() == 3 ? 42 : 12;
    }`,
    store(64),
    { start: 0, blocks: 8 },
  );
  expect(code).toBe(42);
});

test('a disk that fails is an error of the request', async () => {
  const inner = store(16);
  const failing = {
    blocks: inner.blocks,
    read: (sector: number, into: Uint8Array): void => {
      if (sector <= 8 && sector + into.length / 512 > 8) throw new Error('a bad sector');
      inner.read(sector, into);
    },
    write: (sector: number, from: Uint8Array): void => inner.write(sector, from),
    flush: (): void => undefined,
  };
  const code = await run(
    `export function main(): i32 {
      const at = pages(4);
      if (transfer(EXTENT, 1, at, 1, false, false) != E.DEVICE) return 1;
      if (transfer(EXTENT, 0, at, 4, false, false) != E.DEVICE) return 2;
      return transfer(EXTENT, 2, at, 4, false, false) == 0 ? 42 : 3;
    }`,
    failing,
    { start: 0, blocks: 16 },
  );
  expect(code).toBe(42);
});
