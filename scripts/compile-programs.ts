/**
 * The compiled modules that packages ship: AssemblyScript in one folder, the module that came of it in `src`. A test compiles them
 * again and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILED_MEMORY, LIBRARY_MEMORY } from '../packages/libos-kit/src/index.ts';
import { kitSource } from '../packages/libos-kit/src/node/index.ts';
import { compileAssemblyScript, type AscOptions } from '../packages/vcode/src/asc.ts';

/** A module. */
interface Compiled {
  /** What is compiled, and in which folder; the kit's sources by the name by which they are imported. */
  readonly folder: string;
  readonly entry: string;
  readonly to: string;
  readonly name: string;
  readonly options: AscOptions;
}

const MODULES: readonly Compiled[] = [
  {
    folder: 'apps/demos/programs',
    entry: 'matmul.ts',
    to: 'apps/demos/src/matmul-wasm.ts',
    name: 'MATMUL_WASM',
    options: { memoryBase: COMPILED_MEMORY },
  },
  ...['udp', 'files'].map((name) => ({
    folder: 'packages/libos-kit/assembly',
    entry: `@exokernel/libos-kit/assembly/${name}.ts`,
    to: `packages/exos/src/${name}-wasm.ts`,
    name: `${name.toUpperCase()}_WASM`,
    options: { memoryBase: LIBRARY_MEMORY, exportTable: true, assertions: false },
  })),
  {
    folder: 'packages/exos/assembly',
    entry: 'library.ts',
    to: 'packages/exos/src/library-wasm.ts',
    name: 'LIBRARY_WASM',
    options: { memoryBase: LIBRARY_MEMORY, exportTable: true, assertions: false },
  },
];

const ROOT = join(import.meta.dirname, '..');

/** What the generated file of each is to hold, by path. */
export async function compiledPrograms(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const { folder, entry, to, name, options } of MODULES) {
    const own = (file: string): string | undefined => (/^\w+\.ts$/.test(file) ? source(folder, file) : kitSource(file));
    const { wasm, diagnostics } = await compileAssemblyScript(own, entry, options);
    if (wasm === undefined) throw new Error(`${entry}: ${JSON.stringify(diagnostics)}`);
    files.set(join(ROOT, to), text(`${folder}/${entry.split('/').at(-1) ?? ''}`, name, wasm));
  }
  return files;
}

const source = (folder: string, file: string): string | undefined => {
  try {
    return readFileSync(join(ROOT, folder, file), 'utf8');
  } catch {
    return undefined;
  }
};

function text(from: string, name: string, wasm: Uint8Array): string {
  return [
    `/** \`${from}\`, compiled: \`node scripts/compile-programs.ts\` makes this file. */`,
    '// prettier-ignore',
    `export const ${name}: Uint8Array = new Uint8Array([${wasm.join(', ')}]);`,
    '',
  ].join('\n');
}

if (import.meta.main) {
  for (const [file, contents] of await compiledPrograms()) writeFileSync(file, contents);
}
