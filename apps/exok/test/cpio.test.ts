/** The archive that Linux starts from, byte for byte, and as a tool reads it that nobody here wrote. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cpio, type CpioEntry } from '../src/linux/cpio.ts';

const text = new TextEncoder();

test('a file is a header of hexadecimal digits, its name and its data, each padded to four bytes', () => {
  const archive = new TextDecoder().decode(
    cpio([{ kind: 'file', name: 'abc', mode: 0o755, data: text.encode('hello') }]),
  );
  const fields = ['00000001', '000081ed', '00000000', '00000000', '00000001', '00000000', '00000005', '00000000'];
  const rest = ['00000000', '00000000', '00000000', '00000004', '00000000'];
  const header = `070701${[...fields, ...rest].join('')}`;
  expect(header).toHaveLength(110);
  expect(archive.slice(0, 124)).toBe(`${header}abc\0\0\0hello\0\0\0`.slice(0, 124));
  // The trailer: name of 11 bytes with its zero, padded to 124.
  expect(archive.slice(124)).toMatch(/^070701[0-9a-f]{104}TRAILER!!!\0{4}$/);
  expect(archive).toHaveLength(248);
});

test('a device has its numbers, a folder two links; nothing depends on the day', () => {
  const entries: CpioEntry[] = [
    { kind: 'folder', name: 'dev' },
    { kind: 'device', name: 'dev/console', device: { major: 5, minor: 1 } },
  ];
  const archive = new TextDecoder().decode(cpio(entries));
  expect(archive.slice(14, 22)).toBe('000041ed');
  expect(archive.slice(38, 46)).toBe('00000002');
  const device = archive.slice(archive.indexOf('070701', 6));
  expect(device.slice(14, 22)).toBe('00002180');
  expect(device.slice(78, 94)).toBe('0000000500000001');
  expect(cpio(entries)).toEqual(cpio(entries));
});

const CPIO = spawnSync('cpio', ['--version']).status === 0;

test.skipIf(!CPIO)(`cpio reads it${CPIO ? '' : ' (skipped: cpio is not installed)'}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'exok-cpio-'));
  const data = Uint8Array.from({ length: 1001 }, (_, i) => i & 0xff);
  const archive = cpio([
    { kind: 'folder', name: 'a' },
    { kind: 'file', name: 'a/empty', data: new Uint8Array() },
    { kind: 'file', name: 'a/full', mode: 0o700, data },
  ]);
  const { status, stderr } = spawnSync('cpio', ['--extract', '--quiet'], { cwd: folder, input: archive });
  expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
  expect(new Uint8Array(readFileSync(join(folder, 'a/full')))).toEqual(data);
  expect(readFileSync(join(folder, 'a/empty'))).toHaveLength(0);
  rmSync(folder, { recursive: true });
});
