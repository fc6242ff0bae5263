/** What benchmarks have in common: rows, medians, how they are printed. */
import { cpus } from 'node:os';
import { table } from '../src/table.ts';

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

/** A table of the rows, then one of the bars. */
export function format({ rows, bars }: Report): string {
  const lines = rows.map(({ name, unit, median: value, rounds }) => {
    const spread = `${digits(Math.min(...rounds))}–${digits(Math.max(...rounds))}`;
    return [name, unit, digits(value), spread, String(rounds.length)];
  });
  const verdicts = bars.map(({ text, value, holds }) => [text, holds ? 'holds' : 'FAILS', digits(value)]);
  const isText = (column: number): boolean => column < 2;
  const figures = table(['row', 'unit', 'median', 'range', 'rounds'], lines, isText);
  return verdicts.length === 0 ? figures : `${figures}\n${table(['bar', '', 'value'], verdicts, isText)}`;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
