/** Refusals of an expression: what stood where, what was expected, and the word that was perhaps meant. */
import { DpfError, type DpfErrorCode } from '../error.ts';

/** A stretch of the expression: its text, and the column where it begins, from 1. */
export interface Place {
  readonly column: number;
  readonly text: string;
}

/** What a refusal says beside its reason. */
export interface RefusalDetails {
  /** What could have stood there. */
  readonly expected?: readonly string[];
  /** Words among which to look for the one that was meant. */
  readonly among?: Iterable<string>;
}

const LONGEST_COMPARED = 32;

/** Letters to insert, delete, replace or swap to turn one word into the other. */
export function editDistance(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      current.push(best);
    }
    [beforeLast, last] = [last, current];
  }
  return last[other.length] ?? 0;
}

/** The word closest to what stood there, if one is close: a third of the letters may differ. */
export function nearest(found: string, words: Iterable<string>): string | undefined {
  if (found.length > LONGEST_COMPARED) return undefined;
  let best: string | undefined;
  let least = Math.floor(Math.max(found.length, 3) / 3) + 1;
  for (const word of words) {
    if (Math.abs(word.length - found.length) >= least) continue;
    const distance = editDistance(found.toLowerCase(), word);
    if (distance < least && distance > 0) [best, least] = [word, distance];
  }
  return best;
}

/** Throws the refusal of an expression. `details` of the error: `column`, `found`, `expected`, `nearest`. */
export function refuse(
  code: DpfErrorCode,
  { column, text }: Place,
  reason: string,
  { expected, among }: RefusalDetails = {},
): never {
  const found = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  const meant = among === undefined ? undefined : nearest(text, among);
  const where = text === '' ? 'at the end' : `at "${found}"`;
  const hints = [
    expected === undefined ? '' : ` Expected: ${expected.join(', ')}.`,
    meant === undefined ? '' : ` Did you mean "${meant}"?`,
  ];
  throw new DpfError(code, `Column ${column}, ${where}: ${reason}.${hints.join('')}`, {
    column,
    found,
    ...(expected === undefined ? {} : { expected }),
    ...(meant === undefined ? {} : { nearest: meant }),
  });
}
