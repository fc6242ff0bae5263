/** The benchmarks' figures as a table for people. */
import { table } from '../table.ts';
import type { Figure } from './bench.ts';

const COLUMNS = ['cycles', 'µs', 'Ultrix µs', 'ratio'] as const;

/** One block for each profile, in the order given. */
export function formatFigures(figures: readonly Figure[]): string {
  const profiles = [...new Set(figures.map(({ profile }) => profile))];
  return profiles
    .map((profile) =>
      table(
        [profile, ...COLUMNS],
        figures.filter((figure) => figure.profile === profile).map(cellsOf),
        (column) => column === 0,
      ),
    )
    .join('\n');
}

function cellsOf({ what, cycles, microseconds, ultrix, ratio }: Figure): string[] {
  return [
    what,
    Math.round(cycles).toLocaleString('en'),
    decimals(microseconds),
    ultrix === undefined ? '' : decimals(ultrix),
    ratio === undefined ? '' : ratio.toFixed(2),
  ];
}

/** Two decimals of small numbers, one of others, none of great ones. */
function decimals(value: number): string {
  const digits = value < 1 ? 2 : value < 10_000 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
