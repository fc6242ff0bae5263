/** What benchmarks have in common: rows, medians, how they are printed. */
import { cpus } from 'node:os';

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly rounds: readonly number[];
}

/** What is asked of a row, or of a ratio of two, and whether it is so on this host. */
export interface Bar {
  readonly text: string;
  readonly value: number;
  readonly holds: boolean;
}

export interface Report {
  readonly rows: readonly Row[];
  readonly bars: readonly Bar[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export function host(): string {
  return `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`;
}

/** One line a row, then one a bar. */
export function format({ rows, bars }: Report): string {
  const lines = rows.map(({ name, unit, median: value, rounds }) => {
    const spread = `${digits(Math.min(...rounds))}–${digits(Math.max(...rounds))}`;
    return `${digits(value).padStart(8)} ${unit}  (${spread}, ${rounds.length} rounds)  ${name}\n`;
  });
  const verdicts = bars.map(
    ({ text, value, holds }) => `${digits(value).padStart(8)}  ${holds ? 'holds' : 'FAILS'}  ${text}\n`,
  );
  return lines.join('') + (verdicts.length > 0 ? `\n${verdicts.join('')}` : '');
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
