/** Tables for people: columns without lines, numbers to the right. */
import Table from 'cli-table3';

/** No line between rows and columns. */
const PLAIN = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`, 'left-mid', 'mid-mid', 'right-mid'])
    .map((name) => [name, '']),
);

/** One line for `head` and each of `rows`; the first `texts` columns are text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], texts: number): string {
  const made = new Table({
    head: [...head],
    chars: { ...PLAIN, middle: '  ' },
    colAligns: head.map((_, column) => (column < texts ? 'left' : 'right')),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  made.push(...rows.map((row) => [...row]));
  return made
    .toString()
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
