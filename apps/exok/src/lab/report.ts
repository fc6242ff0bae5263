/** A lab's result as tables for people, and as an object for programs. */
import { ratio, type Result, type Row } from '@exokernel/labs';
import { table } from '../table.ts';

/** A table for each machine, then the claims. */
export function format({ sections, claims }: Result): string {
  const blocks = sections.map(({ title, rows, plot = [] }) => {
    const isCounted = rows.some(({ cycles }) => cycles !== undefined);
    const head = [title, 'measured', 'published', 'ratio', ...(isCounted ? ['cycles', 'instructions'] : []), ''];
    const figures = table(
      head,
      rows.map((row) => cells(row, isCounted)),
      (column) => column === 0 || column === head.length - 1,
    );
    return [figures.trimEnd(), ...plot.map((line) => `  ${line}`.trimEnd()), ''].join('\n');
  });
  const verdicts = claims.map(({ text, holds }) => `${holds ? 'holds' : 'FAILS'}: ${text}`);
  return `${[...blocks, ...verdicts].join('\n')}\n`;
}

function cells(row: Row, isCounted: boolean): string[] {
  const { what, unit, measured, published, on, source = '', cycles, instructions, beside = {}, note = '' } = row;
  const others = Object.entries(beside).map(([name, value]) => `${name} ${number(value)}`);
  const notes = [source, on === undefined ? '' : `of a ${on}`, others.join(', '), note];
  return [
    `  ${what}, ${unit}`,
    number(measured),
    published === undefined ? '' : number(published),
    ratio(row)?.toFixed(2) ?? '',
    ...(isCounted ? [count(cycles), count(instructions)] : []),
    notes.filter((text) => text !== '').join(' '),
  ];
}

function count(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(0);
}

function number(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** For programs: the result with its ratios. */
export function toJson(result: Result): string {
  const sections = result.sections.map((section) => ({
    ...section,
    rows: section.rows.map((row) => ({ ...row, ratio: ratio(row) })),
  }));
  return `${JSON.stringify({ ...result, sections })}\n`;
}
