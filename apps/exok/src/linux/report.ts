/** The benchmarks' figures as a table for people. */
import type { Figure } from './bench.ts';

const COLUMNS = ['cycles', 'µs', 'Ultrix µs', 'ratio'] as const;
const WIDTH = 13;
const FIRST = 46;

/** One block for each profile, in the order given. */
export function formatFigures(figures: readonly Figure[]): string {
  const profiles = [...new Set(figures.map(({ profile }) => profile))];
  return profiles
    .map((profile) => {
      const head = profile.padEnd(FIRST) + COLUMNS.map((column) => column.padStart(WIDTH)).join('');
      const rows = figures.filter((figure) => figure.profile === profile).map(formatRow);
      return [head, ...rows, ''].join('\n');
    })
    .join('\n');
}

function formatRow({ what, cycles, microseconds, ultrix, ratio }: Figure): string {
  const cells = [
    Math.round(cycles).toLocaleString('en'),
    decimals(microseconds),
    ultrix === undefined ? '' : decimals(ultrix),
    ratio === undefined ? '' : ratio.toFixed(2),
  ];
  return what.padEnd(FIRST) + cells.map((cell) => cell.padStart(WIDTH)).join('');
}

/** Two decimals of small numbers, one of others, none of great ones. */
function decimals(value: number): string {
  const digits = value < 1 ? 2 : value < 10_000 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
