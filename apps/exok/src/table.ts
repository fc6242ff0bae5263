/** Tables for people: columns without lines, numbers to the right. */
import Table from 'cli-table3';

/** No line between rows and columns. */
const PLAIN = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`, 'left-mid', 'mid-mid', 'right-mid'])
    .map((name) => [name, '']),
);

/** One line for `head` and each of `rows`; columns are text or numbers. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isText: (column: number) => boolean,
): string {
  const made = new Table({
    head: [...head],
    chars: { ...PLAIN, middle: '  ' },
    colAligns: head.map((_, column) => (isText(column) ? 'left' : 'right')),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  made.push(...rows.map((row) => [...row]));
  return made
    .toString()
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
