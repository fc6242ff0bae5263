/** Programs × library operating systems: one compiled program, in AssemblyScript or in C, runs unchanged wherever what it needs is provided. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Image } from '@exokernel/abi';
import {
  COMPILED_MEMORY,
  LibosError,
  compiledLibOs,
  compiledProgram,
  compose,
  type CompiledProgram,
} from '@exokernel/libos-kit';
import { compileLibrary } from '@exokernel/libos-kit/node';
import { describe, expect, test } from 'vitest';
import { batch } from '../../../packages/batch/src/index.ts';
import { exos, exosInverted } from '../../../packages/exos/src/index.ts';
import { boot } from '../../../packages/testkit/src/index.ts';
import { MATMUL_ROWS, compiledMatmul, matmulResult } from '../src/index.ts';

const PROGRAMS = join(import.meta.dirname, '../programs');
const { library } = await compileLibrary(join(PROGRAMS, 'kv.ts'));
if (library === undefined) throw new Error('kv.ts does not compile');
const kv = compiledLibOs(['clock', 'console', 'memory'], library);

const CLANG = ['clang-19', 'clang-16', 'clang-14'].find((name) =>
  [name, name.replace('clang', 'wasm-ld')].every((tool) => existsSync(`/usr/bin/${tool}`)),
);

/** `crc32.c`, which needs nothing. */
function inC(): CompiledProgram<never> {
  const folder = mkdtempSync(join(tmpdir(), 'programs-'));
  try {
    const [object, file] = ['crc32.o', 'crc32.wasm'].map((name) => join(folder, name)) as [string, string];
    const compiler = CLANG ?? '';
    execFileSync(compiler, ['--target=wasm32', '-O2', '-c', '-o', object, join(PROGRAMS, 'crc32.c')]);
    const places = [`--global-base=${COMPILED_MEMORY}`, '-z', 'stack-size=4096'];
    execFileSync(compiler.replace('clang', 'wasm-ld'), ['--no-entry', ...places, '-o', file, object]);
    return compiledProgram('crc32', [], new Uint8Array(readFileSync(file)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Compose = (program: CompiledProgram<'memory'>) => Image;
/** Composed by its name each: that this compiles says that each provides memory. */
const LIBOSES: readonly (readonly [name: string, on: Compose])[] = [
  ['batch', (program) => compose(batch, program)],
  ['exos', (program) => compose(exos, program)],
  ['exos-inverted', (program) => compose(exosInverted, program)],
  ['kv', (program) => compose(kv, program)],
];

describe.each(LIBOSES)('on %s', (_, on) => {
  const exitOf = (program: CompiledProgram<'memory'>): number => {
    const [ended] = boot([on(program)]).finish(0);
    return (ended?.exit ?? 0) | 0;
  };

  test('a program in AssemblyScript', () => {
    expect(exitOf(compiledMatmul())).toBe(matmulResult(MATMUL_ROWS));
  });

  test.skipIf(CLANG === undefined)('a program in C (skipped without clang)', () => {
    expect(exitOf(inC())).toBe(0xcbf43926 | 0);
  });
});

test('what is not provided does not compile, and is refused by name where there are no types', () => {
  const printer: CompiledProgram<'memory' | 'console'> = { ...compiledMatmul(), needs: ['memory', 'console'] };
  const sender: CompiledProgram<'udp'> = { ...compiledMatmul(), needs: ['udp'] };
  expect(compose(kv, printer).name).toBe('matmul');
  // @ts-expect-error: batch provides no console
  expect(() => compose(batch, printer)).toThrow(LibosError);
  // @ts-expect-error: kv provides no udp to programs
  expect(() => compose(kv, sender)).toThrow('kv does not provide udp, which matmul needs');
});
