#!/usr/bin/env node
/**
 * The labs' command line. Tables go to stdout, errors to stderr; exit code 0: every claim holds, 1: one does not, 2: the
 * command cannot be carried out as given.
 */
import { parseArgs } from 'node:util';
import { calibrate, FULL, MODELS, type Model } from './calibration.ts';
import { UsageError } from './error.ts';
import { format, toJson } from './lab.ts';

const HELP = `usage: npm run lab -- calibration [--profile ${MODELS.join('|')}] [--json]

  calibration   measures a null procedure call and memory on the timing profiles, beside what was published
`;

const OPTIONS = {
  profile: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function main(args: readonly string[]): number {
  const { values, positionals } = parse(args);
  const [lab] = positionals;
  if (lab === undefined || values.help) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (lab !== 'calibration' || positionals.length > 1) {
    throw new UsageError(`no lab ${positionals.join(' ')}: use calibration`);
  }
  const result = calibrate(models(values.profile), FULL);
  process.stdout.write(values.json ? toJson(result) : format(result));
  return result.claims.every((claim) => claim.holds) ? 0 : 1;
}

function models(name: string | undefined): readonly Model[] {
  if (name === undefined) return MODELS;
  const model = MODELS.find((known) => known === name);
  if (model === undefined) throw new UsageError(`no profile ${name} to calibrate: use ${MODELS.join(', ')}`);
  return [model];
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`lab: ${error.message}\n`);
  process.exitCode = 2;
}
