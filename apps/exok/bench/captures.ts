/**
 * Reading and copying captures of 500 MB in the page cache, beside tcpdump where it is installed. Each round copies to
 * /dev/null; the files are made in the folder for temporary files, and removed.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCapture, PcapngWriter, PcapWriter } from '@exokernel/capture';
import { fileSource } from '@exokernel/capture/node';
import { median, type Bar, type Report, type Row } from './report.ts';

const ROUNDS = 5;
const BYTES = 500e6;
const PIECE = 1 << 20;
/** Lengths of Ethernet frames, as acknowledgements and transfers mix. */
const LENGTHS = [60, 60, 66, 1514, 1514, 590, 66, 1514, 120, 60];
const FORMATS = ['pcap', 'pcapng'] as const;

function make(path: string, format: (typeof FORMATS)[number]): void {
  const file = openSync(path, 'w');
  let waiting: Uint8Array[] = [];
  let size = 0;
  let total = 0;
  const flush = (): void => {
    writeSync(file, Buffer.concat(waiting, size));
    total += size;
    waiting = [];
    size = 0;
  };
  const write = (bytes: Uint8Array): void => {
    waiting.push(bytes);
    size += bytes.length;
    if (size > PIECE) flush();
  };
  const writer = format === 'pcap' ? new PcapWriter(write, { linkType: 1 }) : new PcapngWriter(write);
  if (writer instanceof PcapngWriter) writer.addInterface({ name: 'eth0' });
  for (let i = 0; total < BYTES; i += 1) {
    const data = new Uint8Array(LENGTHS[i % LENGTHS.length] ?? 60).fill(i);
    writer.addPacket({ interface: 0, data, time: 1_700_000_000_000_000_000n + 1234n * BigInt(i) });
  }
  flush();
  closeSync(file);
}

/** The lengths of all packets, added up. */
async function read(path: string): Promise<number> {
  const reader = await openCapture(fileSource(path));
  let bytes = 0;
  for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
    const { count, capturedLengths } = batch;
    for (let i = 0; i < count; i += 1) bytes += capturedLengths[i] ?? 0;
  }
  return bytes;
}

async function copy(path: string): Promise<void> {
  const out = openSync('/dev/null', 'w');
  const write = (bytes: Uint8Array): number => writeSync(out, bytes);
  const reader = await openCapture(fileSource(path));
  const writer = reader.format === 'pcap' ? new PcapWriter(write) : new PcapngWriter(write, { begin: false });
  for (let batch = await reader.readBatch(); batch !== undefined; batch = await reader.readBatch()) {
    writer.addBatch(batch);
  }
  closeSync(out);
}

async function packets(path: string): Promise<number> {
  let bytes = 0;
  for await (const packet of await openCapture(fileSource(path))) bytes += packet.data.length;
  return bytes;
}

function tcpdump(path: string): boolean {
  return spawnSync('tcpdump', ['-r', path, '-w', '/dev/null'], { stdio: 'ignore' }).status === 0;
}

/** MB/s of each way with each format. */
export async function captures(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'exok-captures-'));
  const peer = spawnSync('tcpdump', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!peer) process.stderr.write('tcpdump is not installed: left out\n');
  const ways: readonly (readonly [string, (path: string) => unknown])[] = [
    ['read in batches', read],
    ['copied in batches', copy],
    ['read by packets', packets],
    ...(peer ? [['tcpdump -w /dev/null', tcpdump] as const] : []),
  ];
  const speeds = new Map<string, number[]>();
  try {
    for (const format of FORMATS) make(join(folder, format), format);
    // The first round warms the code and the page cache.
    for (let round = 0; round <= ROUNDS; round += 1) {
      process.stderr.write(`captures: round ${round} of ${ROUNDS}\n`);
      for (const format of FORMATS) {
        const path = join(folder, format);
        for (const [way, run] of ways) {
          const begun = performance.now();
          await run(path);
          const speed = statSync(path).size / 1000 / (performance.now() - begun);
          const name = `${format}, ${way}`;
          if (round > 0) speeds.set(name, [...(speeds.get(name) ?? []), speed]);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const rows: Row[] = [...speeds].map(([name, rounds]) => ({ name, unit: 'MB/s', median: median(rounds), rounds }));
  const bars = FORMATS.flatMap((format): Bar[] => {
    const of = (way: string): number => median(speeds.get(`${format}, ${way}`) ?? []);
    if (!peer) return [];
    const value = of('copied in batches') / of('tcpdump -w /dev/null');
    return [{ text: `${format}: copied at least as fast as by tcpdump (times)`, value, holds: value >= 1 }];
  });
  return { rows, bars };
}
