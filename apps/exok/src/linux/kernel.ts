/**
 * The kernel: Debian's source, configured by `linux/kernel.config`, built for the DECstation into the cache.
 *
 * The same source, configuration and compiler give the same code (build ids apart), so that two hosts count the same cycles.
 */
import { copyFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../error.ts';
import { fetchKernelSource, findKernelSource } from './apt.ts';
import { cacheFolder, cached, keyOf } from './cache.ts';
import { CROSS, KERNEL_NEEDS, demand } from './needs.ts';
import { PATCH, patchSource } from './patch.ts';
import { ask, step } from './shell.ts';
import type { Progress } from '../progress.ts';

/** Where the kernel's configuration and the programs' sources are. */
export const SOURCES: string = join(import.meta.dirname, '..', '..', 'linux');
const CONFIG = join(SOURCES, 'kernel.config');
/** What make makes, and what it is called in the cache. */
const IMAGE = 'vmlinux';
/** Steps that make prints for 6.1 with this configuration; what another release prints differs a little. */
const STEPS = 1100;
/** What goes into the kernel's own description of how it was built. */
const SAME_EVERYWHERE = {
  KBUILD_BUILD_TIMESTAMP: 'Sun Dec  3 00:00:00 UTC 1995',
  KBUILD_BUILD_USER: 'exok',
  KBUILD_BUILD_HOST: 'exokernel',
  KBUILD_BUILD_VERSION: '1',
  LOCALVERSION: '',
};

/** Options of a build. */
export interface BuildOptions {
  /** Build although it is in the cache. */
  readonly rebuild?: boolean;
  /** Debian's source as it is, without the changes of patch.ts. */
  readonly unpatched?: boolean;
  readonly progress: Progress;
}

/** The path of the kernel in the cache, built if it is not there yet. Throws `UsageError`. */
export async function kernelImage({ rebuild = false, unpatched = false, progress }: BuildOptions): Promise<string> {
  const source = findKernelSource();
  if (source === undefined) {
    const kernel = cachedKernel(unpatched);
    if (kernel !== undefined) return kernel;
    demand('building the kernel', KERNEL_NEEDS);
    throw new UsageError('apt offers no package linux-source-6.x, and no kernel is in the cache: see apt-get update');
  }
  const name = `kernel-${source.version.replace(/[^\w.+~-]/g, '_')}-${kernelKey(unpatched)}`;
  const entry = await cached(
    name,
    async ({ work, result, log }) => {
      demand('building the kernel', KERNEL_NEEDS);
      const started = performance.now();
      const say = (what: string): void => {
        progress(`${source.name} ${source.version}: ${what}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
      };
      say('fetching and unpacking');
      const tree = await fetchKernelSource(source, work, log);
      if (!unpatched) patchSource(tree);
      const make = (args: readonly string[], line?: (text: string) => void): Promise<void> =>
        step('make', ['ARCH=mips', `CROSS_COMPILE=${CROSS}`, ...args], {
          cwd: tree,
          env: { ...SAME_EVERYWHERE, KCONFIG_ALLCONFIG: CONFIG },
          log,
          ...(line === undefined ? {} : { line }),
        });
      say('configuring');
      await make(['allnoconfig']);
      checkConfiguration(readFileSync(join(tree, '.config'), 'utf8'));
      let steps = 0;
      await make([`-j${availableParallelism()}`, IMAGE], () => {
        steps += 1;
        say(`${steps} of about ${STEPS} steps`);
      });
      for (const file of [IMAGE, '.config']) copyFileSync(join(tree, file), join(result, file));
    },
    { rebuild },
  );
  return join(entry, IMAGE);
}

/** The newest kernel in the cache that this configuration, patch and compiler made, of whatever source. */
export function cachedKernel(unpatched: boolean = false): string | undefined {
  const cache = cacheFolder();
  const names = existsSync(cache) ? readdirSync(cache) : [];
  const end = `-${kernelKey(unpatched)}`;
  const name = names
    .filter((entry) => entry.startsWith('kernel-') && entry.endsWith(end))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
  return name === undefined ? undefined : join(cache, name, IMAGE);
}

function kernelKey(unpatched: boolean): string {
  const patch = unpatched ? [] : [PATCH];
  return keyOf(readFileSync(CONFIG), ask(`${CROSS}gcc`, ['-dumpfullversion']) ?? '', ...patch);
}

/** Throws `Error` if the source has not taken what the configuration asks for. */
function checkConfiguration(taken: string): void {
  const lines = new Set(taken.split('\n'));
  const missing = readFileSync(CONFIG, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('CONFIG_') && !lines.has(line));
  if (missing.length > 0) throw new Error(`this source does not take ${missing.join(', ')}`);
}
