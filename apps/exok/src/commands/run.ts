/** `exok run`: an ELF file on the bare machine or on the kernel, or a library operating system's source; its console is the terminal. */
import type { Command } from 'commander';
import { address, integer } from '../arguments.ts';
import { UsageError } from '../error.ts';
import { addMachineOptions, machineSettings, type MachineOptionValues } from '../run-options.ts';

interface RunValues extends MachineOptionValues {
  readonly initrd?: string;
  readonly ip?: string;
  readonly copies?: number;
  readonly watch?: boolean;
}

/** `rest` is what stands behind `--`: the program's arguments. */
export function addRun(program: Command, rest: readonly string[], done: (exitCode: number) => void): void {
  const run = program
    .command('run')
    .usage('[options] <file> [-- <argument>...]')
    .description('a program, on the bare DECstation 3100 or on a library operating system; its console is the terminal')
    .argument(
      '<file>',
      'a static MIPS executable linked to kseg0, what exok build has made, or the source of a library operating system (.ts)',
    )
    .option('--initrd <file>', 'put behind the program in memory, and named to it (rd_start=, rd_size=)')
    .option(
      '--ip <address>',
      'who a program that needs udp is, in a network of 24 bits; --net says where that is',
      address,
    )
    .option('--copies <n>', 'of a source: 1 to 8 environments run it on one machine (default: 1)', integer(1, 8))
    .option(
      '--watch',
      'of a source: compiles and runs it again when it or a file that it imports changes; Ctrl-C ends it',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  exok run hello.elf\n  exok run libos.ts --watch\n  exok run vmlinux --memory 64 --disk root.img -- root=/dev/vda console=ttyS3\n' +
        '  exok run test.elf --profile dec5000 --seconds 10 --json\n  exok build hello.ts --libos exos && exok run hello.elf\n' +
        '\nOf a program for a library operating system, its end is told: 0 if it exited, whatever with, 1 if it was ended.',
    )
    .action(async (file: string, options: RunValues) => {
      const settings = machineSettings(options);
      const choices = { args: rest, initrd: options.initrd, ip: options.ip };
      const watch = options.watch === true;
      if (file.endsWith('.ts')) {
        const { runSource } = await import('../run-source.ts');
        done(await runSource(file, { ...choices, copies: options.copies }, settings, watch));
        return;
      }
      if (watch || options.copies !== undefined) {
        throw new UsageError(`${file} is no source (.ts): --watch and --copies are for one`);
      }
      const { runFile } = await import('../run.ts');
      done(await runFile(file, choices, settings));
    });
  addMachineOptions(run);
}
