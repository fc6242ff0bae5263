/** Packed captures: one member or several, whole or damaged, larger than what may be held. [RFC 1952] */
import { constants, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openCapture } from '../src/index.ts';
import { gunzip } from '../src/gzip.ts';
import { byteSource } from '../src/source.ts';
import { data, everything, LITTLE, packets, pieces, records } from './blocks.ts';

/** All that `gunzip` gives, and what ended it. */
async function unpack(source: Iterable<Uint8Array>): Promise<{ readonly bytes: Buffer; readonly error: unknown }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of gunzip(byteSource(source))) parts.push(part);
    return { bytes: Buffer.concat(parts), error: undefined };
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
}

/** A member whose deflate data are stored, so that what they hold stands in the file as it is. */
function stored(bytes: Uint8Array): Buffer {
  return gzipSync(bytes, { level: constants.Z_NO_COMPRESSION });
}

describe('members', () => {
  const texts = ['the first', '', 'x'.repeat(300_000), 'the last'].map((text) => Buffer.from(text));
  const file = Buffer.concat(texts.map((text) => gzipSync(text)));
  const whole = Buffer.concat(texts);

  test.each([1, 7, 1000, 16 * 1024, 1024 * 1024])('one after the other, in chunks of %i bytes', async (length) => {
    expect(await unpack(pieces(file, length))).toEqual({ bytes: whole, error: undefined });
  });

  test('one whose output is far longer than what is given to the host at once', async () => {
    const zeros = Buffer.alloc(24 * 1024 * 1024);
    const { bytes, error } = await unpack([Buffer.concat([gzipSync(zeros), gzipSync(zeros), gzipSync('end')])]);
    expect([error, bytes.length, bytes.subarray(-3).toString()]).toEqual([undefined, 2 * zeros.length + 3, 'end']);
  });

  test.each([13, 4096, 1024 * 1024])(
    'on a host too busy to give its output in time; chunks of %i bytes',
    async (length) => {
      const { setImmediate, setTimeout } = globalThis;
      const atOnce = (run: () => void): void => {
        queueMicrotask(run);
      };
      try {
        // No turn of the event loop passes where the end of a member is waited for.
        Object.assign(globalThis, { setImmediate: atOnce, setTimeout: atOnce });
        const text = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i) >> 5));
        const members = Buffer.concat(Array.from({ length: 20 }, () => gzipSync(text)));
        const { bytes, error } = await unpack(pieces(members, length));
        expect(error).toBeUndefined();
        expect(bytes.equals(Buffer.concat(Array.from({ length: 20 }, () => text)))).toBe(true);
      } finally {
        Object.assign(globalThis, { setImmediate, setTimeout });
      }
    },
  );

  test('what only looks like the beginning of a member is data', async () => {
    const looks = gzipSync('a download');
    const inner = Buffer.concat([data(1, 50), looks, data(2, 9), looks, looks, Buffer.from('1f8b0800', 'hex')]);
    for (const length of [1, 13, 4096]) {
      const { bytes, error } = await unpack(pieces(Buffer.concat([stored(inner), stored(inner)]), length));
      expect(error).toBeUndefined();
      expect(bytes).toEqual(Buffer.concat([inner, inner]));
    }
  });

  test('thousands of such beginnings cost a bounded time', async () => {
    const inner = Buffer.concat(Array.from({ length: 5000 }, () => Buffer.from('1f8b080000000000000000', 'hex')));
    const begun = performance.now();
    const { bytes, error } = await unpack([stored(inner)]);
    expect([error, bytes.equals(inner)]).toEqual([undefined, true]);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });
});

describe('damage', () => {
  const file = everything();
  const packed = gzipSync(file);

  test('a cut file gives what could be unpacked, then the error', async () => {
    const all = (await packets(file)).list;
    for (const length of [18, 40, 100, packed.length - 9, packed.length - 8, packed.length - 1]) {
      const { list, error } = await packets([packed.subarray(0, length)]);
      expect(error).toMatchObject({
        name: 'CaptureError',
        code: expect.stringMatching(/^(gzip|truncated)$/) as string,
      });
      expect(list).toEqual(all.slice(0, list.length));
    }
    const { list, error } = await packets([packed.subarray(0, packed.length - 1)]);
    expect(list).toEqual(all);
    expect(error).toMatchObject({ code: 'gzip' });
  });

  test('a wrong checksum, a wrong length, junk behind the end', async () => {
    const all = (await packets(file)).list;
    for (const at of [packed.length - 8, packed.length - 4]) {
      const bad = Buffer.from(packed);
      bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
      expect((await packets([bad])).error).toMatchObject({ code: 'gzip' });
    }
    const { list, error } = await packets([packed, Buffer.from('junk')]);
    expect(error).toMatchObject({ code: 'gzip' });
    expect(list).toEqual(all);
  });

  test('what is no gzip behind the magic', async () => {
    const bad = Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), data(3, 500)]);
    expect((await packets([bad])).error).toMatchObject({ code: 'gzip' });
    expect((await packets([Buffer.from('1f8b', 'hex')])).error).toMatchObject({ code: 'gzip' });
    expect((await packets([gzipSync(gzipSync(file))])).error).toMatchObject({ code: 'format' });
    expect((await packets([gzipSync('')])).error).toMatchObject({ code: 'truncated' });
  });

  test('an error of the source comes behind what was unpacked', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      yield packed.subarray(0, -8);
      throw new Error('unplugged');
    }
    const { list, error } = await packets(broken());
    expect(error).toMatchObject({ message: 'unplugged' });
    expect(list).toEqual((await packets(file)).list);
  });

  test('a host without DecompressionStream', async () => {
    const kept = globalThis.DecompressionStream;
    try {
      Reflect.deleteProperty(globalThis, 'DecompressionStream');
      expect((await packets(packed)).error).toMatchObject({ code: 'gzip' });
    } finally {
      globalThis.DecompressionStream = kept;
    }
  });
});

describe('captures', () => {
  const file = everything();

  test.each([1, 10, 64, 5000])('read as they would unpacked; chunks of %i bytes', async (length) => {
    const expected = await records(file);
    const twice = Buffer.concat([gzipSync(file.subarray(0, 300)), gzipSync(file.subarray(300))]);
    expect(await records(pieces(twice, length))).toEqual(expected);
    expect(await records(pieces(twice, length), { window: new Uint8Array(200) })).toEqual(expected);
    expect(await records(twice)).toEqual(expected);
  });

  test('progress counts packed bytes', async () => {
    const packed = gzipSync(file);
    let read = 0;
    await records(pieces(packed, 100), { progress: (bytes) => (read = bytes) });
    expect(read).toBe(packed.length);
  });
});

describe('larger than memory', () => {
  const record = LITTLE.record(1, 2, data(7, 1500));
  const group = Buffer.concat(Array.from({ length: 170 }, () => record));
  const GROUPS = 1600;
  const PACKETS = 170 * GROUPS;

  /** Heap and buffers in MB. */
  function held(): number {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / 2 ** 20;
  }

  async function most(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<{ count: number; most: number }> {
    const before = held();
    const reader = await openCapture(source);
    let [count, peak, next] = [0, 0, 0];
    for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
      count += batch.count;
      if (count < next) continue;
      next = count + 5000;
      peak = Math.max(peak, held() - before);
    }
    return { count, most: peak };
  }

  test(`${Math.round((PACKETS * record.length) / 1e6)} MB, made as they are read`, async () => {
    function* generated(): Generator<Uint8Array> {
      yield LITTLE.pcap(0xa1b2c3d4);
      for (let i = 0; i < GROUPS; i += 1) yield group;
    }
    const { count, most: peak } = await most(generated());
    expect(count).toBe(PACKETS);
    expect(peak).toBeLessThan(32);
  });

  test('the same, packed', async () => {
    // One member of stored and of fixed pieces would need the checksum of it all: each group is its own.
    const member = gzipSync(group);
    function* generated(): Generator<Uint8Array> {
      yield gzipSync(LITTLE.pcap(0xa1b2c3d4));
      for (let i = 0; i < GROUPS; i += 1) yield member;
    }
    const { count, most: peak } = await most(generated());
    expect(count).toBe(PACKETS);
    expect(peak).toBeLessThan(96);
  });

  test('one member that unpacks to a thousand times its length', async () => {
    const zeros = Buffer.concat([LITTLE.pcap(0xa1b2c3d4), Buffer.alloc(256 * 2 ** 20)]);
    // A record of zeros is a packet of no bytes.
    const packed = gzipSync(zeros);
    const { count, most: peak } = await most(pieces(packed, 65536));
    expect(count).toBe((256 * 2 ** 20) / 16);
    expect(peak).toBeLessThan(192);
  });
});
