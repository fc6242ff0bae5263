/**
 * A library operating system from its source, by itself on a machine: `exok run libos.ts`. With `--watch` it is compiled and run again whenever a file
 * that was read, or looked for, changes.
 */
import { statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as after } from 'node:timers/promises';
import { compileLibrary, diagnosticText, type CompiledSources } from '@exokernel/libos-kit/node';
import { compiler } from './build.ts';
import { EXIT, UsageError } from './error.ts';
import { orNoProgram } from './liboses.ts';
import { libosMachine, type LibosProgram } from './run-libos.ts';
import { readInput } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';
import { interruptible, runMachine, type RunChoices } from './run.ts';

/** Between two looks at the sources. They are looked at, and no events awaited: editors replace files, and not every file system tells. */
const LOOK_MS = 200;

/** Compiles a source and runs it, once or with `watch` until it is interrupted. Returns the exit code. Throws `UsageError`. */
export async function runSource(
  entry: string,
  { args, initrd, ip, copies }: RunChoices,
  settings: MachineSettings,
  watch: boolean,
): Promise<number> {
  if (initrd !== undefined || args.length > 0) {
    throw new UsageError(`${entry} is a library operating system: an initrd and arguments are for the bare machine`);
  }
  if (!watch) {
    const { library } = await compiled(entry);
    if (library === undefined) return EXIT.failed;
    return runMachine((...given) => libosMachine({ name: entry, program: library, ip, copies }, ...given), settings);
  }
  if ([settings.record, settings.replay, settings.snapshot].some((file) => file !== undefined)) {
    throw new UsageError('--watch runs another program each time: leave out --record, --replay and --snapshot');
  }
  const interrupted = interruptible().signal;
  let files: readonly string[] = [entry];
  while (!interrupted.aborted) {
    // A change while it is compiled counts, too.
    const before = new Map([...files, entry].map((file) => [file, stateOf(file)]));
    const { library, files: read } = await orSay(entry);
    files = read;
    const changed = new AbortController();
    const stop = AbortSignal.any([interrupted, changed.signal]);
    const watching = untilChanged(read, before, stop).then((file) => {
      if (file === undefined) return;
      process.stderr.write(`${file} has changed\n`);
      changed.abort();
    });
    if (library !== undefined) await run({ name: entry, program: library, ip, copies }, settings, stop);
    await watching;
  }
  return EXIT.ok;
}

/** Runs it until it ends or is to stop; what it is refused for is told. */
async function run(program: LibosProgram, settings: MachineSettings, stop: AbortSignal): Promise<void> {
  const abort = new AbortController();
  const end = (): void => {
    abort.abort();
  };
  stop.addEventListener('abort', end);
  try {
    // The terminal stays the user's, whose Ctrl-C is to end this.
    if (!stop.aborted) {
      await runMachine((...given) => libosMachine(program, ...given), settings, Readable.from([]), abort);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`exok: ${error.message}\n`);
  } finally {
    stop.removeEventListener('abort', end);
  }
}

/** Compiles, and says what the compiler says. Throws `UsageError`. */
async function compiled(entry: string): Promise<CompiledSources> {
  readInput(entry);
  const sources = await compiler(async () => {
    try {
      return await compileLibrary(entry);
    } catch (error) {
      return orNoProgram(entry, () => {
        throw error;
      });
    }
  });
  for (const diagnostic of sources.diagnostics) process.stderr.write(`${diagnosticText(diagnostic)}\n`);
  return sources;
}

/** The same for a source that may be put right. */
async function orSay(entry: string): Promise<CompiledSources> {
  try {
    return await compiled(entry);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`exok: ${error.message}\n`);
    return { library: undefined, diagnostics: [], files: [entry] };
  }
}

/** The file whose state is another than before; a file that had none then is compared with what it is now. Nothing if it is to stop. */
async function untilChanged(
  files: readonly string[],
  before: ReadonlyMap<string, string>,
  stop: AbortSignal,
): Promise<string | undefined> {
  const states = new Map(files.map((file) => [file, before.get(file) ?? stateOf(file)]));
  while (!stop.aborted) {
    const changed = files.find((file) => states.get(file) !== stateOf(file));
    if (changed !== undefined) return changed;
    await after(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
  }
  return undefined;
}

/** Changes when the file does. */
function stateOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return `${mtimeMs} ${size} ${ino}`;
}
