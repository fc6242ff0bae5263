/** The log in AssemblyScript: what it finds again, and what it never takes for a record. Losses of power are in log-cuts.test.ts. */
import { describe, expect, test } from 'vitest';
import { exitOf } from '../../testkit/src/index.ts';
import { memoryStore, type BlockStore } from '../../hardware/src/index.ts';
import { image, KIT, machine, random, store } from './log-support.ts';

const HEAD = `
  import { E, PAGE_BYTES } from '${KIT}/abi';
  import { EXTENT, extentBlocks, pages, transfer } from '${KIT}/disk';
  import { append, beginRewrite, closeLog, commitRewrite, formatLog, logDamage, logRoom, logSectors, openLog, readRecord, RECORD_MOST, startSync, sync } from '${KIT}/log';
  const record: usize = memory.data(8192);
  const positions: StaticArray<i32> = new StaticArray<i32>(512);
  let count = 0;
  /** Which records were found: a bit for each of the first 32. */
  let set: u32 = 0;
  let wrong = 0;
  function found(position: i32, first: usize, length: i32): void {
    const id = load<i32>(first);
    for (let i = 4; i < min(length, 400); i++) if (load<u8>(first + i) != <u8>(id + i)) wrong++;
    if (id < 32) set |= 1 << id;
    if (count < 512) positions[count] = position;
    count++;
  }
  function open(): i32 {
    count = 0;
    set = 0;
    return openLog(EXTENT, extentBlocks(), found);
  }
  function put(id: i32, length: i32): i32 {
    store<i32>(record, id);
    for (let i = 4; i < length; i++) store<u8>(record + i, id + i);
    return append(record, length);
  }
  function fresh(): i32 {
    const code = formatLog(EXTENT, extentBlocks());
    return code < 0 ? code : open();
  }
`;

async function run(main: string, disk: BlockStore, blocks: number): Promise<number> {
  const booted = machine(
    [await image(`${HEAD}\nexport function main(): i32 {${main}}`, { extent: { start: 0, blocks } })],
    disk,
  );
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 600);
  return exitOf(booted.aegis.environment(0));
}

describe('a log', () => {
  test('gives back what was appended, of every length', async () => {
    const code = await run(
      `if (open() != E.NONE || fresh() != 0) return 1;
       let sum = 0;
       for (let id = 0; id < 60; id++) {
         const length = id < 20 ? 4 + id * 53 : (id * 977) % RECORD_MOST + 4;
         if (length > RECORD_MOST) continue;
         const position = put(id, length);
         if (position < 0) return 2;
         positions[id] = position;
         // Before it is on the disk, too.
         if (readRecord(position, 0, record, 8192) != length) return 3;
         if (id % 4 == 3 && sync() != 0) return 4;
         sum++;
       }
       if (sync() != 0 || open() != 0 || count != sum || wrong != 0 || logDamage() != 0) return 5;
       for (let i = 0; i < count; i++) {
         const length = readRecord(positions[i], 0, record, 8192);
         const id = load<i32>(record);
         for (let k = 4; k < length; k++) if (load<u8>(record + k) != <u8>(id + k)) return 6;
         // Any part of it, across sectors.
         if (length > 600 && (readRecord(positions[i], 490, record, 100) != 100 || load<u8>(record) != <u8>(id + 490) || load<u8>(record + 99) != <u8>(id + 589))) return 7;
       }
       return 42;`,
      store(256),
      256,
    );
    expect(code).toBe(42);
  });

  test('that is full says so, and is whole; written anew it has room again', async () => {
    const code = await run(
      `if (fresh() != 0) return 1;
       let id = 0;
       let code = 0;
       while ((code = put(id, 1000)) > 0) {
         positions[id] = code;
         if (id++ % 3 == 0 && sync() < 0) return 2;
       }
       if (code != E.NONE || put(id, 1000) != E.NONE || id != logSectors() / 3 || logRoom() >= 3) return 3;
       if (sync() != 0 || open() != 0 || count != id || wrong != 0) return 4;
       if (beginRewrite() != 0) return 5;
       const length = readRecord(positions[1], 0, record, 8192);
       if (length != 1000 || append(record, length) < 0 || commitRewrite() != 0) return 6;
       if (open() != 0 || count != 1 || set != 2 || logRoom() != logSectors() - 3) return 7;
       return put(9, 1000) > 0 && sync() == 0 && open() == 0 && set == (1 << 9 | 2) ? 42 : 8;`,
      store(16),
      16,
    );
    expect(code).toBe(42);
  });

  test('has errors for lengths and places that cannot be', async () => {
    const code = await run(
      `for (let i = -3; i < 4; i++) if (openLog(EXTENT, i, found) != E.RANGE) return 1;
       if (append(record, 5) != E.NONE || sync() != E.NONE || readRecord(8, 0, record, 5) != E.NONE || startSync() != E.NONE) return 2;
       if (fresh() != 0) return 3;
       for (let i = 0; i < 3; i++) {
         if (append(record, 0) != E.RANGE || append(record, -1) != E.RANGE || append(record, 0x80000000) != E.RANGE) return 4;
         if (append(record, RECORD_MOST + 1) != E.RANGE || append(record, 0x7fffffff) != E.RANGE) return 5;
       }
       const position = put(1, 100);
       if (position < 0 || sync() != 0) return 6;
       for (let i = -20; i < 200; i++) {
         if (i == position) continue;
         const code = readRecord(i, 0, record, 100);
         if (code != E.CODE && code != E.RANGE) return 7;
       }
       if (readRecord(0x7fffffff, 0, record, 1) != E.RANGE || readRecord(position, -1, record, 1) != E.RANGE) return 8;
       if (readRecord(position, 100, record, 5) != 0 || readRecord(position, 0x7fffffff, record, 5) != 0) return 9;
       if (readRecord(position, 0, record, -1) != 0 || readRecord(position, 0, record, 0x80000000) != 0) return 10;
       return 42;`,
      store(16),
      16,
    );
    expect(code).toBe(42);
  });

  test('goes on after a write that has failed', async () => {
    const inner = store(16);
    let failures = 0;
    let writes = 0;
    const failing: BlockStore = {
      blocks: inner.blocks,
      read: (sector, into) => inner.read(sector, into),
      write: (sector, from) => {
        writes += 1;
        if (writes > 8 && writes % 3 === 0) {
          failures += 1;
          throw new Error('no such sector today');
        }
        inner.write(sector, from);
      },
      flush: () => undefined,
    };
    const code = await run(
      `let code = fresh();
       if (code != 0) return 1;
       let failed = 0;
       for (let id = 1; id < 20; id++) {
         if (put(id, 30 + id) < 0) return 2;
         while ((code = sync()) == E.DEVICE) failed++;
         if (code != 0) return 3;
       }
       if (failed == 0) return 4;
       return open() == 0 && count == 19 && wrong == 0 ? 42 : 5;`,
      failing,
      16,
    );
    expect(code).toBe(42);
    expect(failures).toBeGreaterThan(3);
  });
});

describe('what is no record', () => {
  test(
    'every byte changed once: the record is gone, or as it was; all others are there',
    { timeout: 600_000 },
    async () => {
      const code = await run(
        `if (fresh() != 0) return 1;
       const lengths: StaticArray<i32> = [30, 4, 700, 100];
       const begins: StaticArray<i32> = [0, 1, 2, 4, 5];
       for (let id = 0; id < 4; id++) if (put(id, lengths[id]) < 0 || sync() != 0) return 2;
       const good = pages(1);
       const bad = pages(1);
       // The first blocks say the same eight times: one sector of them, and a byte of each other.
       for (let block = 0; block < 2; block++) {
         if (transfer(EXTENT, block, good, 1, false, false) != 0) return 3;
         for (let at = 0; at < PAGE_BYTES; at += block == 1 || at < 24 ? 1 : 509) {
           const sector = at >> 9;
           if (block == 1 && sector > 4 && (at & 511) > 24) continue;
           memory.copy(bad, good, PAGE_BYTES);
           store<u8>(bad + at, load<u8>(good + at) ^ (<u8>1 << <u8>(at % 8)));
           if (transfer(EXTENT, block, bad, 1, true, false) != 0) return 4;
           if (open() != 0 || wrong != 0) return 5;
           let id = -1;
           if (block == 1) for (let i = 0; i < 4; i++) if (sector >= begins[i] && sector < begins[i + 1]) id = i;
           const used = id < 0 ? 0 : min(512, 20 + lengths[id] - (sector - begins[id]) * 492);
           if (id < 0 || (at & 511) >= used) {
             if (set != 15) return 6;
           } else {
             if (set != <u32>(15 & ~(1 << id))) return 7;
             if (logDamage() != (id == 3 ? 0 : 1)) return 8;
           }
         }
         if (transfer(EXTENT, block, good, 1, true, false) != 0) return 9;
       }
       return open() == 0 && set == 15 && logDamage() == 0 ? 42 : 10;`,
        store(4),
        4,
      );
      expect(code).toBe(42);
    },
  );

  test('records of an earlier life of the blocks', async () => {
    const code = await run(
      `const zero = pages(1);
       if (fresh() != 0) return 1;
       for (let id = 0; id < 20; id++) if (put(id, 600) < 0) return 2;
       if (sync() != 0) return 3;
       // Its first blocks are lost; the same first record is written again.
       closeLog();
       if (transfer(EXTENT, 0, zero, 1, true, false) != 0 || transfer(EXTENT, extentBlocks() / 2, zero, 1, true, false) != 0) return 4;
       if (open() != E.NONE || fresh() != 0 || count != 0) return 5;
       if (put(0, 600) < 0 || sync() != 0 || open() != 0 || set != 1) return 6;
       // A rewrite that was not finished, and then another one that is shorter.
       for (let round = 0; round < 4; round++) {
         if (beginRewrite() != 0) return 7;
         for (let id = 0; id < 20; id++) if (put(id, 600) < 0) return 8;
         if (sync() != 0 || open() != 0 || set != 1 || count != 1) return 9;
       }
       if (beginRewrite() != 0 || put(0, 600) < 0 || commitRewrite() != 0) return 10;
       return open() == 0 && set == 1 && count == 1 ? 42 : 11;`,
      store(32),
      32,
    );
    expect(code).toBe(42);
  });

  test('what a write that was cut off has left behind the end', async () => {
    const code = await run(
      `const page = pages(1);
       if (fresh() != 0) return 1;
       for (let id = 0; id < 7; id++) if (put(id, 100) < 0) return 2;
       // Two blocks by one write: of the first one the last sector is lost.
       if (sync() != 0 || put(7, 100) < 0 || put(8, 100) < 0 || sync() != 0) return 3;
       if (transfer(EXTENT, 1, page, 1, false, false) != 0) return 4;
       memory.fill(page + 7 * 512, 0, 512);
       if (transfer(EXTENT, 1, page, 1, true, false) != 0) return 5;
       if (open() != 0 || set != 127 || logDamage() != 0) return 6;
       if (put(9, 100) < 0 || sync() != 0 || open() != 0 || set != (127 | 1 << 9)) return 7;
       if (put(10, 100) < 0 || sync() != 0 || open() != 0) return 8;
       return set == (127 | 3 << 9) && wrong == 0 ? 42 : 9;`,
      store(16),
      16,
    );
    expect(code).toBe(42);
  });

  test('records at another place, and bytes in a record that look like one', async () => {
    const code = await run(
      `const page = pages(1);
       if (fresh() != 0) return 1;
       if (put(0, 100) < 0 || put(1, 4) < 0 || sync() != 0) return 2;
       // The block once more, behind itself, and as what is in a record.
       if (transfer(EXTENT, 1, page, 1, false, false) != 0 || transfer(EXTENT, 2, page, 1, true, false) != 0) return 3;
       if (open() != 0 || count != 2 || set != 3) return 4;
       for (let at = 0; at < 512; at += 4) {
         store<i32>(record, 5);
         memory.copy(record + 4, page, 4092);
         memory.copy(record + 4 + at, page, 1024);
         if (append(record, 4096) < 0) break;
       }
       if (sync() != 0) return 5;
       set = 0;
       if (openLog(EXTENT, extentBlocks(), (position, first, length) => { set |= 1 << load<i32>(first); }) != 0) return 6;
       return set == (3 | 1 << 5) ? 42 : 7;`,
      store(64),
      64,
    );
    expect(code).toBe(42);
  });

  test.each([1, 2, 3])('garbage, %i', async (seed) => {
    const next = random(seed);
    const bytes = Uint8Array.from({ length: 16 * 4096 }, () => next(seed === 3 ? 2 : 256));
    const code = await run(
      `if (open() != E.CODE) return 1;
       const garbage = pages(1);
       const zero = pages(1);
       if (transfer(EXTENT, 3, garbage, 1, false, false) != 0) return 2;
       if (fresh() != 0 || count != 0) return 3;
       // Behind a good beginning, too.
       for (let block = 1; block < 8; block++) if (transfer(EXTENT, block, garbage, 1, true, false) != 0) return 4;
       if (open() != 0 || count != 0) return 5;
       for (let id = 0; id < 30; id++) if (put(id, 400) < 0 || sync() != 0) return 6;
       return open() == 0 && count == 30 && wrong == 0 ? 42 : 7;`,
      memoryStore(bytes),
      16,
    );
    expect(code).toBe(42);
  });
});
