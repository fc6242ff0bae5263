/** AssemblyScript: what it compiles, what it says of mistakes, where an instruction comes from. */
import { describe, expect, it } from 'vitest';
import { compileAssemblyScript } from '../src/asc.ts';
import { fromWasm } from '../src/from-wasm/module.ts';
import { instantiateModule } from '../src/run/host.ts';
import { interpretModule } from '../src/run/interpreter.ts';

const SUM = new Map([
  [
    'main.ts',
    [
      "import { square } from './square';",
      'export function run(n: i32): i32 {',
      '  let sum = 0;',
      '  for (let i = 0; i < n; i++) sum += square(i);',
      '  return sum;',
      '}',
    ].join('\n'),
  ],
  ['square.ts', 'export function square(i: i32): i32 {\n  return i * i;\n}\n'],
]);

describe('AssemblyScript', () => {
  it('compiles files that import each other, and the result runs', async () => {
    const { wasm, diagnostics } = await compileAssemblyScript(SUM, 'main.ts');
    expect(diagnostics).toEqual([]);
    const module = fromWasm(wasm ?? new Uint8Array());
    for (const instance of [interpretModule(module), instantiateModule(module)]) {
      expect(instance.call('run', [10], { fuel: 100_000 })).toMatchObject({ values: [285], status: 0 });
    }
  });

  it('gives the same bytes for the same sources', async () => {
    const [first, second] = [await compileAssemblyScript(SUM, 'main.ts'), await compileAssemblyScript(SUM, 'main.ts')];
    expect(first.wasm).toEqual(second.wasm);
  });

  it('knows the source of every instruction that the program has', async () => {
    const { wasm, placeOf } = await compileAssemblyScript(SUM, 'main.ts');
    const places = Array.from(wasm ?? [], (_, offset) => placeOf(offset));
    expect(new Set(places.map((place) => place?.file))).toEqual(new Set([undefined, 'main.ts', 'square.ts']));
    expect(places).toContainEqual({ file: 'square.ts', line: 2, column: 10 });
  });

  it('says what is wrong, and where', async () => {
    const sources = new Map([['main.ts', 'export function run(n: i32): i32 {\n  return x + n;\n}\n']]);
    const { wasm, diagnostics } = await compileAssemblyScript(sources, 'main.ts');
    expect(wasm).toBeUndefined();
    expect(diagnostics).toEqual([
      {
        severity: 'error',
        code: 2304,
        message: "Cannot find name 'x'.",
        place: { file: 'main.ts', line: 2, column: 10 },
      },
    ]);
  });

  it('traps where the program would throw', async () => {
    const sources = new Map([
      ['main.ts', "export function run(n: i32): i32 {\n  if (n > 3) throw new Error('too much');\n  return n;\n}\n"],
    ]);
    const { wasm, diagnostics } = await compileAssemblyScript(sources, 'main.ts');
    expect(diagnostics).toEqual([]);
    const instance = instantiateModule(fromWasm(wasm ?? new Uint8Array()));
    expect(instance.call('run', [3], { fuel: 1000 })).toMatchObject({ values: [3] });
    expect(instance.call('run', [4], { fuel: 1000 })).toMatchObject({ values: [], status: 6 });
  });

  it('puts static data where it is told to', async () => {
    const sources = new Map([
      [
        'main.ts',
        "export const text = changetype<usize>('exokernel');\nexport function at(): usize {\n  return text;\n}\n",
      ],
    ]);
    const { wasm } = await compileAssemblyScript(sources, 'main.ts', { memoryBase: 65536 });
    const instance = instantiateModule(fromWasm(wasm ?? new Uint8Array()));
    // The header of an object takes 20 bytes, and objects are 16-aligned with it.
    const [at] = instance.call('at', [], { fuel: 1000 }).values;
    expect(Number(at)).toBeGreaterThanOrEqual(65536);
    expect(Number(at)).toBeLessThan(65536 + 64);
  });

  it.each([-16, 8, 2 ** 31, 1.5, Number.NaN])('refuses %s as the place of static data', async (memoryBase) => {
    await expect(compileAssemblyScript(SUM, 'main.ts', { memoryBase })).rejects.toMatchObject({ code: 'argument' });
  });

  it('refuses an entry that is not there', async () => {
    await expect(compileAssemblyScript(SUM, 'other.ts')).rejects.toMatchObject({ code: 'argument' });
  });
});
