/**
 * The compiled programs and libraries that packages ship: of demos what AssemblyScript in `programs` gave, of ExOS the interface `udp` of the kit's sources. A test
 * compiles them again and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILED_MEMORY, LIBRARY_MEMORY } from '../packages/libos-kit/src/index.ts';
import { kitSource } from '../packages/libos-kit/src/node/index.ts';
import { compileAssemblyScript, type AscSources } from '../packages/vcode/src/asc.ts';

const DEMOS = join(import.meta.dirname, '../apps/demos');
const EXOS = join(import.meta.dirname, '../packages/exos');
const NAMES = ['matmul'];

/** What the generated files are to hold, by path. */
export async function compiledPrograms(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of NAMES) {
    const sources = new Map([`${name}.ts`, 'kit.ts'].map((file) => [file, source(file)]));
    const wasm = await compiled(sources, `${name}.ts`, COMPILED_MEMORY);
    files.set(join(DEMOS, 'src', `${name}-wasm.ts`), text(`programs/${name}.ts`, name, wasm));
  }
  const library = await compiled(kitSource, '@exokernel/libos-kit/assembly/udp.ts', LIBRARY_MEMORY);
  files.set(join(EXOS, 'src', 'udp-wasm.ts'), text('libos-kit/assembly/udp.ts', 'udp', library));
  return files;
}

async function compiled(sources: AscSources, entry: string, memoryBase: number): Promise<Uint8Array> {
  const { wasm, diagnostics } = await compileAssemblyScript(sources, entry, { memoryBase });
  if (wasm === undefined) throw new Error(`${entry}: ${JSON.stringify(diagnostics)}`);
  return wasm;
}

const source = (file: string): string => readFileSync(join(DEMOS, 'programs', file), 'utf8');

function text(file: string, name: string, wasm: Uint8Array): string {
  return [
    `/** \`${file}\`, compiled: \`node scripts/compile-programs.ts\` makes this file. */`,
    '// prettier-ignore',
    `export const ${name.toUpperCase()}_WASM: Uint8Array = new Uint8Array([${wasm.join(', ')}]);`,
    '',
  ].join('\n');
}

if (import.meta.main) {
  for (const [file, contents] of await compiledPrograms()) writeFileSync(file, contents);
}
