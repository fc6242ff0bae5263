/** `exok demo`: everything at once, checked; or kept up for a browser. */
import type { Command } from 'commander';
import { integer } from '../arguments.ts';
import { UsageError } from '../error.ts';

/** What most hosts can follow while the server is busy; a faster clock only makes more of the time pass idle. */
const SERVING_MHZ = 400;

interface Options {
  readonly serve?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
  readonly port?: number;
  readonly disk?: string;
  readonly mhz?: number;
  readonly net?: string;
}

export function addDemo(program: Command, done: (exitCode: number) => void): void {
  program
    .command('demo')
    .description('boots one machine, runs everything at once, and checks what came of it')
    .option('--serve', 'stays up and prints the URL for a browser')
    .option('--port <n>', 'port of the gateway on 127.0.0.1 (default: any free one)', integer(0, 65535))
    .option('--disk <file>', 'a disk with a site, made by exok site')
    .option('--mhz <n>', `with --serve: clock of the machine, 1 to 4000 (default: ${SERVING_MHZ})`, integer(1, 4000))
    .option('--net <link>', 'with --serve: an Ethernet that leads out, as of exok run; the server is 10.0.0.2 on it')
    .option('--offline', 'without the gateway: two runs count the same')
    .option('--json', 'prints one JSON object on stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  exok demo\n  exok demo --serve --port 8080\n  exok demo --serve --net stream:unix:passt.socket\n  exok demo --offline --json',
    )
    .action(async (options: Options) => {
      check(options);
      const { demo } = await import('../demo/demo.ts');
      const { serve = false, offline = false, json = false, port = 0, disk, mhz = SERVING_MHZ, net } = options;
      done(await demo({ serve, offline, json, port, disk, mhz, net }));
    });
}

/** Options that are of no use together. */
function check({ serve = false, offline = false, port, mhz, net }: Options): void {
  if (serve && offline) throw new UsageError('--serve needs the gateway that --offline leaves out: use one of them');
  if (offline && port !== undefined) throw new UsageError('--port is of no use with --offline');
  if (!serve && mhz !== undefined) throw new UsageError('--mhz is of no use without --serve');
  if (!serve && net !== undefined) throw new UsageError('--net is of no use without --serve');
}
