/** `exok run`: an ELF file on the bare machine; its console is the terminal. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { parse, split, untilInterrupted } from './arguments.ts';
import { EXIT, UsageError } from './error.ts';
import { readElf, readInput, type Program } from './run-machine.ts';
import { MACHINE_HELP, MACHINE_OPTIONS, machineSettings, type MachineSettings } from './run-options.ts';
import { runAtTerminal } from './run-terminal.ts';

export const RUN_HELP: string = `  exok run <elf> [-- <argument> ...]   a program for the bare DECstation 3100
    --initrd <file>      put behind the program in memory, and named to it (rd_start=, rd_size=)
${MACHINE_HELP}`;

const OPTIONS = { ...MACHINE_OPTIONS, initrd: { type: 'string' } } as const satisfies ParseArgsConfig['options'];

/** Carries out `exok run`. Returns the exit code. Throws `UsageError`. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const { own, rest } = split(args);
  const { values, positionals } = parse(() => parseArgs({ args: own, options: OPTIONS, allowPositionals: true }));
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) {
    throw new UsageError('usage: exok run <elf> [options] [-- <argument> ...]');
  }
  const settings = machineSettings(values);
  const initrd = values.initrd === undefined ? {} : { initrd: readInput(values.initrd) };
  return runHere({ name: file, elf: readElf(file), args: rest, ...initrd }, settings);
}

/** Runs a program at this process's terminal, and says how it ended. Returns the exit code. */
export async function runHere(program: Program, settings: MachineSettings): Promise<number> {
  const abort = new AbortController();
  void untilInterrupted().then(() => {
    abort.abort();
  });
  const console = settings.json ? process.stderr : process.stdout;
  // Who reads it may leave; then there is nobody to run for.
  let failure: NodeJS.ErrnoException | undefined;
  console.on('error', (error: NodeJS.ErrnoException) => {
    failure = error;
    abort.abort();
  });
  if (process.stdin.isTTY) process.stderr.write('Ctrl-] ends it\n');
  const started = performance.now();
  const outcome = await runAtTerminal(program, settings, {
    output: (bytes) => console.write(bytes),
    say: (text) => process.stderr.write(`exok: ${text}\n`),
    input: process.stdin,
    signal: abort.signal,
  });
  if (failure !== undefined && failure.code !== 'EPIPE') throw new UsageError(`cannot print: ${failure.message}`);
  const hostSeconds = (performance.now() - started) / 1000;
  if (settings.json) process.stdout.write(`${JSON.stringify({ ...outcome, hostSeconds })}\n`);
  else {
    const speed = (outcome.instructions / hostSeconds / 1e6).toFixed(0);
    const count = outcome.instructions.toLocaleString('en');
    if (outcome.reason !== 'halted') process.stderr.write('\n');
    process.stderr.write(`${outcome.reason}: ${count} instructions in ${hostSeconds.toFixed(1)} s (${speed} M/s)\n`);
  }
  return outcome.reason === 'diverged' ? EXIT.failed : EXIT.ok;
}
