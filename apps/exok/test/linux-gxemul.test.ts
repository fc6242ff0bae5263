/** Linux's boot log on the machine and on GXemul's: the same kernel, the same first file system, the same lines. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Wire } from '@exokernel/hardware';
import { afterAll, expect, test } from 'vitest';
import { linuxProgram } from '../src/linux/boot.ts';
import { initProgram, initramfs } from '../src/linux/userland.ts';
import { bareMachine } from '../src/run-machine.ts';
import { machineSettings } from '../src/run-options.ts';
import { KERNEL, SKIPPED } from './linux-support.ts';

const NO_GXEMUL = spawnSync('gxemul', ['-V'], { timeout: 5000 }).error !== undefined;
const WHY = NO_GXEMUL ? ' (skipped: gxemul is not installed)' : SKIPPED;
const folder = mkdtempSync(join(tmpdir(), 'exok-gxemul-'));
const STEP = 2_500_000;
const LIMIT = 60;

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What may differ, and why; it is replaced by what stands last on both sides. */
const DIFFERENCES: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^CPU0 revision is: [0-9a-f]{8} \(R[23]000\)$/, 'GXemul gives a 3100 the R2000 of a 2100; ours is the R3000'],
  [/^FPU revision is: [0-9a-f]{8}$/, 'likewise: the R2010 and the R3010'],
  [/^Calibrating delay loop\.\.\. [\d.]+ BogoMIPS \(lpj=\d+\)$/, "GXemul's clock does not count instructions"],
  [/setting system clock to \S+ UTC \(\d+\)$/, "GXemul's clock has the host's time, ours begins with the machine"],
];

function lines(log: string): string[] {
  return log
    .replaceAll('\r', '')
    .split('\n')
    .map((line) => {
      const known = DIFFERENCES.find(([pattern]) => pattern.test(line));
      return known === undefined ? line : line.replace(known[0], `<${known[1]}>`);
    });
}

function ours(archive: Uint8Array): string {
  const settings = machineSettings({ mac: Uint8Array.of(0x10, 0x20, 0x30, 0x40, 0x50, 0x60) });
  // Unpacked in the background, it would say so when the host's clock, which is GXemul's, lets it.
  const append = ['initramfs_async=0'];
  const program = linuxProgram({ kernel: KERNEL ?? '', initramfs: archive, command: ['hello'], append }, settings);
  let log = '';
  const lance = { mac: settings.mac, wire: new Wire(), geometry: 'kn01' } as const;
  const { machine, halted } = bareMachine(program, settings, (byte) => (log += String.fromCharCode(byte)), lance);
  while (!halted() && machine.cycles < LIMIT * machine.hz) machine.run(STEP);
  machine.run(STEP);
  return log;
}

/** It wants a terminal, which `script` gives it. */
function theirs(archive: string, commandLine: string): Promise<string> {
  const start = /rd_start=(0x[0-9a-f]+)/.exec(commandLine)?.[1] ?? '';
  const command = `exec gxemul -q -e 3100 -M 24 -o '${commandLine}' ${start}:${archive} ${KERNEL ?? ''}`;
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['--quiet', '--command', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: LIMIT * 1000,
    });
    let log = '';
    child.stdout.on('data', (data: Buffer) => {
      log += data.toString('latin1');
      // It does not end when the guest does.
      if (log.includes('Power down')) child.stdin.end();
    });
    child.on('error', reject);
    child.on('close', () => {
      resolve(log);
    });
  });
}

test.skipIf(WHY !== '')(`the boot log equals GXemul's${WHY}`, async () => {
  const archive = initramfs(await initProgram());
  const file = join(folder, 'initramfs.cpio');
  writeFileSync(file, archive);
  const mine = ours(archive);
  const commandLine = /Kernel command line: (.*?)\r?\n/.exec(mine)?.[1] ?? '';
  const other = await theirs(file, commandLine);
  expect(lines(mine).at(-2)).toBe('reboot: Power down');
  expect(lines(mine)).toEqual(lines(other));
  // Each difference is there: the list holds no more than it must.
  for (const [, why] of DIFFERENCES) expect(lines(mine).join('\n')).toContain(why);
});
