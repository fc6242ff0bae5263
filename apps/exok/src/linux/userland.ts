/**
 * The first file system: /init, which is every program of ours in one, and on request e2fsck.
 *
 * /init is freestanding MIPS I in C (`linux/*.c`), compiled in a second. e2fsck is Debian's source on musl's, compiled in a minute.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchSources } from './apt.ts';
import { cacheFolder, cached, keyOf } from './cache.ts';
import { cpio, type CpioEntry } from './cpio.ts';
import { SOURCES, type BuildOptions } from './kernel.ts';
import { COMPILER_NEEDS, CROSS, E2FSCK_NEEDS, demand } from './needs.ts';
import { ask, step } from './shell.ts';

const E2FSCK_SCRIPT = join(SOURCES, 'build-e2fsck.sh');
const E2FSCK_SOURCES = join(SOURCES, 'e2fsck');
const FLAGS =
  '-march=mips1 -mabi=32 -msoft-float -O2 -std=gnu11 -Wall -Wextra -ffreestanding -fno-strict-aliasing -fno-pic ' +
  '-mno-abicalls -fno-stack-protector -G0 -static -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack';

/** The bytes of /init, built if they are not in the cache. Throws `UsageError`. */
export async function initProgram(): Promise<Uint8Array> {
  const files = readdirSync(SOURCES).filter((file) => /\.[chS]$/.test(file));
  const key = keyOf(FLAGS, compilerVersion(), ...files.flatMap((file) => [file, readFileSync(join(SOURCES, file))]));
  const entry = await cached(`init-${key}`, async ({ result, log }) => {
    demand('building /init', COMPILER_NEEDS);
    const sources = files.filter((file) => !file.endsWith('.h'));
    await step(`${CROSS}gcc`, [...FLAGS.split(' '), '-o', join(result, 'init'), ...sources], { cwd: SOURCES, log });
    // For a user who starts a kernel in another way.
    writeFileSync(join(result, 'initramfs.cpio'), initramfs(readFileSync(join(result, 'init'))));
  });
  return readFileSync(join(entry, 'init'));
}

/** The bytes of e2fsck if they are in the cache. */
export function cachedE2fsck(): Uint8Array | undefined {
  const file = join(cacheFolder(), e2fsckName(), 'e2fsck');
  return existsSync(file) ? readFileSync(file) : undefined;
}

/** The bytes of e2fsck, built if they are not in the cache. Throws `UsageError`. */
export async function e2fsckProgram({ rebuild = false, progress }: BuildOptions): Promise<Uint8Array> {
  const entry = await cached(
    e2fsckName(),
    async ({ work, result, log }) => {
      demand('building e2fsck', E2FSCK_NEEDS);
      const started = performance.now();
      const say = (): void => {
        progress(`e2fsck: fetching, configuring, compiling, ${((performance.now() - started) / 1000).toFixed(0)} s`);
      };
      say();
      const [sources, built] = [join(work, 'sources'), join(work, 'built')];
      for (const folder of [sources, built]) mkdirSync(folder);
      await fetchSources(['musl', 'e2fsprogs'], sources, log);
      await step('sh', [E2FSCK_SCRIPT, sources, E2FSCK_SOURCES, built], { log, line: say });
      copyFileSync(join(built, 'e2fsck'), join(result, 'e2fsck'));
    },
    { rebuild },
  );
  return readFileSync(join(entry, 'e2fsck'));
}

/** The archive from which Linux starts. */
export function initramfs(init: Uint8Array, e2fsck?: Uint8Array): Uint8Array {
  const entries: CpioEntry[] = [
    { kind: 'folder', name: 'dev' },
    { kind: 'device', name: 'dev/console', device: { major: 5, minor: 1 } },
    { kind: 'file', name: 'init', mode: 0o755, data: init },
  ];
  if (e2fsck !== undefined) {
    entries.push({ kind: 'folder', name: 'sbin' }, { kind: 'file', name: 'sbin/e2fsck', mode: 0o755, data: e2fsck });
  }
  return cpio(entries);
}

function e2fsckName(): string {
  const parts = readdirSync(E2FSCK_SOURCES).flatMap((file) => [file, readFileSync(join(E2FSCK_SOURCES, file))]);
  return `e2fsck-${keyOf(compilerVersion(), readFileSync(E2FSCK_SCRIPT), ...parts)}`;
}

function compilerVersion(): string {
  return ask(`${CROSS}gcc`, ['-dumpfullversion']) ?? '';
}
