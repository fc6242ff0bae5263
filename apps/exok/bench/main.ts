/**
 * `npm run bench [-- cpu | web] [--json]`: how fast the machine runs on this host. Medians of several rounds; progress on
 * stderr, results on stdout.
 *
 * cpu: guest instructions per second of host time on the matrix multiplication (batch, alone on the machine).
 * web: requests per second of host CPU time that Cheetah answers through the gateway, loaded by wrk (Debian's package).
 */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { Aegis } from '@exokernel/aegis';
import { batch } from '@exokernel/batch';
import { matmul, matmulResult } from '@exokernel/demos';
import { Machine } from '@exokernel/hardware';
import { compose } from '@exokernel/libos-kit';
import { serveDemo } from '../src/demo/run.ts';
import { MATRIX } from '../src/demo/world.ts';

const ROUNDS = 5;
const STEP = 1_000_000;
const WRK_SECONDS = 3;
const WRK_CONNECTIONS = 8;

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly rounds: readonly number[];
  readonly note?: string;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Guest instructions per second of one multiplication. */
function multiplyOnce(): number {
  const machine = new Machine({});
  const aegis = new Aegis(machine);
  const env = aegis.load(compose(batch, matmul(MATRIX)));
  const started = performance.now();
  while (aegis.environment(env).status !== 'dead') machine.run(STEP);
  const seconds = (performance.now() - started) / 1000;
  if (aegis.environment(env).exit !== matmulResult(MATRIX)) throw new Error('the product is wrong');
  return aegis.environment(env).instructions / seconds;
}

function cpu(): Row[] {
  const rounds = Array.from({ length: ROUNDS }, (_, i) => {
    process.stderr.write(`cpu: round ${i + 1} of ${ROUNDS}\n`);
    return multiplyOnce();
  });
  return [
    {
      name: `interpreter, ${MATRIX}×${MATRIX} matrix multiplication, mapped user code`,
      unit: 'M guest instructions/s',
      median: median(rounds) / 1e6,
      rounds: rounds.map((r) => r / 1e6),
    },
  ];
}

/** Requests that one run of wrk got answered, or `undefined` where wrk is not installed. */
function wrk(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', ['-t1', `-c${WRK_CONNECTIONS}`, `-d${WRK_SECONDS}s`, url]);
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
    child.on('close', () => {
      const requests = /(\d+) requests in/.exec(output)?.[1];
      if (/Non-2xx/.test(output) || requests === undefined) reject(new Error(`wrk: ${output}`));
      else resolve(Number(requests));
    });
  });
}

async function web(): Promise<Row[]> {
  const rounds: number[] = [];
  const host = { hasWrk: true };
  let finish = (): void => undefined;
  const stop = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const load = async (url: string): Promise<void> => {
    for (let i = 0; i < ROUNDS && host.hasWrk; i += 1) {
      process.stderr.write(`web: round ${i + 1} of ${ROUNDS}\n`);
      const before = process.cpuUsage();
      const requests = await wrk(url);
      const { user, system } = process.cpuUsage(before);
      if (requests === undefined) host.hasWrk = false;
      else rounds.push(requests / ((user + system) / 1e6));
    }
  };
  let failed: unknown;
  await serveDemo({
    port: 0,
    disk: undefined,
    progress: () => undefined,
    stop,
    ready: (url) => {
      load(url)
        .catch((error: unknown) => (failed = error))
        .finally(finish);
    },
  });
  if (failed !== undefined) throw failed instanceof Error ? failed : new Error('the load failed');
  if (!host.hasWrk) {
    process.stderr.write('web: wrk is not installed, so there is no such row\n');
    return [];
  }
  const name = `Cheetah through the gateway, 1 KB page, wrk with ${WRK_CONNECTIONS} connections`;
  return [{ name, unit: 'requests per CPU-second', median: median(rounds), rounds }];
}

const args = process.argv.slice(2);
const wanted = args.filter((arg) => arg !== '--json');
const unknown = wanted.find((arg) => arg !== 'cpu' && arg !== 'web');
if (unknown !== undefined) {
  process.stderr.write(`bench: unknown benchmark ${unknown}: use cpu or web\n`);
  process.exitCode = 2;
} else {
  const all = wanted.length === 0;
  const host = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`;
  const rows = [...(all || wanted.includes('cpu') ? cpu() : []), ...(all || wanted.includes('web') ? await web() : [])];
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify({ host, rows })}\n`);
  else {
    process.stdout.write(`${host}\n`);
    for (const { name, unit, median: value, rounds } of rows) {
      const spread = `${Math.min(...rounds).toFixed(0)}–${Math.max(...rounds).toFixed(0)}`;
      process.stdout.write(`${value.toFixed(0).padStart(8)} ${unit}  (${spread}, ${rounds.length} rounds)  ${name}\n`);
    }
  }
}
