import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { calibrate, SHORT } from '../src/calibration.ts';
import { format, ratio, toJson, type Result } from '../src/lab.ts';
import { MODELS } from '../src/models.ts';
import { measure } from '../src/region.ts';

function lab(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(import.meta.dirname, '../src/main.ts');
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
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
    expect(stderr).toMatch(/^lab: .*\n$/);
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

test('the claim holds on every model, and what went into a profile comes out of it', () => {
  const result = calibrate(MODELS, SHORT);
  expect(result.claims.map(({ holds }) => holds)).toEqual([true]);
  const waits = result.sections.map(({ rows }) => rows.at(-1)?.measured ?? 0);
  // 1024 words or 256 blocks, at the cycles that a miss takes
  expect(waits.map((us) => us.toFixed(1))).toEqual([
    ((1024 * 6) / 12.5).toFixed(1),
    ((1024 * 6) / 16.666667).toFixed(1),
    ((256 * 15) / 25).toFixed(1),
  ]);
  for (const { rows } of result.sections) {
    const [, large = 0, uncached = 0, cached = 0] = rows.map((row) => row.measured);
    expect(large).toBeGreaterThan(1);
    expect(cached).toBeGreaterThan(1.5 * uncached);
    expect(large / uncached).toBeCloseTo(1, 1);
  }
});

test('a region is what lies between the calls, and nothing else', () => {
  for (const profile of ['ideal', 'dec3100', 'dec5000'] as const) {
    expect(measure(profile, { region: () => undefined }, 3)).toBe(0);
    const seven = {
      region: (a: { nop: () => void }) => {
        for (let i = 0; i < 7; i += 1) a.nop();
      },
    };
    expect(measure(profile, seven, 3)).toBe(7);
  }
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
