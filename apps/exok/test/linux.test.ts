/** Linux on the machine: what its own programs say of console, disk and wire, and what the host's tools say of the disk. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Network, Wire } from '@exokernel/hardware';
import { afterAll, expect, test } from 'vitest';
import { benchLinux } from '../src/linux/bench.ts';
import { linuxProgram, type LinuxBoot } from '../src/linux/boot.ts';
import { CROSS } from '../src/linux/needs.ts';
import { cachedE2fsck, initProgram, initramfs } from '../src/linux/userland.ts';
import { CONSOLE_LINE, bareMachine, type ReadyMachine } from '../src/run-machine.ts';
import { machineSettings } from '../src/run-options.ts';
import { KERNEL, SKIPPED } from './linux-support.ts';

const SKIP = SKIPPED !== '';
const folder = mkdtempSync(join(tmpdir(), 'exok-linux-'));
const init = SKIP ? new Uint8Array() : await initProgram();
const STEP = 2_500_000;
/** Nanoseconds. */
const NETWORK_STEP = 20_000_000;
const LIMIT = 60;
const LAST_WORDS =
  '-march=mips1 -mabi=32 -msoft-float -O1 -ffreestanding -fno-pic -mno-abicalls -fno-stack-protector -G0 -static -nostdlib -Wl,-z,noexecstack';

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Linux extends ReadyMachine {
  readonly console: () => string;
}

interface Choices extends Partial<LinuxBoot> {
  readonly disk?: string;
  readonly wire?: Wire;
  readonly mac?: Uint8Array;
}

function linux(command: readonly string[], choices: Choices = {}): Linux {
  const { disk, wire, mac = Uint8Array.of(8, 0, 0x2b, 0, 0, 1), ...boot } = choices;
  const settings = machineSettings(disk === undefined ? {} : { disk });
  const program = linuxProgram({ kernel: KERNEL ?? '', initramfs: initramfs(init), command, ...boot }, settings);
  let printed = '';
  const lance = wire === undefined ? undefined : ({ mac, wire, geometry: 'kn01' } as const);
  const bare = bareMachine(program, settings, (byte) => (printed += String.fromCharCode(byte)), lance);
  return { ...bare, console: () => printed.replaceAll('\r', '') };
}

/** Runs to the power-off; the console from /init on. */
function finish(guest: Linux): string {
  const { machine, halted, console, close } = guest;
  while (!halted() && machine.cycles < LIMIT * machine.hz) machine.run(STEP);
  machine.run(STEP);
  close();
  const said = console();
  expect(said).not.toMatch(/Kernel panic|Oops\[|BUG:|Unhandled/);
  expect(said).toMatch(/reboot: Power down\n$/);
  return said.slice(said.indexOf('Run /init as init process\n') + 26);
}

test.skipIf(SKIP)(`/init says where it runs, and nothing of it is lost${SKIPPED}`, () => {
  const said = finish(linux([]));
  expect(said).toMatch(
    /^hello from Linux 6\.\S+ on mips\nsystem type\t\t: Digital DECstation 2100\/3100\nreboot: Power down\n$/,
  );
});

test.skipIf(SKIP).each([
  ['switches the machine off', [], /^(?:last words, [^\n]*\n){20}reboot: Power down\n$/],
  ['ends', ['-DENDS'], /^(?:last words, [^\n]*\n){20}Kernel panic[^\n]*\nRebooting in 1 seconds\.\.\n?$/],
] as const)(`what a process 1 prints last is not lost when it %s${SKIPPED}`, (_, defined, wanted) => {
  const program = join(folder, 'last-words');
  execFileSync(`${CROSS}gcc`, [
    ...LAST_WORDS.split(' '),
    ...defined,
    '-o',
    program,
    join(import.meta.dirname, 'last-words.c'),
  ]);
  const { machine, halted, console, close } = linux([], { initramfs: initramfs(readFileSync(program)) });
  while (!halted() && machine.cycles < LIMIT * machine.hz) machine.run(STEP);
  machine.run(STEP);
  close();
  expect(console().split('Run /init as init process\n')[1]).toMatch(wanted);
});

test.skipIf(SKIP)(`what somebody types is a line for the shell, and Ctrl-C a signal for what runs${SKIPPED}`, () => {
  const guest = linux(['sh'], { append: ['quiet'] });
  const { machine, console } = guest;
  const type = (text: string, until: string): void => {
    machine.serialInput(CONSOLE_LINE, new TextEncoder().encode(text));
    while (!console().includes(until) && machine.cycles < LIMIT * machine.hz) machine.run(STEP);
    expect(console()).toContain(until);
  };
  type('', '# ');
  type('cat /proc/versoin\x7f\x7f\x7fion\n', 'Linux version 6.');
  type('ls /nowhere\n', '/nowhere: error 2');
  type('udp-echo 7\n', 'echoing at port 7');
  type('\x03', 'udp-echo: ended by signal 2');
  type('exit\n', 'Power down');
  finish(guest);
});

const MKE2FS = spawnSync('mke2fs', ['-V']).status === 0;
const NO_TOOLS = MKE2FS ? SKIPPED : ' (skipped: e2fsprogs is not installed)';

test.skipIf(SKIP || !MKE2FS)(`ext2 on the disk: every byte is read, what is written is there${NO_TOOLS}`, () => {
  const files = {
    'a.txt': new TextEncoder().encode('hello\n'),
    'deep/big.bin': Uint8Array.from({ length: 300_001 }, (_, i) => (i * 31 + (i >> 9)) & 0xff),
    'deep/er/empty': new Uint8Array(),
  };
  const tree = join(folder, 'tree');
  const image = join(folder, 'disk.img');
  mkdirSync(join(tree, 'deep', 'er'), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(tree, name), bytes);
  execFileSync('mke2fs', ['-q', '-t', 'ext2', '-d', tree, image, '4M'], { stdio: 'ignore' });

  const said = finish(linux(['disk'], { disk: image, append: ['quiet'] })).split('\n');
  for (const [name, bytes] of Object.entries(files)) {
    expect(said).toContain(`${crc32(bytes).toString(16).padStart(8, '0')} ${bytes.length} /${name}`);
  }
  expect(said).toContain('unmounted, 0 errors');

  const check = spawnSync('e2fsck', ['-f', '-n', image], { encoding: 'utf8' });
  expect({ status: check.status, said: check.stdout }).toMatchObject({ status: 0 });
  const written = execFileSync('debugfs', ['-R', 'cat /written-by-linux', image], { encoding: 'utf8', stdio: 'pipe' });
  expect(written).toBe('Linux was here.\n');
});

test.skipIf(SKIP || !MKE2FS)(`a file system with a fault is not said to be clean${NO_TOOLS}`, () => {
  const image = join(folder, 'broken.img');
  writeFileSync(image, new Uint8Array(1 << 20));
  expect(finish(linux(['disk'], { disk: image, append: ['quiet'] }))).toMatch(/^mount \/dev\/vda: error 22$/m);
  // Nobody has written to it.
  expect(readFileSync(image).every((byte) => byte === 0)).toBe(true);
});

const E2FSCK = SKIP ? undefined : cachedE2fsck();
const NO_E2FSCK = E2FSCK === undefined ? SKIPPED || ' (skipped: no e2fsck in the cache)' : NO_TOOLS;

test.skipIf(NO_E2FSCK !== '')(`e2fsck under Linux finds what the host's finds${NO_E2FSCK}`, () => {
  const image = join(folder, 'checked.img');
  const rd = { disk: image, initramfs: initramfs(init, E2FSCK), append: ['quiet'] };
  execFileSync('mke2fs', ['-q', '-t', 'ext2', image, '1M'], { stdio: 'ignore' });
  expect(finish(linux(['disk', 'check'], rd)).match(/^check of \/dev\/vda: clean/gm)).toHaveLength(2);
  // A link count that is wrong: the root folder's.
  execFileSync('debugfs', ['-w', '-R', 'set_inode_field / links_count 7', image], { stdio: 'ignore' });
  const said = finish(linux(['check'], rd));
  expect(said).toMatch(/Inode 2 ref count is 7, should be 3/);
  expect(said).toMatch(/^check of \/dev\/vda: FAILED \(exit status 4, signal 0\)$/m);
  expect(spawnSync('e2fsck', ['-f', '-n', image], { encoding: 'utf8' }).stdout).toMatch(
    /Inode 2 ref count is 7, should be 3/,
  );
});

test.skipIf(SKIP)(`two machines ping each other${SKIPPED}`, () => {
  const wire = new Wire();
  const guests = ['10.0.0.1', '10.0.0.2'].map((address, i) =>
    linux(['ping', i === 0 ? '10.0.0.2' : '10.0.0.1', '4'], {
      address,
      wire,
      mac: Uint8Array.of(8, 0, 0x2b, 0, 0, i + 1),
      append: ['quiet'],
    }),
  );
  const network = new Network(guests.map(({ machine }) => machine));
  const replies = (guest: Linux): number => guest.console().split(' bytes from ').length - 1;
  while (!guests.every((guest) => replies(guest) === 4 || guest.halted()) && network.now < LIMIT * 1e9) {
    network.run(NETWORK_STEP);
  }
  for (const guest of guests) expect(guest.console()).toMatch(/64 bytes from 10\.0\.0\.\d: seq=1 ttl=64 time=\d+ ms/);
  for (const guest of guests) expect(replies(guest)).toBe(4);
});

test.skipIf(SKIP)(`the benchmarks count the same every time${SKIPPED}`, () => {
  const bench = { kernel: KERNEL ?? '', init, settings: machineSettings({}), only: ['procedure', 'getpid', 'udp'] };
  const first = benchLinux(bench);
  expect(first.map(({ name }) => name)).toEqual(['procedure', 'syscall', 'udp']);
  expect(benchLinux(bench)).toEqual(first);
  const [procedure, syscall, udp] = first.map(({ cycles }) => cycles);
  expect(procedure).toBeCloseTo(7, 0);
  expect(syscall).toBeGreaterThan(50);
  // Four frames' worth of wire at the least.
  expect(udp).toBeGreaterThan(2 * 57.6 * 25);
});
