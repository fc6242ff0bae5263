/**
 * Losses of power under the key-value log itself: the power goes at a random write of the disk, and the next life is asked what is there. All lives of
 * a disk follow each other, until it is full, so each finds what those before have left half written. KV_CUTS says how many there are;
 * `npm run test:cuts` has a thousand.
 */
import { ERRORS } from '@exokernel/abi';
import { expect, test } from 'vitest';
import { CutDisk, random } from '../../../packages/libos-kit/test/log-support.ts';
import { GET, kvLibOs, PUT, valueOf, world } from './kv-support.ts';

const CUTS = Number(process.env['KV_CUTS'] ?? 20);
const SEED = Number(process.env['KV_SEED'] ?? 3);
const KEYS = 6;
/** Of the extent: small, so that it is often full. Eight of them are for frames that the kernel takes. */
const BLOCKS = 24;

interface Put {
  readonly number: number;
  readonly key: string;
  readonly value: string;
}

/** What the client knows of one disk. */
class Client {
  readonly acknowledged = new Map<string, string>();
  /** Under way when the power went. */
  pending: Put | undefined;
  number = 0;
}

test(`${CUTS} cuts: no acknowledged PUT is lost, and no other is half there`, { timeout: 3_600_000 }, async () => {
  const os = await kvLibOs();
  const choose = random(SEED);
  let client = new Client();
  let left: Uint8Array = new CutDisk(BLOCKS).bytes;
  const seen = { cuts: 0, formatting: 0, acknowledged: 0, cutOff: 0, there: 0, again: 0, disks: 1 };
  while (seen.cuts < CUTS) {
    const disk = new CutDisk(BLOCKS);
    // The first writes of a blank disk are those that make it a log.
    const isBlank = left.every((byte) => byte === 0);
    disk.begin(left, 1 + choose(isBlank ? 12 : 6), choose, () => undefined);
    const isOver = (): boolean => disk.left !== undefined;
    const w = world(os, disk, { firstNumber: client.number, blocks: BLOCKS, isOver });
    const where = `cut ${seen.cuts}, seed ${SEED}`;
    if (isOver()) {
      // No client has been heard yet.
      expect(client.acknowledged.size, where).toBe(0);
      seen.formatting += 1;
    }
    const { pending } = client;
    for (const [key, value] of client.acknowledged) {
      if (isOver() || key === pending?.key) continue;
      expect(w.ask(GET, key), where).toEqual({ status: value.length, value });
    }
    if (pending !== undefined && !isOver()) {
      const before = client.acknowledged.get(pending.key);
      const found = w.ask(GET, pending.key);
      const whole = { status: pending.value.length, value: pending.value };
      const old =
        before === undefined ? { status: ERRORS.E_NONE, value: '' } : { status: before.length, value: before };
      expect([whole, old], where).toContainEqual(found);
      const isThere = found?.value === pending.value;
      seen.there += isThere ? 1 : 0;
      if (isThere) client.acknowledged.set(pending.key, pending.value);
      // The client asks again, as one does that has had no answer; what is there is not done again.
      const writes = disk.writes;
      if (choose(2) === 0) {
        const reply = w.ask(PUT, pending.key, pending.value, pending.number);
        if (!isOver()) {
          expect(reply, where).toEqual({ status: pending.value.length, value: '' });
          expect(disk.writes - writes, where).toBe(isThere ? 0 : 1);
          expect(w.ask(GET, pending.key), where).toEqual(whole);
          client.acknowledged.set(pending.key, pending.value);
          seen.again += 1;
        }
      }
      if (!isOver()) client.pending = undefined;
    }
    let isFull = false;
    while (!isOver()) {
      const put = { key: `key ${choose(KEYS)}`, value: valueOf(choose(400)), number: w.asked() + 1 };
      const reply = w.ask(PUT, put.key, put.value);
      if (isOver()) {
        client.pending = put;
        break;
      }
      isFull = reply?.status === ERRORS.E_NONE;
      if (isFull) break;
      expect(reply, where).toEqual({ status: put.value.length, value: '' });
      client.acknowledged.set(put.key, put.value);
      seen.acknowledged += 1;
    }
    client.number = w.asked();
    expect(w.neighbour.damage(), where).toEqual([]);
    if (isFull) {
      [client, left] = [new Client(), new CutDisk(BLOCKS).bytes];
      seen.disks += 1;
      continue;
    }
    seen.cuts += 1;
    if (client.pending !== undefined) seen.cutOff += 1;
    left = disk.left ?? left;
  }
  if (process.env['KV_CUTS'] !== undefined) console.info(seen);
  // They got as far as doing what they are for.
  expect(seen.acknowledged).toBeGreaterThan(CUTS);
  expect(seen.formatting).toBeGreaterThan(0);
  expect(seen.disks).toBeGreaterThan(1);
  expect(seen.cutOff).toBeGreaterThan(CUTS / 2);
  expect(seen.there).toBeGreaterThan(0);
  expect(seen.there).toBeLessThan(seen.cutOff);
  expect(seen.again).toBeGreaterThan(0);
});
