/**
 * A library operating system from files: its sources and the kit's, compiled to a library for `compiledLibOs`.
 *
 * The package `assemblyscript` must be installed.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LIBRARY_MEMORY, compiledLibrary, type CompiledLibrary } from '@exokernel/libos-kit';
import { compileAssemblyScript, type AscDiagnostic, type AscOptions } from '@exokernel/vcode/asc';
import { kitSource } from './kit-source.ts';

/** What came of the sources. */
export interface CompiledSources {
  /** Nothing if there was an error. */
  readonly library: CompiledLibrary | undefined;
  /** What the compiler says; files are named by their paths. */
  readonly diagnostics: readonly AscDiagnostic[];
  /** Paths of the sources outside of the kit, and of those that were looked for and are not there: a change of one of them is a reason to compile again. */
  readonly files: readonly string[];
}

/**
 * Compiles the file `entry` with what it imports: files beside it, and `@exokernel/libos-kit/assembly/NAME`. What is wrong in the sources is among the
 * diagnostics. Throws `VcodeError` `argument` if there is no such file, `VcodeError` and `LibosError` as `compiledLibrary` does.
 */
export async function compileLibrary(
  entry: string,
  options: Pick<AscOptions, 'runtime' | 'optimize' | 'assertions'> = {},
): Promise<CompiledSources> {
  const folder = dirname(entry);
  const files = new Set<string>();
  const read = (file: string): string | undefined => {
    const ofKit = kitSource(file);
    if (ofKit !== undefined || file.startsWith('~lib/')) return ofKit;
    const path = join(folder, file);
    files.add(path);
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  };
  const { wasm, diagnostics, placeOf } = await compileAssemblyScript(read, basename(entry), {
    ...options,
    memoryBase: LIBRARY_MEMORY,
    exportTable: true,
  });
  const name = basename(entry).replace(/\.\w+$/, '');
  return {
    library: wasm === undefined ? undefined : compiledLibrary(name, wasm, placeOf),
    diagnostics: diagnostics.map((one) => {
      // What the compiler and the kit bring along keeps its name.
      if (one.place === undefined || /^(~lib|@exokernel)\//.test(one.place.file)) return one;
      return { ...one, place: { ...one.place, file: join(folder, one.place.file) } };
    }),
    files: [...files],
  };
}

/** `main.ts(2,10): error TS2304: Cannot find name 'x'.`, as tsc prints it; the compiler's own codes are below 1000. */
export function diagnosticText({ severity, code, message, place }: AscDiagnostic): string {
  const where = place === undefined ? '' : `${place.file}(${place.line},${place.column}): `;
  return `${where}${severity} ${code < 1000 ? 'AS' : 'TS'}${code}: ${message}`;
}
