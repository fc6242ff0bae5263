/** `exok build`: AssemblyScript or WebAssembly to a program that `exok run` runs. */
import { Option, type Command } from 'commander';
import type { BuildOptions } from '../build.ts';

const LIBOSES = ['batch', 'exos'];
const RUNTIMES = ['stub', 'minimal', 'incremental'];

export function addBuild(program: Command, done: (exitCode: number) => void): void {
  program
    .command('build')
    .description('compiles AssemblyScript or WebAssembly to a program for a library operating system')
    .argument('<file>', 'the source that exports main (.ts), or a module (.wasm)')
    .option('--out <file>', "the executable, which is written anew (default: the file's name with .elf)")
    .option('--entry <name>', 'the exported function that gives the exit code', 'main')
    .addOption(new Option('--libos <name>', 'what it is to run on').choices(LIBOSES).default('batch'))
    .addOption(
      new Option('--runtime <name>', 'of AssemblyScript: stub never frees memory, incremental collects garbage')
        .choices(RUNTIMES)
        .default('stub'),
    )
    .option('--listing', 'prints the machine code beside the lines of the sources')
    .addHelpText(
      'after',
      '\nExamples:\n  exok build hello.ts --libos exos && exok run hello.elf\n  exok build md5.wasm --entry run --listing\n' +
        '\nExit codes: 1 the sources have errors, which stderr tells with file, line and column; others as always.',
    )
    .action(async (file: string, options: BuildOptions) => {
      const { build } = await import('../build.ts');
      const print = (text: string): void => void process.stdout.write(text);
      const say = (text: string): void => void process.stderr.write(text);
      done(await build(file, options, { print, say }));
    });
}
