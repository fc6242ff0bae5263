/**
 * The part of ExOS that is compiled: one module in AssemblyScript (`assembly/library.ts`), linked at LIBRARY_TEXT into the images of programs that
 * need one of its interfaces. Programs that need none have none of it.
 *
 *     assembly/library.ts      exports the entry points of every compiled interface
 *     src/library-wasm.ts      what came of it: `node scripts/compile-programs.ts`; a test proves that it is current
 *     COMPILED, below          the interfaces
 *
 * Another interface is added in these places: its source is written in the kit's `assembly`, `assembly/library.ts` exports its entry points,
 * COMPILED names it, and the module is compiled again. Its routines import from `kit` what ROUTINES has. Where two branches have each added one,
 * merge the sources, then compile: the bytes are not merged.
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
import { LIBRARY_WASM } from './library-wasm.ts';
import type { PageTable } from './page-table.ts';

/** The interfaces whose entry points are exports of the module. */
const COMPILED: readonly InterfaceName[] = ['files'];

/** What the module may import from `kit`, and the label of it in ExOS's text. */
const ROUTINES: Readonly<Record<string, string>> = {
  sleep: 'kit.sleep',
  yield_to: 'kit.yield',
  exit: 'exos.exit',
  page_entry: 'exos.page_entry',
};

/** By page table: ExOS's text is the same for all programs, so the module is, too. */
const linked = new Map<PageTable, LinkedLibrary>();

/** The module at its place, if a program that needs these interfaces needs it. */
export function libraryFor(
  needs: readonly InterfaceName[],
  runtime: Assembly,
  table: PageTable,
): LinkedLibrary | undefined {
  if (!needs.some((need) => COMPILED.includes(need))) return undefined;
  let library = linked.get(table);
  if (library === undefined) {
    library = linkLibrary(compiledLibrary('the library of ExOS', LIBRARY_WASM), (name) => {
      const label = ROUTINES[name];
      return label === undefined ? undefined : address(runtime, label);
    });
    linked.set(table, library);
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
