/** Running the host's programs: where they are, what they print, how they end. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { accessSync, constants, createWriteStream, type WriteStream } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program would be found, or `undefined`. */
export function which(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** What a program prints, without its last line end; `undefined` if it fails or is not there. */
export function ask(program: string, args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return status === 0 ? stdout.trimEnd() : undefined;
}

export interface StepOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Everything the program prints goes there. */
  readonly log: WriteStream;
  /** Called with every line of standard output. */
  readonly line?: (text: string) => void;
  /** Called with every line of standard error. */
  readonly error?: (text: string) => void;
}

const running = new Set<ChildProcess>();

/** Ends the programs that `step` runs, and all that those have started: at once, for what they write is thrown away. */
export function stopSteps(): void {
  for (const { pid } of running) {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}

/** Runs a program to its end. Rejects with an `Error` if it cannot be started or fails. */
export function step(
  program: string,
  args: readonly string[],
  { cwd, env, log, line, error }: StepOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    log.write(`\n$ ${[program, ...args].join(' ')}\n`);
    const child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, LC_ALL: 'C', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, to be ended as one
    });
    for (const [stream, each] of [
      [child.stdout, line],
      [child.stderr, error],
    ] as const) {
      let rest = '';
      stream.on('data', (data: Buffer) => {
        log.write(data);
        const lines = (rest + data.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const text of lines) each?.(text);
      });
    }
    running.add(child);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${signal ?? `exit code ${code ?? '?'}`}`));
    });
  });
}

/** A log file, made anew. What it has no room for is lost: a build that fails says so itself. */
export function openLog(path: string): WriteStream {
  return createWriteStream(path).on('error', () => undefined);
}

/** Writes what is still in the log's buffer. */
export function closeLog(log: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    log.end(() => {
      resolve();
    });
  });
}
