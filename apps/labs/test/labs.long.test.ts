/** Every lab in its short form on every machine: its claims hold, and its rows are what was measured. */
import { describe, expect, test } from 'vitest';
import { LABS } from '../src/labs.ts';
import { MODELS } from '../src/models.ts';

describe.each(LABS.map(({ name, load }) => [name, load] as const))('%s', (name, load) => {
  test.each(MODELS)('%s', async (model) => {
    const lab = await load();
    const result = lab([model], 'short', () => undefined);
    expect(result.lab).toBe(name);
    expect(result.claims.length).toBeGreaterThan(0);
    expect(result.claims.filter(({ holds }) => !holds)).toEqual([]);
    const rows = result.sections.flatMap((section) => section.rows);
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row.measured, row.what).toBeGreaterThanOrEqual(0);
  });
});
