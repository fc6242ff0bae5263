/** `exok linux` when it cannot do what it is asked: it says what is missing, and leaves nothing half-made. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UsageError } from '../src/error.ts';
import { carryOut } from '../src/program.ts';
import { KERNEL_NEEDS } from '../src/linux/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'exok-linux-build-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What is in the cache after the last run. */
let cache: readonly string[] = [];

/** A host's path and cache folder. */
function hostWith(programs: Readonly<Record<string, string>>): [path: string, cacheFolder: string] {
  const host = mkdtempSync(join(folder, 'host-'));
  const path = join(host, 'bin');
  mkdirSync(path);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(path, name), 0o755);
  }
  return [path, join(host, 'cache')];
}

/** Runs it on a host whose path has only these programs, each a shell script; resolves to what it refuses with. */
async function refusal(args: readonly string[], programs: Readonly<Record<string, string>> = {}): Promise<string> {
  const [path, cacheFolder] = hostWith(programs);
  const { env } = process;
  process.env = { PATH: path, EXOKERNEL_CACHE: cacheFolder };
  try {
    await carryOut(['linux', ...args]);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  } finally {
    process.env = env;
    cache = existsSync(cacheFolder) ? readdirSync(cacheFolder).sort() : [];
  }
  throw new Error('it was carried out');
}

/** A host with all that building needs, but none of it does anything. */
const EMPTY_TOOLS: Record<string, string> = {
  ...Object.fromEntries(KERNEL_NEEDS.filter(([what]) => !what.startsWith('/')).map(([what]) => [what, 'exit 0'])),
  'mipsel-linux-gnu-gcc': 'echo 99',
  'apt-cache': 'if [ "$1" = search ]; then echo "linux-source-6.1 - source"; else echo "  Candidate: 6.1.0-0test"; fi',
  'dpkg-query': 'exit 1',
};
/** What makes a tree with the lines that are changed. */
const UNPACK = [
  '/bin/mkdir -p linux-source-6.1/arch/mips/dec linux-source-6.1/drivers/tty/serial',
  'echo "		j	handle_fpe_int" > linux-source-6.1/arch/mips/dec/int-handler.S',
  'echo "	uart_console_write(&dport->port, str, count, dz_console_putchar);" > linux-source-6.1/drivers/tty/serial/dz.c',
].join('; ');
const HAS_HEADERS = existsSync('/usr/include/stdio.h');

describe('refused before anything is made', () => {
  test.each([
    ['a command without --', ['hello'], /hello.*--/],
    ['an option that there is not', ['--nonsense'], /nonsense/],
    ['an address that is none', ['--ip', '10.0.0.300'], /10\.0\.0\.300/],
    ['a kernel that is not there', ['--kernel', join(folder, 'missing')], /missing/],
    ['a kernel that is none', ['--kernel', import.meta.filename], /magic/],
    ['two that exclude each other', ['--record', 'a', '--replay', 'b'], /--record .*--replay/],
  ] as const)('%s', async (_, args, message) => {
    const said = await refusal(args);
    expect(said).toMatch(message);
    expect(said).not.toContain('\n');
    expect(cache).toEqual([]);
  });
});

test('a host without tools is told all that it lacks, and how Debian installs it', async () => {
  const said = await refusal(['build']);
  expect(cache).toEqual([]);
  expect(said).toMatch(/mipsel-linux-gnu-gcc, make, gcc,.* bc, flex, bison, tar, xz, dpkg-deb, apt-get\n/);
  expect(said).toMatch(/^ {2}apt-get install gcc-mipsel-linux-gnu make gcc.* xz-utils dpkg apt$/m);
});

test.skipIf(!HAS_HEADERS)('one that is offered no source', async () => {
  const said = await refusal(['build'], { ...EMPTY_TOOLS, 'apt-cache': 'exit 0' });
  expect(cache).toEqual([]);
  expect(said).toMatch(/apt offers no package linux-source/);
});

test.skipIf(!HAS_HEADERS)('one that cannot fetch it', async () => {
  const said = await refusal(['build'], {
    ...EMPTY_TOOLS,
    'apt-get': 'echo "E: Temporary failure resolving" >&2; exit 100',
  });
  expect(said).toMatch(/cannot fetch linux-source-6\.1=6\.1\.0-0test: E: Temporary failure resolving/);
  expect(cache.filter((name) => !name.endsWith('.log'))).toEqual([]);
});

test.skipIf(!HAS_HEADERS)(
  'a build that fails shows the end of its log and where it is; nothing else is left',
  async () => {
    const said = await refusal(['build'], {
      ...EMPTY_TOOLS,
      'apt-get': '> linux-source.deb',
      tar: UNPACK,
      make: 'echo "  CC      init/main.o"; echo "init/main.c:1: error: boom" >&2; exit 1',
    });
    expect(said).toMatch(/kernel-6\.1\.0-0test-\w{12} cannot be built: make ended with exit code 1/);
    expect(said).toMatch(/^init\/main\.c:1: error: boom$/m);
    const [log, ...more] = cache;
    expect(more).toEqual([]);
    expect(said).toContain(log);
    expect(log).toMatch(/\.log$/);
  },
);

test.skipIf(!HAS_HEADERS)(
  'a build whose log cannot be written, as on a full disk, says how it failed all the same',
  async () => {
    const failing = { ...EMPTY_TOOLS, 'apt-get': '> linux-source.deb', tar: 'exit 3' };
    const said = await refusal(['build'], failing);
    const [log = ''] = cache;
    const taken = `/bin/mkdir -p "$EXOKERNEL_CACHE/${log}"; ${EMPTY_TOOLS['apt-cache'] ?? ''}`;
    const again = await refusal(['build'], { ...failing, 'apt-cache': taken });
    expect(again.split('\n')[0]).toBe(said.split('\n')[0]);
    expect(again).toMatch(/tar ended with exit code 3/);
  },
);

test.skipIf(!HAS_HEADERS)(
  'a source without the lines that are changed is named, and built only unpatched',
  async () => {
    const tools = {
      ...EMPTY_TOOLS,
      'apt-get': '> linux-source.deb',
      tar: '/bin/mkdir linux-source-6.1',
      make: 'echo CONFIG_MACH_DECSTATION=y > .config',
    };
    expect(await refusal(['build'], tools)).toMatch(/int-handler\.S of this source is another.*--unpatched/);
    expect(await refusal(['build', '--unpatched'], tools)).toMatch(/this source does not take/);
  },
);

test.skipIf(!HAS_HEADERS)('a source that lacks what the configuration asks for is named, not built', async () => {
  const said = await refusal(['build'], {
    ...EMPTY_TOOLS,
    'apt-get': '> linux-source.deb',
    tar: UNPACK,
    make: 'echo CONFIG_MACH_DECSTATION=y > .config',
  });
  expect(said).toMatch(/this source does not take CONFIG_CPU_R3000=y, /);
});

test
  .skipIf(!HAS_HEADERS || spawnSync('mkfifo', ['--version']).status !== 0)
  .each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'a build that %s ends takes all its programs with it, those that they have started too, and leaves nothing',
  async (signal) => {
    const fifo = join(mkdtempSync(join(folder, 'held-')), 'fifo');
    spawnSync('mkfifo', [fifo]);
    const [path, cacheFolder] = hostWith({
      ...EMPTY_TOOLS,
      'apt-get': '> linux-source.deb',
      tar: UNPACK,
      // It passes no signal on, and its child wants none.
      make: `( trap '' TERM INT HUP; echo building > ${fifo}; while :; do > tree; /bin/sleep 0.01; done ) > ${fifo} & wait`,
    });
    const main = join(import.meta.dirname, '..', 'src', 'main.ts');
    const env = { PATH: path, EXOKERNEL_CACHE: cacheFolder };
    const exok = spawn(process.execPath, [main, 'linux', 'build'], { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => exok.on('close', resolve));
    // It ends when nobody holds the other end any more.
    const held = createReadStream(fifo).on('data', () => exok.kill(signal));
    await new Promise((resolve) => held.on('close', resolve));
    expect(await ended).toBe(130);
    expect(readdirSync(cacheFolder)).toEqual([]);
  },
);
