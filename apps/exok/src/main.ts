#!/usr/bin/env node
/**
 * `exok`: the command line. Data goes to stdout, progress and errors to stderr; exit code 0: all is well, 1: a check failed,
 * 2: the command cannot be carried out as given.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { integer, parse, untilInterrupted } from './arguments.ts';
import { DISASSEMBLE_HELP, disassembleCommand } from './disassemble.ts';
import { EXIT, UsageError } from './error.ts';
import { runDemo, serveDemo } from './demo/run.ts';
import { formatReport, type Report } from './demo/report.ts';
import { LINUX_HELP, linuxCommand } from './linux/command.ts';
import { createProgress } from './progress.ts';
import { RUN_HELP, runCommand } from './run.ts';
import { makeSite } from './site.ts';

const HELP = `usage: exok <command> [options]

  exok demo              boots one machine and runs everything at once
    --serve              stays up and prints the URL for a browser
    --port <n>           port of the gateway on 127.0.0.1 (default: any free one)
    --disk <file>        a disk with a site, made by exok site
    --mhz <n>            with --serve: clock of the machine, 1 to 4000 (default 200)
    --net <link>         with --serve: an Ethernet that leads out (see run); the server is 10.0.0.2 on it
    --offline            without the gateway: two runs count the same
    --json               prints one JSON object on stdout
${DISASSEMBLE_HELP}  exok site <folder> <file>            formats a folder as a disk for Cheetah
    --dot-files          with files and folders that begin with a dot
${RUN_HELP}${LINUX_HELP}`;

const DEMO_OPTIONS = {
  serve: { type: 'boolean', default: false },
  offline: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  port: { type: 'string' },
  disk: { type: 'string' },
  mhz: { type: 'string' },
  net: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case 'demo':
      return demo(rest);
    case 'kernel':
    case 'kit':
    case 'filter':
    case 'handler':
      process.stdout.write(disassembleCommand(command, rest));
      return EXIT.ok;
    case 'site':
      return site(rest);
    case 'run':
      return runCommand(rest);
    case 'linux':
      return linuxCommand(rest);
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(HELP);
      return command === undefined ? EXIT.usage : EXIT.ok;
    default:
      throw new UsageError(`unknown command ${command}: see exok --help`);
  }
}

async function demo(args: readonly string[]): Promise<number> {
  const { values } = parse(() => parseArgs({ args: [...args], options: DEMO_OPTIONS, allowPositionals: false }));
  const { serve, offline, json, disk } = values;
  if (serve && offline) throw new UsageError('--serve needs the gateway that --offline leaves out: use one of them');
  if (offline && values.port !== undefined) throw new UsageError('--port is of no use with --offline');
  for (const option of ['mhz', 'net'] as const) {
    if (!serve && values[option] !== undefined) throw new UsageError(`--${option} is of no use without --serve`);
  }
  const port = portOf(values.port);
  const progress = createProgress(process.stderr);
  const started = performance.now();
  const report = serve
    ? await serveDemo({
        port,
        disk,
        mhz: integer('mhz', values.mhz ?? '200', 1, 4000),
        net: values.net,
        say: (text) => process.stderr.write(`exok: ${text}\n`),
        progress: progress.say,
        stop: untilInterrupted(),
        ready: (url) => {
          progress.end();
          process.stderr.write(`serving ${url} (Ctrl-C to stop)\n`);
        },
      })
    : await runDemo({ offline, port, disk, progress: progress.say });
  progress.end();
  return print(report, json, (performance.now() - started) / 1000);
}

function print(report: Report, json: boolean, seconds: number): number {
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(formatReport(report));
  const failed = report.checks.filter(({ ok }) => !ok).length;
  const verdict = failed === 0 ? `all ${report.checks.length} checks passed` : `${failed} checks FAILED`;
  process.stderr.write(`${verdict}; ${seconds.toFixed(1)} s\n`);
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

function site(args: readonly string[]): number {
  const options = { 'dot-files': { type: 'boolean', default: false } } as const;
  const { positionals, values } = parse(() => parseArgs({ args: [...args], options, allowPositionals: true }));
  const [folder, file, ...more] = positionals;
  if (folder === undefined || file === undefined || more.length > 0) {
    throw new UsageError('usage: exok site <folder> <file> [--dot-files]');
  }
  const say = (text: string): void => void process.stderr.write(`exok: ${text}\n`);
  process.stderr.write(`${makeSite(folder, file, { dotFiles: values['dot-files'], say })} files in ${file}\n`);
  return EXIT.ok;
}

function portOf(text: string | undefined): number {
  const port = text === undefined ? 0 : Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535 || text === '') {
    throw new UsageError(`--port ${text ?? ''}: use 0 to 65535`);
  }
  return port;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`exok: ${error.message}\n`);
  process.exitCode = EXIT.usage;
}
