/** `exok lab`: what it refuses, and what it prints of a result. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ratio, type Result } from '@exokernel/labs';
import { describe, expect, test } from 'vitest';
import { format, toJson } from '../src/lab/report.ts';

function lab(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(import.meta.dirname, '../src/main.ts');
  return spawnSync(process.execPath, [main, 'lab', ...args], { encoding: 'utf8' });
}

describe('the command', () => {
  test.each([
    [['calibrate'], "value 'calibrate' is invalid"],
    [['calibration', 'memory'], "value 'memory' is invalid for argument 'lab'. Allowed choices are calibration, "],
    [['calibration', '--profile', 'ideal'], "'ideal' is invalid. Allowed choices are dec2100, dec3100, dec5000"],
    [['calibration', '--fast'], '--fast'],
    [['--all', 'pct'], '--all and pct: use one or the other'],
  ])('%j is refused in one line', (args, message) => {
    const { status, stdout, stderr } = lab(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^exok: .*\n$/);
    expect(stderr).toContain(message);
  });

  test('one profile, for programs', () => {
    const { status, stdout } = lab('calibration', '--profile', 'dec3100', '--json');
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as Result;
    expect(result.sections.map(({ title }) => title)).toEqual(['dec3100, 16.67 MHz']);
    expect(result.claims.map(({ holds }) => holds)).toEqual([true]);
    expect(result.sections[0]?.rows[0]).toMatchObject({ unit: 'µs', published: 0.42 });
  });
});

test('a result shows what was published, of which machine, and a claim that fails', () => {
  const result: Result = {
    lab: 'x',
    sections: [
      {
        title: 'machine',
        rows: [
          { what: 'speed', unit: 'MB/s', measured: 5, published: 20, on: 'faster one', source: '[ASH96 T4]' },
          { what: 'size', unit: 'KB', measured: 123.4 },
        ],
      },
    ],
    claims: [{ text: 'it is fast', holds: false }],
  };
  expect(result.sections[0]?.rows.map(ratio)).toEqual([0.25, undefined]);
  expect(format(result)).toMatch(
    /^machine +measured +published +ratio\n +speed, MB\/s +5\.00 +20\.0 +0\.25 +\[ASH96 T4\] of a faster one\n +size, KB +123\n\nFAILS: it is fast\n$/,
  );
  expect(toJson(result)).toContain('"ratio":0.25');
});
