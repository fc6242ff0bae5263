/** A program at this process's terminal: what `exok run` and `exok linux` come to. */
import type { Readable } from 'node:stream';
import { readProgram } from '@exokernel/libos-kit';
import { loadElf } from '@exokernel/isa';
import { untilInterrupted } from './arguments.ts';
import { EXIT, UsageError } from './error.ts';
import { orNoProgram } from './liboses.ts';
import { libosMachine } from './run-libos.ts';
import { bareMachine, orNoElf, readInput, type Program } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';
import { runAtTerminal, type MakeMachine } from './run-terminal.ts';

/** What only one kind of file can have. */
export interface RunChoices {
  /** Of a program of the bare machine. */
  readonly args: readonly string[];
  readonly initrd: string | undefined;
  /** Of a program for a library operating system. */
  readonly ip: string | undefined;
  /** Of a library operating system's source. */
  readonly copies?: number | undefined;
}

/** Runs what is in a file: a program for a library operating system, or one for the bare machine. Returns the exit code. */
export function runFile(file: string, { args, initrd, ip }: RunChoices, settings: MachineSettings): Promise<number> {
  const bytes = readInput(file);
  const program = orNoElf(file, () => orNoProgram(file, () => readProgram(bytes)));
  if (program === undefined) {
    if (ip !== undefined)
      throw new UsageError(`${file} is for the bare machine: --ip is for a library operating system`);
    const more = initrd === undefined ? {} : { initrd: readInput(initrd) };
    return runHere({ name: file, elf: loadElf(bytes), args, ...more }, settings);
  }
  if (initrd !== undefined || args.length > 0) {
    throw new UsageError(`${file} is for a library operating system: an initrd and arguments are for the bare machine`);
  }
  return runMachine((...given) => libosMachine({ name: file, program, ip }, ...given), settings);
}

/** Runs a program of the bare machine at this process's terminal, and says how it ended. Returns the exit code. */
export function runHere(program: Program, settings: MachineSettings): Promise<number> {
  return runMachine((...given) => bareMachine(program, ...given), settings);
}

/** The same with any machine. `typed` is what is typed at its console, the terminal by default. */
export async function runMachine(
  make: MakeMachine,
  settings: MachineSettings,
  typed: Readable = process.stdin,
  abort: AbortController = interruptible(),
): Promise<number> {
  const console = settings.json ? process.stderr : process.stdout;
  // The reader may leave, or the disk be full: then nothing is left to run for.
  console.once('error', () => {
    abort.abort();
  });
  if (typed === process.stdin && process.stdin.isTTY) process.stderr.write('Ctrl-] ends it\n');
  const started = performance.now();
  const outcome = await runAtTerminal(make, settings, {
    output: (bytes) => console.write(bytes),
    say: (text) => process.stderr.write(`exok: ${text}\n`),
    input: typed,
    signal: abort.signal,
  });
  const hostSeconds = (performance.now() - started) / 1000;
  if (settings.json) process.stdout.write(`${JSON.stringify({ ...outcome, hostSeconds })}\n`);
  else {
    const speed = (outcome.instructions / hostSeconds / 1e6).toFixed(0);
    const count = outcome.instructions.toLocaleString('en');
    if (outcome.reason !== 'halted') process.stderr.write('\n');
    if (outcome.ending !== undefined) process.stderr.write(`${outcome.ending.text}\n`);
    process.stderr.write(`${outcome.reason}: ${count} instructions in ${hostSeconds.toFixed(1)} s (${speed} M/s)\n`);
  }
  return outcome.reason === 'diverged' || outcome.ending?.isItsOwn === false ? EXIT.failed : EXIT.ok;
}

/** Is aborted by SIGINT and SIGTERM. */
export function interruptible(): AbortController {
  const abort = new AbortController();
  void untilInterrupted().then(() => {
    abort.abort();
  });
  return abort;
}
