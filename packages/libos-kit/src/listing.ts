/** The text of kit and library operating system as a listing: labels, notes, and the words of the u-page by name. */
import { CALLS, U } from '@exokernel/abi';
import { listing, type Assembly } from '@exokernel/isa';
import { NATIVE_STEP } from './runtime.ts';
import { UKIT, U_PAGE } from './layout.ts';

const FIELDS: Readonly<Record<string, number>> = Object.fromEntries([
  ...Object.entries(U).map(([name, offset]) => [`U.${name}`, U_PAGE + offset] as const),
  ...Object.entries(UKIT).map(([name, address]) => [`UKIT.${name}`, address] as const),
]);

const CALL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(CALLS).map(([name, { number }]) => [number, name] as const),
);

/**
 * The lines of a runtime that `assembleRuntime` made; with `symbol` the parts that belong to it (as in `listing` of isa), none if it
 * has none. `column` is what stands between address and instruction, by the index of the word.
 */
export function runtimeListing(
  runtime: Assembly,
  symbol?: string,
  column: (index: number) => string = () => '',
): readonly string[] {
  return listing(runtime, {
    ...(symbol === undefined ? {} : { symbol }),
    zero: { name: '', fields: FIELDS },
    natives: new Map([[NATIVE_STEP, 'NATIVE_STEP']]),
    column,
  }).map((line, i, lines) => withCall(line, lines[i - 1] ?? ''));
}

/** A `syscall` right behind the number of a call says which it is. */
function withCall(line: string, before: string): string {
  const [, number] = / li v0,(\d+)$/.exec(before) ?? [];
  if (number === undefined || !line.endsWith('syscall')) return line;
  return `${line}  # ${CALL_NAMES.get(Number(number)) ?? 'no call'}`;
}
