/** Writing, and that what was written reads as it was. [PCAP], [PCAPNG] */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  comment,
  commentsOf,
  integerOption,
  MICROSECONDS,
  NANOSECONDS,
  nanosecondsToTicks,
  openCapture,
  PcapngWriter,
  PcapWriter,
  textOption,
  ticksToNanoseconds,
  writeCapture,
  type CaptureRecord,
  type Resolution,
  type WriteOptions,
} from '../src/index.ts';
import { BIG, data, everything, LITTLE, packets, records } from './blocks.ts';

async function written(list: readonly CaptureRecord[], options: WriteOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of writeCapture(list, options)) parts.push(part);
  return Buffer.concat(parts);
}

describe('pcapng', () => {
  test('records are written as they were read: everything, byte for byte where nothing is normalised', async () => {
    const { list } = await records(everything());
    const again = await written(list, { format: 'pcapng' });
    expect((await records(again)).list).toEqual(list);
    // The second time nothing is left to normalise (the obsolete block, resolutions that went without saying).
    expect(await written((await records(again)).list, { format: 'pcapng' })).toEqual(again);
  });

  test.each(['little', 'big'] as const)('all sections in %s-endian order', async (byteOrder) => {
    const { list } = await records(everything());
    const known = list.filter(({ kind }) => kind !== 'unknown');
    const again = await records(await written(known, { format: 'pcapng', byteOrder }));
    expect(again).toEqual({
      list: known.map((record) => (record.kind === 'section' ? { ...record, byteOrder } : record)),
      error: undefined,
    });
    const refused = records(everything(LITTLE, BIG)).then((all) =>
      written(all.list, { format: 'pcapng', byteOrder: 'little' }),
    );
    await expect(refused).rejects.toMatchObject({ code: 'value', details: { type: 0x70000001 } });
  });

  const resolution: fc.Arbitrary<Resolution> = fc.record({ base: fc.constantFrom(2, 10), exponent: fc.nat(127) });
  const option = fc.record({ code: fc.integer({ min: 1, max: 0xffff }), value: fc.uint8Array({ maxLength: 40 }) });
  const options = fc.array(
    option.filter(({ code }) => ![2, 9, 13, 14].includes(code)),
    { maxLength: 4 },
  );
  const ticks = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

  test('any records', async () => {
    const section = fc.record({ kind: fc.constant('section' as const), byteOrder: fc.constantFrom('little', 'big'), options }); // prettier-ignore
    const face = fc.record({
      linkType: fc.nat(0xffff),
      snapshotLength: fc.nat(0xffffffff),
      fcsLength: fc.option(fc.nat(255), { nil: undefined }),
      resolution,
      epoch: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      name: fc.option(fc.string({ maxLength: 9 }), { nil: undefined }),
      options,
    });
    const body = fc.uint8Array({ maxLength: 70 });
    const packet = fc.record({ to: fc.nat(2), ticks, data: body, originalLength: fc.nat(0xffffffff), options });
    const run = fc.record({ section, faces: fc.array(face, { minLength: 1, maxLength: 3 }), list: fc.array(packet) });
    await fc.assert(
      fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 3 }), async (runs) => {
        const parts: Uint8Array[] = [];
        const writer = new PcapngWriter((bytes) => parts.push(bytes), { begin: false });
        const expected: unknown[] = [];
        for (const {
          section: { byteOrder, options: own },
          faces,
          list,
        } of runs) {
          writer.addSection({ byteOrder, options: own });
          const numbers = faces.map(({ fcsLength, name, ...rest }) =>
            writer.addInterface({
              ...rest,
              ...(fcsLength === undefined ? {} : { fcsLength }),
              ...(name === undefined ? {} : { name }),
            }),
          );
          for (const { to, ...rest } of list) {
            const number = numbers[to % numbers.length]!;
            const { resolution: of, epoch } = faces[to % numbers.length]!;
            writer.addPacket({ interface: number, ...rest });
            expected.push({
              kind: 'packet',
              interface: number,
              time: ticksToNanoseconds(rest.ticks, of, epoch),
              ...rest,
            });
          }
        }
        const file = Buffer.concat(parts);
        expect(await packets(file)).toEqual({ list: expected, error: undefined });
        const read = (await records(file)).list;
        const faces = read.filter((record) => record.kind === 'interface');
        expect(faces).toMatchObject(
          runs.flatMap((one) =>
            one.faces.map(({ linkType, snapshotLength, fcsLength, resolution: of, name }) => ({
              linkType,
              snapshotLength,
              resolution: of,
              ...(fcsLength === undefined ? {} : { fcsLength }),
              ...(name === undefined ? {} : { name }),
            })),
          ),
        );
        expect(faces.map(({ epoch }) => epoch)).toEqual(runs.flatMap((one) => one.faces.map(({ epoch }) => epoch)));
        // By records, byte for byte.
        expect(await written(read, { format: 'pcapng' })).toEqual(file);
      }),
      { numRuns: 60 },
    );
  });

  test('a packet without a time is a Simple Packet Block where that holds it', () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapngWriter((bytes) => parts.push(bytes));
    const [first, second] = [writer.addInterface({ snapshotLength: 50 }), writer.addInterface({})];
    parts.length = 0;
    writer.addPacket({ interface: first, data: data(1, 50), originalLength: 60 });
    writer.addPacket({ interface: first, data: data(1, 49), originalLength: 60 });
    writer.addPacket({ interface: first, data: data(1, 20) });
    writer.addPacket({ interface: second, data: data(1, 20) });
    writer.addPacket({ interface: first, data: data(1, 20), options: [comment('why')] });
    expect(parts.map((part) => part[0])).toEqual([3, 6, 3, 6, 6]);
  });

  test('comments, names and frames that were damaged', async () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapngWriter((bytes) => parts.push(bytes), { byteOrder: 'big' });
    const eth = writer.addInterface({ name: 'ü0', options: [comment('on the wire')] });
    writer.addPacket({ interface: eth, data: data(1, 4), time: 5n, options: [comment('näher'), comment('')] });
    writer.addFrame(eth, data(2, 4), 7, true);
    const { list } = await records(Buffer.concat(parts));
    expect(list[1]).toMatchObject({ name: 'ü0' });
    expect(list.slice(1).map((record) => 'options' in record && commentsOf(record))).toEqual([['on the wire'], ['näher', ''], []]); // prettier-ignore
    expect(list[3]).toMatchObject({ time: 7n, options: [integerOption(2, 0x01000000, 4)] });
  });

  test('the resolution may be chosen anew', async () => {
    const { list } = await records(everything());
    const some = list.filter(({ kind }) => ['section', 'interface', 'packet'].includes(kind));
    const file = await written(some, { format: 'pcapng', resolution: NANOSECONDS });
    const before = some.filter((record) => record.kind === 'packet');
    const after = (await packets(file)).list;
    expect(after.map(({ time }) => time)).toEqual(before.map(({ time }) => time));
    const coarse = (await packets(await written(some, { format: 'pcapng', resolution: MICROSECONDS }))).list;
    expect(coarse[0]?.time).toBe(1_700_000_000_123_456_000n);
  });

  const ADD = (use: (writer: PcapngWriter) => unknown) => () => {
    const writer = new PcapngWriter(() => undefined);
    writer.addInterface({});
    return use(writer);
  };
  const PACKET = { interface: 0, data: data(1, 4) };
  test.each<[string, string, () => unknown]>([
    ['an interface that is none', 'interface', ADD((writer) => writer.addPacket({ ...PACKET, interface: 1 }))],
    [
      'an interface of the section before',
      'interface',
      ADD((writer) => {
        writer.addSection();
        writer.addPacket(PACKET);
      }),
    ],
    ['a time before its epoch', 'value', ADD((writer) => writer.addPacket({ ...PACKET, time: -1n }))],
    ['a time beyond 64 bits', 'value', ADD((writer) => writer.addPacket({ ...PACKET, time: 2n ** 64n }))],
    ['ticks beyond 64 bits', 'value', ADD((writer) => writer.addPacket({ ...PACKET, ticks: 2n ** 64n }))],
    ['a time that is no number', 'value', ADD((writer) => writer.addFrame(0, data(1, 4), Number.NaN))],
    ['a length that is none', 'value', ADD((writer) => writer.addPacket({ ...PACKET, originalLength: -1 }))],
    ['a link type', 'value', ADD((writer) => writer.addInterface({ linkType: 65536 }))],
    ['a snapshot length', 'value', ADD((writer) => writer.addInterface({ snapshotLength: 1.5 }))],
    ['a resolution', 'value', ADD((writer) => writer.addInterface({ resolution: { base: 10, exponent: 128 } }))],
    ['an epoch', 'value', ADD((writer) => writer.addInterface({ epoch: 2n ** 63n }))],
    ['an option code', 'value', ADD((writer) => writer.addInterface({ options: [{ code: 0, value: data(1, 1) }] }))],
    ['an option too long', 'value', ADD((writer) => writer.addInterface({ options: [{ code: 1, value: data(1, 65536) }] }))], // prettier-ignore
    ['a comment too long', 'value', () => comment('x'.repeat(65536))],
    ['a name too long', 'value', () => textOption(2, 'ü'.repeat(40000))],
  ])('%s is refused', (_, code, use) => {
    expect(use).toThrow(expect.objectContaining({ name: 'CaptureError', code }) as Error);
  });
});

describe('classic pcap', () => {
  test('literal bytes', () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapWriter((bytes) => parts.push(bytes), { linkType: 1, byteOrder: 'big', nanoseconds: true });
    writer.addPacket({ data: Uint8Array.of(1, 2, 3), time: 1_700_000_000_000_000_007n, originalLength: 9 });
    expect(Buffer.concat(parts).toString('hex')).toBe(
      'a1b23c4d' + '00020004' + '0000000000000000' + '00040000' + '00000001' +
        '6553f100' + '00000007' + '00000003' + '00000009' + '010203',
    ); // prettier-ignore
  });

  test.each([
    [false, 'little'],
    [true, 'little'],
    [false, 'big'],
    [true, 'big'],
  ] as const)('nanoseconds %s, %s-endian: records read as they were written', async (nanoseconds, byteOrder) => {
    const time = fc.bigInt({ min: 0n, max: 2n ** 32n * 10n ** 9n - 1n });
    const packet = fc.record({ time, data: fc.uint8Array({ maxLength: 70 }), originalLength: fc.nat(0xffffffff) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(packet),
        fc.nat(0xffff),
        fc.constantFrom(undefined, 0, 4),
        async (list, linkType, fcs) => {
          const parts: Uint8Array[] = [];
          const fcsLength = fcs === undefined ? {} : { fcsLength: fcs };
          const writer = new PcapWriter((bytes) => parts.push(bytes), {
            linkType,
            nanoseconds,
            byteOrder,
            ...fcsLength,
          });
          for (const one of list) writer.addPacket(one);
          const file = Buffer.concat(parts);
          const read = (await records(file)).list;
          expect(read[0]).toMatchObject({ byteOrder });
          expect(read[1]).toMatchObject({ linkType, snapshotLength: 262_144, ...fcsLength });
          const unit = nanoseconds ? 1n : 1000n;
          expect(read.slice(2)).toMatchObject(list.map((one) => ({ ...one, time: (one.time / unit) * unit })));
          expect(await written(read, { format: 'pcap' })).toEqual(file);
          // Through pcapng and back.
          const through = (await records(await written(read, { format: 'pcapng' }))).list;
          expect(await written(through, { format: 'pcap' })).toEqual(file);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('pcapng becomes pcap: times in nanoseconds where one needs them, comments left out', async () => {
    const { list } = await records(everything());
    const section = list.slice(0, 3);
    const { list: again } = await records(await written(section, { format: 'pcap' }));
    expect(again[1]).toMatchObject({ linkType: 1, resolution: NANOSECONDS });
    expect(again[2]).toMatchObject({ time: 1_700_000_000_123_456_789n, options: [] });
    await expect(written(list, { format: 'pcap' })).rejects.toMatchObject({ code: 'interface' });
  });

  test.each<[string, string, () => unknown]>([
    [
      'a packet before the link type',
      'interface',
      () => new PcapWriter(() => undefined).addPacket({ data: data(1, 4) }),
    ],
    ['a link type', 'value', () => new PcapWriter(() => undefined, { linkType: 65536 })],
    ['a snapshot length', 'value', () => new PcapWriter(() => undefined, { linkType: 1, snapshotLength: -1 })],
    ['an FCS of three bytes', 'value', () => new PcapWriter(() => undefined, { linkType: 1, fcsLength: 3 })],
    ['a time before 1970', 'value', () => new PcapWriter(() => undefined, { linkType: 1 }).addPacket({ data: data(1, 4), time: -1n })], // prettier-ignore
    ['a time after 2106', 'value', () => new PcapWriter(() => undefined, { linkType: 1 }).addPacket({ data: data(1, 4), time: 2n ** 32n * 10n ** 9n })], // prettier-ignore
    ['a length', 'value', () => new PcapWriter(() => undefined, { linkType: 1 }).addPacket({ data: data(1, 4), originalLength: 2 ** 32 })], // prettier-ignore
  ])('%s is refused', (_, code, use) => {
    expect(use).toThrow(expect.objectContaining({ name: 'CaptureError', code }) as Error);
  });
});

describe('batches', () => {
  const classic = Buffer.concat([BIG.pcap(0xa1b23c4d), ...Array.from({ length: 40 }, (_, i) => BIG.record(i, i, data(i, 3 * i)))]); // prettier-ignore
  const old = Buffer.concat([
    LITTLE.pcap(0xa1b2c3d4, 1, 99, 2, 2),
    ...[5, 6].map((n) => LITTLE.record(n, 0, data(n, n))),
  ]);
  const kuznetzov = Buffer.concat([LITTLE.pcap(0xa1b2cd34), LITTLE.record(1, 2, Buffer.alloc(0)), Buffer.alloc(8)]);
  const WRITERS = {
    'pcap to pcap': [classic, (write) => new PcapWriter(write)],
    'pcap to little-endian pcap': [classic, (write) => new PcapWriter(write, { byteOrder: 'little' })],
    'pcap to pcap of microseconds': [classic, (write) => new PcapWriter(write, { nanoseconds: false })],
    'pcap 2.2 to pcap': [old, (write) => new PcapWriter(write)],
    "Kuznetzov's pcap to pcap": [kuznetzov, (write) => new PcapWriter(write)],
    'pcap to pcapng': [classic, (write) => new PcapngWriter(write, { begin: false })],
    'pcapng to pcapng': [everything(), (write) => new PcapngWriter(write, { begin: false })],
    'pcapng to pcapng, times anew': [
      classic,
      (write) => new PcapngWriter(write, { begin: false, resolution: MICROSECONDS }),
    ],
  } satisfies Record<string, [Buffer, (write: (bytes: Uint8Array) => void) => PcapWriter | PcapngWriter]>;

  test.each(Object.entries(WRITERS))('%s: the same as record by record, all and some', async (_, [file, make]) => {
    for (const divisor of [1, 2, 3]) {
      const [whole, single]: [Uint8Array[], Uint8Array[]] = [[], []];
      const batches = make((bytes) => whole.push(bytes.slice()));
      const one = make((bytes) => single.push(bytes));
      const reader = await openCapture(file, { batch: 7 });
      for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
        const selected = Array.from({ length: batch.count }, (__, i) => i).filter((i) => i % divisor === 0);
        batches.addBatch(batch, divisor === 1 ? undefined : Uint32Array.from(selected));
        let next = 0;
        for (const { before, record } of [...batch.others, { before: Infinity, record: undefined }]) {
          while ((selected[next] ?? Infinity) < before) one.add(batch.packet(selected[next++]!));
          if (record !== undefined) one.add(record);
        }
      }
      // A verbatim copy keeps obsolete and simple blocks, so compare what is read.
      const [left, right] = [await records(Buffer.concat(whole)), await records(Buffer.concat(single))];
      expect(left.error).toBeUndefined();
      expect(left.list.filter(({ kind }) => kind === 'packet').length).toBeGreaterThan(0);
      expect(left).toEqual(right);
    }
  });

  test('pcap to pcap is byte for byte the same file, in few pieces', async () => {
    const parts: Uint8Array[] = [];
    const reader = await openCapture(classic);
    const writer = new PcapWriter((bytes) => parts.push(bytes.slice()));
    for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
      writer.addBatch(batch);
    }
    // The snapshot length is in the record: nothing is normalised.
    expect(Buffer.concat(parts)).toEqual(classic);
    expect(parts.length).toBe(2);
  });

  test('a place that the batch does not have is refused', async () => {
    const reader = await openCapture(classic);
    const batch = await reader.readBatch();
    expect(() => batch && new PcapWriter(() => undefined).addBatch(batch, [40])).toThrow(RangeError);
  });
});

test('times and ticks agree where a tick is at least a nanosecond', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 50n }), fc.nat(9), fc.bigInt({ min: -100n, max: 100n }), (ticks, exponent, epoch) => {
      const resolution: Resolution = { base: 10, exponent };
      expect(nanosecondsToTicks(ticksToNanoseconds(ticks, resolution, epoch), resolution, epoch)).toBe(ticks);
    }), // prettier-ignore
  );
});
