/** The key-value log where the kernel takes frames by force: those of its rings, its text and its memory among them. It goes on, and says what it had. */
import { ENV } from '@exokernel/abi';
import { beforeAll, describe, expect, test } from 'vitest';
import { CutDisk } from '../../../packages/libos-kit/test/log-support.ts';
import { checkInvariants, memoryFor } from '../../../packages/testkit/src/index.ts';
import { GET, kvLibOs, PUT, sleeperImage, valueOf, world, type KvLibOs } from './kv-support.ts';

const KEYS = 4;
let os: KvLibOs;
let sleeper: Awaited<ReturnType<typeof sleeperImage>>;
beforeAll(async () => {
  os = await kvLibOs();
  sleeper = await sleeperImage();
}, 60_000);

describe('frames taken by force', () => {
  test.each([1, 4, 8, 9, 10, 12, 14, 16, 18, 20, 21, 22, 24, 25, 26, 27])('%i of them, twice', (count) => {
    const w = world(os, new CutDisk(128), { sleeper, ramBytes: memoryFor(240) });
    const { memory, revocation } = w.aegis.parts;
    for (let i = 0; i < KEYS; i += 1) w.ask(PUT, `key ${i}`, valueOf(i));
    for (let round = 1; round <= 2; round += 1) {
      // It has given all values back before.
      revocation.ask(0, 0, count + KEYS);
      w.runUntil(() => memory.env(0, ENV.lost) >= round * count, 0.5);
      expect(memory.env(0, ENV.lost)).toBeGreaterThanOrEqual(round * count);
      for (let i = 0; i < KEYS; i += 1) {
        expect(w.ask(GET, `key ${i}`)).toEqual({ status: valueOf(i).length, value: valueOf(i) });
      }
      expect(w.ask(PUT, 'key 0', valueOf(0))).toEqual({ status: valueOf(0).length, value: '' });
    }
    expect(w.aegis.environment(0).cause?.text).toBeUndefined();
    expect(w.neighbour.damage()).toEqual([]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });
});
