/**
 * The compiler beside gcc: how many instructions the same programs take on the machine, profile `ideal`, which no host's noise touches.
 *
 * The C programs go through clang and this compiler, and through gcc for MIPS I; those in AssemblyScript through asc and this compiler. Peers
 * that are not installed are skipped with a word. Results are compared.
 *
 * The demo's matrix multiplication is compared with the same in machine code that was written by hand, on the kernel.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aegis } from '@exokernel/aegis';
import { batch } from '@exokernel/batch';
import { compiledMatmul, matmul, matmulResult, MATMUL_ROWS } from '@exokernel/demos';
import { Machine } from '@exokernel/hardware';
import { CP0_COUNT, createAssembler, GP, loadElf, RA, S0, SP, T0, T1, V0 } from '@exokernel/isa';
import { compose, type Program } from '@exokernel/libos-kit';
import { compileOwn, fromWasm, functionSymbol, type Module } from '@exokernel/vcode';
import { compileAssemblyScript } from '@exokernel/vcode/asc';
import { compileTime } from './compile-time.ts';
import { median, type Bar, type Report, type Row } from '../report.ts';

const PROGRAMS = join(import.meta.dirname, '../../../../packages/vcode/bench/programs');
const RAM = 16 * 2 ** 20;
/** Where things are, unmapped and cached: what starts a program, its code, its data, the end of its memory, its stack. */
const START = 0x80010000;
const CODE = 0x80100000;
const DATA = 0x80200000;
const END = 0x80800000;
const STACK = 0x80f00000;
/** The record of a compiled module, and where the start leaves result and cycles. */
const RECORD = 0x80020000;
const RESULT = 0x30000;
const STEP = 100_000;
const WASM_PAGE = 65536;

/** Of hand-written machine code, which the compiled program may exceed by so much. */
const MATMUL_MOST = 1.03;

const GCC = 'mipsel-linux-gnu-gcc';
const GCC_FLAGS = [
  '-O2',
  '-march=mips1',
  '-mabi=32',
  '-msoft-float',
  '-fno-pic',
  '-mno-abicalls',
  '-G0',
  '-ffreestanding',
  '-nostdlib',
  '-static',
  '-w',
  `-Wl,-Ttext-segment=0x${CODE.toString(16)}`,
  '-Wl,-erun,--no-warnings,--build-id=none',
];
const CLANGS = ['clang-19', 'clang-16', 'clang-14', 'clang'];

/** What a program gave, and how many instructions it took. */
interface Run {
  readonly result: number;
  readonly instructions: number;
}

const say = (text: string): void => {
  process.stderr.write(`compiler: ${text}\n`);
};
const found = (name: string): boolean =>
  ['/usr/bin', '/usr/local/bin'].some((folder) => existsSync(join(folder, name)));

export async function compiler(): Promise<Report> {
  const rows: Row[] = [];
  const bars: Bar[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'exok-compiler-'));
  try {
    const gcc = found(GCC) ? new Map(sources('.c').map((name) => [name, withGcc(folder, name)])) : undefined;
    if (gcc === undefined) say(`skips gcc: ${GCC} is not installed`);
    const clang = CLANGS.find(found);
    const linker = clang?.replace('clang', 'wasm-ld');
    if (clang === undefined || linker === undefined || !found(linker))
      say('skips C: clang and wasm-ld are not installed');
    else
      await compare('C', sources('.c'), gcc, { rows, bars, worst: 1.35, mean: 1.1 }, (name) =>
        withClang(folder, name, clang, linker),
      );
    await compare('AssemblyScript', sources('.as.ts'), gcc, { rows, bars, worst: undefined, mean: 1.15 }, withAsc);
  } finally {
    rmSync(folder, { recursive: true });
  }
  compareMatmul(rows, bars);
  say('a module of 100 KB');
  const time = await compileTime(PROGRAMS, sources('.as.ts'));
  return { rows: [...rows, ...time.rows], bars: [...bars, ...time.bars] };
}

/** On batch, cycles of profile `ideal` in user mode from the first instruction to the end. */
function compareMatmul(rows: Row[], bars: Bar[]): void {
  const cyclesOf = (program: Program<'memory'>): number => {
    const aegis = new Aegis(new Machine());
    const env = aegis.load(compose(batch, program));
    while (aegis.environment(env).status !== 'dead') aegis.machine.run(STEP);
    const { exit, cycles } = aegis.environment(env);
    if (exit !== matmulResult(MATMUL_ROWS)) throw new Error(`the product is ${exit}`);
    return cycles;
  };
  say('matmul of the demo');
  const [byHand, compiled] = [cyclesOf(matmul(MATMUL_ROWS)), cyclesOf(compiledMatmul())];
  rows.push(row("the demo's matmul, by hand", byHand), row("the demo's matmul, AssemblyScript", compiled));
  const value = compiled / byHand;
  bars.push({ text: `the demo's matmul to machine code by hand ≤ ${MATMUL_MOST}`, value, holds: value <= MATMUL_MOST });
}

function sources(extension: string): string[] {
  return readdirSync(PROGRAMS)
    .filter((file) => file.endsWith(extension))
    .map((file) => file.slice(0, -extension.length));
}

async function compare(
  language: string,
  names: readonly string[],
  gcc: ReadonlyMap<string, Run> | undefined,
  { rows, bars, worst, mean }: { rows: Row[]; bars: Bar[]; worst: number | undefined; mean: number },
  make: (name: string) => Promise<Module>,
): Promise<void> {
  const ratios: number[] = [];
  for (const name of names) {
    say(`${language}: ${name}`);
    const ours = runModule(await make(name));
    rows.push(row(`${name}, ${language}`, ours.instructions));
    const peer = gcc?.get(name);
    if (peer === undefined) continue;
    if (peer.result !== ours.result)
      throw new Error(`${name} in ${language} gives ${ours.result}, with gcc ${peer.result}`);
    if (language === 'C') rows.push(row(`${name}, gcc`, peer.instructions));
    ratios.push(ours.instructions / peer.instructions);
  }
  if (ratios.length === 0) return;
  const geometric = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  bars.push({ text: `${language} to gcc -O2, geometric mean ≤ ${mean}`, value: geometric, holds: geometric <= mean });
  const most = Math.max(...ratios);
  if (worst !== undefined)
    bars.push({ text: `${language} to gcc -O2, worst ≤ ${worst}`, value: most, holds: most <= worst });
}

const row = (name: string, instructions: number): Row => ({
  name,
  unit: 'instructions',
  median: median([instructions]),
  rounds: [instructions],
});

function withGcc(folder: string, name: string): Run {
  const file = join(folder, `${name}.elf`);
  // gcc's own 64-bit division is for a later MIPS.
  const division = name === 'long' ? ['-x', 'c', join(PROGRAMS, 'divide.inc')] : [];
  execFileSync(GCC, [...GCC_FLAGS, '-o', file, join(PROGRAMS, `${name}.c`), ...division]);
  const elf = loadElf(readFileSync(file));
  const machine = new Machine({ ramBytes: RAM, profile: 'ideal' });
  for (const { vaddr, bytes } of elf.segments) machine.memory.write(vaddr & 0x1fffffff, bytes);
  return run(machine, [elf.entry]);
}

async function withClang(folder: string, name: string, clang: string, linker: string): Promise<Module> {
  const [object, file] = [join(folder, `${name}.o`), join(folder, `${name}.wasm`)];
  execFileSync(clang, ['--target=wasm32', '-O2', '-ffreestanding', '-c', '-o', object, join(PROGRAMS, `${name}.c`)]);
  const places = [`--global-base=${DATA}`, `--initial-memory=${END}`];
  execFileSync(linker, ['--no-entry', '--export=run', ...places, '-o', file, object]);
  return Promise.resolve(fromWasm(readFileSync(file), { name }));
}

async function withAsc(name: string): Promise<Module> {
  const text = readFileSync(join(PROGRAMS, `${name}.as.ts`), 'utf8');
  const options = { memoryBase: DATA, assertions: false };
  const { wasm, diagnostics } = await compileAssemblyScript(new Map([['main.ts', text]]), 'main.ts', options);
  if (wasm === undefined) throw new Error(`${name}: ${diagnostics[0]?.message ?? 'no module'}`);
  return fromWasm(wasm, { name });
}

function runModule(module: Module): Run {
  const code = compileOwn(module, CODE, { grow: 0 });
  const machine = new Machine({ ramBytes: RAM, profile: 'ideal' });
  const physical = (address: number): number => address & 0x1fffffff;
  machine.memory.storeWords(physical(CODE), code.words);
  machine.memory.store32(physical(RECORD), Math.max((module.memory?.pages ?? 0) * WASM_PAGE, END));
  machine.memory.store32(physical(RECORD) + code.record.table, code.table);
  module.globals.forEach(({ type, initial }, i) => {
    const at = physical(RECORD) + (code.record.globals[i] ?? 0);
    machine.memory.store32(at, Number(BigInt.asUintN(32, BigInt(initial))));
    if (type === 'i64') machine.memory.store32(at + 4, Number(BigInt.asUintN(32, BigInt(initial) >> 32n)));
  });
  for (const { offset, bytes } of module.data) machine.memory.write(physical(offset), bytes);
  const address = (index: number): number => code.symbols.get(functionSymbol(index)) ?? 0;
  const entry = address(module.exports.get('run') ?? 0);
  return run(machine, module.start === undefined ? [entry] : [address(module.start), entry]);
}

/** Calls routines one after the other; the result is that of the last one, and so are the instructions, with the call. */
function run(machine: Machine, routines: readonly number[]): Run {
  const a = createAssembler(START);
  a.li(SP, STACK);
  a.li(GP, RECORD);
  for (const routine of routines) {
    a.li(T0, routine);
    // One cycle is one instruction in this profile.
    a.mfc0(S0, CP0_COUNT);
    a.jalr(RA, T0);
    a.nop();
    a.mfc0(T1, CP0_COUNT);
  }
  a.li(T0, 0x80000000 + RESULT);
  a.sw(V0, 0, T0);
  a.subu(T1, T1, S0);
  a.sw(T1, 8, T0);
  a.li(T1, 1);
  a.label('end');
  a.b('end');
  a.sw(T1, 4, T0);
  machine.memory.storeWords(START & 0x1fffffff, a.assemble().words);
  machine.cpu.cp0.status = 0;
  machine.cpu.pc = START;
  while (machine.memory.load32(RESULT + 4) !== 1) machine.run(STEP);
  return { result: machine.memory.load32(RESULT), instructions: machine.memory.load32(RESULT + 8) };
}
