/**
 * Programs in AssemblyScript and in C on both library operating systems: every instruction executed, nothing native while they
 * run, results that are computed here otherwise.
 *
 * Each program calls `tick` before and after what is looked at; the machine's events between these two calls are counted.
 */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EXCEPTIONS } from '@exokernel/abi';
import { COMPILED_MEMORY, PAGED_BASE, compiledProgram, compose } from '@exokernel/libos-kit';
import { compileAssemblyScript } from '../../../packages/vcode/src/asc.ts';
import { matmul, matmulResult } from '../src/index.ts';
import { EVENT_KINDS } from '../../../packages/hardware/src/index.ts';
import { batch } from '../../../packages/batch/src/index.ts';
import { exos } from '../../../packages/exos/src/index.ts';
import { boot, exitOf } from '../../../packages/testkit/src/index.ts';

const BENCH = join(import.meta.dirname, '../../../packages/vcode/bench/programs');
const OWN = join(import.meta.dirname, '../programs');
/** Of the matrices here: fewer than the demo's 150, which take a second. */
const ROWS = 60;
const CLANG = ['clang-19', 'clang-16', 'clang-14'].find((name) =>
  [name, name.replace('clang', 'wasm-ld')].every((tool) => existsSync(`/usr/bin/${tool}`)),
);
/** Debian's packages rustc and libstd-rust-dev-wasm32: another version makes other bytes. */
const RUST_VERSION = 'rustc 1.63.0';
const RUST_TARGET = 'wasm32-unknown-unknown';
const RUST = CLANG === 'clang-14' ? findRust() : undefined;
const folder = mkdtempSync(join(tmpdir(), 'exok-proof-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Proof {
  readonly name: string;
  readonly assemblyScript: string;
  readonly c: string;
  readonly expected: () => number;
}

const bench = (file: string): Pick<Proof, 'assemblyScript' | 'c'> => ({
  assemblyScript: join(BENCH, `${file}.as.ts`),
  c: join(BENCH, `${file}.c`),
});
const PROOFS: readonly Proof[] = [
  {
    name: 'matmul',
    assemblyScript: join(OWN, 'matmul.ts'),
    c: join(OWN, 'matmul.c'),
    expected: () => matmulResult(ROWS),
  },
  { name: 'sieve', ...bench('sieve'), expected: sumOfPrimes },
  { name: 'sort', ...bench('lists'), expected: sorted },
  { name: 'SHA-256', ...bench('sha256'), expected: digest },
  { name: 'LZ', ...bench('lz'), expected: packed },
];

/** What is looked at takes addresses of three matrices, where it needs some: pages that were touched before. */
const MATRICES = 3 * 4 * ROWS * ROWS;

const SYSTEMS = [
  [
    'batch',
    (wasm: Uint8Array, entry = 'main') => compose(batch, compiledProgram('proof', ['memory'], wasm, { entry })),
  ],
  ['exos', (wasm: Uint8Array, entry = 'main') => compose(exos, compiledProgram('proof', ['memory'], wasm, { entry }))],
] as const;

describe.each(PROOFS)('$name', ({ name, assemblyScript: ours, c: theirs, expected }) => {
  test('in AssemblyScript', async () => {
    prove(await assemblyScript(name, ours), expected());
  });

  test.skipIf(CLANG === undefined)('in C (skipped without clang)', () => {
    prove(c(name, theirs), expected());
  });
});

test('matmul in AssemblyScript takes at most 3 % more than in machine code written by hand', async () => {
  const source = sourceOf(join(OWN, 'matmul.ts'));
  const wasm = await compiled([['main.ts', source]]);
  const [ours, byHand] = [compiledProgram('matmul', ['memory'], wasm), matmul(ROWS)].map((program) => {
    const [env] = boot([compose(batch, program)]).finish(0);
    expect(env && exitOf(env)).toBe(matmulResult(ROWS));
    return env!.cycles;
  });
  expect(ours! / byHand!).toBeLessThan(1.03);
});

describe('a published checksum', () => {
  const exits = (wasm: Uint8Array, entry: string): unknown[] =>
    SYSTEMS.map(([, load]) => {
      const [env] = boot([load(wasm, entry)]).finish(0);
      return env && exitOf(env);
    });

  test.skipIf(CLANG === undefined)('in C: CRC-32 [CRCCAT] (skipped without clang)', () => {
    const crc = 0xcbf43926 | 0;
    expect(exits(linked([join(OWN, 'crc32.c')], []), 'main')).toEqual([crc, crc]);
  });

  test('in Rust, compiled before: MD5 [RFC1321]', () => {
    const hash = createHash('md5').update('message digest').digest();
    expect(hash.toString('hex')).toBe('f96b697d7cb7938d525a2f31aaf161d0');
    let mixed = 0;
    for (let at = 0; at < 16; at += 4) mixed = (Math.imul(mixed, 31) + hash.readInt32LE(at)) | 0;
    expect(exits(readFileSync(join(OWN, 'md5.wasm')), 'run')).toEqual([mixed, mixed]);
  });

  test.skipIf(RUST === undefined)(
    `and that is what Rust makes of the source (skipped without ${RUST_VERSION} for wasm32, clang-14 and lld-14)`,
    () => {
      const { rustc = '', libraries = '' } = RUST ?? {};
      const object = join(folder, 'md5.o');
      const options = ['--edition', '2021', '-O', '-C', 'panic=abort', '-C', 'codegen-units=1', '--crate-type', 'lib'];
      // Messages of panics name the source: the same wherever this checkout lies.
      options.push('--remap-path-prefix', `${OWN}=.`);
      execFileSync(rustc, [...options, '--target', RUST_TARGET, '--emit', 'obj', '-o', object, join(OWN, 'md5.rs')]);
      const core = readdirSync(libraries).filter((name) => /^lib(core|compiler_builtins)-.*\.rlib$/.test(name));
      const objects = [
        object,
        ...core
          .sort()
          .reverse()
          .map((name) => join(libraries, name)),
      ];
      const made = link(objects, ['--export=run', '--gc-sections', '--strip-debug']);
      expect(Buffer.compare(made, readFileSync(join(OWN, 'md5.wasm')))).toBe(0);
    },
  );
});

/** On both. */
function prove(wasm: Uint8Array, expected: number): void {
  for (const [name, load] of SYSTEMS) {
    const booted = boot([load(wasm)]);
    const calls: number[] = [];
    let natives = 0;
    booted.machine.listen((kind, _, code, epc) => {
      const isCall = kind === EVENT_KINDS.exception.kind && code === EXCEPTIONS.syscall;
      if (isCall && epc >= PAGED_BASE && epc < COMPILED_MEMORY) calls.push(booted.machine.instructions);
      // The first call itself is answered before the region begins, and the second when it has ended.
      if (kind === EVENT_KINDS.native.kind && calls.length === 1) natives += 1;
    });
    const [env] = booted.finish(0);
    const [begin = 0, end = 0] = calls;
    expect([name, calls.length, natives, env?.nativeSteps]).toEqual([name, 2, 0, 0]);
    expect(end - begin).toBeGreaterThan(100_000);
    expect(env && exitOf(env)).toBe(expected | 0);
  }
}

const sourceOf = (file: string): string => readFileSync(file, 'utf8').replace('N: i32 = 150', `N: i32 = ${ROWS}`);

function assemblyScript(name: string, file: string): Promise<Uint8Array> {
  const isMatmul = name === 'matmul';
  const size = MATRICES / 3;
  const main = `import { ${isMatmul ? 'product' : 'run'} } from './program';
    import { tick } from './aegis';
    import { memory_allocate } from './kit';
    const at = memory.data(4);
    export function main(): i32 {
      ${isMatmul ? `const a = memory_allocate(${MATRICES}); for (let i = 0; i < ${MATRICES}; i += 4) store<i32>(a + i, 0);` : ''}
      tick(at);
      const result = ${isMatmul ? `product(a, a + ${size}, a + ${2 * size})` : 'run()'};
      tick(at);
      return result;
    }`;
  return compiled([
    ['program.ts', sourceOf(file)],
    ['main.ts', main],
  ]);
}

async function compiled(sources: readonly (readonly [string, string])[]): Promise<Uint8Array> {
  const declared = ['kit.ts', 'aegis.ts'].map((file) => [file, sourceOf(join(OWN, file))] as const);
  const { wasm, diagnostics } = await compileAssemblyScript(new Map([...declared, ...sources]), 'main.ts', {
    memoryBase: COMPILED_MEMORY,
  });
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return wasm;
}

function c(name: string, file: string): Uint8Array {
  const main = join(folder, 'main.c');
  const isMatmul = name === 'matmul';
  writeFileSync(
    main,
    `__attribute__((import_module("aegis"))) int tick(unsigned *at);
    unsigned run(void), product(void *, void *, void *);
    static unsigned at;
    static char matrices[3][${MATRICES / 3}];
    __attribute__((export_name("main"))) unsigned program(void) {
      for (int i = 0; i < sizeof matrices; i++) ((volatile char *)matrices)[i] = 0;
      tick(&at);
      unsigned result = ${isMatmul ? 'product(matrices[0], matrices[1], matrices[2])' : 'run()'};
      tick(&at);
      return result;
    }`,
  );
  return linked([main, file], isMatmul ? [`-DN=${ROWS}`] : []);
}

/** C sources to a module. */
function linked(sources: readonly string[], defines: readonly string[]): Uint8Array {
  // Objects are named after the sources.
  execFileSync(CLANG ?? '', ['--target=wasm32', '-O2', '-ffreestanding', ...defines, '-c', ...sources], {
    cwd: folder,
  });
  const objects = sources.map((source) => join(folder, basename(source).replace(/c$/, 'o')));
  return link(objects, ['--allow-undefined']);
}

/** Objects to a module, its static data where they must be. */
function link(objects: readonly string[], options: readonly string[]): Uint8Array {
  const out = join(folder, 'out.wasm');
  const places = ['--no-entry', `--global-base=${COMPILED_MEMORY}`, '-z', 'stack-size=16384'];
  execFileSync((CLANG ?? '').replace('clang', 'wasm-ld'), [...places, ...options, '-o', out, ...objects]);
  return readFileSync(out);
}

function findRust(): { readonly rustc: string; readonly libraries: string } | undefined {
  const rustc = '/usr/bin/rustc';
  if (!existsSync(rustc) || !execFileSync(rustc, ['--version'], { encoding: 'utf8' }).startsWith(RUST_VERSION))
    return undefined;
  const arguments_ = ['--print', 'target-libdir', '--target', RUST_TARGET];
  const libraries = execFileSync(rustc, arguments_, { encoding: 'utf8' }).trim();
  return existsSync(libraries) ? { rustc, libraries } : undefined;
}

/** Below 20,000, four times: by trial division. */
function sumOfPrimes(): number {
  let sum = 0;
  for (let n = 2; n < 20_000; n += 1) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor !== 0) divisor += 1;
    if (divisor * divisor > n) sum += n;
  }
  return 4 * sum;
}

/** The host's stable sort instead of a merge sort of lists. */
function sorted(): number {
  let seed = 12345;
  const items = Array.from({ length: 2000 }, (_, value) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return { key: (seed >>> 12) & 0xffff, value };
  });
  // The list is built at its front.
  const list = [...items].reverse().sort((a, b) => a.key - b.key);
  let sum = 0;
  for (let i = 0; i < 100; i += 1) {
    const wanted = items[i * 19]!.key;
    sum = (Math.imul(sum, 17) + list.find(({ key }) => key === wanted)!.value) | 0;
  }
  for (const { key } of list.reverse()) sum = (Math.imul(sum, 31) + key) | 0;
  return sum;
}

/** The host's own hash. */
function digest(): number {
  const data = Uint8Array.from({ length: 4096 }, (_, i) => i * 13 + 5);
  const hash = createHash('sha256').update(data).digest();
  let sum = 0;
  for (let at = 0; at < 32; at += 4) sum = (Math.imul(sum, 31) + hash.readInt32BE(at)) | 0;
  return sum;
}

/** What comes back is what went in, so only the lengths are left: of groups of eight, a byte of flags for each. */
function packed(): number {
  const sample = 'the exokernel multiplexes the hardware securely; the library builds every abstraction above it. ';
  const input: number[] = [];
  let seed = 1;
  for (let i = 0; i < 8192; i += 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    input.push(seed >>> 29 !== 0 ? sample.charCodeAt(i % sample.length) : (seed >>> 8) & 0xff);
  }
  const last = new Map<number, number>();
  let [items, literals, at] = [0, 0, 0];
  while (at < input.length) {
    let length = 0;
    if (at + 3 <= input.length) {
      const hash = ((input[at]! << 6) ^ (input[at + 1]! << 3) ^ input[at + 2]!) & 1023;
      const before = last.get(hash);
      last.set(hash, at);
      if (before !== undefined && at - before < 4096) {
        while (length < 18 && at + length < input.length && input[before + length] === input[at + length]) length += 1;
      }
    }
    items += 1;
    if (length < 3) literals += 1;
    at += length < 3 ? 1 : length;
  }
  return 3 * (Math.ceil(items / 8) + literals + 2 * (items - literals)) + input.length;
}
