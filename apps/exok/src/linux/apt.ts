/**
 * Sources through the host's own apt: no host is named here, and nothing is asked as root.
 *
 * The kernel's source is a package like any other. Sources of programs need lines that many hosts do not have (`deb-src`),
 * so they are fetched with a copy of the host's lists in which they stand.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../error.ts';
import { ask, step, type StepOptions } from './shell.ts';

/** A package that holds a kernel's source: its name, such as linux-source-6.1, and version. */
export interface SourcePackage {
  readonly name: string;
  readonly version: string;
}

/** The release that the numbers in the documents come from; taken where apt has it. */
const PREFERRED = 'linux-source-6.1';
const PATTERN = /^linux-source-6\.\d+(?:\.\d+)?$/;
const APT_FOLDER = '/etc/apt';

/** The package of kernel source that apt offers; `undefined` if there is no apt, or it offers none. */
export function findKernelSource(): SourcePackage | undefined {
  const found = ask('apt-cache', ['search', '--names-only', '^linux-source-6'])
    ?.split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => PATTERN.test(name))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const name = found?.includes(PREFERRED) === true ? PREFERRED : found?.[0];
  if (name === undefined) return undefined;
  const version = /Candidate: (\S+)/.exec(ask('apt-cache', ['policy', name]) ?? '')?.[1];
  return version === undefined || version === '(none)' ? undefined : { name, version };
}

/** Unpacks the package's kernel tree in `folder`; returns the tree's path. */
export async function fetchKernelSource(
  { name, version }: SourcePackage,
  folder: string,
  log: WriteStream,
): Promise<string> {
  let archive = `/usr/src/${name}.tar.xz`;
  const installed = ask('dpkg-query', ['--show', '--showformat', '${Version}', name]);
  if (installed !== version || !existsSync(archive)) {
    await fetch(`${name}=${version}`, ['download', `${name}=${version}`], { cwd: folder, log });
    const deb = readdirSync(folder).find((file) => file.endsWith('.deb')) ?? '';
    await step('dpkg-deb', ['--extract', deb, 'package'], { cwd: folder, log });
    archive = join(folder, 'package', archive);
  }
  await step('tar', ['--extract', '--file', archive], { cwd: folder, log });
  return join(folder, name);
}

/** Fetches and unpacks the upstream source of each Debian source package in `folder`. */
export async function fetchSources(names: readonly string[], folder: string, log: WriteStream): Promise<void> {
  const options = sourceLists(join(folder, 'apt'));
  // A list that a vendor does not have makes it fail, though the others are there.
  await step('apt-get', [...options, 'update'], { log }).catch(() => undefined);
  await fetch(names.join(', '), [...options, 'source', '--download-only', ...names], { cwd: folder, log });
  for (const name of names) {
    const archive = readdirSync(folder).find((file) => file.startsWith(`${name}_`) && /\.orig\.tar\.\w+$/.test(file));
    if (archive === undefined) throw new UsageError(`apt has no source of ${name}`);
    await step('tar', ['--extract', '--file', archive], { cwd: folder, log });
  }
}

/** Runs apt-get. Throws `UsageError` if it fails: it is the network's or the host's doing. */
async function fetch(what: string, args: readonly string[], options: StepOptions): Promise<void> {
  const lines: string[] = [];
  try {
    await step('apt-get', args, { ...options, error: (line) => lines.push(line) });
  } catch {
    throw new UsageError(`apt-get cannot fetch ${what}: ${lines.at(-1) ?? 'it does not say why'}`);
  }
}

/** Writes the host's lists of packages as lists of sources; returns apt's options for them. */
function sourceLists(folder: string): string[] {
  const parts = join(folder, 'parts');
  const lists = join(folder, 'lists');
  for (const path of [parts, join(lists, 'partial')]) mkdirSync(path, { recursive: true });
  const files = [
    'sources.list',
    ...namesIn(join(APT_FOLDER, 'sources.list.d')).map((name) => `sources.list.d/${name}`),
  ];
  for (const file of files) {
    const path = join(APT_FOLDER, file);
    if (!existsSync(path)) continue;
    const text = readFileSync(path, 'utf8')
      .replace(/^Types:.*$/gm, 'Types: deb-src')
      .replace(/^deb(?=\s)/gm, 'deb-src');
    writeFileSync(join(parts, file.replace('sources.list.d/', '')), text);
  }
  const settings = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': parts,
    'Dir::State::lists': lists,
    'APT::Sandbox::User': '',
    'Debug::NoLocking': '1',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['--option', `${name}=${value}`]);
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
