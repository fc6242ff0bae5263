/** Formats a folder as a site for Cheetah's disk. */
import { readFileSync, readdirSync, realpathSync, statSync, writeFileSync, type Stats } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { CheetahError, formatSite, type SiteFile } from '@exokernel/cheetah';
import { UsageError } from './error.ts';

/** By extension: IANA's media types, and what browsers demand of modules and WebAssembly. */
const TYPES: Readonly<Record<string, string>> = {
  '.avif': 'image/avif',
  '.bmp': 'image/bmp',
  '.cjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.gz': 'application/gzip',
  '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/vnd.microsoft.icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.ogg': 'audio/ogg',
  '.otf': 'font/otf',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.wav': 'audio/wav',
  '.webm': 'video/webm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.xhtml': 'application/xhtml+xml',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
};

export interface SiteOptions {
  /** Publishes what begins with a dot too. */
  readonly dotFiles: boolean;
  /** Says something to the user. */
  readonly say: (text: string) => void;
}

/**
 * Writes the image. Returns how many files it holds. Files and folders that begin with a dot are left out, but for `.well-known`
 * [RFC8615]; symbolic links within the folder are followed. What else is left out is said. Throws `UsageError`.
 */
export function makeSite(folder: string, image: string, options: SiteOptions): number {
  if (statOf(folder)?.isDirectory() !== true) throw new UsageError(`no folder ${folder}`);
  const root = realpathSync(folder);
  const files = [...walk({ ...options, root }, root, '', [root])].sort((a, b) => (a.path < b.path ? -1 : 1));
  try {
    writeFileSync(image, formatSite(files));
  } catch (error) {
    if (error instanceof CheetahError) throw new UsageError(error.message);
    throw new UsageError(`cannot write ${image}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return files.length;
}

/** The files below a folder, which is `path` on the site. `above`: it and those that it is in, by their real names. */
function* walk(
  site: SiteOptions & { readonly root: string },
  folder: string,
  path: string,
  above: readonly string[],
): Generator<SiteFile> {
  const skipped: string[] = [];
  for (const { name } of readdirSync(folder, { withFileTypes: true })) {
    const at = join(folder, name);
    if (isHidden(name) && !site.dotFiles) {
      skipped.push(name);
      continue;
    }
    const stat = statOf(at);
    const why = stat === undefined ? 'it leads nowhere' : reasonAgainst(site, at, stat, above);
    if (why !== undefined) site.say(`${path}/${name} is left out: ${why}`);
    else if (stat?.isDirectory() === true) yield* walk(site, at, `${path}/${name}`, [...above, realpathSync(at)]);
    else {
      const type = TYPES[extname(name).toLowerCase()] ?? 'application/octet-stream';
      yield { path: `${path}/${name}`, type, body: contents(at) };
    }
  }
  if (skipped.length > 0) site.say(`${path}/ has ${skipped.join(', ')}, left out: publish such files with --dot-files`);
}

/** Why something is no part of a site. */
function reasonAgainst(
  { root, dotFiles }: SiteOptions & { readonly root: string },
  at: string,
  stat: Stats,
  above: readonly string[],
): string | undefined {
  if (!stat.isFile() && !stat.isDirectory()) return 'it is no file and no folder';
  const real = realpathSync(at);
  if (above.includes(real)) return 'it leads back to a folder that it is in';
  if (!real.startsWith(join(root, '/'))) return `it leads out of the folder, to ${real}`;
  const isLinked = !dotFiles && relative(root, real).split(sep).some(isHidden);
  return isLinked ? 'it leads to what begins with a dot' : undefined;
}

function isHidden(name: string): boolean {
  return name.startsWith('.') && name !== '.well-known';
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A link that leads to itself.
    return undefined;
  }
}

function contents(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
