/** The snippets of the README. Their lines must be found here. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { comment, commentsOf, openCapture, PcapngWriter, writeCapture } from '../src/index.ts';
import { fileSource } from '../src/node/index.ts';
import { everything, LITTLE, records as all } from './blocks.ts';

const folder = mkdtempSync(join(tmpdir(), 'capture-readme-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('README', () => {
  test('reading', async () => {
    const lines: unknown[][] = [];
    const console = { log: (...line: unknown[]) => lines.push(line) };
    const url = `data:application/octet-stream;base64,${gzipSync(everything()).toString('base64')}`;

    const response = await fetch(url);
    let bytes = 0;
    for await (const packet of await openCapture(response.body ?? [])) {
      bytes += packet.data.length;
      console.log(packet.time, packet.originalLength, commentsOf(packet)); // nanoseconds since 1970, as a bigint
    }

    expect(bytes).toBe(60 + 96 + 42 + 5 + 61 + 1);
    expect(lines[0]).toEqual([1_700_000_000_123_456_789n, 60, ['first', 'again']]);
  });

  test('reading fast', async () => {
    const path = join(folder, 'some.pcap');
    const [frame, other] = [new Uint8Array(1400), new Uint8Array(1400)];
    frame.set([8, 0], 12);
    const file = [frame, other, frame.subarray(0, 60), frame].map((bytes, i) => LITTLE.record(i, 0, bytes));
    writeFileSync(path, Buffer.concat([LITTLE.pcap(0xa1b2c3d4), ...file]));
    const shown: number[] = [];
    const show = (part: number): unknown => shown.push(part);

    const source = fileSource(path);
    const reader = await openCapture(source, { keep: 'none', progress: (read) => show(read / source.size) });
    let long = 0;
    for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
      const { bytes, count, offsets, capturedLengths } = batch;
      for (let i = 0; i < count; i += 1) {
        const at = offsets[i]!;
        const isIpv4 = bytes[at + 12] === 8 && bytes[at + 13] === 0;
        if (isIpv4 && capturedLengths[i]! > 1000) long += 1; // batch.time(i) makes a bigint, batch.packet(i) a record
      }
    }

    expect([long, shown.at(-1)]).toEqual([2, 1]);
  });

  test('writing', () => {
    const blocks: Uint8Array[] = [];
    const writer = new PcapngWriter((block) => blocks.push(block));
    const eth0 = writer.addInterface({ name: 'eth0', epoch: 1_700_000_000 }); // what time 0 is, in seconds since 1970
    const eth1 = writer.addInterface({ name: 'eth1', linkType: 101, resolution: { base: 10, exponent: 6 } });

    const frame = new Uint8Array(60);
    writer.addFrame(eth0, frame, 57_600); // 57.6 us after its epoch
    writer.addFrame(eth0, frame, 125_000, true); // its FCS did not match
    const options = [comment('the first')];
    writer.addPacket({ interface: eth1, data: frame, time: 1_700_000_000_000_001_000n, options });

    const types = blocks.map((block) => new DataView(block.buffer).getUint32(0, true));
    expect(types).toEqual([168627466, 1, 1, 6, 6, 6]);
  });

  test('from one format to another', async () => {
    // Without the block whose layout is not known.
    const whole = everything();
    const source = Buffer.concat([whole.subarray(0, -56), whole.subarray(-36)]);

    const packer: { readable: ReadableStream; writable: WritableStream } = new CompressionStream('gzip');
    const { readable, writable } = packer;
    const file = writable.getWriter();
    const packed = all(readable);

    const records = (await openCapture(source)).records();
    for await (const piece of writeCapture(records, { format: 'pcapng', byteOrder: 'big' })) {
      await file.write(piece); // of about 64 KB; `file` may be the writer of a `CompressionStream`
    }
    await file.close();

    const [before, after] = [await all(source), await packed];
    expect([before.error, after.error, before.list.length]).toEqual([undefined, undefined, 15]);
    const sections = (list: typeof before.list): unknown[] =>
      list.map((record) => (record.kind === 'section' ? { ...record, byteOrder: 'big' } : record));
    expect(after.list).toEqual(sections(before.list));
  });

  test('its lines stand here', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const here = readFileSync(new URL(import.meta.url), 'utf8');
    const snippets = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
    const lines = snippets
      .flatMap((text) => text.split('\n'))
      .filter((line) => line !== '' && !/^(import|console|const url)/.test(line));
    expect(snippets.length).toBe(4);
    expect(lines.length).toBeGreaterThan(25);
    for (const line of lines) expect(here).toContain(line);
  });
});
