/**
 * An extent whose log another has written, with a record longer than any that `file_append` makes: the files' library keeps it, or refuses it, and
 * stays within its own buffers when it writes the log anew.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { compose, program } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { memoryStore } from '../../hardware/src/index.ts';
import { boot, checkInvariants, exitOf } from '../../testkit/src/index.ts';
import { image as compiledImage, KIT } from '../../libos-kit/test/log-support.ts';
import { exos } from '../src/index.ts';

const BLOCKS = 48;
const HALF = BLOCKS / 2;
const SECTOR = 512;
const HEAD = 20;
const BODY = SECTOR - HEAD;
const MAGIC = 0x676f6c78;

function crc32(seed: number, bytes: Uint8Array): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A disk with a log of these records, the first of which has this sequence number. */
function diskWith(records: readonly Uint8Array[], sequence = 1): Uint8Array {
  const disk = new Uint8Array(BLOCKS * PAGE_BYTES);
  const seal = (position: number, words: readonly number[], body: Uint8Array): void => {
    const at = position * SECTOR;
    const view = new DataView(disk.buffer, at, SECTOR);
    words.forEach((word, i) => {
      view.setUint32(4 + 4 * i, word, true);
    });
    disk.set(body, at + HEAD);
    view.setUint32(0, crc32(position, disk.subarray(at + 4, at + HEAD + body.length)), true);
  };
  for (let i = 0; i < 8; i += 1) seal(i, [MAGIC, 1, 2, HALF], new Uint8Array(0));
  let position = 8;
  records.forEach((record, n) => {
    const first = position;
    for (let i = 0; i * BODY < record.length; i += 1, position += 1) {
      const body = record.subarray(i * BODY, (i + 1) * BODY);
      seal(position, [1, n + sequence, record.length | (i << 16), first], body);
    }
  });
  return disk;
}

function record(kind: number, number: number, offset: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  [kind, number, offset].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  bytes.set(body, 12);
  return bytes;
}

test.each([4096, 7860])('a piece of %i bytes', (length) => {
  const content = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const disk = diskWith([record(1, 1, 0, Uint8Array.of(0x61)), record(3, 1, 0, content)]);
  const seen: unknown[] = [];
  const image = compose(
    exos,
    program('victim', ['files'], function* ({ files }) {
      const a = yield* files.find('a');
      seen.push(a, yield* files.size(a));
      // Until the log is written anew, several times.
      for (let i = 0; i < 40; i += 1) {
        const b = yield* files.create('b');
        const appended = yield* files.append(b, new Uint8Array(4000).fill(i));
        const back = yield* files.read(b, 0, 4096);
        const removed = yield* files.remove(b);
        const good =
          b > 0 && appended === 4000 && removed === 0 && typeof back !== 'number' && back.every((x) => x === i);
        if (!good) seen.push([i, b, appended, removed, typeof back === 'number' ? back : back.length]);
      }
      const bytes = yield* files.read(a, 0, 1 << 20);
      if (typeof bytes === 'number') return 2;
      seen.push(
        bytes.length,
        bytes.every((byte, i) => byte === content[i]),
      );
      return 42;
    }),
    { extent: { start: 0, blocks: BLOCKS } },
  );
  const booted = boot([image], { disk: { store: memoryStore(disk) } });
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 60);
  expect(exitOf(booted.aegis.environment(0))).toBe(42);
  // No append was ever so long: it is no piece of a file.
  const kept = length > 4096 ? 0 : length;
  expect(seen).toEqual([1, kept, kept, true]);
  expect(checkInvariants(booted.aegis)).toEqual([]);
});

test('what lies behind the buffer of the library in memory, in a program that is compiled with it', async () => {
  const content = new Uint8Array(7860).fill(0x5a);
  const disk = diskWith([record(1, 1, 0, Uint8Array.of(0x61)), record(3, 1, 0, content)]);
  const image = await compiledImage(
    `
      import { file_append, file_create, file_find, file_remove } from '${KIT}/files';
      const name: usize = memory.data(4);
      const bytes: usize = memory.data(4096);
      const behind: usize = memory.data(4096);
      export function main(): i32 {
        store<u8>(name, 0x61);
        if (file_find(name, 1) != 1) return 1;
        store<u8>(name, 0x62);
        for (let i = 0; i < 20; i++) {
          const file = file_create(name, 1);
          if (file < 0 || file_append(file, bytes, 4000) != 4000 || file_remove(file) != 0) return 2;
        }
        for (let i = 0; i < 4096; i++) if ((load<u8>(bytes + i) | load<u8>(behind + i)) != 0) return 3;
        return 42;
      }
    `,
    { extent: { start: 0, blocks: BLOCKS } },
  );
  const booted = boot([image], { disk: { store: memoryStore(disk) } });
  booted.runUntil(() => booted.aegis.environment(0).status === 'dead', 60);
  expect(exitOf(booted.aegis.environment(0))).toBe(42);
});

test.each([
  [1, 1],
  [0x7ffffffe, 1],
  [0x7fffffff, 1],
  [1, 0xfffffff0],
  [1, 0xffffffff],
])('a file of number %i in a record of number %i: another can be created, and found again', (number, sequence) => {
  const disk = diskWith([record(1, number, 0, Uint8Array.of(0x61))], sequence);
  const store = memoryStore(disk);
  const life = (main: Parameters<typeof program<'files'>>[2]): number => {
    const booted = boot([compose(exos, program('victim', ['files'], main), { extent: { start: 0, blocks: BLOCKS } })], {
      disk: { store },
    });
    return exitOf(booted.finish(0)[0] as Parameters<typeof exitOf>[0]);
  };
  expect(
    life(function* ({ files }) {
      for (const name of ['b', 'c']) {
        const file = yield* files.create(name);
        if (file <= 0) return 1;
        if ((yield* files.append(file, new Uint8Array(10))) !== 10) return 2;
      }
      return 42;
    }),
  ).toBe(42);
  expect(
    life(function* ({ files }) {
      for (const name of ['b', 'c']) if ((yield* files.size(yield* files.find(name))) !== 10) return 3;
      return 42;
    }),
  ).toBe(42);
});
