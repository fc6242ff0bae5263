/** Reading: both formats, both byte orders, all resolutions, all sources. [PCAP], [PCAPNG] */
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  addressNames,
  commentsOf,
  integerOf,
  openCapture,
  textOf,
  ticksToNanoseconds,
  type CaptureRecord,
  type CaptureSource,
  type ReadOptions,
} from '../src/index.ts';
import { BIG, data, END, everything, LITTLE, packets, padded, pieces, records, type Maker } from './blocks.ts';

const ORDERS: readonly (readonly [string, Maker])[] = [
  ['little-endian', LITTLE],
  ['big-endian', BIG],
];

describe.each(ORDERS)('classic pcap, %s [PCAP]', (_, make) => {
  test.each([
    [0xa1b2c3d4, 1_700_000_000_000_007_000n, 6],
    [0xa1b23c4d, 1_700_000_000_000_000_007n, 9],
  ])('magic %i', async (magic, time, exponent) => {
    const file = Buffer.concat([
      make.pcap(magic, 113, 96),
      make.record(1_700_000_000, 7, data(1, 60)),
      make.record(0xffffffff, 999_999, data(2, 96), 1500),
      make.record(0, 0, data(3, 0)),
    ]);
    const { list, error } = await records(file);
    expect(error).toBeUndefined();
    const order = make.little ? 'little' : 'big';
    expect(list.slice(0, 2)).toEqual([
      { kind: 'section', format: 'pcap', byteOrder: order, version: [2, 4], options: [] },
      {
        kind: 'interface',
        interface: 0,
        linkType: 113,
        snapshotLength: 96,
        resolution: { base: 10, exponent },
        epoch: 0n,
        options: [],
      },
    ]);
    const ticks = 1_700_000_000n * 10n ** BigInt(exponent) + 7n;
    expect(list[2]).toEqual({
      kind: 'packet',
      interface: 0,
      ticks,
      time,
      data: data(1, 60),
      originalLength: 60,
      options: [],
    });
    // Seconds are unsigned, as in tshark: this is 2106, not 1969.
    expect(list[3]).toMatchObject({
      originalLength: 1500,
      data: data(2, 96),
      time: 0xffffffffn * 10n ** 9n + 999_999n * 10n ** BigInt(9 - exponent),
    });
    expect(list[4]).toMatchObject({ time: 0n, data: new Uint8Array(0) });
    expect(list.length).toBe(5);
  });

  test("Kuznetzov's longer record headers, and the four bytes that IXIA adds to the file's", async () => {
    const long = [
      make.u32(5),
      make.u32(6),
      make.u32(3),
      make.u32(9),
      make.u32(2),
      make.u16(0x800),
      Buffer.from([4, 0]),
    ];
    const modified = Buffer.concat([make.pcap(0xa1b2cd34), ...long, data(1, 3), ...long, data(2, 3)]);
    expect((await packets(modified)).list).toMatchObject([
      { time: 5_000_006_000n, data: data(1, 3), originalLength: 9 },
      { time: 5_000_006_000n, data: data(2, 3), originalLength: 9 },
    ]);
    const lcap = (magic: number): Buffer =>
      Buffer.concat([make.pcap(magic), make.u32(19), make.record(5, 6, data(1, 3))]);
    expect((await packets(lcap(0x1c0001ac))).list).toMatchObject([{ time: 5_000_000_006n, data: data(1, 3) }]);
    expect((await packets(lcap(0x1c0001ab))).list).toMatchObject([{ time: 5_000_006_000n, data: data(1, 3) }]);
  });

  test.each([
    [2, 4, [3, 9], undefined],
    [2, 3, [3, 9], undefined],
    [2, 3, [9, 3], undefined],
    [2, 2, [9, 3], undefined],
    [543, 0, [9, 3], undefined],
    [2, 5, [3, 9], 'version'],
    [1, 4, [3, 9], 'version'],
  ])('version %i.%i, lengths %j', async (major, minor, [first, second], code) => {
    const head = [make.u32(1), make.u32(0), make.u32(first ?? 0), make.u32(second ?? 0)];
    const file = Buffer.concat([make.pcap(0xa1b2c3d4, 1, 100, major, minor), ...head, data(1, 3)]);
    const { list, error } = await packets(file);
    if (code === undefined) expect(list).toMatchObject([{ data: data(1, 3), originalLength: 9 }]);
    else expect([list, error]).toMatchObject([[], { name: 'CaptureError', code }]);
  });

  test('an FCS is no part of the link type', async () => {
    const { list } = await records(make.pcap(0xa1b2c3d4, 0x24000001));
    expect(list[1]).toMatchObject({ linkType: 1, fcsLength: 4 });
  });

  test('a record longer than the snapshot length is given whole', async () => {
    const file = Buffer.concat([make.pcap(0xa1b2c3d4, 1, 10), make.record(1, 0, data(1, 60))]);
    expect((await packets(file)).list[0]?.data.length).toBe(60);
  });
});

describe.each([
  ['little, then big', LITTLE, BIG],
  ['big, then little', BIG, LITTLE],
])('pcapng, %s [PCAPNG]', (_, first, second) => {
  test('everything, in its order', async () => {
    const { list, error } = await records(everything(first, second));
    expect(error).toBeUndefined();
    expect(list.map(({ kind }) => kind)).toEqual([
      'section', 'interface', 'packet', 'interface', 'packet', 'packet', 'packet', 'names', 'statistics',
      'section', 'interface', 'packet', 'custom', 'custom', 'unknown', 'packet',
    ]); // prettier-ignore
    const [section, eth0, one, raw, two, simple, obsolete, names, statistics, , eth1, five, own, mine, unknown] =
      list as readonly (CaptureRecord & Record<string, unknown>)[];
    expect(section).toMatchObject({ format: 'pcapng', byteOrder: first.little ? 'little' : 'big', version: [1, 0] });
    if (section?.kind !== 'section') throw new Error('no section');
    expect([commentsOf(section), textOf(section.options, 4)]).toEqual([['a section'], 'by hand']);
    expect(eth0).toMatchObject({ interface: 0, linkType: 1, name: 'eth0', resolution: { base: 10, exponent: 9 }, epoch: 0n }); // prettier-ignore
    if (eth0?.kind !== 'interface' || one?.kind !== 'packet' || obsolete?.kind !== 'packet') throw new Error('kinds');
    expect(integerOf(eth0.options, 8)).toBe(10n ** 9n);
    expect(one).toMatchObject({ time: 1_700_000_000_123_456_789n, data: data(1, 60), originalLength: 60 });
    expect([commentsOf(one), integerOf(one.options, 2)]).toEqual([['first', 'again'], 1n]);
    expect(raw).toMatchObject({
      interface: 1,
      linkType: 101,
      snapshotLength: 96,
      resolution: { base: 2, exponent: 10 },
      epoch: 1_600_000_000n,
    });
    expect(two).toMatchObject({ interface: 1, ticks: 5632n, time: 1_600_000_005_500_000_000n, originalLength: 1500 });
    expect(simple).toMatchObject({ interface: 0, data: data(3, 42), originalLength: 42 });
    expect(simple).not.toHaveProperty('time');
    expect(obsolete).toMatchObject({ interface: 1, time: 1_600_000_002_000_000_000n, data: data(4, 5), originalLength: 9 }); // prettier-ignore
    expect([integerOf(obsolete.options, 2), integerOf(obsolete.options, 4)]).toEqual([2n, 7n]);
    if (names?.kind !== 'names' || statistics?.kind !== 'statistics') throw new Error('kinds');
    const entry = names.entries[0];
    expect(entry && addressNames(entry)).toEqual({ address: Uint8Array.of(10, 0, 0, 1), names: ['a', 'bc'] });
    expect([statistics.interface, statistics.ticks, integerOf(statistics.options, 4)]).toEqual([1, 4096n, 99n]);
    expect(eth1).toMatchObject({ interface: 2, name: 'eth1', resolution: { base: 10, exponent: 6 } });
    expect(five).toMatchObject({ interface: 2, time: 1_700_000_001_000_000_000n, data: data(5, 61) });
    expect(five?.kind === 'packet' && integerOf(five.options, 4)).toBe(3n);
    expect(own).toEqual({
      kind: 'custom',
      enterprise: 32473,
      data: Uint8Array.from(padded(Buffer.from('own'))),
      copy: true,
    });
    expect(mine).toMatchObject({ enterprise: 32473, copy: false });
    expect(unknown).toMatchObject({ type: 0x70000001, body: Uint8Array.from(Buffer.from('unknown!')), byteOrder: second.little ? 'little' : 'big' }); // prettier-ignore
  });

  test('blocks that are no packets are skipped by choice', async () => {
    const kinds = async (keep: ReadOptions['keep']): Promise<string[]> =>
      (await records(everything(first, second), keep === undefined ? {} : { keep })).list
        .map(({ kind }) => kind)
        .filter((kind) => !['section', 'interface', 'packet'].includes(kind));
    expect(await kinds('none')).toEqual([]);
    expect(await kinds(['names', 'unknown'])).toEqual(['names', 'unknown']);
    expect(await kinds('all')).toEqual(['names', 'statistics', 'custom', 'custom', 'unknown']);
  });

  test('a Simple Packet Block is cut at the snapshot length', async () => {
    const simple = first.block(3, first.u32(1500), data(1, 96));
    const { list } = await packets(Buffer.concat([first.section(), first.interface(1, 96), simple]));
    expect(list).toMatchObject([{ data: data(1, 96), originalLength: 1500 }]);
  });
});

describe('times', () => {
  test.each([
    // if_tsresol, if_tsoffset, ticks, nanoseconds
    [0x00, 0n, 5n, 5_000_000_000n],
    [0x03, 0n, 5n, 5_000_000n],
    [0x06, -10n, 12_000_001n, 2_000_001_000n],
    [0x09, 1_700_000_000n, 5n, 1_700_000_000_000_000_005n],
    [0x0c, 0n, 5_999n, 5n],
    [0x13, 1n, 2n ** 64n - 1n, 2_844_674_407n],
    [0x7f, 0n, 2n ** 64n - 1n, 0n],
    [0x80, 0n, 3n, 3_000_000_000n],
    [0x9e, 0n, 3n << 29n, 1_500_000_000n],
    [0xa0, 7n, 1n, 7_000_000_000n],
    [0xff, 0n, 2n ** 64n - 1n, 0n],
    [0x00, 0n, 2n ** 64n - 1n, (2n ** 64n - 1n) * 10n ** 9n],
  ])('resolution 0x%s, offset %i: %i ticks', async (resolution, offset, ticks, time) => {
    const options = [LITTLE.option(9, Buffer.of(resolution)), LITTLE.option(14, LITTLE.u64(offset)), END];
    const file = Buffer.concat([
      LITTLE.section(),
      LITTLE.interface(1, 0, ...options),
      LITTLE.packet(0, ticks, data(1, 4)),
    ]);
    expect((await packets(file)).list).toMatchObject([{ ticks, time }]);
  });

  test('are rounded down', () => {
    expect(ticksToNanoseconds(1n, { base: 2, exponent: 20 }, 0n)).toBe(953n);
    expect(ticksToNanoseconds(1999n, { base: 10, exponent: 12 }, 0n)).toBe(1n);
  });
});

describe('sources', () => {
  const file = everything();
  const sources: Readonly<Record<string, () => CaptureSource>> = {
    'a Uint8Array': () => file,
    'a Uint8Array in a larger buffer': () => Buffer.concat([Buffer.alloc(3), file, Buffer.alloc(9)]).subarray(3, 3 + file.length), // prettier-ignore
    'chunks of one byte': () => pieces(file, 1),
    'chunks of seven bytes, and empty ones': () => [...pieces(file, 7)].flatMap((piece) => [new Uint8Array(0), piece]),
    'an async iterable': () => Readable.from(pieces(file, 100)),
    'a ReadableStream': () => new Blob([new Uint8Array(file)]).stream(),
    'a source that fills the buffer': () => {
      let at = 0;
      return {
        readInto: (into: Uint8Array): number => {
          const some = file.subarray(at, at + Math.min(into.length, 33));
          into.set(some);
          at += some.length;
          return some.length;
        },
      };
    },
  };

  test.each(Object.entries(sources))('%s', async (_, source) => {
    const expected = (await records(file)).list;
    expect(expected.length).toBe(16);
    expect(await records(source())).toEqual({ list: expected, error: undefined });
    const window = new Uint8Array(256);
    expect(await records(source(), { window })).toEqual({ list: expected, error: undefined });
    expect(await records(source(), { batch: 1 })).toEqual({ list: expected, error: undefined });
  });

  test('progress counts what was read', async () => {
    const told: number[] = [];
    await records(pieces(file, 400), { progress: (bytes) => told.push(bytes) });
    expect(told.at(-1)).toBe(file.length);
    expect(told.length).toBeGreaterThan(2);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });

  test.each(['records', 'packets'] as const)('is closed when the loop over its %s is left', async (way) => {
    let closed = 0;
    let at = 0;
    const source = {
      readInto: (into: Uint8Array): number => {
        const some = file.subarray(at, at + into.length);
        into.set(some);
        at += some.length;
        return some.length;
      },
      close: (): void => {
        closed += 1;
      },
    };
    const reader = await openCapture(source);
    for await (const record of reader[way]()) {
      expect(record).toBeDefined();
      break;
    }
    expect(closed).toBe(1);
  });

  test('an error of the source comes behind the packets before it', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      yield file.subarray(0, 400);
      throw new Error('unplugged');
    }
    const { list, error } = await packets(broken());
    expect(list.length).toBeGreaterThan(0);
    expect(error).toMatchObject({ message: 'unplugged' });
  });

  test('what is no Uint8Array is refused', async () => {
    const { error } = await packets(['text'] as unknown as Iterable<Uint8Array>);
    expect(error).toMatchObject({ code: 'value' });
  });
});

describe('batches', () => {
  test("lie in the caller's window, with columns for every packet", async () => {
    const window = new Uint8Array(512);
    const reader = await openCapture(pieces(everything(), 50), { window });
    const seen: Uint8Array[] = [];
    const places: string[] = [];
    for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
      expect(batch.bytes).toBe(window);
      for (let i = 0; i < batch.count; i += 1) {
        const start = batch.offsets[i]!;
        seen.push(window.slice(start, start + batch.capturedLengths[i]!));
        expect(batch.data(i)).toEqual(seen.at(-1));
        expect(batch.packet(i)).toMatchObject({
          data: seen.at(-1),
          originalLength: batch.originalLengths[i],
          interface: batch.interfaces[i],
        });
        // The whole block: type first, its length at both ends.
        const block = Buffer.from(window.subarray(batch.starts[i], batch.ends[i]));
        const length = batch.section?.byteOrder === 'big' ? block.readUInt32BE(4) : block.readUInt32LE(4);
        expect(length).toBe(block.length);
      }
      for (const { record, before } of batch.others) {
        places.push(record.kind);
        expect(before).toBeLessThanOrEqual(batch.count);
      }
    }
    expect(seen).toEqual([data(1, 60), data(2, 96), data(3, 42), data(4, 5), data(5, 61), data(6, 1)]);
    expect(places.filter((kind) => kind === 'interface').length).toBe(3);
    expect(reader.interfaces.map(({ linkType }) => linkType)).toEqual([1, 101, 1]);
    expect(reader.position).toBe(everything().length);
  });

  test('read a Uint8Array where it lies', async () => {
    const file = Uint8Array.from(everything());
    const reader = await openCapture(file);
    const batch = await reader.readBatch();
    expect(batch?.bytes).toBe(file);
    // The second section has another byte order: it begins another batch.
    expect(batch?.count).toBe(4);
    expect((await reader.readBatch())?.count).toBe(2);
    expect(await reader.readBatch()).toBeUndefined();
    expect(await reader.readBatch()).toBeUndefined();
  });

  test('do not wait for what a live stream has not sent', async () => {
    let send: (bytes: Uint8Array) => void = () => undefined;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        send = (bytes) => controller.enqueue(bytes);
      },
    });
    send(Buffer.concat([LITTLE.pcap(0xa1b2c3d4), LITTLE.record(1, 0, data(1, 60)), Buffer.alloc(5)]));
    const reader = await openCapture(stream);
    let count = 0;
    while (count === 0) count += (await reader.readBatch())?.count ?? 0;
    expect(count).toBe(1);
    await reader.close();
  });

  test("fill the caller's columns, beside its window in the memory of a WebAssembly module", async () => {
    const { buffer } = new WebAssembly.Memory({ initial: 1 });
    const window = new Uint8Array(buffer, 4096, 8192);
    const [offsets, capturedLengths] = [new Uint32Array(buffer, 0, 100), new Uint32Array(buffer, 400, 100)];
    const originalLengths = new Uint32Array(buffer, 800, 3);
    const columns = { offsets, capturedLengths, originalLengths };
    const reader = await openCapture(pieces(everything(), 8192), { window, batch: columns });
    const batch = await reader.readBatch();
    expect(batch?.count).toBe(3);
    expect([...capturedLengths.subarray(0, 3), ...originalLengths]).toEqual([60, 96, 42, 60, 1500, 42]);
    expect(new Uint8Array(buffer, 4096 + offsets[1]!, 96)).toEqual(data(2, 96));
  });

  test('hold as many packets as was asked', async () => {
    const file = Buffer.concat([LITTLE.pcap(0xa1b2c3d4), ...Array.from({ length: 25 }, (_, i) => LITTLE.record(i, 0, data(i, i)))]); // prettier-ignore
    const reader = await openCapture(file, { batch: 10 });
    const counts: (number | undefined)[] = [];
    for (let i = 0; i < 4; i += 1) counts.push((await reader.readBatch())?.count);
    expect(counts).toEqual([10, 10, 5, undefined]);
    await expect(openCapture(file, { batch: 0 })).rejects.toMatchObject({ code: 'value' });
  });
});
