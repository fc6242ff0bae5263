import { expect, test } from 'vitest';
import { calibrate, SHORT } from '../src/calibration.ts';
import { MODELS } from '../src/models.ts';
import { measure } from '../src/region.ts';

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
