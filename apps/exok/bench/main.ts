/**
 * `npm run bench [-- captures | compiler | cpu | machine | natives | network | web] [--json]`: how fast the machine runs on this host, beside its peers. Medians of several
 * rounds in which all take their turn; progress on stderr, results on stdout.
 */
import { Argument, Command, CommanderError } from 'commander';
import { captures } from './captures.ts';
import { compiler } from './compiler/compiler.ts';
import { cpu } from './cpu/cpu.ts';
import { format, host, type Report } from './report.ts';
import { machine } from './machine/machine.ts';
import { natives } from './natives.ts';
import { network } from './network/network.ts';
import { web } from './web/web.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<Report>>> = {
  captures,
  compiler,
  cpu,
  machine,
  natives,
  network,
  web,
};

const program = new Command('bench')
  .usage('[options] [benchmark]...')
  .description('how fast the machine runs on this host, beside its peers; medians of several rounds')
  .addArgument(new Argument('[benchmark...]', 'which; without one, all').choices(Object.keys(BENCHMARKS)))
  .option('--json', 'prints { host, rows, bars } as one JSON object on stdout')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench\n  npm run bench -- web\n  npm run -s bench -- cpu --json > cpu.json\n' +
      '\nExit codes: 0 measured, also where a bar does not hold; 2 cannot be carried out as given.',
  )
  .exitOverride()
  .configureOutput({ outputError: () => undefined })
  .action(async (names: readonly string[], { json = false }: { readonly json?: boolean }) => {
    const reports: Report[] = [];
    for (const [name, run] of Object.entries(BENCHMARKS)) {
      if (names.length === 0 || names.includes(name)) reports.push(await run());
    }
    const report = { rows: reports.flatMap(({ rows }) => rows), bars: reports.flatMap(({ bars }) => bars) };
    if (json) process.stdout.write(`${JSON.stringify({ host: host(), ...report })}\n`);
    else process.stdout.write(`${host()}\n${format(report)}`);
  });
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
  if (error.exitCode !== 0) {
    process.stderr.write(`bench: ${error.message.replace(/^error: /, '').replaceAll('\n', ' ')}\n`);
  }
}
