/** `exok lab`: the papers' tables, figures and claims, measured again. */
import { Argument, Option, type Command } from 'commander';
import { LABS, MODELS, type Model } from '@exokernel/labs';
import { UsageError } from '../error.ts';

interface Options {
  readonly profile?: Model;
  readonly short?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

export function addLab(program: Command, done: (exitCode: number) => void): void {
  const command = program
    .command('lab')
    .usage('[options] <lab>...')
    .description("measures again what the papers published, in executed instructions: the paper's figure beside ours")
    .addArgument(new Argument('[lab...]', 'which').choices(LABS.map(({ name }) => name)))
    .addOption(new Option('--profile <name>', 'one machine only').choices(MODELS))
    .option('--short', 'fewer repetitions; the claims are the same')
    .option('--all', 'all labs')
    .option('--json', 'prints one JSON object per lab and line on stdout')
    .addHelpText(
      'after',
      `\nLabs:\n${LABS.map(({ name, what }) => `  ${name.padEnd(14)}${what}`).join('\n')}\n\nExamples:\n` +
        '  exok lab pct\n  exok lab stlb stride --profile dec5000\n  exok lab --all --short --json > labs.json',
    )
    .action(async (names: readonly string[], { profile, short = false, all = false, json = false }: Options) => {
      if (all && names.length > 0) throw new UsageError(`--all and ${names.join(', ')}: use one or the other`);
      if (!all && names.length === 0) command.help({ error: true });
      const { runLabs } = await import('../lab/lab.ts');
      const labs = all ? LABS : names.flatMap((name) => LABS.filter((lab) => lab.name === name));
      done(await runLabs(labs, { profile, short, json }));
    });
}
