/**
 * What the tools of the field make of files written here, and what this reads of theirs. Skipped where they are not
 * installed (tshark, editcap and mergecap of Wireshark; tcpdump).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  comment,
  commentsOf,
  PcapngWriter,
  PcapWriter,
  type CapturePacket,
  type PacketRecord,
  type Resolution,
} from '../src/index.ts';
import { BIG, data, everything, LITTLE, packets, records } from './blocks.ts';

const folder = mkdtempSync(join(tmpdir(), 'capture-tools-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const WIRESHARK = ['tshark', 'editcap', 'mergecap'].every(installed);
const TCPDUMP = installed('tcpdump');

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

function file(name: string, parts: readonly Uint8Array[]): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

/** Seconds and nine digits, as tshark and tcpdump print times. */
function printed(time: bigint | undefined): string {
  if (time === undefined) return '';
  return `${String(time / 1_000_000_000n)}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
}

/** What tshark says of each packet: time, captured length, length, comments. */
function tshark(path: string): readonly string[][] {
  const fields = ['frame.time_epoch', 'frame.cap_len', 'frame.len', 'frame.comment'];
  const text = run('tshark', '-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]));
  return text.replace(/\n$/, '').split('\n').map((line) => line.split('\t')); // prettier-ignore
}

function said({ time, data: bytes, originalLength, options }: PacketRecord): string[] {
  return [printed(time), String(bytes.length), String(originalLength), commentsOf({ options }).join(',')];
}

const PACKETS: readonly Omit<CapturePacket, 'interface'>[] = [
  { data: data(1, 60), time: 1_700_000_000_123_456_789n, options: [comment('ein Käse')] },
  { data: data(2, 61), originalLength: 1500, time: 1_700_000_000_999_999_999n },
  { data: data(3, 14), time: 2_000_000_000_000_000_000n, options: [comment('one'), comment('two')] },
];

const NG: readonly (readonly [string, 'little' | 'big', Resolution, number])[] = [
  ['micro', 'little', { base: 10, exponent: 6 }, 0],
  ['nano', 'big', { base: 10, exponent: 9 }, 1_600_000_000],
  ['seconds', 'big', { base: 10, exponent: 0 }, 0],
  ['twentieth', 'little', { base: 2, exponent: 20 }, 1_000_000_000],
  ['thirtieth', 'big', { base: 2, exponent: 30 }, 1_600_000_000],
];

function pcapng([name, byteOrder, resolution, epoch]: (typeof NG)[number]): string {
  const parts: Uint8Array[] = [];
  const writer = new PcapngWriter((bytes) => parts.push(bytes), { byteOrder });
  const to = writer.addInterface({ name: 'eth0', resolution, epoch });
  for (const packet of PACKETS) writer.addPacket({ interface: to, ...packet });
  return file(`${name}.pcapng`, parts);
}

const CLASSIC: readonly (readonly [boolean, 'little' | 'big'])[] = [
  [false, 'little'],
  [true, 'little'],
  [false, 'big'],
  [true, 'big'],
];

function pcap([nanoseconds, byteOrder]: (typeof CLASSIC)[number]): string {
  const parts: Uint8Array[] = [];
  const writer = new PcapWriter((bytes) => parts.push(bytes), { linkType: 1, nanoseconds, byteOrder });
  for (const packet of PACKETS) writer.addPacket(packet);
  return file(`${String(nanoseconds)}-${byteOrder}.pcap`, parts);
}

describe.skipIf(!WIRESHARK)(`Wireshark's tools${WIRESHARK ? '' : ' (skipped: not installed)'}`, () => {
  test.each(NG)('tshark reads a pcapng of %s, %s-endian, as this does', async (...of) => {
    const path = pcapng(of);
    const { list } = await packets(readFileSync(path));
    expect(list.length).toBe(3);
    expect(tshark(path)).toEqual(list.map(said));
  });

  test.each(CLASSIC)('tshark reads a pcap, nanoseconds %s, %s-endian, as this does', async (...of) => {
    const path = pcap(of);
    const { list } = await packets(readFileSync(path));
    expect(list.length).toBe(3);
    expect(tshark(path)).toEqual(list.map(said));
  });

  test.each([
    ['little', LITTLE, LITTLE],
    ['little, then big', LITTLE, BIG],
    ['big', BIG, BIG],
  ])('tshark reads every kind of block as this does: %s', async (name, first, second) => {
    const path = file(`${name}.pcapng`, [everything(first, second)]);
    const { list } = await records(readFileSync(path));
    const frames = list.filter(({ kind }) => kind === 'packet' || kind === 'custom');
    // A Custom Block takes a frame number in tshark.
    expect(tshark(path)).toEqual(frames.map((one) => (one.kind === 'packet' ? said(one) : ['', '4', '4', ''])));
  });

  test("tshark's times after 2038 in a classic pcap are those of this", async () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapWriter((bytes) => parts.push(bytes), { linkType: 1 });
    writer.addPacket({ data: data(1, 60), time: 4_000_000_000_000_001_000n });
    const path = file('late.pcap', parts);
    expect(tshark(path)).toEqual((await packets(readFileSync(path))).list.map(said));
  });

  test.each(['pcap', 'nsecpcap', 'pcapng'])('this reads what editcap writes: %s', async (format) => {
    const from = pcapng(['from', 'big', { base: 10, exponent: 9 }, 1_600_000_000]);
    const to = join(folder, `edited.${format}`);
    run('editcap', '-F', format, '-a', '2:added', from, to);
    const { list, error } = await packets(readFileSync(to));
    expect(error).toBeUndefined();
    expect(list.map(said)).toEqual(tshark(to));
    const unit = format === 'pcap' ? 1000n : 1n;
    expect(list.map(({ time }) => time)).toEqual(PACKETS.map(({ time = 0n }) => (time / unit) * unit));
    const comments = format === 'pcapng' ? [['ein Käse'], ['added'], ['one', 'two']] : [[], [], []];
    expect(list.map(commentsOf)).toEqual(comments);
  });

  test('this reads what mergecap makes of several files', async () => {
    const to = join(folder, 'merged.pcapng');
    run('mergecap', '-I', 'none', '-w', to, ...NG.map(pcapng), ...CLASSIC.map(pcap));
    const { list, error } = await packets(readFileSync(to));
    expect(error).toBeUndefined();
    expect(list.length).toBe(3 * (NG.length + CLASSIC.length));
    expect(new Set(list.map((one) => one.interface)).size).toBe(NG.length + CLASSIC.length);
    expect(list.map(said)).toEqual(tshark(to));
  });
});

describe.skipIf(!TCPDUMP)(`tcpdump${TCPDUMP ? '' : ' (skipped: not installed)'}`, () => {
  /** Times and lengths on the network. */
  function tcpdump(path: string): readonly string[][] {
    return run('tcpdump', '-r', path, '-tt', '--nano', '-e', '-q')
      .split('\n')
      .filter((line) => /^\d/.test(line))
      .map((line) => [line.split(' ')[0] ?? '', /length (\d+)/.exec(line)?.[1] ?? '']);
  }

  test.each([...NG.map((of) => [of[0], pcapng(of)]), ...CLASSIC.map((of) => [of.join(' '), pcap(of)])])(
    'reads %s as this does',
    async (_, path) => {
      const { list } = await packets(readFileSync(path));
      expect(tcpdump(path)).toEqual(list.map(({ time, originalLength }) => [printed(time), String(originalLength)]));
    },
  );

  test('this reads what tcpdump writes', async () => {
    const from = pcapng(['dumped', 'big', { base: 10, exponent: 9 }, 0]);
    const to = join(folder, 'dumped.pcap');
    run('tcpdump', '-r', from, '--nano', '-w', to);
    const { list, error } = await packets(readFileSync(to));
    expect([error, list.length]).toEqual([undefined, 3]);
    expect(list.map(({ time }) => time)).toEqual(PACKETS.map(({ time }) => time));
  });
});
