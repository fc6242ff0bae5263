/**
 * Captures of real networks: each file in `pcap-filter/captures` of `EXOKERNEL_FIXTURES` is read, written in every way,
 * and read again with equal packets; capinfos, where it is installed, counts the same. Skipped where the files are absent.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import {
  openCapture,
  PcapngWriter,
  PcapWriter,
  writeCapture,
  type CaptureRecord,
  type WriteOptions,
} from '../src/index.ts';
import { packets, pieces, records } from './blocks.ts';

const FOLDER = join(
  process.env['EXOKERNEL_FIXTURES'] ?? join(import.meta.dirname, '../../../../shared/fixtures'),
  'pcap-filter/captures',
);
const present = existsSync(FOLDER);
const files = present ? readdirSync(FOLDER).filter((name) => /\.pcap(ng)?$/.test(name)) : [];
const scratch = mkdtempSync(join(tmpdir(), 'captures-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const WAYS: readonly WriteOptions[] = [
  { format: 'pcapng' },
  { format: 'pcapng', byteOrder: 'big' },
  { format: 'pcapng', resolution: { base: 10, exponent: 9 } },
  { format: 'pcap' },
  { format: 'pcap', nanoseconds: true, byteOrder: 'big' },
];

async function written(list: readonly CaptureRecord[], options: WriteOptions): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of writeCapture(list, options)) parts.push(part);
  return Buffer.concat(parts);
}

/** What must stay of a packet. Ticks depend on the resolution, and a classic pcap has no options. */
function kept(list: readonly CaptureRecord[]): readonly unknown[] {
  return list.flatMap((one) =>
    one.kind === 'packet' ? [{ time: one.time, data: one.data, originalLength: one.originalLength }] : [],
  );
}

describe.skipIf(!present)(`captures${present ? '' : ' (skipped: the folder of fixtures is absent)'}`, () => {
  test('are there', () => {
    expect(files.length).toBeGreaterThan(30);
  });

  test.each(files)('%s', async (name) => {
    const bytes = readFileSync(join(FOLDER, name));
    const { list, error } = await records(bytes);
    expect(error).toBeUndefined();
    expect(kept(list).length).toBeGreaterThan(0);
    for (const way of WAYS) {
      const again = await records(await written(list, way));
      expect(again.error).toBeUndefined();
      expect(kept(again.list)).toEqual(kept(list));
      const [face, before] = [again.list[1], list[1]];
      if (face?.kind !== 'interface' || before?.kind !== 'interface') throw new Error('no interface');
      expect([face.linkType, face.snapshotLength]).toEqual([before.linkType, before.snapshotLength]);
    }
    expect(await records(pieces(gzipSync(bytes), 100))).toEqual({ list, error });
  });

  test.each(files)('%s, copied by batches, is the same file', async (name) => {
    const bytes = readFileSync(join(FOLDER, name));
    const reader = await openCapture(bytes);
    const parts: Uint8Array[] = [];
    const write = (part: Uint8Array): number => parts.push(part.slice());
    const writer = reader.format === 'pcap' ? new PcapWriter(write) : new PcapngWriter(write, { begin: false });
    for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
      writer.addBatch(batch);
    }
    const copy = Buffer.concat(parts);
    expect(await packets(copy)).toEqual(await packets(bytes));
    // Behind the header all is the same; there only zone and accuracy, which mean nothing, may differ.
    if (reader.format === 'pcap') expect(copy.subarray(24)).toEqual(bytes.subarray(24));
  });

  const capinfos = installed('capinfos');
  test.skipIf(!capinfos)(
    `capinfos counts the same in what was written${capinfos ? '' : ' (skipped: not installed)'}`,
    async () => {
      const said: string[][] = [];
      for (const way of [undefined, { format: 'pcapng', byteOrder: 'big' }, { format: 'pcap' }] as const) {
        for (const name of files) {
          const bytes = readFileSync(join(FOLDER, name));
          writeFileSync(
            join(scratch, name),
            way === undefined ? bytes : await written((await records(bytes)).list, way),
          );
        }
        said.push(infos(files.map((name) => join(scratch, name))));
      }
      // Link types that it does not know are refused in a pcap, and "unknown" in a pcapng.
      expect(said[0]?.length).toBeGreaterThan(30);
      expect(said[1]).toEqual(said[0]);
      expect(said[2]).toEqual(said[0]);
    },
    60_000,
  );
});

function installed(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Of each file: its encapsulation, how many packets and bytes of them, the first and the last time in seconds. */
function infos(paths: readonly string[]): string[] {
  // It goes on behind a file that it refuses, with an exit status.
  const { stdout } = spawnSync('capinfos', ['-T', '-r', '-m', '-E', '-c', '-d', '-a', '-e', '-S', ...paths], {
    encoding: 'utf8',
  });
  return stdout
    .trimEnd()
    .split('\n')
    .filter((line) => !line.includes(',unknown,')); // prettier-ignore
}
