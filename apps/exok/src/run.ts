/** `exok run`: an ELF file on the bare machine; its console is the terminal. */
import type { Command } from 'commander';
import { untilInterrupted } from './arguments.ts';
import { EXIT } from './error.ts';
import { readElf, readInput, type Program } from './run-machine.ts';
import { addMachineOptions, machineSettings, type MachineOptionValues, type MachineSettings } from './run-options.ts';
import { runAtTerminal } from './run-terminal.ts';

/** `rest` is what stands behind `--`: the program's arguments. */
export function addRun(program: Command, rest: readonly string[], done: (exitCode: number) => void): void {
  const run = program
    .command('run')
    .usage('[options] <elf> [-- <argument>...]')
    .description('a program for the bare DECstation 3100; its console is the terminal')
    .argument('<elf>', 'a static MIPS executable, linked to kseg0')
    .option('--initrd <file>', 'put behind the program in memory, and named to it (rd_start=, rd_size=)')
    .addHelpText(
      'after',
      '\nExamples:\n  exok run hello.elf\n  exok run vmlinux --memory 64 --disk root.img -- root=/dev/vda console=ttyS3\n' +
        '  exok run test.elf --profile dec5000 --seconds 10 --json',
    )
    .action(async (file: string, options: MachineOptionValues & { readonly initrd?: string }) => {
      const settings = machineSettings(options);
      const initrd = options.initrd === undefined ? {} : { initrd: readInput(options.initrd) };
      done(await runHere({ name: file, elf: readElf(file), args: rest, ...initrd }, settings));
    });
  addMachineOptions(run);
}

/** Runs a program at this process's terminal, and says how it ended. Returns the exit code. */
export async function runHere(program: Program, settings: MachineSettings): Promise<number> {
  const abort = new AbortController();
  void untilInterrupted().then(() => {
    abort.abort();
  });
  const console = settings.json ? process.stderr : process.stdout;
  // The reader may leave, or the disk be full: then nothing is left to run for.
  console.on('error', () => {
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
