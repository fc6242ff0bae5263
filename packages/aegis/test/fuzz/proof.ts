/**
 * Proof of the fuzzer's worth: takes out each repair in turn (patches.ts), in a copy of the packages in a temporary folder, and shows
 * after how many calls the fuzzer finds it. `node proof.ts [NAMES]`; NAMES is a regular expression, for some of them. Ends with 1 if one is not found.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATCHES, type Patch } from './patches.ts';

/** Calls in which each must be found, and the seed of the first episode. */
const CALLS = Number(process.env['FUZZ_CALLS'] ?? 200_000);
const SEED = process.env['FUZZ_SEED'] ?? '1';
const ROOT = join(import.meta.dirname, '../../../..');

const copy = mkdtempSync(join(tmpdir(), 'fuzz-proof-'));
try {
  cpSync(join(ROOT, 'packages'), join(copy, 'packages'), { recursive: true, verbatimSymlinks: true });
  cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const [part = ''] = process.argv.slice(2);
  for (const patch of PATCHES) if (new RegExp(part).test(patch.name)) prove(patch);
} finally {
  rmSync(copy, { recursive: true });
}

function fuzz(calls: number, seed: string): { readonly status: number | null; readonly stderr: string } {
  const main = join(copy, 'packages/aegis/test/fuzz/main.ts');
  return spawnSync(process.execPath, [main, String(calls), seed], { encoding: 'utf8' });
}

/** Fuzzes without one repair. */
function prove({ name, file, replace: [from, to] }: Patch): void {
  const path = join(copy, 'packages/aegis/src', file);
  const source = readFileSync(path, 'utf8');
  const parts = source.split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times what the patch "${name}" replaces`);
  writeFileSync(path, parts.join(to));
  const { status, stderr } = fuzz(CALLS, SEED);
  writeFileSync(path, source);
  const [finding = ''] = /finds\n.*/.exec(stderr) ?? [];
  const calls = [...stderr.matchAll(/seed (\d+), (\d+) of/g)].at(-1);
  // A fault that is there with the repair is none of this.
  const found = status === 1 && finding !== '' && fuzz(1, calls?.[1] ?? SEED).status === 0;
  const where = found
    ? `seed ${calls?.[1]}, ${calls?.[2]} calls:${finding.replace(/finds\n */, ' ')}`
    : stderr.slice(-300);
  process.stdout.write(`${found ? 'found    ' : 'NOT FOUND'} ${name}: ${where}\n`);
  if (!found) process.exitCode = 1;
}
