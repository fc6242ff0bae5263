/**
 * What stands in the code of a compiled program, for people: the names of its functions, and the source of every instruction. Listings
 * and the texts of deaths are made of it.
 */
import type { FunctionPlace, ImageProgram, SourcePlace } from '@exokernel/abi';
import { controlFlow, decode } from '@exokernel/isa';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_TABLE, ABORT_UNREACHABLE } from '@exokernel/vcode';

export type CodePlace = SourcePlace;

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
 * The function at an address, and the source of the instruction; nothing for an address outside the functions. A return address in another
 * function says who called, if what stands there (`wordAt`) calls this function: else that one called another, which ended in a jump to this
 * one. A return address in the same function is that of a call it has made since.
 */
export function codeAt(
  map: CodeMap,
  address: number,
  ra: number,
  wordAt: (address: number) => number,
): ReturnType<ImageProgram['at']> {
  const at = functionPlace(map, address);
  if (at === undefined) return undefined;
  const from = ra - CALL_BYTES;
  const caller = functionPlace(map, from);
  const calls = controlFlow(wordAt(from), from).target === last(map.functions, address)?.address;
  return caller !== undefined && calls && caller.function !== at.function ? { ...at, caller } : at;
}

function functionPlace(map: CodeMap, address: number): FunctionPlace | undefined {
  const name = functionAt(map, address);
  const source = placeAt(map, address);
  return name === undefined ? undefined : { function: name, ...(source === undefined ? {} : { source }) };
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
