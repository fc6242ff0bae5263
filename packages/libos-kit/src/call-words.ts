/** System calls in words: how many a call takes and gives, as the table of `abi` has them. */
import { CALLS, type CallName, type CapabilityWords, type CallRow } from '@exokernel/abi';
import { LibosError } from './error.ts';

/** The row of a call; nothing if there is none of this name. */
export function callRow(name: string): CallRow | undefined {
  return Object.hasOwn(CALLS, name) ? CALLS[name as CallName] : undefined;
}

/** How many words these arguments or results are: `name:4` is four. */
export function wordsOf(fields: readonly string[]): number {
  return fields.reduce((sum, field) => sum + wordsOfField(field), 0);
}

const WORDS: ReadonlyMap<string, number> = new Map(
  Object.entries(CALLS).map(([name, { args }]) => [name, wordsOf(args)]),
);

/** The number of a call that gets these words. Throws `LibosError` `call` for a name or a count that the types refuse. */
export function checkedCall(name: string, words: readonly number[]): number {
  const row = callRow(name);
  if (row === undefined) throw new LibosError('call', `there is no system call ${name}`, { name });
  const wanted = WORDS.get(name);
  if (words.length !== wanted) {
    const takes = row.args.length === 0 ? 'none' : row.args.join(', ');
    throw new LibosError('call', `${name} got ${words.length} words and takes ${wanted}: ${takes}`, { name, words });
  }
  return row.number;
}

/** The results of a call by their names; `word` gives the result words, v1 and a0 to a3. */
export function namedResults(name: CallName, word: (i: number) => number): Record<string, number | CapabilityWords> {
  let at = 0;
  return Object.fromEntries(
    CALLS[name].results.map((field) => {
      const first = at;
      at += wordsOfField(field);
      const [plain = field] = field.split(':');
      const capability = (): CapabilityWords => [
        word(first) >>> 0,
        word(first + 1) >>> 0,
        word(first + 2) >>> 0,
        word(first + 3) >>> 0,
      ];
      return [plain, at - first === 4 ? capability() : word(first)];
    }),
  );
}

function wordsOfField(field: string): number {
  return Number(field.split(':')[1] ?? 1);
}
