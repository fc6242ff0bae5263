/**
 * The compiled programs of the conformance suite: AssemblyScript in `programs`, one module for each interface, made into `src/compiled.ts`:
 * `npm run conformance:programs`. A test of the package compiles them again and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { CALLS } from '../packages/abi/src/index.ts';
import { COMPILED_MEMORY, ENTRY_POINTS, LIBRARY_MEMORY, type InterfaceName } from '../packages/libos-kit/src/index.ts';
import { kitSource } from '../packages/libos-kit/src/node/index.ts';
import { compileAssemblyScript } from '../packages/vcode/src/asc.ts';

const PACKAGE = join(import.meta.dirname, '../packages/conformance');
export const COMPILED_FILE: string = join(PACKAGE, 'src/compiled.ts');
export const CALLS_FILE: string = join(PACKAGE, 'programs/wild-calls.ts');
const FILES = [
  'console',
  'clock',
  'memory',
  'processes',
  'pipes',
  'shared',
  'protection',
  'udp',
  'files',
  'disk',
  'revocation',
] as const;
/** Library operating systems of their own. */
const NEIGHBOURS = ['wild', 'bystander'];

const CASE = /^\/\*\* (?<name>.+) \*\/\nexport function (?<entry>\w+)\(\): i32 \{\n(?<body>[\s\S]*?)\n\}$/gm;
const STEP = /\bstep\((?<number>\d+), .*\); \/\/ (?<what>.+): (?<expected>.+)$/gm;

/** A case as its source has it. */
interface CompiledCase {
  readonly name: string;
  readonly entry: string;
  /** What each step, from the first, looks at and expects. */
  readonly steps: readonly (readonly [what: string, expected: string])[];
}

const source = (file: string): string => readFileSync(join(PACKAGE, 'programs', file), 'utf8');

/** The cases of a file. Throws for a step without a comment, and for two with one number. */
export function casesOf(text: string): CompiledCase[] {
  return [...text.matchAll(CASE)].map(({ groups = {} }) => {
    const { name = '', entry = '', body = '' } = groups;
    const rows = [...body.matchAll(STEP)].map(({ groups: step = {} }) => step);
    const numbers = rows.map(({ number }) => Number(number));
    const isInOrder = numbers.every((number, i) => number === i + 1);
    if (!isInOrder || rows.length !== body.split('step(').length - 1) {
      throw new Error(`${entry} has steps ${numbers.join()}: number them from 1, and say of each what was expected`);
    }
    return { name, entry, steps: rows.map(({ what = '', expected = '' }) => [what, expected] as const) };
  });
}

async function compiled(file: string, memoryBase: number): Promise<Uint8Array> {
  const sources = (name: string): string | undefined =>
    kitSource(name) ?? (/^[\w-]+\.ts$/.test(name) ? source(name) : undefined);
  const { wasm, diagnostics } = await compileAssemblyScript(sources, file, {
    memoryBase,
    exportTable: memoryBase === LIBRARY_MEMORY,
  });
  if (wasm === undefined) throw new Error(`${file}: ${JSON.stringify(diagnostics)}`);
  return wasm;
}

/** The interfaces whose routines a module imports. */
function needsOf(wasm: Uint8Array<ArrayBuffer>): InterfaceName[] {
  const imported = WebAssembly.Module.imports(new WebAssembly.Module(wasm)).map(({ name }) => name);
  return (Object.keys(ENTRY_POINTS) as InterfaceName[]).filter((name) =>
    (ENTRY_POINTS[name] as readonly string[]).some((routine) => imported.includes(routine)),
  );
}

const bytes = (wasm: Uint8Array): string => `[${wasm.join(', ')}]`;

/** What `src/compiled.ts` is to hold. */
export async function compiledText(): Promise<string> {
  const lines = [
    '/** `programs`, compiled: `npm run conformance:programs` makes this file. */',
    "import type { InterfaceName } from '@exokernel/libos-kit';",
    '',
    '/** A file of cases. */',
    'export interface CompiledFile {',
    '  readonly needs: readonly InterfaceName[];',
    '  readonly wasm: readonly number[];',
    '  readonly cases: readonly CompiledCase[];',
    '}',
    '',
    '/** A case: its name, the export that runs it, and what each step looks at and expects. */',
    'interface CompiledCase {',
    '  readonly name: string;',
    '  readonly entry: string;',
    '  readonly steps: readonly (readonly [what: string, expected: string])[];',
    '}',
    '',
    '// prettier-ignore',
    `export const COMPILED: Readonly<Record<${FILES.map((name) => `'${name}'`).join(' | ')}, CompiledFile>> = {`,
  ];
  for (const name of FILES) {
    const wasm = await compiled(`${name}.ts`, COMPILED_MEMORY);
    // What a file of cases is about comes first.
    const imported = needsOf(new Uint8Array(wasm));
    const needs = [...imported.filter((one) => one === name), ...imported.filter((one) => one !== name)];
    lines.push(
      `  ${name}: {`,
      `    needs: ${JSON.stringify(needs)},`,
      `    cases: ${JSON.stringify(casesOf(source(`${name}.ts`)))},`,
      `    wasm: ${bytes(wasm)},`,
      '  },',
    );
  }
  lines.push('};', '');
  for (const name of NEIGHBOURS) {
    const wasm = await compiled(`${name}.ts`, LIBRARY_MEMORY);
    lines.push('// prettier-ignore', `export const ${name.toUpperCase()}: readonly number[] = ${bytes(wasm)};`, '');
  }
  return lines.join('\n');
}

/**
 * Calls that do not come back to their caller, and those that do nothing: the kit's sources have none of them. And slices and environments are
 * everyone's to take: with most of them it would make others wait, or fork in vain, which is no harm.
 */
const LEFT_OUT = new Set(['yield', 'sleep', 'scall', 'acall', 'null', 'null_stack', 'slice_alloc', 'env_alloc']);
/** Without a capability these are about the caller, and are mostly its end. */
const SUICIDAL = new Set(['env_free', 'env_set', 'env_map']);

/** What `programs/wild-calls.ts` is to hold, every call, with what `word` and `known` give. */
export async function wildCallsText(): Promise<string> {
  const words = (fields: readonly string[]): string[] =>
    fields.flatMap((field) => new Array<string>(Number(field.split(':')[1] ?? 1)).fill(field));
  const calls = Object.entries(CALLS).filter(([name]) => !LEFT_OUT.has(name));
  const rows = calls.flatMap(([name, { args, results }], i) => {
    const given = args.flatMap((field) =>
      field.endsWith(':4') ? [0, 1, 2, 3].map((part) => `known(slot, ${part})`) : words([field]).map(() => 'word()'),
    );
    if (results.length > 0) given.push('slotAt(next())');
    const seldom = SUICIDAL.has(name) ? 'if (next() % 64 == 0) ' : '';
    return [`case ${i}:`, `${seldom}aegis.${name}(${given.join(', ')});`, 'break;'];
  });
  const text = [
    '/** Every system call, with arguments of `chance`. Made from the table in `abi` by `npm run conformance:programs`: do not change it here. */',
    "import * as aegis from '@exokernel/libos-kit/assembly/aegis';",
    "import { known, next, slotAt, word } from './chance';",
    '',
    'export function callAny(): void {',
    'const slot = slotAt(next());',
    `switch (next() % ${calls.length}) {`,
    ...rows,
    '}',
    '}',
    '',
  ].join('\n');
  return format(text, { ...(await resolveConfig(CALLS_FILE)), filepath: CALLS_FILE });
}

if (import.meta.main) {
  writeFileSync(CALLS_FILE, await wildCallsText());
  writeFileSync(COMPILED_FILE, await compiledText());
}
