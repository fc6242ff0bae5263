/**
 * The CPU-bound mix (`mix.c`) on the machine and on its peers: QEMU's system emulator with its software MMU, and the npm
 * package v86. Each run is a process of its own; in each round everybody runs once.
 *
 * A rate is in instructions of the MIPS program, also for those who run the same C as something else. The machine's and
 * v86's time counts from their first instruction, making code included; QEMU's is that of its process, less that of one
 * that has nothing to do.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { median, type Bar, type Report, type Row } from '../report.ts';
import { MIPS_COMPILER, program, type Kind } from './programs.ts';

const ROUNDS = 5;
const ITERATIONS = 8000;
/** Those who are slower get less to do. */
const FEWER = 1000;
const V86_ITERATIONS = 1000;
/** A run that takes longer hangs. */
const MOST_MS = 120_000;
const QEMU = '/usr/bin/qemu-system-mipsel';
const QEMU_FLAGS = '-M malta -cpu 24Kf -m 64 -nographic -vga none -no-reboot -net none -serial null -monitor none';

interface Measured {
  readonly result: number;
  readonly seconds: number;
  readonly instructions?: number;
  readonly beyond?: number;
}

interface Contestant {
  readonly name: string;
  readonly kind: Kind;
  readonly iterations: number;
  readonly run: (path: string) => Promise<Measured>;
}

const execute = promisify(execFile);

async function child<T>(script: string, ...args: readonly string[]): Promise<T> {
  const { stdout } = await execute(process.execPath, [join(import.meta.dirname, script), ...args], {
    timeout: MOST_MS,
  });
  return JSON.parse(stdout) as T;
}

function own(name: string, iterations: number, engine: string, profile: string, kind: Kind): Contestant {
  return { name, kind, iterations, run: (path) => child('run-mix.ts', path, engine, profile, kind) };
}

function qemu(folder: string): Contestant[] {
  if (!existsSync(QEMU)) return absent('qemu-system-mipsel (Debian qemu-system-mips)');
  const version = /version (\S+)/.exec(spawnSync(QEMU, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? '?';
  const time = async (path: string): Promise<number> => {
    const started = performance.now();
    await execute(QEMU, [...QEMU_FLAGS.split(' '), '-kernel', path]);
    return (performance.now() - started) / 1000;
  };
  const run = async (path: string): Promise<Measured> => {
    const nothing = await time(program(folder, 'malta', 0) ?? path);
    return { result: NaN, seconds: (await time(path)) - nothing };
  };
  return [{ name: `qemu-system-mipsel ${version} (softmmu)`, kind: 'malta', iterations: ITERATIONS, run }];
}

function v86(): Contestant[] {
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve('v86');
  } catch {
    return absent('the npm package v86');
  }
  const manifest = join(dirname(path), '..', 'package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };
  return [
    {
      name: `v86 ${version} (the same C as x86)`,
      kind: 'x86',
      iterations: V86_ITERATIONS,
      run: (p) => child('run-v86.ts', p),
    },
  ];
}

function absent(what: string): [] {
  process.stderr.write(`cpu: ${what} is not installed, so there is no such row\n`);
  return [];
}

/** All rows, or none where the mix cannot be compiled. */
export async function cpu(): Promise<Report> {
  if (!existsSync(MIPS_COMPILER)) {
    absent('mipsel-linux-gnu-gcc (Debian gcc-mipsel-linux-gnu), to compile with,');
    return { rows: [], bars: [] };
  }
  const folder = mkdtempSync(join(tmpdir(), 'exok-bench-'));
  try {
    return await measure(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(folder: string): Promise<Report> {
  const translator = own('translator', ITERATIONS, 'translator', 'ideal', 'kseg0');
  const timed = own('translator, caches of dec5000', ITERATIONS, 'translator', 'dec5000', 'kseg0');
  const interpreter = own('interpreter', FEWER, 'interpreter', 'ideal', 'kseg0');
  const [qemuSystem] = qemu(folder);
  const [v86Package] = v86();
  const all = [
    translator,
    own('translator, mapped user space', ITERATIONS, 'translator', 'ideal', 'mapped'),
    timed,
    own('translator, caches of dec3100', ITERATIONS, 'translator', 'dec3100', 'kseg0'),
    interpreter,
    own('interpreter, caches of dec5000', FEWER, 'interpreter', 'dec5000', 'kseg0'),
    qemuSystem,
    v86Package,
  ].filter((contestant) => contestant !== undefined);
  const rounds = new Map<Contestant, Measured[]>();
  const boots: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const contestant of all) {
      process.stderr.write(`cpu: round ${round} of ${ROUNDS}, ${contestant.name}\n`);
      const path = program(folder, contestant.kind, contestant.iterations);
      if (path === undefined) continue;
      rounds.set(contestant, [...(rounds.get(contestant) ?? []), await contestant.run(path)]);
    }
    process.stderr.write(`cpu: round ${round} of ${ROUNDS}, Linux\n`);
    const { seconds } = await child<{ readonly seconds: number | null }>('boot-linux.ts');
    if (seconds !== null) boots.push(seconds);
  }
  if (boots.length === 0) absent('a kernel (npm run exok -- linux build)');
  agree(rounds);

  const perIteration = median((rounds.get(translator) ?? []).map(({ instructions = 0 }) => instructions)) / ITERATIONS;
  const rates = new Map(
    [...rounds].map(([contestant, measured]) => [
      contestant,
      measured.map(({ seconds }) => (perIteration * contestant.iterations) / seconds / 1e6),
    ]),
  );
  const rows: Row[] = [...rates].map(([{ name }, values]) => row(name, 'M MIPS instructions/s', values));
  const beyond = (rounds.get(translator) ?? []).map((measured) => (measured.beyond ?? 0) / 2 ** 20);
  rows.push(row('host memory that the translator’s machine uses beyond the guest’s', 'MiB', beyond));
  if (boots.length > 0) rows.push(row('Linux to user space, translator', 's of host time', boots));

  const rate = (contestant: Contestant): number => median(rates.get(contestant) ?? []);
  const bars: Bar[] = [];
  const atLeast = (value: number, bar: number, text: string): void =>
    void bars.push({ text, value, holds: value >= bar });
  const below = (value: number, bar: number, text: string): void => void bars.push({ text, value, holds: value < bar });
  if (qemuSystem !== undefined) {
    atLeast(rate(translator) / rate(qemuSystem), 1, `times ${qemuSystem.name}, translator: at least 1.0`);
    atLeast(rate(timed) / rate(qemuSystem), 0.5, `times ${qemuSystem.name}, with the cache model: at least 0.5`);
  }
  if (v86Package !== undefined) {
    atLeast(rate(translator) / rate(v86Package), 3, `times ${v86Package.name}, translator: at least 3`);
  }
  atLeast(rate(interpreter), 100, 'M instructions/s, interpreter: at least 100');
  below(median(beyond), 64, 'MiB of host memory beyond the guest’s: below 64');
  if (boots.length > 0) below(median(boots), 3, 's of host time until Linux is in user space: below 3');
  return { rows, bars };
}

function row(name: string, unit: string, values: readonly number[]): Row {
  return { name, unit, median: median(values), rounds: values };
}

/** Throws unless all who did the same work came to the same result. */
function agree(rounds: ReadonlyMap<Contestant, readonly Measured[]>): void {
  const known = new Map<number, number>();
  for (const [{ name, iterations }, measured] of rounds) {
    for (const { result } of measured) {
      if (Number.isNaN(result)) continue; // QEMU's stays in its machine
      const expected = known.get(iterations) ?? result;
      known.set(iterations, expected);
      if (result !== expected) throw new Error(`${name} computes ${result}, not ${expected}`);
    }
  }
}
