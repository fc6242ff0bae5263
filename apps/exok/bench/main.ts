/**
 * `npm run bench [-- cpu | machine | natives | web] [--json]`: how fast the machine runs on this host, beside its peers. Medians of several
 * rounds in which all take their turn; progress on stderr, results on stdout.
 */
import { cpu } from './cpu/cpu.ts';
import { format, host, type Report } from './report.ts';
import { machine } from './machine/machine.ts';
import { natives } from './natives.ts';
import { web } from './web/web.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<Report>>> = { cpu, machine, natives, web };

const args = process.argv.slice(2);
const wanted = args.filter((arg) => arg !== '--json');
const unknown = wanted.find((arg) => !Object.hasOwn(BENCHMARKS, arg));
if (unknown !== undefined) {
  process.stderr.write(`bench: unknown benchmark ${unknown}: use ${Object.keys(BENCHMARKS).join(' or ')}\n`);
  process.exitCode = 2;
} else {
  const reports: Report[] = [];
  for (const [name, run] of Object.entries(BENCHMARKS)) {
    if (wanted.length === 0 || wanted.includes(name)) reports.push(await run());
  }
  const report = { rows: reports.flatMap(({ rows }) => rows), bars: reports.flatMap(({ bars }) => bars) };
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify({ host: host(), ...report })}\n`);
  else process.stdout.write(`${host()}\n${format(report)}`);
}
