/** Pages of a library operating system that lie on the disk, and what its sleeps wait for. */
import { PAGE_BYTES, U } from '@exokernel/abi';
import { describe, expect, test } from 'vitest';
import { checkInvariants, exitOf } from '../../testkit/src/index.ts';
import { CutDisk, image, KIT, machine, poke, TELL } from './log-support.ts';

/** A region of 24 pages on the first blocks of the extent. */
const PAGER = `
  import { EXTENT } from '${KIT}/disk';
  import { PageTable } from '${KIT}/page-table';
  import { Pager } from '${KIT}/pager';
  import { giveUpBy } from '${KIT}/revocation';
  import { load32, store32 } from '${KIT}/kit';
  import { clock_sleep } from '${KIT}/clock';
  import { onFault } from '${KIT}/upcalls';
  const PAGES = 24;
  const BASE: usize = 0x10000000;
  const table = new PageTable(memory.data(16 * PAGES), BASE, PAGES);
  const pager = new Pager(table, EXTENT, 0);
  function tell(word: u32): void { store32(${TELL}, word); }
  function start(): void {
    onFault((address, cause) => pager.fault(address, cause));
    giveUpBy((frames) => pager.giveUp(frames));
  }
  function present(): i32 {
    let count = 0;
    for (let i = 0; i < PAGES; i++) if (load<u32>(table.entries + 16 * i) != 0) count++;
    return count;
  }
`;

describe('pages on the disk', () => {
  test('are read when they are touched, and written by sync', async () => {
    const disk = new CutDisk(32);
    disk.bytes.fill(7, 7 * PAGE_BYTES, 8 * PAGE_BYTES);
    const one = await image(
      `${PAGER}
      export function main(): i32 {
        start();
        if (load<u32>(BASE + 3 * 4096) != 0x07070707 || load<u32>(BASE) != 0) return 1;
        if (table.isDirty(BASE)) return 2;
        for (let i = 0; i < PAGES; i++) store<i32>(BASE + i * 4096, 100 + i);
        if (!table.isDirty(BASE)) return 3;
        return pager.sync() && !table.isDirty(BASE) ? 0 : 4;
      }`,
      { extent: { start: 4, blocks: 24 } },
    );
    const booted = machine([one], disk);
    expect(booted.finish(0).map(exitOf)).toEqual([0]);
    const words = new Uint32Array(disk.bytes.buffer);
    for (let i = 0; i < 24; i += 1) expect(words[((4 + i) * PAGE_BYTES) / 4]).toBe(100 + i);
  });

  test.each([
    ['clean', 'pager.sync();'],
    ['dirty', ''],
  ])('that are %s are given up when the kernel asks, and come again', async (_, before) => {
    const one = await image(
      `${PAGER}
      export function main(): i32 {
        start();
        for (let i = 0; i < PAGES; i++) store<i32>(BASE + i * 4096, 100 + i);
        ${before}
        tell(1);
        while (load32(${TELL}) == 1) clock_sleep(1);
        const left = present();
        for (let i = 0; i < PAGES; i++) if (load<i32>(BASE + i * 4096) != 100 + i) return -1;
        return left;
      }`,
      { extent: { start: 0, blocks: 24 } },
    );
    const booted = machine([one], new CutDisk(32));
    expect(booted.runUntil(() => booted.uWord(0, TELL) === 1)).toBe(true);
    const held = booted.aegis.parts.frames.heldBy(0).length;
    booted.aegis.parts.revocation.ask(0, 0, 4);
    booted.runUntil(() => false, 0.2);
    expect(booted.aegis.parts.frames.heldBy(0).length).toBe(held - 4);
    expect(checkInvariants(booted.aegis)).toEqual([]);
    poke(booted, 0, TELL, 2);
    expect(booted.finish(0).map(exitOf)).toEqual([20]);
  });

  test('are given up while a sync is under way, and nothing is lost', async () => {
    const one = await image(
      `${PAGER}
      export function main(): i32 {
        start();
        for (let round = 1; round < 24; round++) {
          for (let i = 0; i < PAGES; i++) store<i32>(BASE + i * 4096, round * 100 + i);
          tell(round);
          if (!pager.sync()) return round;
          for (let i = 0; i < PAGES; i++) if (load<i32>(BASE + i * 4096) != round * 100 + i) return 100 + round;
        }
        return 0;
      }`,
      { extent: { start: 0, blocks: 24 } },
    );
    const booted = machine([one], new CutDisk(32));
    const isDead = (): boolean => booted.aegis.environment(0).status === 'dead';
    for (let round = 1; round < 24 && !isDead(); round += 1) {
      booted.runUntil(() => isDead() || booted.uWord(0, TELL) >= round);
      booted.machine.run(20_000 * (round % 8));
      // More than those that are clean; what was asked for before has been given.
      if (booted.uWord(0, U.revokeFrames) === 0) booted.aegis.parts.revocation.ask(0, 0, 7);
    }
    expect(booted.finish(0).map(exitOf)).toEqual([0]);
    expect(checkInvariants(booted.aegis)).toEqual([]);
  });

  test('that cannot be read end the environment', async () => {
    const one = await image(
      `${PAGER}
      export function main(): i32 {
        start();
        return load<i32>(BASE + 8 * 4096);
      }`,
      { extent: { start: 0, blocks: 8 } },
    );
    const booted = machine([one], new CutDisk(32));
    expect(booted.finish(0).map(exitOf)).toEqual([-1]);
  });
});

describe('a wakeup predicate', () => {
  test('ends a sleep without a limit, at a word of its own or of the kernel', async () => {
    const text = `
      import { EXPOSED, PREDICATE_OPERATOR, SYSTEM, WELL_KNOWN_READ0, WELL_KNOWN_READ1 } from '${KIT}/abi';
      import { clock_ticks } from '${KIT}/clock';
      import { load32, sleep, store32 } from '${KIT}/kit';
      import { KIT_TABLE } from '${KIT}/page-table';
      import { clearWake, Wake } from '${KIT}/wake';
      export function main(): i32 {
        const page: usize = 0x600000;
        KIT_TABLE.reserve(page, 2);
        store<u32>(page, 0);
        store<u32>(page + 4096, 0);
        const wake = new Wake(page);
        wake.product(1).physical(EXPOSED.system + SYSTEM.tick, 0, WELL_KNOWN_READ0, WELL_KNOWN_READ1, PREDICATE_OPERATOR.ge, clock_ticks() + 5);
        if (wake.set() != 0) return 1;
        const before = clock_ticks();
        while (clock_ticks() - before < 5) sleep(0);
        wake.clear();
        wake.product(2).word(page + 4096, PREDICATE_OPERATOR.ne, 0);
        if (wake.set() != 0) return 2;
        store32(${TELL}, load<u32>(KIT_TABLE.entryOf(page + 4096)) & 0xfffff000);
        while (load32(page + 4096) == 0) sleep(0);
        clearWake();
        return load32(page + 4096);
      }`;
    const booted = machine([await image(text, {})], new CutDisk(8));
    expect(booted.runUntil(() => booted.uWord(0, TELL) !== 0)).toBe(true);
    booted.runUntil(() => false, 0.5);
    expect(booted.aegis.environment(0).status).toBe('runnable');
    const { slices } = booted.aegis.environment(0);
    booted.runUntil(() => false, 0.5);
    expect(booted.aegis.environment(0).slices).toBe(slices);
    booted.machine.memory.store32(booted.uWord(0, TELL) >>> 0, 42);
    expect(booted.finish(0).map(exitOf)).toEqual([42]);
  });
});
