/**
 * The commands of `exok`, put together: parsing, help, suggestions and completion are commander's and tab's. What stands in commands/ loads
 * no machine and no kernel: each command imports what it needs when it is carried out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tab from '@bomb.sh/tab/commander';
import { Command, CommanderError } from 'commander';
import { split } from './arguments.ts';
import { addBuild } from './commands/build.ts';
import { addDemo } from './commands/demo.ts';
import { addLab } from './commands/lab.ts';
import { addListings } from './commands/listings.ts';
import { EXIT, UsageError, systemReason } from './error.ts';
import { addLinux } from './commands/linux.ts';
import { addRun } from './commands/run.ts';
import { addSite } from './commands/site.ts';

/** Commands whose arguments behind `--` are the program's own. */
const PASSING: readonly (string | undefined)[] = ['run', 'linux'];

/** Carries out one command line, and says on stderr in one line what the user can put right. Returns the exit code. */
export async function execute(args: readonly string[]): Promise<number> {
  try {
    return await carryOut(args);
  } catch (error) {
    const message = error instanceof UsageError ? error.message : systemReason(error);
    if (message === undefined) throw error;
    if (message !== '') process.stderr.write(`exok: ${message}\n`);
    return EXIT.usage;
  }
}

/** Carries out one command line. Returns the exit code. Throws `UsageError`, with no message if the help has been printed. */
export async function carryOut(args: readonly string[]): Promise<number> {
  const { own, rest } = PASSING.includes(args[0]) ? split(args) : { own: [...args], rest: [] };
  let exitCode: number = EXIT.ok;
  const program = build(rest, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(own, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    // A suggestion stands in a line of its own.
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    // Commander says how many there are, not which.
    const given = error.code === 'commander.excessArguments' ? ` The command was: ${own.join(' ')}` : '';
    throw new UsageError(error.code === 'commander.help' ? '' : `${message}${given}`, { cause: error });
  }
}

/** `rest` is what stands behind `--`; a command says its exit code with `done`. */
function build(rest: readonly string[], done: (exitCode: number) => void): Command {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const program = new Command('exok')
    .description('The exokernel: its kernel, its library operating systems, and the machine that they run on.')
    .version(version, '--version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', '\nExit codes: 0 done, 1 a check failed, 2 cannot be carried out as given, 130 interrupted.');
  addDemo(program, done);
  addBuild(program, done);
  addRun(program, rest, done);
  addLinux(program, rest, done);
  addSite(program);
  addLab(program, done);
  addListings(program);
  tab(program, { completionCommandName: 'completion' });
  return program;
}
