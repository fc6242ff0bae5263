/** Requests per second of host CPU time that Cheetah answers through the gateway, loaded by wrk (Debian's package). */
import { spawn } from 'node:child_process';
import { serveDemo } from '../src/demo/run.ts';
import { median, type Report } from './report.ts';

const ROUNDS = 5;
const WRK_SECONDS = 3;
const WRK_CONNECTIONS = 8;

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

export async function web(): Promise<Report> {
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
    mhz: 200,
    net: undefined,
    say: () => undefined,
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
    return { rows: [], bars: [] };
  }
  const name = `Cheetah through the gateway, 1 KB page, wrk with ${WRK_CONNECTIONS} connections`;
  return { rows: [{ name, unit: 'requests per CPU-second', median: median(rounds), rounds }], bars: [] };
}
