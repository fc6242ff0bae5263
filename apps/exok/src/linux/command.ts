/**
 * `exok linux`: Linux on the machine. Builds what it needs once, into the cache; then the console is the terminal.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { parse, split } from '../arguments.ts';
import { EXIT, UsageError } from '../error.ts';
import { createProgress, type Progress } from '../progress.ts';
import { readElf } from '../run-machine.ts';
import { MACHINE_OPTIONS, machineSettings } from '../run-options.ts';
import { runHere } from '../run.ts';
import { benchLinux, type Bench } from './bench.ts';
import { linuxProgram } from './boot.ts';
import { kernelImage } from './kernel.ts';
import { PAPER_MACHINES } from './published.ts';
import { formatFigures } from './report.ts';
import { e2fsckProgram, initProgram, initramfs } from './userland.ts';

export const LINUX_HELP: string = `  exok linux [-- <command> ...]   Linux on the machine; \`-- help\` says which commands there are, \`-- sh\` reads them
    --rebuild            builds the kernel though it is in the cache
    --kernel <file>      a kernel built elsewhere
    --append <text>      more arguments of the kernel
    --ip <address>       its address on the wire
    --with-e2fsck        builds e2fsck too, and takes it along (for \`-- check\` and \`-- disk check\`)
    and --memory to --json as of exok run
  exok linux build       builds kernel and programs, and no more
  exok linux bench       Linux as the monolithic reference, beside what was published for Ultrix; all profiles
    --profile <name>     only this one, or all (the default)
    --json               one JSON object on stdout
`;

const ALL_PROFILES = [...PAPER_MACHINES, 'ideal'] as const;
const OPTIONS = {
  ...MACHINE_OPTIONS,
  rebuild: { type: 'boolean', default: false },
  kernel: { type: 'string' },
  append: { type: 'string' },
  ip: { type: 'string' },
  'with-e2fsck': { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

const ACTIONS: readonly (string | undefined)[] = [undefined, 'build', 'bench'];

/** Carries out `exok linux`. Returns the exit code. Throws `UsageError`. */
export async function linuxCommand(args: readonly string[]): Promise<number> {
  const { own, rest } = split(args);
  const { values, positionals, tokens } = parse(() =>
    parseArgs({ args: own, options: OPTIONS, allowPositionals: true, tokens: true }),
  );
  const [action, ...more] = positionals;
  if (!ACTIONS.includes(action) || more.length > 0) {
    throw new UsageError(`exok linux ${positionals.join(' ')}: the command of /init comes after --`);
  }
  const settings = machineSettings(values);
  checkAddress(values.ip);
  if (values.kernel !== undefined) readElf(values.kernel);
  const progress = createProgress(process.stderr);
  const options = { rebuild: values.rebuild, progress: progress.say };
  try {
    const kernel = values.kernel ?? (await kernelImage(options));
    const init = await initProgram();
    if (action === 'bench') {
      const isChosen = tokens.some(
        (token) => token.kind === 'option' && token.name === 'profile' && token.value !== 'all',
      );
      return bench({ kernel, init, settings }, isChosen ? [settings.profile] : ALL_PROFILES, progress.say);
    }
    const e2fsck = values['with-e2fsck'] ? await e2fsckProgram(options) : undefined;
    progress.end();
    if (action === 'build') {
      process.stdout.write(`${kernel}\n`);
      return EXIT.ok;
    }
    const { append, ip } = values;
    const boot = {
      kernel,
      initramfs: initramfs(init, e2fsck),
      command: rest,
      ...(append === undefined ? {} : { append: [append] }),
      ...(ip === undefined ? {} : { address: ip }),
    };
    return await runHere(linuxProgram(boot, settings), settings);
  } finally {
    progress.end();
  }
}

function bench(bench: Bench, profiles: readonly Bench['settings']['profile'][], progress: Progress): number {
  const figures = profiles.flatMap((profile) => {
    progress(`Linux under ${profile}`);
    return benchLinux({ ...bench, settings: { ...bench.settings, profile } });
  });
  process.stdout.write(bench.settings.json ? `${JSON.stringify({ figures })}\n` : formatFigures(figures));
  return EXIT.ok;
}

function checkAddress(text: string | undefined): void {
  const parts = text?.split('.') ?? [];
  if (text === undefined || (parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)))
    return;
  throw new UsageError(`--ip ${text}: use an address such as 10.0.0.1`);
}
