/**
 * How long the compiler takes on the host for a module of 100 KB: the programs of this bench in AssemblyScript, in as many copies as it takes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileOwn, fromWasm } from '@exokernel/vcode';
import { compileAssemblyScript } from '@exokernel/vcode/asc';
import { median, type Bar, type Row } from '../report.ts';

const BYTES = 100_000;
const ROUNDS = 9;
const MOST_MS = 300;

/** Compiles programs `names` of the folder. The first round is a row of its own: then the host has compiled nothing of the compiler yet. */
export async function compileTime(folder: string, names: readonly string[]): Promise<{ rows: Row[]; bars: Bar[] }> {
  let copies = 1;
  let wasm = await moduleOf(folder, names, copies);
  while (wasm.length < BYTES) {
    copies = Math.ceil((copies * BYTES) / wasm.length + 0.01);
    wasm = await moduleOf(folder, names, copies);
  }
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    compileOwn(fromWasm(wasm), 0x80100000, { grow: 0 });
    return performance.now() - start;
  });
  const [first = NaN] = rounds;
  const value = median(rounds);
  const name = `compile a module of ${Math.round(wasm.length / 1000)} KB`;
  return {
    rows: [
      { name, unit: 'ms', median: value, rounds },
      { name: `${name}, the first time`, unit: 'ms', median: first, rounds: [first] },
    ],
    bars: [{ text: `ms to compile a module of 100 KB ≤ ${MOST_MS}`, value, holds: value <= MOST_MS }],
  };
}

async function moduleOf(folder: string, names: readonly string[], copies: number): Promise<Uint8Array> {
  const sources = new Map<string, string>();
  const main: string[] = [];
  for (let copy = 0; copy < copies; copy += 1) {
    for (const name of names) {
      const file = `${name}-${copy}`;
      sources.set(`${file}.ts`, readFileSync(join(folder, `${name}.as.ts`), 'utf8'));
      main.push(`export { run as ${name}_${copy} } from './${file}';`);
    }
  }
  sources.set('main.ts', main.join('\n'));
  const { wasm, diagnostics } = await compileAssemblyScript(sources, 'main.ts', { assertions: false });
  if (wasm === undefined) throw new Error(diagnostics[0]?.message ?? 'no module');
  return wasm;
}
