/** A program that uses the floating-point unit, under Linux: its results are those of `qemu-mipsel`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { linuxProgram } from '../src/linux/boot.ts';
import { CROSS } from '../src/linux/needs.ts';
import { initramfs } from '../src/linux/userland.ts';
import { bareMachine } from '../src/run-machine.ts';
import { machineSettings } from '../src/run-options.ts';
import { KERNEL, SKIPPED } from './linux-support.ts';

const NO_QEMU = spawnSync('qemu-mipsel', ['--version']).status !== 0;
const WHY = NO_QEMU ? ' (skipped: qemu-mipsel is not installed)' : SKIPPED;
const FLAGS =
  '-march=mips1 -mabi=32 -mhard-float -mfp32 -O1 -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-pic -mno-abicalls ' +
  '-fno-stack-protector -G0 -static -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack';
const folder = mkdtempSync(join(tmpdir(), 'exok-float-'));
const STEP = 2_500_000;
const LIMIT_SECONDS = 60;

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test.skipIf(WHY !== '')(
  `denormals, underflow, NaNs, rounding modes, two processes, and what needs no software${WHY}`,
  () => {
    const program = join(folder, 'float');
    const built = spawnSync(`${CROSS}gcc`, [...FLAGS.split(' '), '-o', program, join(import.meta.dirname, 'float.c')]);
    expect(built.stderr.toString()).toBe('');
    const wanted = spawnSync('qemu-mipsel', [program], { encoding: 'utf8' }).stdout.trim().split('\n');
    expect(wanted).toHaveLength(33);
    for (const engine of ['interpreter', 'translator'] as const) {
      const settings = machineSettings({ engine });
      const boot = { kernel: KERNEL ?? '', initramfs: initramfs(readFileSync(program)), command: [] };
      let printed = '';
      const { machine, halted } = bareMachine(linuxProgram(boot, settings), settings, (byte) => {
        printed += String.fromCharCode(byte);
      });
      while (!halted() && machine.cycles < LIMIT_SECONDS * machine.hz) machine.run(STEP);
      machine.run(STEP);
      expect(printed.match(/^[0-9a-f]{16}(?=\r$)/gm), engine).toEqual(wanted);
    }
  },
);
