/** What the kernel takes by force from a compiled library operating system that has backing store: its own text and memory come back. */
import { ENV, FRAME_MINIMUM, GUARANTEED_LIMIT } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { boot, bystander, BystanderWatch, checkInvariants, exitOf, memoryFor } from '../../testkit/src/index.ts';
import { CutDisk, image, KIT, poke, TELL } from './log-support.ts';

const PAGES = 20;
const PROGRAM = `
  import { backBy } from '${KIT}/backing';
  import { E } from '${KIT}/abi';
  import { NONE } from '${KIT}/capability';
  import { EXTENT } from '${KIT}/disk';
  import { clock_sleep } from '${KIT}/clock';
  import { load32, store32 } from '${KIT}/kit';
  import { KIT_TABLE } from '${KIT}/page-table';
  const BASE: usize = 0x600000;
  function sum(add: u32): u32 {
    let total: u32 = 0;
    for (let i = 0; i < ${PAGES}; i++) {
      for (let at: usize = 0; at < 4096; at += 4) {
        const word = load<u32>(BASE + 4096 * i + at);
        if (word != (<u32>i * 4096 + <u32>at) * 0x9e3779b1 + add) return 0;
        total += word;
        store<u32>(BASE + 4096 * i + at, word + 1);
      }
    }
    return total;
  }
  export function main(): i32 {
    if (backBy(EXTENT, 0, 65) != -3 || backBy(EXTENT, -1, 1) != -3) return 1;
    if (backBy(NONE, 0, 40) != E.CAP || backBy(EXTENT, 1, 64) != E.RANGE || backBy(EXTENT, 0x7fffffff, 2) != E.RANGE) return 4;
    if (backBy(EXTENT, 0, 64) != 0) return 2;
    if (backBy(EXTENT, 0, 64) != -4) return 3;
    KIT_TABLE.reserve(BASE, ${PAGES});
    for (let i = 0; i < ${PAGES}; i++) for (let at: usize = 0; at < 4096; at += 4) store<u32>(BASE + 4096 * i + at, (<u32>i * 4096 + <u32>at) * 0x9e3779b1);
    for (let round = 1; round < 7; round++) {
      if (sum(round - 1) == 0) return 10 + round;
      store32(${TELL}, round);
      while (load32(${TELL}) == <u32>round) clock_sleep(1);
    }
    return 0;
  }
`;

test('is saved, and paged in again when it is touched', async () => {
  const booted = boot([await image(PROGRAM, { extent: { start: 4, blocks: 64 } })], {
    disk: { store: new CutDisk(68) },
    ramBytes: memoryFor(220),
  });
  const watch = new BystanderWatch(booted.aegis, booted.aegis.load(bystander()));
  const { memory, frames, revocation } = booted.aegis.parts;
  const guaranteed = (): number =>
    Array.from({ length: GUARANTEED_LIMIT }, (_, i) => memory.env(0, ENV.guaranteed + 8 * i)).filter((hi) => hi !== 0)
      .length;
  let lost = 0;
  for (const [i, most] of [1, 4, 9, 16, 24, Infinity].entries()) {
    expect(
      booted.runUntil(() => booted.uWord(0, TELL) === i + 1 || booted.aegis.environment(0).status === 'dead'),
    ).toBe(true);
    expect(booted.aegis.environment(0).cause?.text).toBeUndefined();
    const held = frames.heldBy(0).length;
    // It has no policy, and gives nothing. The last time it is left the kit's own pages, and no other.
    const count = Math.min(most, held - FRAME_MINIMUM);
    revocation.ask(0, 0, count);
    booted.runUntil(() => memory.env(0, ENV.lost) === lost + count, 4);
    lost += count;
    expect(memory.env(0, ENV.lost)).toBe(lost);
    expect(frames.heldBy(0).length).toBeLessThan(held);
    // Of the kit's own pages it has lost none.
    expect(guaranteed()).toBe(FRAME_MINIMUM);
    poke(booted, 0, TELL, 0);
  }
  expect(booted.finish(0).map(exitOf)).toEqual([0]);
  expect(watch.damage()).toEqual([]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('and without it ends the environment, which says where', async () => {
  const booted = boot(
    [
      await image(
        PROGRAM.replace('backBy(EXTENT, 0, 64) != 0', 'false').replace('backBy(EXTENT, 0, 64) != -4', 'false'),
        { extent: { start: 4, blocks: 64 } },
      ),
    ],
    {
      disk: { store: new CutDisk(68) },
      ramBytes: memoryFor(220),
    },
  );
  booted.runUntil(() => booted.uWord(0, TELL) === 1);
  const asked = booted.aegis.parts.revocation.ask(0, 0, 30);
  expect(asked).toBeGreaterThan(20);
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 4);
  expect(booted.aegis.environment(0)).toMatchObject({ status: 'dead' });
  expect(booted.aegis.environment(0).cause?.text).toMatch(
    new RegExp(
      `^was ended by a .* 0x7.*, where nothing is, .*; the kernel had taken ${asked} of its frames or slices by force$`,
    ),
  );
});

test.each(['text', 'first of the page table', 'last of the page table', 'upcall stack'])(
  'a page of the kit itself that is gone ends the environment: %s',
  async (page) => {
    const booted = boot(
      [
        await image(
          `
    import { UKIT } from '${KIT}/abi';
    import { frameFree } from '${KIT}/calls';
    import { capabilityAt } from '${KIT}/capability';
    import { load32 } from '${KIT}/kit';
    import { KIT_TABLE } from '${KIT}/page-table';
    import { onFault } from '${KIT}/upcalls';
    export function main(): i32 {
      onFault((address, cause) => false);
      KIT_TABLE.reserve(0x400000, 1);
      const code = frameFree(capabilityAt(UKIT.segments + 16 * ${{ text: 0, first: 1, last: 4, upcall: 5 }[page.split(' ')[0] ?? '']}));
      if (code != 0) return code;
      load32(0x400000);
      return <i32>load32(0x10000000);
    }`,
          {},
        ),
      ],
      { ramBytes: memoryFor(220) },
    );
    booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 1);
    const { status, cause } = booted.aegis.environment(0);
    expect(status).toBe('dead');
    expect(cause?.kind).not.toBe('exit');
    expect(checkInvariants(booted.aegis)).toEqual([]);
  },
);
