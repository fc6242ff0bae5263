/** What `exok linux` does: builds what it needs once, into the cache; then the console is the terminal. */
import { EXIT, UsageError } from '../error.ts';
import { createProgress, type Progress } from '../progress.ts';
import { readElf } from '../run-machine.ts';
import { machineSettings, type MachineOptionValues } from '../run-options.ts';
import { runHere } from '../run.ts';
import { benchLinux, type Bench } from './bench.ts';
import { linuxProgram } from './boot.ts';
import { kernelImage } from './kernel.ts';
import { PATCHED_FILES } from './patch.ts';
import { ALL_PROFILES } from './published.ts';
import { formatFigures } from './report.ts';
import { e2fsckProgram, initProgram, initramfs } from './userland.ts';

const ACTIONS: readonly (string | undefined)[] = [undefined, 'build', 'bench'];

/** What commander makes of the options. */
export interface LinuxOptions extends MachineOptionValues {
  readonly rebuild?: boolean;
  readonly unpatched?: boolean;
  readonly kernel?: string;
  readonly append?: string;
  readonly ip?: string;
  readonly withE2fsck?: boolean;
}

/** `rest` is a command of /init, `benched` the profiles that bench takes. Returns the exit code. Throws `UsageError`. */
export async function linuxCommand(
  action: string | undefined,
  { rest, benched, ...given }: LinuxOptions & { readonly rest: readonly string[]; readonly benched: string },
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
