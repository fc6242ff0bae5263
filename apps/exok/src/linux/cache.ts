/**
 * The cache folder: what is built once for a host. An entry is there whole or not at all: it is made in a folder of its own and renamed.
 *
 * `EXOKERNEL_CACHE`, else `exokernel` in `XDG_CACHE_HOME`, else in `~/.cache`.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EXIT, UsageError } from '../error.ts';
import { closeLog, openLog, stopSteps } from './shell.ts';
import type { WriteStream } from 'node:fs';

/** Lines of a failed build's log that are shown. */
const TAIL = 15;
/** A terminal that is closed does not reach the programs of a build, which are in groups of their own. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Folders of builds under way have this name and the process's number. */
const BUILDING = 'building-';

/** The folder, which need not exist. */
export function cacheFolder(): string {
  const { EXOKERNEL_CACHE: own, XDG_CACHE_HOME: common } = process.env;
  if (own !== undefined && own !== '') return own;
  return join(common !== undefined && common !== '' ? common : join(homedir(), '.cache'), 'exokernel');
}

/** A short name for these texts and bytes, another for any others. */
export function keyOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 12);
}

/** What a build gets: a folder to work in, which is removed afterwards, one to fill, and a log. */
export interface Workshop {
  readonly work: string;
  readonly result: string;
  readonly log: WriteStream;
}

/**
 * The entry `name`, made by `build` if it is not there or `rebuild` is set. Throws `UsageError` with the log's tail and path
 * if it cannot be made; the cache is then as it was.
 */
export async function cached(
  name: string,
  build: (workshop: Workshop) => Promise<void>,
  { rebuild = false }: { readonly rebuild?: boolean } = {},
): Promise<string> {
  const cache = cacheFolder();
  const entry = join(cache, name);
  if (existsSync(entry) && !rebuild) return entry;
  const place = join(cache, `${BUILDING}${process.pid}`);
  const logFile = join(cache, `${name}.log`);
  try {
    mkdirSync(cache, { recursive: true });
    removeAbandoned(cache);
    rmSync(place, { recursive: true, force: true });
    for (const folder of ['work', 'result']) mkdirSync(join(place, folder), { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot write the cache ${cache}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const remove = (): void => {
    rmSync(place, { recursive: true, force: true, maxRetries: 10 });
  };
  const interrupted = (): never => {
    stopSteps();
    remove();
    rmSync(logFile, { force: true });
    process.exit(EXIT.interrupted);
  };
  for (const signal of SIGNALS) process.once(signal, interrupted);
  const log = openLog(logFile);
  try {
    await build({ work: join(place, 'work'), result: join(place, 'result'), log });
    await closeLog(log);
    rmSync(entry, { recursive: true, force: true });
    renameSync(join(place, 'result'), entry);
    rmSync(logFile, { force: true });
  } catch (error) {
    await closeLog(log);
    if (error instanceof UsageError) throw error;
    const lines = tailOf(logFile);
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${name} cannot be built: ${why}\n${lines.join('\n')}\nthe whole log: ${logFile}`);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupted);
    remove();
  }
  return entry;
}

/** Its last lines, as far as it could be written. */
function tailOf(logFile: string): readonly string[] {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-TAIL);
  } catch {
    return [];
  }
}

/** Removes what builds that were cut off have left. */
function removeAbandoned(cache: string): void {
  for (const name of readdirSync(cache)) {
    const pid = name.startsWith(BUILDING) ? Number(name.slice(BUILDING.length)) : NaN;
    if (Number.isInteger(pid) && !isAlive(pid)) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
