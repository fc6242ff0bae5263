/**
 * A project from the template. The versions that it depends on are those that this package was made with: they stand in its own manifest, as
 * development dependencies.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const HOME = join(import.meta.dirname, '..');
const TEMPLATE = join(HOME, 'template');
/** What stands for the project's name in the template. */
const NAME = 'my-libos';
const SCOPE = '@exokernel/';
/** npm leaves out files of this name when it packs, so that the template has it without the dot. */
const IGNORE = 'gitignore';

/** Why a project cannot be made, in one line. */
export class CreateError extends Error {
  override readonly name: string = 'CreateError';
}

interface Manifest {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8')) as Manifest;
}

/** The version of this package. */
export function ownVersion(): string {
  return manifest().version;
}

/**
 * Makes a project in a folder, which must not exist or be empty. `packages` is a folder of tarballs from which the packages of this project are
 * taken. Returns how many files it has. Throws `CreateError`, with nothing made.
 */
export function create(folder: string, packages?: string): { readonly files: number } {
  const target = resolve(folder);
  const name = basename(target);
  checkName(name);
  checkTarget(folder, target);
  const dependencies = packages === undefined ? published() : tarballs(resolve(packages));
  const files = new Map(templateFiles().map((file) => [file, readFileSync(join(TEMPLATE, file), 'utf8')]));
  const own = JSON.parse(files.get('package.json') ?? '{}') as object;
  files.set('package.json', `${JSON.stringify({ ...own, ...dependencies }, undefined, 2)}\n`);
  const made = existsSync(target) ? undefined : firstMissing(target);
  const written: string[] = [];
  try {
    for (const [file, text] of files) {
      const path = join(target, file === IGNORE ? '.gitignore' : file);
      mkdirSync(dirname(path), { recursive: true });
      written.push(path);
      writeFileSync(path, text.replaceAll(NAME, name), { flag: 'wx' });
    }
  } catch (error) {
    undo(made === undefined ? written.slice(0, -1) : [made]);
    throw new CreateError(`cannot make ${folder}: ${reason(error)}`, { cause: error });
  }
  return { files: files.size };
}

/** What npm takes as a package's name, and what is no option. */
function checkName(name: string): void {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(name) && name.length <= 214 && name !== 'node_modules') return;
  throw new CreateError(
    `${JSON.stringify(name)} is no name for a package: use lower-case letters, digits, - . and _, beginning with a letter or digit`,
  );
}

function checkTarget(folder: string, target: string): void {
  let entries: string[];
  try {
    entries = readdirSync(target);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw new CreateError(`cannot use ${folder}: ${reason(error)}`, { cause: error });
  }
  if (entries.length > 0) throw new CreateError(`${folder} exists and is not empty`);
}

function templateFiles(): string[] {
  return readdirSync(TEMPLATE, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(TEMPLATE, file)).isFile(),
  );
}

/** The outermost folder that has to be made. */
function firstMissing(target: string): string {
  const parent = dirname(target);
  return existsSync(parent) ? target : firstMissing(parent);
}

/** Removes what was made, and nothing that has come meanwhile from elsewhere. */
function undo(paths: readonly string[]): void {
  try {
    for (const path of paths) rmSync(path, { recursive: true, force: true });
  } catch {
    // What could not be made cannot be removed either.
  }
}

interface Dependencies extends Wanted {
  /** For what packages of this project depend on, too. */
  readonly overrides?: Readonly<Record<string, string>>;
}

interface Wanted {
  readonly dependencies: Readonly<Record<string, string>>;
  /** Types, for an editor, and what checks them. */
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** From the registry. */
function published(): Dependencies {
  const { devDependencies } = manifest();
  if (Object.values(devDependencies).some((version) => version.startsWith('workspace:'))) {
    throw new CreateError(
      'the packages have no versions in a checkout: npm run tarballs, then use --packages dist/npm',
    );
  }
  return wanted(Object.entries(devDependencies));
}

function wanted(versions: readonly [name: string, version: string][]): Wanted {
  const isType = ([name]: readonly [string, string]): boolean => name.startsWith('@types/') || name === 'typescript';
  return {
    dependencies: Object.fromEntries(versions.filter((one) => !isType(one))),
    devDependencies: Object.fromEntries(versions.filter(isType)),
  };
}

/** From tarballs, as `npm pack` names them: `exokernel-libos-kit-1.0.0.tgz`. */
function tarballs(folder: string): Dependencies {
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch (error) {
    throw new CreateError(`cannot read the packages in ${folder}: ${reason(error)}`, { cause: error });
  }
  const found = new Map<string, string>();
  for (const file of files) {
    const [, part] = /^exokernel-([a-z-]+)-\d.*\.tgz$/.exec(file) ?? [];
    if (part === undefined) continue;
    if (found.has(SCOPE + part)) throw new CreateError(`${folder} has more than one tarball of ${SCOPE}${part}`);
    found.set(SCOPE + part, `file:${join(folder, file)}`);
  }
  const versions = Object.entries(manifest().devDependencies).map(([name, version]): [string, string] => {
    if (!name.startsWith(SCOPE)) return [name, version];
    const tarball = found.get(name);
    if (tarball === undefined) throw new CreateError(`${folder} has no tarball of ${name}: npm run tarballs makes all`);
    return [name, tarball];
  });
  return { ...wanted(versions), overrides: Object.fromEntries(found) };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
