/** `exok site`: formats a folder as a site for Cheetah's disk. */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { CheetahError, formatSite, type SiteFile } from '@exokernel/cheetah';
import type { Command } from 'commander';
import { UsageError } from './error.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

export function addSite(program: Command): void {
  program
    .command('site')
    .description('formats a folder as a disk for Cheetah')
    .argument('<folder>', 'what is to be served')
    .argument('<file>', 'the disk, which is written anew')
    .addHelpText('after', '\nExamples:\n  exok site public site.img && exok demo --serve --disk site.img')
    .action((folder: string, file: string) => {
      process.stderr.write(`${makeSite(folder, file)} files in ${file}\n`);
    });
}

/** Writes the image. Returns how many files it holds. Throws `UsageError`. */
function makeSite(folder: string, image: string): number {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) throw new UsageError(`no folder ${folder}`);
  const files: SiteFile[] = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const path = `/${relative(folder, file).split(sep).join('/')}`;
      return { path, type: TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream', body: readFileSync(file) };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  try {
    writeFileSync(image, formatSite(files));
  } catch (error) {
    if (error instanceof CheetahError) throw new UsageError(error.message);
    throw new UsageError(`cannot write ${image}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return files.length;
}
