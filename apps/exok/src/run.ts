/** A program at this process's terminal: what `exok run` and `exok linux` come to. */
import { untilInterrupted } from './arguments.ts';
import { EXIT } from './error.ts';
import type { Program } from './run-machine.ts';
import type { MachineSettings } from './run-options.ts';
import { runAtTerminal } from './run-terminal.ts';

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
