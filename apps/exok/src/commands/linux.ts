/** `exok linux`: Linux on the machine. */
import type { Command } from 'commander';
import { address } from '../arguments.ts';
import type { LinuxOptions } from '../linux/linux.ts';
import { ALL_PROFILES } from '../linux/published.ts';
import { addMachineOptions } from '../run-options.ts';

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
    .action(async (action: string | undefined, options: LinuxOptions) => {
      const profile = linux.getOptionValueSource('profile') === 'cli' ? (options.profile ?? 'all') : 'all';
      const { linuxCommand } = await import('../linux/linux.ts');
      done(await linuxCommand(action, { ...options, rest, benched: profile }));
    });
  addMachineOptions(linux, ['all', ...ALL_PROFILES]);
}
