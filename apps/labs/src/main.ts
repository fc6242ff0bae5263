#!/usr/bin/env node
/**
 * The labs' command line. Tables go to stdout, errors and progress to stderr; exit code 0: every claim holds, 1: one does
 * not, 2: the command cannot be carried out as given.
 */
import { parseArgs } from 'node:util';
import { UsageError } from './error.ts';
import { format, toJson, type Lab, type Progress } from './lab.ts';
import { LABS } from './labs.ts';
import { MODELS, type Model } from './models.ts';

const NAMES = LABS.map(({ name }) => name);

const HELP = `usage: npm run lab -- <lab>… [--profile ${MODELS.join('|')}] [--short] [--json]
       npm run labs        all of them

${LABS.map(({ name, what }) => `  ${name.padEnd(14)}${what}`).join('\n')}

  --profile     one machine only
  --short       fewer repetitions; the claims are the same
  --json        one JSON object per lab and line
`;

const OPTIONS = {
  profile: { type: 'string' },
  short: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function main(args: readonly string[]): number {
  const { values, positionals } = parse(args);
  if (values.help || (positionals.length === 0 && !values.all)) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (values.all && positionals.length > 0)
    throw new UsageError(`--all and ${positionals.join(', ')}: use one or the other`);
  const labs = values.all ? LABS : positionals.map(find);
  const models = choose(values.profile);
  let holds = true;
  for (const lab of labs) {
    const result = lab.run(models, values.short ? 'short' : 'full', progress(lab));
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    if (labs.length > 1 && !values.json) process.stdout.write(`\n${lab.name}: ${lab.what}\n\n`);
    process.stdout.write(values.json ? toJson(result) : format(result));
    holds &&= result.claims.every((claim) => claim.holds);
  }
  return holds ? 0 : 1;
}

function find(name: string): Lab {
  const lab = LABS.find((known) => known.name === name);
  if (lab === undefined) throw new UsageError(`no lab ${name}: use ${NAMES.join(', ')}`);
  return lab;
}

function choose(name: string | undefined): readonly Model[] {
  if (name === undefined) return MODELS;
  const model = MODELS.find((known) => known === name);
  if (model === undefined) throw new UsageError(`no profile ${name} for a lab: use ${MODELS.join(', ')}`);
  return [model];
}

/** A line on stderr that is rewritten, or, where there is no terminal, one line each. */
function progress(lab: Lab): Progress {
  return (text) =>
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${lab.name}: ${text}` : `${lab.name}: ${text}\n`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

// A reader that has seen enough is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`lab: ${error.message}\n`);
  process.exitCode = 2;
}
