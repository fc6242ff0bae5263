/** `exok site`: formats a folder as a site for Cheetah's disk. */
import type { Command } from 'commander';

export function addSite(program: Command): void {
  program
    .command('site')
    .description('formats a folder as a disk for Cheetah')
    .argument('<folder>', 'what is to be served')
    .argument('<file>', 'the disk, which is written anew')
    .option('--dot-files', 'with files and folders that begin with a dot')
    .addHelpText('after', '\nExamples:\n  exok site public site.img && exok demo --serve --disk site.img')
    .action(async (folder: string, file: string, { dotFiles = false }: { readonly dotFiles?: boolean }) => {
      const { makeSite } = await import('../site.ts');
      const say = (text: string): void => void process.stderr.write(`exok: ${text}\n`);
      process.stderr.write(`${makeSite(folder, file, { dotFiles, say })} files in ${file}\n`);
    });
}
