/**
 * Libraries that were compiled: a module whose exports are routines of the library operating system, in the upper part of the paged region.
 *
 *     LIBRARY_TEXT     a routine that starts the module, an entry for each export, the functions and the table, read-only
 *                      the module's record, in a page of its own
 *     LIBRARY_STACK    a stack, behind a page that is not there
 *     LIBRARY_MEMORY   the module's memory, up to `end`: pages beyond its data get their frames when they are touched
 *
 * Programs, and functions of other modules, call an entry: it makes gp the library's and calls the function, on the caller's stack. Arguments
 * are up to eight words, in a0 to a3 and t0 to t3.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { createAssembler, GP, RA, SP, V0 } from '@exokernel/isa';
import { compileOwn, fromWasm, functionSymbol } from '@exokernel/vcode';
import type { CodeMap, CodePlace } from './code-map.ts';
import { LibosError } from './error.ts';
import { LIBRARY_END, LIBRARY_MEMORY, LIBRARY_STACK, LIBRARY_TEXT } from './layout.ts';
import { codeMap, importCode, memoryPages, moreResults, recordBytes, roundUp, type NamedModule } from './module.ts';
import { wordBytes, type Pages } from './pages.ts';

/** Words of an entry. */
const ENTRY = 12;
const ARGUMENT_WORDS = 8;

/** A library. `compiledLibrary` makes it. */
export interface CompiledLibrary extends NamedModule {
  /** Its exported functions by name. */
  readonly exports: ReadonlyMap<string, number>;
}

/** A library at its place. */
export interface LinkedLibrary {
  readonly pages: readonly Pages[];
  /** Pages behind its data, which are zero. */
  readonly zeroFill: { readonly va: number; readonly pages: number };
  /** Address of the entry of each export. */
  readonly entries: ReadonlyMap<string, number>;
  /** A routine without arguments that must be called before any entry. */
  readonly start: number;
  /** What gp is in its functions: for UKIT.library. */
  readonly record: number;
  readonly code: CodeMap;
  /** Its code, as words. */
  readonly words: Uint32Array;
}

/**
 * A library of a WebAssembly module. Throws `WasmError` for bytes that are no valid module, `VcodeError` for one that is not compiled, `LibosError`
 * `image` for an export with more than eight words of arguments or more than two of results.
 */
export function compiledLibrary(
  name: string,
  wasm: Uint8Array,
  placeOf: (offset: number) => CodePlace | undefined = () => undefined,
): CompiledLibrary {
  const module = fromWasm(wasm, { name, moreResults });
  for (const [routine, index] of module.exports) {
    const { parameters = [], results = [] } = module.functions[index] ?? {};
    const words = (types: readonly string[]): number => types.reduce((sum, type) => sum + (type === 'i64' ? 2 : 1), 0);
    if (words(parameters.map(({ type }) => type)) > ARGUMENT_WORDS || words(results) > 2) {
      throw new LibosError('image', `${name} exports ${routine}, which takes or gives too many words`, { routine });
    }
  }
  return { name, module, placeOf, exports: module.exports };
}

/**
 * The pages of a library whose memory ends at `end`. `entryOf` gives the address of a routine that it imports from `kit`. Throws `LibosError` `image` for an import that is not
 * known, `program-size` if it does not fit.
 */
export function linkLibrary(
  library: CompiledLibrary,
  entryOf: (name: string) => number | undefined,
  end: number = LIBRARY_END,
): LinkedLibrary {
  const { module, name, exports } = library;
  const imports = module.imports.map((one) => importCode(name, one, entryOf));
  const grow = LIBRARY_TEXT + 4 * ENTRY * (exports.size + 1);
  const code = compileOwn(module, LIBRARY_TEXT, { imports, grow, reserve: ENTRY * (exports.size + 1) + 2 });
  const record = LIBRARY_TEXT + roundUp(4 * code.words.length);
  if (record + roundUp(code.record.bytes) > LIBRARY_STACK - PAGE_BYTES) {
    const bytes = 4 * code.words.length;
    throw new LibosError('program-size', `${name} has ${bytes} bytes of code: no room`, { bytes });
  }
  const a = createAssembler(LIBRARY_TEXT);
  const entry = (index: number | undefined): void => {
    const end = a.here + 4 * ENTRY;
    a.addiu(SP, SP, -16);
    a.sw(RA, 12, SP);
    a.sw(GP, 8, SP);
    a.li(GP, record);
    if (index !== undefined) {
      a.jal(code.symbols.get(functionSymbol(index)) ?? 0);
      a.nop();
    }
    a.lw(RA, 12, SP);
    a.lw(GP, 8, SP);
    a.ret();
    a.addiu(SP, SP, 16);
    while (a.here < end) a.nop();
  };
  entry(module.start);
  const entries = new Map<string, number>();
  for (const [routine, index] of exports) {
    entries.set(routine, a.here);
    entry(index);
  }
  // All of the memory is there from the beginning.
  a.ret();
  a.li(V0, -1);
  code.words.set(a.assemble().words);
  const data = memoryPages(library, LIBRARY_MEMORY, end);
  const used = roundUp(data.bytes.findLastIndex((byte) => byte !== 0) + 1);
  return {
    // Frames are given in this order, and with them lines of the caches: memory first keeps its words away from the kernel's. 1 % of an echo of UDP.
    pages: [
      { va: LIBRARY_MEMORY, bytes: data.bytes.subarray(0, used), writable: true },
      { va: LIBRARY_TEXT, bytes: wordBytes(code.words), writable: false },
      { va: record, bytes: recordBytes(module, code, end), writable: true },
    ],
    zeroFill: { va: LIBRARY_MEMORY + used, pages: (end - LIBRARY_MEMORY - used) / PAGE_BYTES },
    entries,
    start: LIBRARY_TEXT,
    record,
    code: codeMap(library, code, imports),
    words: code.words,
  };
}
