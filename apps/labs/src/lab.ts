/** What a lab is, and how its result is printed. */

/** Columns of the longest name. */
const WIDTH = 56;

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
}

/** The quantities of one machine. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
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

/** Measured over published. */
export function ratio(row: Row): number | undefined {
  return row.published === undefined ? undefined : row.measured / row.published;
}

/** A table for people. */
export function format(result: Result): string {
  const lines: string[] = [];
  for (const { title, rows } of result.sections) {
    lines.push(`${title.padEnd(WIDTH + 2)} measured  published   ratio`);
    for (const row of rows) {
      const { what, unit, measured, published, on, source } = row;
      const cells = [measured, published]
        .map((value) => (value === undefined ? '' : number(value)).padStart(9))
        .join('  ');
      const where = [source ?? '', on === undefined ? '' : `of a ${on}`].filter((text) => text !== '').join(' ');
      lines.push(
        `  ${`${what}, ${unit}`.padEnd(WIDTH)}${cells}${(ratio(row)?.toFixed(2) ?? '').padStart(8)}  ${where}`.trimEnd(),
      );
    }
    lines.push('');
  }
  for (const { text, holds } of result.claims) lines.push(`${holds ? 'holds' : 'FAILS'}: ${text}`);
  return `${lines.join('\n')}\n`;
}

/** For programs: the result with its ratios. */
export function toJson(result: Result): string {
  const sections = result.sections.map(({ title, rows }) => ({
    title,
    rows: rows.map((row) => ({ ...row, ratio: ratio(row) })),
  }));
  return `${JSON.stringify({ ...result, sections })}\n`;
}

function number(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
