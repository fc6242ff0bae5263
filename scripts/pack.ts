/**
 * Packs the public packages as npm users get them: `npm run tarballs` builds them and puts the tarballs into dist/npm, for projects
 * outside of this checkout. Progress on stderr, the folder on stdout.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

export interface PublicPackage {
  readonly folder: string;
  readonly name: string;
  readonly private?: boolean;
  /** A package of a command has no entry point for programs. */
  readonly bin?: Readonly<Record<string, string>>;
}

/** What is published. */
export function publicPackages(): readonly PublicPackage[] {
  return ['packages', 'apps']
    .flatMap((parent) => readdirSync(join(ROOT, parent)).map((name) => join(ROOT, parent, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder): PublicPackage => ({
      ...(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Omit<PublicPackage, 'folder'>),
      folder,
    }))
    .filter((manifest) => manifest.private !== true);
}

/** Packs one into a folder, which must exist. Returns the tarball's path. */
export function pack({ folder, name }: PublicPackage, target: string): string {
  process.stderr.write(`${name}\n`);
  const args = ['-y', 'pnpm@12.20.0', 'pack', '--json', '--pack-destination', target];
  const { filename } = JSON.parse(execFileSync('npx', args, { cwd: folder, encoding: 'utf8' })) as { filename: string };
  return filename;
}

if (import.meta.main) {
  const target = join(ROOT, 'dist', 'npm');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const one of publicPackages()) pack(one, target);
  process.stdout.write(`${target}\n`);
}
