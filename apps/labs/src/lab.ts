/** What a lab is, and how its result is printed. */
import type { Model } from './models.ts';

/** Columns of the longest name. */
const WIDTH = 66;

/** One quantity. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly measured: number;
  /** What was published of the machine that is modelled, or, if `on` names it, of another. */
  readonly published?: number;
  readonly on?: string;
  /** Key in docs/sources.md, with the place. */
  readonly source?: string;
  /** The measured region, in cycles of the machine and in instructions. */
  readonly cycles?: number;
  readonly instructions?: number;
  /** What was published of other systems on the same machine, in the same unit. */
  readonly beside?: Readonly<Record<string, number>>;
  /** What a reader has to know of this row. */
  readonly note?: string;
}

/** The quantities of one machine, and pictures of them. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
  /** Lines of text below the rows. */
  readonly plot?: readonly string[];
}

/** What a lab says that can turn out false. */
export interface Claim {
  readonly text: string;
  readonly holds: boolean;
}

export interface Result {
  readonly lab: string;
  readonly sections: readonly Section[];
  readonly claims: readonly Claim[];
}

/** How much is done: `full` for people, `short` for the tests. The claims are the same. */
export type Effort = 'full' | 'short';

/** Says what is going on. */
export type Progress = (text: string) => void;

/** A lab, as the command line knows it. */
export interface Lab {
  readonly name: string;
  /** One line for the help. */
  readonly what: string;
  /** The models it can be run on. */
  readonly models?: readonly Model[];
  readonly run: (models: readonly Model[], effort: Effort, progress: Progress) => Result;
}

/** Measured over published. */
export function ratio(row: Row): number | undefined {
  return row.published === undefined ? undefined : row.measured / row.published;
}

/** The claim that nothing takes longer than it did on the original. Rows without a published value do not count; one must have it. */
export function notSlower(sections: readonly Section[]): Claim {
  const compared = sections.flatMap(({ title, rows }) =>
    rows.flatMap((row) => {
      const times = ratio(row);
      return times === undefined ? [] : [{ times, name: `${row.what} on ${title} ${times.toFixed(2)}` }];
    }),
  );
  // What is no number is not fast.
  const slower = compared.filter(({ times }) => !(times <= 1)).map(({ name }) => name);
  const text = 'nothing takes longer than on the original';
  return {
    text: slower.length === 0 ? text : `${text} (${slower.join('; ')})`,
    holds: compared.length > 0 && slower.length === 0,
  };
}

/** A table for people. */
export function format(result: Result): string {
  const lines: string[] = [];
  for (const { title, rows, plot = [] } of result.sections) {
    const counted = rows.some(({ cycles }) => cycles !== undefined);
    lines.push(
      `${title.padEnd(WIDTH + 2)} measured  published   ratio${counted ? '    cycles   instructions' : ''}`.trimEnd(),
    );
    for (const row of rows) lines.push(line(row, counted));
    lines.push(...plot.map((text) => `  ${text}`.trimEnd()), '');
  }
  for (const { text, holds } of result.claims) lines.push(`${holds ? 'holds' : 'FAILS'}: ${text}`);
  return `${lines.join('\n')}\n`;
}

function line(row: Row, counted: boolean): string {
  const { what, unit, measured, published, on, source, cycles, instructions, beside = {}, note } = row;
  const cells = [measured, published].map((value) => (value === undefined ? '' : number(value)).padStart(9)).join('  ');
  const counts = counted
    ? [cycles, instructions]
        .map((value) => (value === undefined ? '' : Math.round(value).toString()).padStart(10))
        .join('')
    : '';
  const others = Object.entries(beside).map(([name, value]) => `${name} ${number(value)}`);
  const where = [source ?? '', on === undefined ? '' : `of a ${on}`, others.join(', '), note ?? '']
    .filter((text) => text !== '')
    .join(' ');
  const name = `${what}, ${unit}`.padEnd(WIDTH);
  return `  ${name}${cells}${(ratio(row)?.toFixed(2) ?? '').padStart(8)}${counts}  ${where}`.trimEnd();
}

/** For programs: the result with its ratios. */
export function toJson(result: Result): string {
  const sections = result.sections.map((section) => ({
    ...section,
    rows: section.rows.map((row) => ({ ...row, ratio: ratio(row) })),
  }));
  return `${JSON.stringify({ ...result, sections })}\n`;
}

function number(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
