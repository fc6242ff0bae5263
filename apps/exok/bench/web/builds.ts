/**
 * An earlier build of this repository, in a folder of its own: a worktree of git, with the packages of that commit linked to each other and
 * to what is installed here.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const HERE: string = join(import.meta.dirname, '../../../..');

export interface Build {
  /** Root of its tree. */
  readonly root: string;
  readonly remove: () => void;
}

/** The build of a commit; `undefined` if this checkout does not have it. */
export function buildOf(commit: string): Build | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'exok-bench-'));
  const root = join(folder, 'tree');
  const git = (...args: string[]): boolean => spawnSync('git', ['-C', HERE, ...args], { stdio: 'ignore' }).status === 0;
  const remove = (): void => {
    git('worktree', 'remove', '--force', root);
    rmSync(folder, { recursive: true, force: true });
  };
  if (!git('worktree', 'add', '--detach', root, commit)) {
    remove();
    return undefined;
  }
  link(root);
  return { root, remove };
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Gives each package what it depends on. */
function link(root: string): void {
  const folders = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(group, name)),
  );
  const manifests = folders
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest;
      return { folder, manifest };
    });
  const places = new Map(manifests.map(({ folder, manifest }) => [manifest.name, join(root, folder)]));
  for (const { folder, manifest } of manifests) {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const here = join(HERE, folder, 'node_modules', name);
      const target = places.get(name) ?? (existsSync(here) ? realpathSync(here) : undefined);
      if (target === undefined) continue;
      const at = join(root, folder, 'node_modules', name);
      mkdirSync(dirname(at), { recursive: true });
      symlinkSync(target, at, 'junction');
    }
  }
}
