/** `exok run libos.ts`: a library operating system from its source, once and again whenever it changes. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const KIT = '@exokernel/libos-kit/assembly';
const folder = mkdtempSync(join(tmpdir(), 'exok-source-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function source(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function exok(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'run', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

const says = (text: string): string => `export const TEXT: string = '${text}\\n';\n`;
const PRINTS = `import { print } from '${KIT}/console';
import { TEXT } from './text';
export function main(): i32 {
  print(TEXT);
  return 0;
}
`;

describe('once', () => {
  test('it prints, and its end is told', () => {
    source('text.ts', says('once'));
    const { status, stdout, stderr } = exok(source('main.ts', PRINTS));
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'once\n' });
    expect(stderr).toMatch(/^main exited with 0$/m);
  });

  test('each copy is an environment; the disk is the extent of them all', () => {
    const disk = source('disk.img', '');
    truncateSync(disk, 16 * 4096);
    const text = `import { print } from '${KIT}/console';
      import { extentBlocks } from '${KIT}/disk';
      export function main(): i32 {
        print(extentBlocks().toString() + '\\n');
        return 0;
      }`;
    expect(exok(source('blocks.ts', text), '--disk', disk)).toMatchObject({ status: 0, stdout: '16\n' });
    expect(exok(source('blocks.ts', text), '--copies', '3').stdout).toBe('0\n0\n0\n');
  });

  test('what ended it is told with its place, and the exit code is 1', () => {
    const { status, stderr } = exok(
      source('bad.ts', 'export function main(): i32 {\n  return load<i32>(0x30000000);\n}\n'),
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/bad\.ts:2/);
  });

  test('errors are told with file, line and column, and the exit code is 1', () => {
    const file = source('wrong.ts', 'export function main(): i32 {\n  return nothing;\n}\n');
    const { status, stdout, stderr } = exok(file);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(`${file}(2,10): error TS2304: Cannot find name 'nothing'.\n`);
  });

  test.each([
    [['missing.ts'], /cannot read .*missing\.ts/],
    [['main.ts', '--', 'argument'], /arguments are for the bare machine/],
    [['main.ts', '--watch', '--record', 'x'], /--record/],
    [['main.ts', '--copies', '9'], /1 to 8/],
    [['nomain.ts'], /nomain exports no main/],
    [['disk.img', '--watch'], /no source/],
  ])('%j is refused in one line', ([file = '', ...more], message) => {
    source('nomain.ts', 'export function other(): void {}\n');
    const { status, stdout, stderr } = exok(join(folder, file), ...more);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('--watch', () => {
  test('compiles and runs again on each change, tells errors and goes on, and ends when it is interrupted', async () => {
    source('text.ts', says('first'));
    const main = source('main.ts', PRINTS);
    const child = spawn(process.execPath, [MAIN, 'run', '--watch', main]);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const until = async (done: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !done(); i += 1) await after(50);
      expect({ isDone: done(), stdout, stderr }).toMatchObject({ isDone: true });
    };
    try {
      await until(() => stdout === 'first\n' && stderr.includes('exited with 0'));
      // A file that is imported.
      source('text.ts', says('second'));
      await until(() => stdout === 'first\nsecond\n');
      // An error is told, and what was wrong is put right; as editors do it, by another file of that name.
      source('text.ts', 'export const TEXT: string = 7;\n');
      await until(() => /text\.ts\(1,\d+\): error/.test(stderr));
      renameSync(source('text.new', says('third')), join(folder, 'text.ts'));
      await until(() => stdout.endsWith('third\n'));
      // A file that goes, and comes again.
      rmSync(join(folder, 'text.ts'));
      await until(() => /File '.*text\.ts' not found/.test(stderr));
      source('text.ts', says('fourth'));
      await until(() => stdout.endsWith('fourth\n'));
      // One that does not end by itself, does not keep it.
      source('main.ts', PRINTS.replace('return 0;', 'while (true) {}\n  return 0;'));
      await until(() => stdout.endsWith('fourth\nfourth\n'));
      source('main.ts', PRINTS);
      await until(() => stdout.endsWith('fourth\nfourth\nfourth\n'));
      child.kill('SIGINT');
      expect(await ended).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
