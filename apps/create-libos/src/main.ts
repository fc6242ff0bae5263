#!/usr/bin/env node
/** `npm create @exokernel/libos <folder>`: makes a project. Everything it says goes to stderr, but for the help. Exit code 2: it cannot be made. */
import { parseArgs } from 'node:util';
import { CreateError, create, ownVersion } from './create.ts';

const HELP = `Usage: npm create @exokernel/libos <folder> [-- --packages <folder>]

Makes a project for a library operating system: its source in AssemblyScript, a test, and a lab.

Options:
  --packages <folder>  takes the packages of @exokernel from tarballs in this folder, and not from the registry
  --version            prints the version
  --help               prints this

Exit codes: 0 done, 2 cannot be done as given; then nothing was made.
`;

process.exitCode = run(process.argv.slice(2));

function run(args: readonly string[]): number {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { packages: { type: 'string' }, help: { type: 'boolean' }, version: { type: 'boolean' } },
    });
    if (values.help === true || values.version === true) {
      process.stdout.write(values.help === true ? HELP : `${ownVersion()}\n`);
      return 0;
    }
    const [folder, ...more] = positionals;
    if (folder === undefined || more.length > 0) {
      throw new CreateError(`give one folder, such as my-libos; the command was: ${args.join(' ')}`);
    }
    const made = create(folder, values.packages);
    process.stderr.write(
      `${made.files} files in ${folder}\n\nNext:\n  cd ${folder}\n  npm install\n  npm test\n  npm start\n  npm run watch\n`,
    );
    return 0;
  } catch (error) {
    const isUse = error instanceof CreateError || (error instanceof TypeError && 'code' in error);
    if (!isUse) throw error;
    process.stderr.write(`create-libos: ${error.message.split('\n')[0] ?? ''}\n`);
    return 2;
  }
}
