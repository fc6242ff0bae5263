/** `exok run`: an ELF file on the bare machine, or on the kernel; its console is the terminal. */
import type { Command } from 'commander';
import { address } from '../arguments.ts';
import { addMachineOptions, machineSettings, type MachineOptionValues } from '../run-options.ts';

/** `rest` is what stands behind `--`: the program's arguments. */
export function addRun(program: Command, rest: readonly string[], done: (exitCode: number) => void): void {
  const run = program
    .command('run')
    .usage('[options] <elf> [-- <argument>...]')
    .description('a program, on the bare DECstation 3100 or on a library operating system; its console is the terminal')
    .argument('<elf>', 'a static MIPS executable linked to kseg0, or what exok build has made')
    .option('--initrd <file>', 'put behind the program in memory, and named to it (rd_start=, rd_size=)')
    .option(
      '--ip <address>',
      'who a program that needs udp is, in a network of 24 bits; --net says where that is',
      address,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  exok run hello.elf\n  exok run vmlinux --memory 64 --disk root.img -- root=/dev/vda console=ttyS3\n' +
        '  exok run test.elf --profile dec5000 --seconds 10 --json\n  exok build hello.ts --libos exos && exok run hello.elf\n' +
        '\nOf a program for a library operating system, its end is told: 0 if it exited, whatever with, 1 if it was ended.',
    )
    .action(async (file: string, options: MachineOptionValues & { readonly initrd?: string; readonly ip?: string }) => {
      const settings = machineSettings(options);
      const { runFile } = await import('../run.ts');
      done(await runFile(file, { args: rest, initrd: options.initrd, ip: options.ip }, settings));
    });
  addMachineOptions(run);
}
