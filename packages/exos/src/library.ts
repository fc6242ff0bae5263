/**
 * The part of ExOS that is compiled: a module in AssemblyScript, linked at LIBRARY_TEXT into the images of programs that need one of its
 * interfaces. Programs that need none have none of it, and those that need one interface have not the others.
 *
 *     libos-kit/assembly/NAME.ts    an interface by itself
 *     assembly/library.ts           all of them: exports their entry points
 *     src/NAME-wasm.ts              what came of each: `node scripts/compile-programs.ts`; a test proves that it is current
 *
 * Another interface is added in these places: its source is written in the kit's `assembly`, `assembly/library.ts` exports its entry points,
 * MODULES names it, and the modules are compiled again. Their routines import from `kit` what ROUTINES has.
 */
import { RA, T9, ZERO, type Assembler, type Assembly } from '@exokernel/isa';
import {
  LIBRARY_TEXT,
  UKIT,
  address,
  compiledLibrary,
  emitPageEntry,
  linkLibrary,
  type ImageParts,
  type InterfaceName,
  type LinkedLibrary,
} from '@exokernel/libos-kit';
import { FILES_WASM } from './files-wasm.ts';
import { LIBRARY_WASM } from './library-wasm.ts';
import type { PageTable } from './page-table.ts';
import { UDP_WASM } from './udp-wasm.ts';

interface LibraryModule {
  readonly name: string;
  /** Whose entry points it exports. */
  readonly interfaces: readonly InterfaceName[];
  readonly wasm: Uint8Array;
  /** By page table: ExOS's text is the same for all programs, so the module is, too. */
  readonly linked: Map<PageTable, LinkedLibrary>;
}

/** The first that has all that a program needs of them is its library. */
const MODULES: readonly LibraryModule[] = [
  { name: 'udp', interfaces: ['udp'], wasm: UDP_WASM, linked: new Map() },
  { name: 'files', interfaces: ['files'], wasm: FILES_WASM, linked: new Map() },
  { name: 'the library of ExOS', interfaces: ['udp', 'files'], wasm: LIBRARY_WASM, linked: new Map() },
];
const COMPILED: readonly InterfaceName[] = MODULES.flatMap(({ interfaces }) => interfaces);

/** What the module may import from `kit`, and the label of it in ExOS's text. */
const ROUTINES: Readonly<Record<string, string>> = {
  sleep: 'kit.sleep',
  yield_to: 'kit.yield',
  exit: 'exos.exit',
  page_entry: 'exos.page_entry',
};

/** The module at its place, if a program that needs these interfaces needs it. */
export function libraryFor(
  needs: readonly InterfaceName[],
  runtime: Assembly,
  table: PageTable,
): LinkedLibrary | undefined {
  const compiled = needs.filter((need) => COMPILED.includes(need));
  const module = MODULES.find(({ interfaces }) => compiled.every((need) => interfaces.includes(need)));
  if (module === undefined || compiled.length === 0) return undefined;
  let library = module.linked.get(table);
  if (library === undefined) {
    library = linkLibrary(compiledLibrary(module.name, module.wasm), (name) => {
      const label = ROUTINES[name];
      return label === undefined ? undefined : address(runtime, label);
    });
    module.linked.set(table, library);
  }
  return library;
}

/** What an image has of the module: its pages, and that it is started before `entry`. */
export function libraryParts(
  library: LinkedLibrary | undefined,
  runtime: Assembly,
  entry: string,
): Pick<ImageParts, 'pages' | 'zeroFill' | 'entry'> & { readonly words: readonly (readonly [number, number])[] } {
  if (library === undefined) return { pages: [], zeroFill: [], entry: address(runtime, entry), words: [] };
  return {
    pages: library.pages,
    zeroFill: [library.zeroFill],
    entry: address(runtime, 'exos.start.library'),
    words: [
      [UKIT.library, library.record],
      [UKIT.main, address(runtime, entry)],
    ],
  };
}

/**
 * Emits `exos.start.library`: starts the module, then goes on at UKIT.main, with what
 * the module calls of it.
 */
export function emitLibrary(a: Assembler, table: PageTable): void {
  a.label('exos.start.library');
  a.li(T9, LIBRARY_TEXT);
  a.jalr(RA, T9);
  a.nop();
  a.lw(T9, UKIT.main, ZERO);
  a.nop();
  a.jr(T9);
  a.nop();
  emitPageEntry(a, 'exos.page_entry', table.find);
}
