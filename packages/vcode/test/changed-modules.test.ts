/**
 * Modules with random changes, as of a stranger who wants to break the compiler: a typed error refuses them, or they run alike on all back ends,
 * with fuel. `npm run soak:modules` makes a million changes; `MODULE_CHANGES` sets how many, `MODULE_SEED` makes others.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WasmError } from '@exokernel/wasm';
import { expect, test } from 'vitest';
import { fromWasm, VcodeError } from '@exokernel/vcode';
import { compileAssemblyScript } from '@exokernel/vcode/asc';
import { randomFrom, randomModule, type Random } from './random-wasm.ts';
import { runChecked } from './run-checked.ts';

const WANTED = Number(process.env['MODULE_CHANGES'] ?? 700);
const SEED = Number(process.env['MODULE_SEED'] ?? 1);
const PROGRAMS = join(import.meta.dirname, '../bench/programs');
/** Changes of one module, before the next is taken. */
const CHANGES = 40;
const FUEL = 20_000;
const PROGRESS = 20_000;

/** Opcodes that stand for each other: comparisons, counts and operations of words, then of longs. */
const ALIKE: readonly (readonly [first: number, last: number])[] = [
  [0x46, 0x4f],
  [0x67, 0x69],
  [0x6a, 0x78],
  [0x51, 0x5a],
  [0x79, 0x7b],
  [0x7c, 0x8a],
];

/** Exchanges what may be an opcode for another that takes and gives the same: most such modules are valid. */
function exchange(bytes: Uint8Array, random: Random): void {
  for (let tries = 0; tries < 20; tries += 1) {
    const at = random(bytes.length);
    const range = ALIKE.find(([first, last]) => (bytes[at] ?? 0) >= first && (bytes[at] ?? 0) <= last);
    if (range === undefined) continue;
    bytes[at] = range[0] + random(range[1] - range[0] + 1);
    return;
  }
}

/** Changes some bytes, exchanges opcodes, copies a piece over another, or cuts the end off. */
function changed(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let out = Uint8Array.from(bytes);
  const times = 1 + random(3);
  if (random(2) === 0) {
    for (let i = 0; i < times; i += 1) exchange(out, random);
    return out;
  }
  for (let i = 0; i < times; i += 1) {
    // Three of four lie behind the sections of types.
    const at = random(4) === 0 ? random(out.length) : (out.length >> 2) + random((out.length * 3) >> 2);
    out[at] = random(3) === 0 ? random(256) : (out[at] ?? 0) ^ (1 << random(8));
  }
  if (random(8) === 0) {
    const from = random(out.length);
    out.copyWithin(random(out.length), from, from + random(16));
  }
  if (random(20) === 0) out = out.slice(0, random(out.length));
  return out;
}

/** What real programs are like: those of the bench, in AssemblyScript. */
async function programs(): Promise<Uint8Array[]> {
  const files = readdirSync(PROGRAMS).filter((name) => name.endsWith('.as.ts'));
  return Promise.all(
    files.map(async (name) => {
      const sources = new Map([['main.ts', readFileSync(join(PROGRAMS, name), 'utf8')]]);
      const { wasm } = await compileAssemblyScript(sources, 'main.ts', { assertions: false });
      return wasm ?? new Uint8Array();
    }),
  );
}

test('changed modules are refused by a typed error, or run alike on all back ends', async () => {
  // Only for a soak: it takes asc as long as all the rest takes.
  const real = WANTED > PROGRESS ? await programs() : [];
  let refused = 0;
  let run = 0;
  let made = 0;
  for (let seed = SEED; made < WANTED; seed += 1) {
    const random = randomFrom(seed * 40503 + 7);
    const program = seed % 8 === 0 ? real[(seed >> 3) % real.length] : undefined;
    const bytes = program ?? randomModule(random).bytes;
    for (let i = 0; i < CHANGES; i += 1) {
      made += 1;
      if (WANTED > PROGRESS && made % PROGRESS === 0) {
        process.stderr.write(`soak: ${made} of ${WANTED} changed modules, ${refused} refused, ${run} run\n`);
      }
      try {
        const module = fromWasm(changed(bytes, random), { pages: 1, mostPages: 3 });
        const [name] = module.exports.keys();
        const func = module.functions[module.exports.get(name ?? '') ?? -1];
        if (name === undefined || func === undefined || random(4) > 0) continue;
        const values = func.parameters.map(({ type }) => (type === 'i64' ? 5n : 5));
        runChecked(module, values, FUEL, name);
        run += 1;
      } catch (error) {
        if (!(error instanceof WasmError) && !(error instanceof VcodeError)) {
          throw new Error(`seed ${seed}, change ${i}`, { cause: error });
        }
        refused += 1;
      }
    }
  }
  expect(refused).toBeGreaterThan(WANTED / 40);
  expect(run).toBeGreaterThan(WANTED / 80);
});
