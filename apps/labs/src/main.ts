#!/usr/bin/env node
/**
 * The labs' command line. Tables go to stdout, errors and progress to stderr; exit code 0: every claim holds, 1: one does
 * not, 2: the command cannot be carried out as given.
 */
import { Argument, Command, CommanderError, Option } from 'commander';
import { format, toJson, type Lab, type Progress } from './lab.ts';
import { LABS } from './labs.ts';
import { MODELS, type Model } from './models.ts';

const NAMES = LABS.map(({ name }) => name);

interface Options {
  readonly profile?: Model;
  readonly short?: boolean;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** `done` is told whether all claims hold. */
function commands(done: (holds: boolean) => void): Command {
  const program = new Command('lab');
  return program
    .usage('[options] <lab>...')
    .description("measures again what the papers published, in executed instructions: the paper's figure beside ours")
    .addArgument(new Argument('[lab...]', 'which').choices(NAMES))
    .addOption(new Option('--profile <name>', 'one machine only').choices(MODELS))
    .option('--short', 'fewer repetitions; the claims are the same')
    .option('--all', 'all labs: npm run labs')
    .option('--json', 'one JSON object per lab and line')
    .addHelpText(
      'after',
      `\nLabs:\n${LABS.map(({ name, what }) => `  ${name.padEnd(14)}${what}`).join('\n')}\n\nExamples:\n` +
        '  npm run lab -- pct\n  npm run lab -- stlb stride --profile dec5000\n  npm run -s labs -- --short --json > labs.json\n' +
        '\nExit codes: 0 every claim holds, 1 one does not, 2 cannot be carried out as given.',
    )
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .action((names: readonly string[], options: Options) => {
      if (options.all && names.length > 0) program.error(`--all and ${names.join(', ')}: use one or the other`);
      if (!options.all && names.length === 0) program.help({ error: true });
      done(run(options.all ? LABS : names.flatMap((name) => LABS.filter((lab) => lab.name === name)), options));
    });
}

/** Returns whether every claim holds. */
function run(labs: readonly Lab[], { profile, short = false, json = false }: Options): boolean {
  const models = profile === undefined ? MODELS : [profile];
  let holds = true;
  for (const lab of labs) {
    const result = lab.run(models, short ? 'short' : 'full', progress(lab));
    if (isTerminal()) process.stderr.write('\r\u001b[K');
    if (labs.length > 1 && !json) process.stdout.write(`\n${lab.name}: ${lab.what}\n\n`);
    process.stdout.write(json ? toJson(result) : format(result));
    holds &&= result.claims.every((claim) => claim.holds);
  }
  return holds;
}

/** A line on stderr that is rewritten, or, where there is no terminal, one line each. */
function progress(lab: Lab): Progress {
  return (text) => process.stderr.write(isTerminal() ? `\r\u001b[K${lab.name}: ${text}` : `${lab.name}: ${text}\n`);
}

/** Whether stderr can move its cursor. */
function isTerminal(): boolean {
  return process.stderr.isTTY && process.env['TERM'] !== 'dumb';
}

// A reader that has seen enough is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
try {
  commands((holds) => {
    process.exitCode = holds ? 0 : 1;
  }).parse();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
  if (error.exitCode !== 0 && error.code !== 'commander.help') {
    process.stderr.write(`lab: ${error.message.replace(/^error: /, '').replaceAll('\n', ' ')}\n`);
  }
}
