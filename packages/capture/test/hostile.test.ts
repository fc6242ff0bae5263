/** Captures that are cut, damaged or made to harm: a typed error behind the packets before it, in bounded memory and time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CaptureError,
  commentsOf,
  openCapture,
  PcapngWriter,
  PcapWriter,
  writeCapture,
  type CaptureRecord,
} from '../src/index.ts';
import { BIG, data, END, everything, LITTLE, packets, pieces, records, type Maker } from './blocks.ts';

function code(error: unknown): string {
  return error instanceof CaptureError ? error.code : String(error);
}

function classic(make: Maker): Buffer {
  return Buffer.concat([
    make.pcap(0xa1b2c3d4),
    ...[60, 0, 7, 1].map((length, i) => make.record(i, i, data(i, length))),
  ]);
}

const FILES: Readonly<Record<string, Buffer>> = {
  'little-endian pcap': classic(LITTLE),
  'big-endian pcap': classic(BIG),
  'pcapng, little then big': everything(LITTLE, BIG),
  'pcapng, big then little': everything(BIG, LITTLE),
};

/** Where each record of the file ends. */
async function ends(file: Buffer): Promise<readonly number[]> {
  const reader = await openCapture(file, { batch: 1 });
  const list: number[] = [];
  for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
    if (batch.count > 0) list.push(batch.ends[0]!);
  }
  return list;
}

describe.each(Object.entries(FILES))('%s', (_, file) => {
  test('cut at every byte: all packets before, then the error', async () => {
    const all = (await packets(file)).list;
    const whole = await ends(file);
    expect(whole.length).toBe(all.length);
    let clean = 0;
    for (let length = 0; length < file.length; length += 1) {
      const { list, error } = await packets(file.subarray(0, length));
      expect(list).toEqual(all.slice(0, whole.filter((end) => end <= length).length));
      // A file may end between two blocks.
      if (error === undefined) clean += 1;
      else expect([length, code(error)]).toEqual([length, 'truncated']);
      if (error instanceof CaptureError) expect(error.details['offset']).toBeLessThanOrEqual(length);
      expect(await packets(pieces(file.subarray(0, length), 10))).toEqual({ list, error });
    }
    expect(clean).toBeLessThan(20);
    expect(clean).toBeGreaterThan(2);
  });

  test('damaged: the packets before the damage, and a typed error or other packets', async () => {
    const all = (await packets(file)).list;
    const whole = await ends(file);
    const mutation = fc.record({ at: fc.nat(file.length - 1), value: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 99 }), async (list, length) => {
        const bad = Buffer.from(file);
        for (const { at, value } of list) bad.writeUInt8(value, at);
        const first = Math.min(...list.map(({ at }) => at));
        const read = await packets(bad);
        const before = whole.filter((end) => end <= first).length;
        expect(read.list.slice(0, before)).toEqual(all.slice(0, before));
        if (read.error !== undefined) expect(read.error).toBeInstanceOf(CaptureError);
        expect(await packets(pieces(bad, length), { window: new Uint8Array(4096), limits: { block: 4096 } })).toEqual(
          await packets(bad, { limits: { block: 4096 } }),
        );
        // What was read can be written, or is refused with a type.
        const everythingRead = (await records(bad)).list;
        for (const format of ['pcap', 'pcapng'] as const) await rewritten(everythingRead, format);
      }),
      { numRuns: 250 },
    ); // prettier-ignore
  });
});

async function rewritten(list: readonly CaptureRecord[], format: 'pcap' | 'pcapng'): Promise<void> {
  try {
    let size = 0;
    for await (const part of writeCapture(list, { format })) size += part.length;
    expect(size).toBeGreaterThanOrEqual(0);
  } catch (error) {
    expect(error).toBeInstanceOf(CaptureError);
  }
}

test('random bytes are no capture', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const { list, error } = await packets(bytes);
      expect(list).toEqual([]);
      expect(error).toBeInstanceOf(CaptureError);
    }),
  );
});

describe.each([
  ['little-endian', LITTLE],
  ['big-endian', BIG],
])('impossible lengths, %s', (_, make) => {
  const start = Buffer.concat([make.section(), make.interface(1, 0)]);
  const good = make.packet(0, 1n, data(1, 8));
  const { u32, u16 } = { u32: make.u32.bind(make), u16: make.u16.bind(make) };
  const length = (type: number, announced: number, size = 64): Buffer =>
    Buffer.concat([u32(type), u32(announced), Buffer.alloc(size), u32(announced)]);

  test.each<[string, string, Buffer]>([
    ['a block of 4 GB', 'block', length(6, 0xffffffff)],
    ['a block of 4 GB less what is missing to whole words', 'limit', length(6, 0xfffffffc)],
    ['a section header of 4 GB', 'limit', Buffer.concat([u32(0x0a0d0d0a), u32(0xfffffffc), u32(0x1a2b3c4d), Buffer.alloc(99)])],
    ['an unknown block of 15 MB in a small file', 'truncated', length(99, 15 << 20)],
    ['a block of no bytes', 'block', length(6, 0)],
    ['an unknown block of no bytes', 'block', length(99, 0)],
    ['an unknown block of eight bytes', 'block', length(99, 8)],
    ['a block that is not whole words', 'block', length(99, 77)],
    ['a packet block that is too short', 'block', length(6, 28, 16)],
    ['an interface that is too short', 'block', length(1, 16, 4)],
    ['an obsolete packet block that is too short', 'block', length(2, 28, 16)],
    ['a simple packet block that is too short', 'block', length(3, 12, 0)],
    ['statistics that are too short', 'block', length(5, 20, 8)],
    ['a custom block without an owner', 'block', length(0xbad, 12, 0)],
    ['two lengths that differ', 'block', Buffer.concat([u32(99), u32(16), u32(0), u32(20)])],
    ['a section header without its magic', 'block', Buffer.concat([u32(0x0a0d0d0a), u32(28), Buffer.alloc(16), u32(28)])],
    ['another version', 'version', make.block(0x0a0d0d0a, u32(0x1a2b3c4d), u16(2), u16(0), Buffer.alloc(8))],
    ['a packet longer than its block', 'block', make.block(6, u32(0), u32(0), u32(1), u32(9), u32(9), Buffer.alloc(8))],
    ['a packet of 4 GB', 'block', make.block(6, u32(0), u32(0), u32(1), u32(0xffffffff), u32(9), Buffer.alloc(8))],
    ['a simple packet longer than its block', 'block', make.block(3, u32(9), Buffer.alloc(8))],
    ['a packet of an interface that is none', 'interface', make.packet(1, 1n, data(1, 8))],
    ['a packet of interface 2^32 - 1', 'interface', make.packet(0xffffffff, 1n, data(1, 8))],
    ['a packet of the section before', 'interface', Buffer.concat([make.section(), make.packet(0, 1n, data(1, 8))])],
    ['a simple packet without an interface', 'interface', Buffer.concat([make.section(), make.block(3, u32(0))])],
    ['statistics of an interface that is none', 'interface', make.block(5, u32(7), Buffer.alloc(8))],
    ['an option that is longer than its block', 'options', make.packet(0, 1n, data(1, 8), 8, u16(1), u16(500), Buffer.alloc(8))],
    ['an option of 64 KB in a small block', 'options', make.interface(1, 0, u16(2), u16(0xffff))],
    ['options of a section beyond its end', 'options', make.section(u16(4), u16(9), Buffer.alloc(8))],
    ['a resolution of two bytes', 'options', make.interface(1, 0, make.option(9, data(1, 2)), END)],
    ['an offset of four bytes', 'options', make.interface(1, 0, make.option(14, data(1, 4)), END)],
    ['an FCS length of no bytes', 'options', make.interface(1, 0, make.option(13, data(1, 0)), END)],
    ['a name that reaches beyond its block', 'block', make.block(4, u16(1), u16(99), Buffer.alloc(8))],
  ])('%s: %s', async (__, expected, bad) => {
    const { list, error } = await records(Buffer.concat([start, good, good, bad, good]));
    expect(code(error)).toBe(expected);
    expect(list.filter(({ kind }) => kind === 'packet').length).toBeGreaterThanOrEqual(2);
    const { offset } = (error as CaptureError).details as { offset: number };
    expect(offset).toBeGreaterThanOrEqual(start.length + 2 * good.length);
    expect(offset).toBeLessThan(start.length + 2 * good.length + Math.max(bad.length, 1));
  }); // prettier-ignore

  test('a record of 4 GB in a pcap', async () => {
    const head = Buffer.concat([make.pcap(0xa1b2c3d4), make.record(1, 1, data(1, 9))]);
    for (const announced of [0xffffffff, 0x80000000, 0x7fffffff, 17 << 20]) {
      const { list, error } = await packets(Buffer.concat([head, u32(1), u32(1), u32(announced), u32(9)]));
      expect([list.length, code(error)]).toEqual([1, 'limit']);
      expect(error).toMatchObject({ details: { offset: head.length, length: announced + 16 } });
    }
    const cut = await packets(Buffer.concat([head, u32(1), u32(1), u32(15 << 20), u32(9)]));
    expect([cut.list.length, code(cut.error)]).toEqual([1, 'truncated']);
  });

  test('an option list without an end mark ends with its block', async () => {
    const packet = make.packet(0, 1n, data(1, 8), 8, make.option(1, Buffer.from('open')));
    const { list, error } = await packets(Buffer.concat([start, packet]));
    expect([error, list.map(commentsOf)]).toEqual([undefined, [['open']]]);
  });

  test('packets with a bad option list are read in batches, where options are not looked at', async () => {
    const bad = make.packet(0, 1n, data(1, 8), 8, u16(1), u16(500));
    const reader = await openCapture(Buffer.concat([start, bad, good]));
    const batch = await reader.readBatch();
    expect(batch?.count).toBe(2);
    expect(() => batch?.options(0)).toThrow(expect.objectContaining({ code: 'options' }) as Error);
    expect(batch?.options(1)).toEqual([]);
  });
});

describe('limits', () => {
  test('a block of 15 MB announced on a pipe takes no memory until it comes', async () => {
    const head = Buffer.concat([LITTLE.section(), LITTLE.u32(99), LITTLE.u32(15 << 20)]);
    const before = process.memoryUsage().arrayBuffers;
    const { error } = await packets([head]);
    expect(code(error)).toBe('truncated');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 << 20);
  });

  test('a large block is read when the limit allows it, and refused when not', async () => {
    const file = Buffer.concat([LITTLE.section(), LITTLE.interface(1, 0), LITTLE.packet(0, 1n, data(1, 3 << 20))]);
    expect((await packets(pieces(file, 65536))).list[0]?.data.length).toBe(3 << 20);
    const small = await packets(pieces(file, 65536), { limits: { block: 1 << 20 } });
    expect([small.list.length, code(small.error)]).toEqual([0, 'limit']);
    const window = await packets(pieces(file, 65536), { window: new Uint8Array(1 << 20) });
    expect([window.list.length, code(window.error)]).toEqual([0, 'limit']);
  });

  test('interfaces', async () => {
    const face = LITTLE.interface(1, 0);
    const file = Buffer.concat([LITTLE.section(), face, face, face, LITTLE.section(), face, face]);
    expect((await records(file, { limits: { interfaces: 5 } })).error).toBeUndefined();
    expect(code((await records(file, { limits: { interfaces: 4 } })).error)).toBe('limit');
    const many = Buffer.concat([LITTLE.section(), ...Array.from({ length: 65_537 }, () => face)]);
    expect(code((await records(many)).error)).toBe('limit');
  });

  test('a file of nothing but other blocks comes in many batches', async () => {
    const file = Buffer.concat([LITTLE.section(), ...Array.from({ length: 20_000 }, () => LITTLE.block(99))]);
    const reader = await openCapture(file);
    let most = 0;
    let total = 0;
    for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
      most = Math.max(most, batch.others.length);
      total += batch.others.length;
    }
    expect([most, total]).toEqual([4096, 20_001]);
  });
});

test('after an error each further call throws it again, and the source is closed once', async () => {
  let closed = 0;
  const bytes = Buffer.concat([LITTLE.pcap(0xa1b2c3d4), LITTLE.record(1, 0, data(1, 9)), Buffer.alloc(3)]);
  let at = 0;
  const reader = await openCapture({
    readInto: (into) => {
      const some = bytes.subarray(at, at + into.length);
      into.set(some);
      at += some.length;
      return some.length;
    },
    close: () => {
      closed += 1;
    },
  });
  expect((await reader.readBatch())?.count).toBe(1);
  const errors: unknown[] = [];
  for (let i = 0; i < 3; i += 1) await reader.readBatch().catch((error: unknown) => errors.push(error));
  expect(errors.map(code)).toEqual(['truncated', 'truncated', 'truncated']);
  expect(errors[1]).toBe(errors[0]);
  await reader.close();
  expect(closed).toBe(1);
});

test('batches of damaged files are copied or refused with a type', async () => {
  const file = everything();
  const mutation = fc.record({ at: fc.nat(file.length - 1), value: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { maxLength: 4 }), fc.boolean(), async (list, ng) => {
      const bad = Buffer.from(file);
      for (const { at, value } of list) bad.writeUInt8(value, at);
      const write = (): undefined => undefined;
      const writer = ng ? new PcapngWriter(write, { begin: false }) : new PcapWriter(write);
      try {
        const reader = await openCapture(bad);
        for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
          writer.addBatch(batch);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(CaptureError);
      }
    }),
    { numRuns: 300 },
  );
});
