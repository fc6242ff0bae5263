import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CaptureError, PcapngWriter } from '../src/index.ts';
import { captureFile } from '../src/node/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'capture-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function hex(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString('hex');
}

/** An ARP request of `length` bytes from station `from`. */
function arp(from: number, length = 60): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(`ffffffffffff02000000000${from}0806000108000604000102000000000${from}0a00000${from}`, 'hex'));
  return bytes;
}

describe('pcapng [PCAPNG]', () => {
  test('literal bytes', () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapngWriter((bytes) => parts.push(bytes));
    expect(hex(parts.splice(0))).toBe(
      '0a0d0d0a' +
        '38000000' +
        '4d3c2b1a' +
        '01000000' +
        'ffffffffffffffff' + // section header, version 1.0
        '04001200' +
        Buffer.from('@exokernel/capture').toString('hex') +
        '0000' +
        '00000000' +
        '38000000',
    );
    expect(writer.addInterface({ name: 'wire', epoch: 0x12345678 })).toBe(0);
    expect(hex(parts.splice(0))).toBe(
      '01000000' +
        '34000000' +
        '01000000' +
        '00000000' + // Ethernet, any length
        '02000400' +
        '77697265' +
        '09000100' +
        '09000000' +
        '0e000800' +
        '7856341200000000' +
        '00000000' +
        '34000000',
    );
    expect(writer.addInterface({ name: 'ab' })).toBe(1);
    parts.length = 0;
    writer.addFrame(1, Uint8Array.of(1, 2, 3, 4, 5), 0x1234_89abcdef);
    expect(hex(parts.splice(0))).toBe(
      '06000000' +
        '28000000' +
        '01000000' +
        '34120000' +
        'efcdab89' +
        '05000000' +
        '05000000' +
        '0102030405000000' +
        '28000000',
    );
    writer.addFrame(0, Uint8Array.of(1, 2, 3, 4), 2.5, true);
    expect(hex(parts)).toBe(
      '06000000' +
        '30000000' +
        '00000000' +
        '00000000' +
        '03000000' +
        '04000000' +
        '04000000' +
        '01020304' +
        '02000400' +
        '00000001' +
        '00000000' +
        '30000000', // the FCS did not match
    );
  });

  test('every block says twice how long it is, and is whole words, whatever the length of a frame', () => {
    const parts: Uint8Array[] = [];
    const writer = new PcapngWriter((bytes) => parts.push(bytes));
    const to = writer.addInterface({ name: 'net' });
    for (let length = 60; length < 68; length += 1) writer.addFrame(to, arp(1, length), 0, length % 2 === 0);
    const lengths: number[] = [];
    for (const part of parts) {
      const view = new DataView(part.buffer, part.byteOffset, part.length);
      expect([view.getUint32(4, true), view.getUint32(part.length - 4, true), part.length % 4]).toEqual([
        part.length,
        part.length,
        0,
      ]);
      if (view.getUint32(0, true) === 6) lengths.push(view.getUint32(20, true));
    }
    expect(lengths).toEqual([60, 61, 62, 63, 64, 65, 66, 67]);
  });

  test('a file that cannot be written is an error', () => {
    let code = '';
    try {
      captureFile(join(folder, 'absent', 'file'));
    } catch (error) {
      if (error instanceof CaptureError) code = error.code;
    }
    expect(code).toBe('file');
  });

  test.skipIf(!existsSync('/dev/full'))(
    'a file that cannot take all says so when it is asked, and not the writer of frames',
    () => {
      const file = captureFile('/dev/full');
      const to = file.writer.addInterface({ name: 'eth0' });
      for (let i = 0; i < 100; i += 1) file.writer.addFrame(to, new Uint8Array(1500), 1000 * i);
      const codes = (['flush', 'close'] as const).map((end) => {
        try {
          file[end]();
        } catch (error) {
          if (error instanceof CaptureError) return error.code;
        }
        return 'nothing thrown';
      });
      expect(codes).toEqual(['file', 'file']);
    },
  );

  /** Two networks captured to a file: a frame of each, the second one damaged. */
  function captured(): string {
    const path = join(folder, 'two.pcapng');
    const file = captureFile(path);
    const { writer } = file;
    for (const i of [0, 1]) {
      const to = writer.addInterface({ name: `wire${i}`, epoch: 1_000_000_000 });
      writer.addFrame(to, arp(1 + i), 1_000_057_600 + 40 * i, i === 1);
    }
    file.close();
    return path;
  }

  test('a file holds all that was written', () => {
    const bytes = readFileSync(captured());
    let at = 0;
    const types: number[] = [];
    while (at < bytes.length) {
      types.push(bytes.readUInt32LE(at));
      at += bytes.readUInt32LE(at + 4);
    }
    expect(at).toBe(bytes.length);
    expect(types).toEqual([0x0a0d0d0a, 1, 6, 1, 6]);
  });

  const tshark = installed('tshark');
  test.skipIf(!tshark)(`tshark reads it${tshark ? '' : ' (skipped: tshark is not installed)'}`, () => {
    const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.len', 'frame.packet_flags_crc_error', 'eth.src'];
    const text = execFileSync(
      'tshark',
      ['-r', captured(), '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const [first, second] = text.split('\n').map((line) => line.split('\t'));
    expect(first).toEqual(['1000000001.000057600', 'wire0', '60', '', '02:00:00:00:00:01']);
    expect(second?.slice(0, 3)).toEqual(['1000000001.000057640', 'wire1', '60']);
    expect(second?.[3]).toMatch(/^(1|True)$/);
  });
});

function installed(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
