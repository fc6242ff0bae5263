#!/usr/bin/env node
/** `exok`: the command line. Data goes to stdout, progress and errors to stderr; docs/command-line.md lists the exit codes. */
import { EXIT } from './error.ts';
import { execute } from './program.ts';

// It may come when the command has been carried out.
let failed = false;
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // A reader that has seen enough is no error of ours.
  if (code === 'EPIPE' || failed) return;
  failed = true;
  process.stderr.write(`exok: cannot print: ${message}\n`);
  process.exitCode = EXIT.usage;
});
const exitCode = await execute(process.argv.slice(2));
process.exitCode ??= exitCode;
