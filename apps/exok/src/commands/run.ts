/** `exok run`: an ELF file on the bare machine; its console is the terminal. */
import type { Command } from 'commander';
import { addMachineOptions, machineSettings, type MachineOptionValues } from '../run-options.ts';

/** `rest` is what stands behind `--`: the program's arguments. */
export function addRun(program: Command, rest: readonly string[], done: (exitCode: number) => void): void {
  const run = program
    .command('run')
    .usage('[options] <elf> [-- <argument>...]')
    .description('a program for the bare DECstation 3100; its console is the terminal')
    .argument('<elf>', 'a static MIPS executable, linked to kseg0')
    .option('--initrd <file>', 'put behind the program in memory, and named to it (rd_start=, rd_size=)')
    .addHelpText(
      'after',
      '\nExamples:\n  exok run hello.elf\n  exok run vmlinux --memory 64 --disk root.img -- root=/dev/vda console=ttyS3\n' +
        '  exok run test.elf --profile dec5000 --seconds 10 --json',
    )
    .action(async (file: string, options: MachineOptionValues & { readonly initrd?: string }) => {
      const settings = machineSettings(options);
      const [{ readElf, readInput }, { runHere }] = await Promise.all([
        import('../run-machine.ts'),
        import('../run.ts'),
      ]);
      const initrd = options.initrd === undefined ? {} : { initrd: readInput(options.initrd) };
      done(await runHere({ name: file, elf: readElf(file), args: rest, ...initrd }, settings));
    });
  addMachineOptions(run);
}
