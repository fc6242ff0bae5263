/**
 * Modules that were compiled, placed in memory: what their imports become, and the pages that they start with.
 *
 * Imports of module `aegis` are system calls in line, with arguments and results as `abi` has them: each word a parameter; the result is the
 * error code; what a call gives besides is stored at an address that is one parameter more. Imports of module `kit` are routines, and
 * `load8`, `load16`, `load32`, `store8`, `store16`, `store32`: accesses that are never merged, for words that the kernel or a device changes.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7, V0, V1, ZERO } from '@exokernel/isa';
import { functionSymbol, type ImportCode, type Module, type OwnCode } from '@exokernel/vcode';
import { callRow, wordsOf } from './call-words.ts';
import type { CodeMap, CodePlace } from './code-map.ts';
import { LibosError } from './error.ts';
import type { Pages } from './pages.ts';

/** A module, and what is known of it. */
export interface NamedModule {
  readonly name: string;
  readonly module: Module;
  /** The source of what stands at an offset of the module. */
  readonly placeOf: (offset: number) => CodePlace | undefined;
}

const ARGUMENTS = [A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7] as const;
const RESULTS = [V0, V1, A0, A1, A2, A3] as const;
/** Calls that come back at the prologue, if at all: not at the next instruction. */
const LEAVING: ReadonlySet<string> = new Set(['yield', 'sleep', 'scall', 'acall']);
const ACCESSES: Readonly<Record<string, ImportCode>> = {
  load8: { kind: 'load', size: 1, signed: false },
  load16: { kind: 'load', size: 2, signed: false },
  load32: { kind: 'load', size: 4, signed: false },
  store8: { kind: 'store', size: 1, signed: false },
  store16: { kind: 'store', size: 2, signed: false },
  store32: { kind: 'store', size: 4, signed: false },
};

/** How many results a system call has besides the error code: an option of `fromWasm`. */
export function moreResults({ module, name }: { readonly module: string; readonly name: string }): number {
  return module === 'aegis' ? wordsOf(callRow(name)?.results ?? []) : 0;
}

/** What a call of an import becomes. Throws `LibosError` `image` for one that is not known. */
export function importCode(
  program: string,
  { module, name, parameters, results }: Module['imports'][number],
  entryOf: (name: string) => number | undefined,
): ImportCode {
  const fail = (what: string): never => {
    throw new LibosError('image', `${program} imports ${module}.${name}${what}`, { module, name });
  };
  if (module === 'kit') {
    const access = ACCESSES[name];
    if (access !== undefined) {
      const shape = access.kind === 'load' ? 'i32:i32' : 'i32,i32:';
      if (`${parameters.join()}:${results.join()}` !== shape) fail(`, but as another type than ${shape}`);
      return access;
    }
    const address = entryOf(name);
    return address === undefined ? fail(', which none of its interfaces has') : { kind: 'routine', address };
  }
  const row = module === 'aegis' ? callRow(name) : undefined;
  if (row === undefined || LEAVING.has(name)) {
    return fail(
      row === undefined
        ? ': there is no such thing'
        : ', which does not come back to its caller: the kit has routines for it',
    );
  }
  const [takes, gives] = [wordsOf(row.args), 1 + wordsOf(row.results)];
  const isFit =
    parameters.length === takes &&
    results.length === gives &&
    [...parameters, ...results].every((type) => type === 'i32');
  if (!isFit) fail(`, which takes ${takes} words${gives > 1 ? ' and an address' : ''} and gives one`);
  return {
    kind: 'inline',
    arguments: ARGUMENTS,
    results: RESULTS,
    lines: [
      { mnemonic: 'addiu', operands: [V0, ZERO, row.number] },
      { mnemonic: 'syscall', operands: [0] },
    ],
  };
}

/** Functions, and the lines of their instructions. What the compiler added without a source counts to what stands before it. */
export function codeMap({ module, placeOf }: NamedModule, code: OwnCode, imports: readonly ImportCode[]): CodeMap {
  const functions = module.functions
    .map(({ name }, i) => ({ name, address: code.symbols.get(functionSymbol(i)) ?? 0 }))
    .sort((a, b) => a.address - b.address);
  const lines: { address: number; place: CodePlace }[] = [];
  functions.forEach(({ address }, i) => {
    const end = functions[i + 1]?.address ?? code.table;
    const positions = code.positions.subarray((address - code.origin) / 4, (end - code.origin) / 4);
    const places = placesOf(positions, placeOf);
    let before = places.find((place) => place !== undefined);
    if (before !== undefined) lines.push({ address, place: before });
    places.forEach((place, k) => {
      if (place === undefined || isSame(place, before)) return;
      lines.push({ address: address + 4 * k, place });
      before = place;
    });
  });
  const routines = imports
    .flatMap((one, i) =>
      one.kind === 'routine' ? [{ name: module.imports[i]?.name ?? '', address: one.address }] : [],
    )
    .sort((a, b) => a.address - b.address);
  return { functions, routines, end: code.table, lines };
}

/** The places of a function's instructions. One without a place in the source, such as a trap, has that of what precedes it in the module. */
function placesOf(
  positions: Int32Array,
  placeOf: (offset: number) => CodePlace | undefined,
): (CodePlace | undefined)[] {
  const known = new Map<number, CodePlace>();
  let last: CodePlace | undefined;
  for (const position of positions.slice().sort()) {
    if (position < 0) continue;
    last = placeOf(position) ?? last;
    if (last !== undefined) known.set(position, last);
  }
  return Array.from(positions, (position) => known.get(position));
}

function isSame(a: CodePlace, b: CodePlace | undefined): boolean {
  return a.file === b?.file && a.line === b.line && a.column === b.column;
}

/** To whole pages. */
export const roundUp = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

/** The module's record (vcode's ir/record.ts), whose memory ends at `memoryEnd`. */
export function recordBytes(module: Module, code: OwnCode, memoryEnd: number): Uint8Array {
  const bytes = new Uint8Array(roundUp(code.record.bytes));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, memoryEnd, true);
  view.setUint32(code.record.table, code.table, true);
  module.globals.forEach(({ type, initial }, i) => {
    const at = code.record.globals[i] ?? 0;
    if (type === 'i64') view.setBigUint64(at, BigInt(initial), true);
    else view.setUint32(at, Number(initial), true);
  });
  return bytes;
}

/** Static data in zeros, from `base` up to `memoryEnd`. Throws `LibosError` `program-size` if they lie elsewhere. */
export function memoryPages({ module, name }: NamedModule, base: number, memoryEnd: number): Pages {
  const bytes = new Uint8Array(memoryEnd - base);
  for (const { offset, bytes: data } of module.data) {
    if (offset < base || offset + data.length > memoryEnd) {
      throw new LibosError(
        'program-size',
        `${name} has static data at ${offset}: they must lie from ${base} up to ${memoryEnd}`,
        { offset },
      );
    }
    bytes.set(data, offset - base);
  }
  return { va: base, bytes, writable: true };
}
