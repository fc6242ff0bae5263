/**
 * What hosts of the machine notice besides its speed on one program: many hot functions, code that is replaced, snapshots. Each run
 * is a process of its own, and in each round everything has its turn. Rates are per second of host CPU time.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median, type Bar, type Report, type Row } from '../report.ts';
import { instructionsPerCall } from './functions.ts';
import { qemuName, qemuRate } from './qemu-functions.ts';

const ROUNDS = 3;
const MOST_MS = 120_000;
const FUNCTIONS = [512, 2048, 8192] as const;
/** How often a function's loop is done: its body once, or as much work as a function of a program does. */
const LOOPS = [1, 8] as const;
const REPLACED = [0, 1000] as const;
const RATE = 'M instructions/s';

const execute = promisify(execFile);

async function child<T>(script: string, ...args: readonly number[]): Promise<T> {
  const path = join(import.meta.dirname, script);
  const { stdout } = await execute(process.execPath, ['--expose-gc', path, ...args.map(String)], { timeout: MOST_MS });
  return JSON.parse(stdout) as T;
}

interface Rate {
  readonly rate: number;
}

export async function machine(): Promise<Report> {
  const rates = new Map<string, number[]>();
  const note = (name: string, value: number): void => void rates.set(name, [...(rates.get(name) ?? []), value]);
  const functions = (count: number, loops: number): string =>
    `${count} hot functions called at random, ${instructionsPerCall(loops)} instructions a call`;
  const replaced = (times: number): string => `a program in a frame whose code was replaced ${times} times`;
  const peer = qemuName();
  if (peer === undefined)
    process.stderr.write('machine: qemu-mipsel (Debian qemu-user) is not installed: no such rows\n');
  const snapshots = {
    save: 'save 16 MB, a quarter in use',
    fresh: 'the same into memory that the process has to ask the host for',
    delta: 'the same as a delta',
    linux: 'restore Linux, run 5 M cycles',
  };
  for (let round = 1; round <= ROUNDS; round += 1) {
    process.stderr.write(`machine: round ${round} of ${ROUNDS}, functions\n`);
    for (const loops of LOOPS) {
      for (const count of FUNCTIONS) {
        note(functions(count, loops), (await child<Rate>('run-functions.ts', count, loops)).rate);
        if (peer !== undefined) note(`${peer}: ${functions(count, loops)}`, await qemuRate(count, loops));
      }
    }
    process.stderr.write(`machine: round ${round} of ${ROUNDS}, replaced code\n`);
    for (const times of REPLACED) note(replaced(times), (await child<Rate>('run-replaced.ts', times)).rate);
    process.stderr.write(`machine: round ${round} of ${ROUNDS}, snapshots\n`);
    const found = await child<Readonly<Record<keyof typeof snapshots, number | null>>>('run-snapshot.ts');
    for (const name of ['save', 'fresh', 'delta', 'linux'] as const) {
      if (found[name] !== null) note(snapshots[name], found[name]);
    }
  }
  const value = (name: string): number => median(rates.get(name) ?? []);
  const rows: Row[] = [...rates].map(([name, rounds]) => ({
    name,
    unit: Object.values(snapshots).includes(name) ? 'ms' : RATE,
    median: median(rounds),
    rounds,
  }));
  const bars: Bar[] = [];
  for (const loops of LOOPS) {
    for (const count of FUNCTIONS.slice(1)) {
      const ratio = value(functions(count, loops)) / value(functions(FUNCTIONS[0], loops));
      bars.push({
        text: `times ${FUNCTIONS[0]} functions, ${functions(count, loops)}: at least 0.7`,
        value: ratio,
        holds: ratio >= 0.7,
      });
    }
  }
  const slowdown = value(replaced(REPLACED[0])) / value(replaced(REPLACED[1]));
  bars.push({ text: 'times slower after 1,000 replacements: at most 1.3', value: slowdown, holds: slowdown <= 1.3 });
  for (const [name, most] of [
    [snapshots.save, 5],
    [snapshots.linux, 30],
  ] as const) {
    if (rates.has(name))
      bars.push({ text: `ms, ${name}: at most ${most}`, value: value(name), holds: value(name) <= most });
  }
  return { rows, bars };
}
