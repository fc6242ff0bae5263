/**
 * The compiled programs that packages ship: AssemblyScript in `programs`, the module that came of it in `src`. A test compiles them
 * again and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILED_MEMORY } from '../packages/libos-kit/src/index.ts';
import { compileAssemblyScript } from '../packages/vcode/src/asc.ts';

const DEMOS = join(import.meta.dirname, '../apps/demos');
const NAMES = ['matmul'];

/** What the generated files are to hold, by path. */
export async function compiledPrograms(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of NAMES) {
    const sources = new Map([`${name}.ts`, 'kit.ts'].map((file) => [file, source(file)]));
    const { wasm, diagnostics } = await compileAssemblyScript(sources, `${name}.ts`, { memoryBase: COMPILED_MEMORY });
    if (wasm === undefined) throw new Error(`${name}: ${JSON.stringify(diagnostics)}`);
    files.set(join(DEMOS, 'src', `${name}-wasm.ts`), text(name, wasm));
  }
  return files;
}

const source = (file: string): string => readFileSync(join(DEMOS, 'programs', file), 'utf8');

function text(name: string, wasm: Uint8Array): string {
  return [
    `/** \`programs/${name}.ts\`, compiled: \`node scripts/compile-programs.ts\` makes this file. */`,
    '// prettier-ignore',
    `export const ${name.toUpperCase()}_WASM: Uint8Array = new Uint8Array([${wasm.join(', ')}]);`,
    '',
  ].join('\n');
}

if (import.meta.main) {
  for (const [file, contents] of await compiledPrograms()) writeFileSync(file, contents);
}
