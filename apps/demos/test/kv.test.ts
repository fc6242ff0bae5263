/** The key-value log: what its clients and a kernel that wants frames back see of it. */
import { ERRORS } from '@exokernel/abi';
import { beforeAll, describe, expect, test } from 'vitest';
import { CutDisk } from '../../../packages/libos-kit/test/log-support.ts';
import { checkInvariants } from '../../../packages/testkit/src/index.ts';
import { BLOCKS, GET, kvLibOs, PUT, valueOf, world, type KvLibOs } from './kv-support.ts';

let os: KvLibOs;
beforeAll(async () => {
  os = await kvLibOs();
}, 60_000);

describe('a key-value log', () => {
  test('puts and gets, and says what it has not', () => {
    const w = world(os, new CutDisk(BLOCKS));
    expect(w.ask(GET, 'a')).toEqual({ status: ERRORS.E_NONE, value: '' });
    expect(w.ask(PUT, 'a', 'one')).toEqual({ status: 3, value: '' });
    expect(w.ask(GET, 'a')).toEqual({ status: 3, value: 'one' });
    expect(w.ask(PUT, 'a', 'two!')).toEqual({ status: 4, value: '' });
    expect(w.ask(GET, 'a')).toEqual({ status: 4, value: 'two!' });
    expect(w.ask(3, 'a')?.status).toBe(ERRORS.E_RANGE);
    expect(w.ask(PUT, 'k'.repeat(41), 'x')?.status).toBe(ERRORS.E_RANGE);
    expect(w.ask(PUT, 'b', 'x'.repeat(1025))?.status).toBe(ERRORS.E_RANGE);
    expect(w.neighbour.damage()).toEqual([]);
  });

  test('a PUT is one write of the disk, whatever its length, and an idle second none of its slices', () => {
    const disk = new CutDisk(BLOCKS);
    const w = world(os, disk);
    expect(w.ask(PUT, 'first', 'x')?.status).toBe(1);
    for (const [i, length] of [
      ...Array.from({ length: 20 }, (_, n) => valueOf(n).length),
      1024,
      490,
      0,
      1,
      1023,
    ].entries()) {
      const before = disk.writes;
      expect(w.ask(PUT, `key ${i}`, 'v'.repeat(length))?.status).toBe(length);
      expect(disk.writes - before).toBe(1);
      // Asked again, it is not done again.
      expect(w.ask(PUT, `key ${i}`, 'v'.repeat(length), w.asked())?.status).toBe(length);
      expect(disk.writes - before).toBe(1);
    }
    const { slices, cycles } = w.aegis.environment(0);
    w.runUntil(() => false, 1);
    expect(w.aegis.environment(0)).toMatchObject({ slices, cycles });
  });

  test('what it was asked to put is there after a boot', () => {
    const disk = new CutDisk(BLOCKS);
    const before = world(os, disk);
    for (let i = 0; i < 30; i += 1) before.ask(PUT, `key ${i % 20}`, valueOf(i));
    const after = world(os, disk, { firstNumber: 1000 });
    for (let i = 10; i < 30; i += 1) expect(after.ask(GET, `key ${i % 20}`)?.value).toBe(valueOf(i));
  });

  test('gives frames back when it is asked, and has its values all the same', () => {
    const w = world(os, new CutDisk(BLOCKS));
    for (let i = 0; i < 60; i += 1) w.ask(PUT, `key ${i}`, valueOf(i));
    for (let i = 0; i < 60; i += 1) expect(w.ask(GET, `key ${i}`)?.value).toBe(valueOf(i));
    const held = w.aegis.parts.frames.heldBy(0).length;
    // A frame costs some 20,000 cycles to give back, and the deadline is two ticks: so many at a time.
    for (let i = 1; i <= 5; i += 1) {
      w.aegis.parts.revocation.ask(0, 0, 8);
      w.runUntil(() => false, 0.2);
      expect(w.aegis.parts.frames.heldBy(0).length).toBe(held - 8 * i);
    }
    for (let i = 0; i < 60; i += 1) expect(w.ask(GET, `key ${i}`)?.value).toBe(valueOf(i));
    expect(w.aegis.parts.frames.heldBy(0).length).toBe(held);
    expect(w.neighbour.damage()).toEqual([]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });
});
