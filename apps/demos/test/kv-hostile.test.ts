/**
 * The key-value log and a bad world: frames that are nearly right, a full disk, a full memory. It answers, with an error where it must, and goes on.
 * MUTATED sets how many frames there are, MUTATED_SEED makes others.
 */
import { ENV, ERRORS } from '@exokernel/abi';
import { beforeAll, describe, expect, test } from 'vitest';
import { CutDisk, random } from '../../../packages/libos-kit/test/log-support.ts';
import { checkInvariants } from '../../../packages/testkit/src/index.ts';
import {
  BLOCKS,
  CLIENT,
  GET,
  kvLibOs,
  OWN,
  PEER,
  PORT,
  PUT,
  requestBytes,
  valueOf,
  world,
  type KvLibOs,
} from './kv-support.ts';

const MUTATED = Number(process.env['MUTATED'] ?? 1500);
const SEED = Number(process.env['MUTATED_SEED'] ?? 1);
/** Frames between two questions. */
const BATCH = 50;
const SENTINEL = { key: 'sentinel', value: 'it is still there '.repeat(30) };

let os: KvLibOs;
beforeAll(async () => {
  os = await kvLibOs();
}, 60_000);

const be16 = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value)];
/** A host that asks for nothing: what is said of it matters to nobody. */
const OTHER = 0x0a000009;

function sum(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  let total = seed;
  for (let i = from; i < to; i += 2) total += ((bytes[i] ?? 0) << 8) | (i + 1 < to ? (bytes[i + 1] ?? 0) : 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

/** Makes the checksums right, as far as the lengths in the packet let it. */
function repair(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 42 || view.getUint16(12) !== 0x0800) return;
  const header = 4 * ((frame[14] ?? 0) & 15);
  const data = 14 + header;
  const end = Math.min(frame.length, 14 + view.getUint16(16));
  if (data + 8 > frame.length) return;
  view.setUint16(24, 0);
  view.setUint16(24, ~sum(frame, 14, data));
  if (frame[23] === 1) {
    view.setUint16(data + 2, 0);
    view.setUint16(data + 2, ~sum(frame, data, end));
  } else if (frame[23] === 17) {
    const length = view.getUint16(data + 4);
    view.setUint16(data + 6, 0);
    view.setUint16(
      data + 6,
      ~sum(frame, data, Math.min(frame.length, data + length), sum(frame, 26, 34) + 17 + length) || 0xffff,
    );
  }
}

function ipv4(protocol: number, data: readonly number[], options: readonly number[] = []): Uint8Array {
  const header = 20 + options.length;
  const frame = Uint8Array.from([
    ...[...OWN.mac, ...PEER.mac, 8, 0],
    ...[0x40 | (header / 4), 0, ...be16(header + data.length), 0, 7, 0, 0, 64, protocol, 0, 0],
    ...[...be32(PEER.ip), ...be32(OWN.ip), ...options, ...data],
  ]);
  repair(frame);
  return frame;
}

const udp = (port: number, data: Uint8Array, options?: readonly number[]): Uint8Array =>
  ipv4(17, [...be16(CLIENT + 1), ...be16(port), ...be16(8 + data.length), 0, 0, ...data], options);
const arp = (operation: number): Uint8Array =>
  Uint8Array.from([
    ...(operation === 1 ? new Array<number>(6).fill(0xff) : OWN.mac),
    ...[...PEER.mac, 8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
    ...[...PEER.mac, ...be32(OTHER), ...OWN.mac, ...be32(OWN.ip)],
  ]);

const RIGHT: readonly (() => Uint8Array)[] = [
  () => arp(1),
  () => arp(2),
  () => ipv4(1, [8, 0, 0, 0, 0, 1, 0, 2, ...new Array<number>(56).fill(0x55)]),
  () => udp(PORT, requestBytes(1, GET, 'noise')),
  () => udp(PORT, requestBytes(2, PUT, 'noise', 'something')),
  () => udp(PORT, requestBytes(3, PUT, 'noise', 'n'.repeat(1000))),
  () => udp(PORT, requestBytes(4, GET, 'noise'), [1, 1, 1, 0]),
  () => udp(9, requestBytes(5, GET, 'noise')),
];
/** Where fields are that say how long something is, or what it is. */
const FIELDS = [12, 14, 16, 17, 20, 21, 23, 38, 39, 40, 42, 46, 47, 48, 49];

function mutated(choose: (n: number) => number): Uint8Array {
  let frame = (RIGHT[choose(RIGHT.length)] ?? arp.bind(undefined, 1))();
  for (let i = 1 + choose(3); i > 0; i -= 1) {
    const at = choose(2) === 0 ? (FIELDS[choose(FIELDS.length)] ?? 0) : choose(frame.length);
    switch (choose(6)) {
      case 0:
        frame[at] = (frame[at] ?? 0) ^ (1 << choose(8));
        break;
      case 1:
        frame[at] = choose(256);
        break;
      case 2:
        frame[at] = [0, 1, 0x7f, 0x80, 0xff][choose(5)] ?? 0;
        break;
      case 3:
        frame = frame.slice(0, 14 + choose(frame.length - 13));
        break;
      case 4:
        frame = Uint8Array.from([
          ...frame,
          ...Array.from({ length: choose(1515 - Math.min(1514, frame.length)) }, () => choose(256)),
        ]);
        break;
      default:
        for (let j = at; j < Math.min(frame.length, at + choose(40)); j += 1) frame[j] = choose(256);
    }
  }
  if (choose(3) > 0) repair(frame);
  // Or no filter would have it.
  if (choose(2) === 0) frame.set(OWN.mac);
  return frame;
}

/** Who believes ARP believes what is said of the client: this is not what is tested. */
function isAboutClient(frame: Uint8Array): boolean {
  const word = (at: number): number => be32(0).reduce((all, _, i) => ((all << 8) | (frame[at + i] ?? 0)) >>> 0, 0);
  return word(28) === PEER.ip && frame[12] === 8 && frame[13] === 6;
}

describe('a key-value log', () => {
  test(`answers after ${MUTATED} frames that are nearly right`, { timeout: 3_600_000 }, () => {
    const choose = random(SEED);
    const w = world(os, new CutDisk(BLOCKS));
    expect(w.ask(PUT, SENTINEL.key, SENTINEL.value)?.status).toBe(SENTINEL.value.length);
    const whole = { status: SENTINEL.value.length, value: SENTINEL.value };
    const in0 = w.aegis.parts.memory.env(0, ENV.packetsIn);
    for (let done = 0; done < MUTATED; done += BATCH) {
      for (let i = 0; i < BATCH; i += 1) {
        const frame = mutated(choose);
        if (isAboutClient(frame)) continue;
        w.host.send(frame);
        w.runUntil(() => false, 0.002);
      }
      const where = `seed ${SEED}, frames up to ${done + BATCH}`;
      // It may be asking for the address of a sender that is not there, three seconds for each.
      let found = w.ask(GET, SENTINEL.key);
      for (let i = 0; i < 20 && found === undefined; i += 1) found = w.ask(GET, SENTINEL.key);
      expect(found, where).toEqual(whole);
      expect(w.neighbour.damage(), where).toEqual([]);
    }
    expect(checkInvariants(w.aegis)).toEqual([]);
    // Many got past the filters.
    expect(w.aegis.parts.memory.env(0, ENV.packetsIn) - in0).toBeGreaterThan(MUTATED / 3);
  });

  test('says so where the disk is full, and goes on with what it has', () => {
    const w = world(os, new CutDisk(16), { blocks: 16 });
    const there = new Map<string, string>();
    let full = 0;
    for (let i = 0; i < 200 && full < 3; i += 1) {
      const [key, value] = [`key ${i % 10}`, valueOf(60 + i)];
      const status = w.ask(PUT, key, value)?.status;
      if (status === ERRORS.E_NONE) full += 1;
      else {
        expect(status).toBe(value.length);
        there.set(key, value);
      }
    }
    expect(full).toBe(3);
    for (const [key, value] of there) expect(w.ask(GET, key)).toEqual({ status: value.length, value });
    expect(w.neighbour.damage()).toEqual([]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });

  test('says so where it has no place for a key', () => {
    const w = world(os, new CutDisk(BLOCKS));
    for (let i = 0; i < 128; i += 1) expect(w.ask(PUT, `key ${i}`, 'x')?.status).toBe(1);
    expect(w.ask(PUT, 'one more', 'x')?.status).toBe(ERRORS.E_NONE);
    expect(w.ask(PUT, 'key 5', 'two')?.status).toBe(3);
    expect(w.ask(GET, 'key 5')?.value).toBe('two');
  });

  test.each([0, 1, 3])('goes on where memory is full, with %i pages of values', (pages) => {
    const w = world(os, new CutDisk(BLOCKS));
    const { memory, frames } = w.aegis.parts;
    for (let i = 0; i < 8; i += 1) expect(w.ask(PUT, `key ${i}`, valueOf(i))?.status).toBe(valueOf(i).length);
    // A read from the log touches what it needs of the library's memory.
    expect(w.ask(GET, 'key 7')?.value).toBe(valueOf(7));
    expect(w.ask(PUT, 'key 7', valueOf(7))?.status).toBe(valueOf(7).length);
    for (let i = 0; i < pages; i += 1) expect(w.ask(GET, `key ${i}`)?.value).toBe(valueOf(i));
    const held = frames.heldBy(0).length;
    memory.setEnv(0, ENV.frameLimit, held);
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 8; i += 1)
        expect(w.ask(GET, `key ${i}`)).toEqual({ status: valueOf(i).length, value: valueOf(i) });
      expect(w.ask(PUT, 'key 0', valueOf(0))?.status).toBe(valueOf(0).length);
    }
    expect(frames.heldBy(0).length).toBeLessThanOrEqual(held);
    expect(w.neighbour.damage()).toEqual([]);
    expect(checkInvariants(w.aegis)).toEqual([]);
  });

  test('ends, and says why, where there is no memory to begin with', () => {
    const outcomes = new Set<string>();
    for (let limit = 0; limit < 64; limit += 4) {
      let outcome = 'answers';
      let limited = false;
      const w = world(os, new CutDisk(16), {
        blocks: 16,
        loaded: ({ memory, frames }) => {
          memory.setEnv(0, ENV.frameLimit, frames.heldBy(0).length + limit);
          limited = true;
        },
      });
      try {
        const status = w.ask(PUT, 'key', 'value')?.status;
        outcome = status === 5 ? 'answers' : `status ${status}`;
        if (status === 5) expect(w.ask(GET, 'key')).toEqual({ status: 5, value: 'value' });
      } catch (error) {
        const { status, cause } = w.aegis.environment(0);
        if (status !== 'dead') throw error;
        outcome = cause === undefined ? 'ends without a cause' : 'ends';
      }
      expect(limited).toBe(true);
      expect(w.neighbour.damage()).toEqual([]);
      expect(checkInvariants(w.aegis)).toEqual([]);
      outcomes.add(outcome);
    }
    expect([...outcomes].sort()).toEqual(['answers', 'ends']);
  });
});
