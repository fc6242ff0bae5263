/**
 * `exok linux`: Linux on the machine. Builds what it needs once, into the cache; then the console is the terminal.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { EXIT, UsageError } from '../error.ts';
import { createProgress, type Progress } from '../progress.ts';
import { readElf } from '../run-machine.ts';
import { addMachineOptions, machineSettings, type MachineOptionValues } from '../run-options.ts';
import { runHere } from '../run.ts';
import { benchLinux, type Bench } from './bench.ts';
import { linuxProgram } from './boot.ts';
import { kernelImage } from './kernel.ts';
import { PATCHED_FILES } from './patch.ts';
import { PAPER_MACHINES } from './published.ts';
import { formatFigures } from './report.ts';
import { e2fsckProgram, initProgram, initramfs } from './userland.ts';

const ALL_PROFILES = [...PAPER_MACHINES, 'ideal'] as const;
const ACTIONS: readonly (string | undefined)[] = [undefined, 'build', 'bench'];

interface Options extends MachineOptionValues {
  readonly rebuild?: boolean;
  readonly unpatched?: boolean;
  readonly kernel?: string;
  readonly append?: string;
  readonly ip?: string;
  readonly withE2fsck?: boolean;
}

/** `rest` is what stands behind `--`: a command of /init. */
export function addLinux(program: Command, rest: readonly string[], done: (exitCode: number) => void): void {
  const linux = program
    .command('linux')
    .usage('[options] [build | bench] [-- <command>...]')
    .description('Linux on the machine; built once, into the cache')
    .argument('[action]', 'build: kernel and programs, and no more; bench: Linux beside what was published for Ultrix')
    .option('--rebuild', 'builds the kernel though it is in the cache')
    .option(
      '--unpatched',
      "builds Debian's source as it is: hard-float programs crash, and what is printed last is lost at power-off",
    )
    .option('--kernel <file>', 'a kernel built elsewhere')
    .option('--append <text>', 'more arguments of the kernel')
    .option('--ip <address>', 'its address on the wire', address)
    .option('--with-e2fsck', 'builds e2fsck too, and takes it along (for -- check and -- disk check)')
    .addHelpText(
      'after',
      '\n`-- help` says which commands there are, `-- sh` reads them. bench takes all profiles unless one is named.\n' +
        '\nExamples:\n  exok linux -- sh\n  exok linux --date now --disk root.img -- help\n  exok linux bench --profile dec3100 --json',
    )
    .action(async (action: string | undefined, options: Options) => {
      const profile = linux.getOptionValueSource('profile') === 'cli' ? (options.profile ?? 'all') : 'all';
      done(await linuxCommand(action, { ...options, rest, benched: profile }));
    });
  addMachineOptions(linux, ['all', ...ALL_PROFILES]);
}

async function linuxCommand(
  action: string | undefined,
  { rest, benched, ...given }: Options & { readonly rest: readonly string[]; readonly benched: string },
): Promise<number> {
  if (!ACTIONS.includes(action)) {
    throw new UsageError(`exok linux ${action ?? ''}: the command of /init comes after --`);
  }
  if (action !== 'bench' && given.profile === 'all') throw new UsageError('--profile all is for exok linux bench');
  const { profile, ...others } = given;
  const settings = machineSettings(profile === undefined || profile === 'all' ? others : given);
  if (given.kernel !== undefined) readElf(given.kernel);
  const progress = createProgress(process.stderr);
  const { rebuild = false, unpatched = false } = given;
  const options = { rebuild, unpatched, progress: progress.say };
  try {
    const kernel = given.kernel ?? (await kernelImage(options));
    const init = await initProgram();
    if (action === 'bench') {
      const chosen = benched === 'all' ? ALL_PROFILES : [settings.profile];
      return bench({ kernel, init, settings }, chosen, progress.say);
    }
    const e2fsck = given.withE2fsck ? await e2fsckProgram(options) : undefined;
    progress.end();
    if (action === 'build') {
      process.stdout.write(`${kernel}\n`);
      return EXIT.ok;
    }
    if (given.kernel === undefined && !unpatched) {
      process.stderr.write(`exok: Linux with changes in ${PATCHED_FILES} (--unpatched: without)\n`);
    }
    const { append, ip } = given;
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

function address(text: string): string {
  const parts = text.split('.');
  if (parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return text;
  throw new InvalidArgumentError('Use an address such as 10.0.0.1.');
}
