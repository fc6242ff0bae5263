/** What `exok demo` does, from a progress line to the verdict. */
import { untilInterrupted } from '../arguments.ts';
import { EXIT } from '../error.ts';
import { createProgress } from '../progress.ts';
import { formatReport, type Report } from './report.ts';
import { runDemo, serveDemo } from './run.ts';

/** What is to be done. */
export interface DemoSettings {
  readonly serve: boolean;
  /** Without the gateway. */
  readonly offline: boolean;
  /** One object on stdout instead of text. */
  readonly json: boolean;
  /** Of the gateway; 0: any free one. */
  readonly port: number;
  /** File of a disk with a site. */
  readonly disk: string | undefined;
  /** Clock of the machine that serves. */
  readonly mhz: number;
  /** Where the wire of the machine that serves leads to. */
  readonly net: string | undefined;
}

/** Returns the exit code. Throws `UsageError`. */
export async function demo({ serve, offline, json, port, disk, mhz, net }: DemoSettings): Promise<number> {
  const progress = createProgress(process.stderr);
  const started = performance.now();
  const shared = { port, disk, progress: progress.say };
  try {
    const report = serve
      ? await serveDemo({
          ...shared,
          mhz,
          net,
          say: (text) => {
            progress.end();
            process.stderr.write(`exok: ${text}\n`);
          },
          stop: untilInterrupted(),
          ready: (url) => {
            progress.end();
            process.stderr.write(`serving ${url} (Ctrl-C to stop)\n`);
          },
        })
      : await runDemo({ offline, ...shared });
    progress.end();
    return print(report, json, (performance.now() - started) / 1000);
  } finally {
    progress.end();
  }
}

function print(report: Report, json: boolean, seconds: number): number {
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(formatReport(report));
  const failed = report.checks.filter(({ ok }) => !ok).length;
  const verdict = failed === 0 ? `all ${report.checks.length} checks passed` : `${failed} checks FAILED`;
  process.stderr.write(`${verdict}; ${seconds.toFixed(1)} s\n`);
  return failed === 0 ? EXIT.ok : EXIT.failed;
}
