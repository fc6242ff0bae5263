/**
 * What stands in the code of a compiled program, for people: the names of its functions, and the source of every instruction. Listings
 * and the texts of deaths are made of it.
 */
import { controlFlow, decode } from '@exokernel/isa';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_TABLE, ABORT_UNREACHABLE } from '@exokernel/vcode';

/** A place in a source; line and column from 1. */
export interface CodePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The code, in ascending order of address. */
export interface CodeMap {
  /** Each reaches to the next one, the last one to `end`. */
  readonly functions: readonly { readonly name: string; readonly address: number }[];
  /** The address behind the last function. */
  readonly end: number;
  /** Routines of the library operating system that it calls. */
  readonly routines: readonly { readonly name: string; readonly address: number }[];
  /** Each holds up to the next one; none without a source map. */
  readonly lines: readonly { readonly address: number; readonly place: CodePlace }[];
}

/** A call and its slot, behind which the return address lies. */
const CALL_BYTES = 8;

/** What a `break` with this code means. */
const TRAPS: ReadonlyMap<number, string> = new Map([
  [ABORT_BOUNDS, 'an access outside the memory'],
  [ABORT_DIVIDE, 'a division by zero'],
  [ABORT_TABLE, 'a call of what is no such function'],
  [ABORT_UNREACHABLE, 'a trap: what the program calls unreachable, or what it would have thrown'],
]);

/** The function at an address; nothing if there is none. */
export function functionAt({ functions, end }: CodeMap, address: number): string | undefined {
  return address < end ? last(functions, address)?.name : undefined;
}

/** The source of the instruction at an address, as far as it is known. */
export function placeAt({ lines }: CodeMap, address: number): CodePlace | undefined {
  return last(lines, address)?.place;
}

/**
 * `sum (main.ts:3:10)`, or `sum` without a source; nothing for an address outside the functions. A return address in another function says who
 * called, if what stands there (`wordAt`) calls this function: else that one called another, which ended in a jump to this one. A return address
 * in the same function is that of a call it has made since.
 */
export function describeAddress(
  map: CodeMap,
  address: number,
  ra = 0,
  wordAt: (address: number) => number = () => 0,
): string | undefined {
  const name = functionAt(map, address);
  if (name === undefined) return undefined;
  const from = ra - CALL_BYTES;
  const caller = functionAt(map, from);
  const calls =
    caller !== undefined && controlFlow(wordAt(from), from).target === last(map.functions, address)?.address;
  return `${named(map, name, address)}${calls && caller !== name ? `, called by ${named(map, caller, from)}` : ''}`;
}

function named(map: CodeMap, name: string, address: number): string {
  const place = placeAt(map, address);
  return place === undefined ? name : `${name} (${place.file}:${place.line}:${place.column})`;
}

/** Why the instruction traps, if it is one that the compiler put there for that. */
export function trapText(word: number): string | undefined {
  const instruction = decode(word);
  return instruction?.mnemonic === 'break' ? TRAPS.get(instruction.operands[0] ?? 0) : undefined;
}

/** The last entry that does not lie behind an address. */
function last<T extends { readonly address: number }>(entries: readonly T[], address: number): T | undefined {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.address ?? 0) <= address) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}
