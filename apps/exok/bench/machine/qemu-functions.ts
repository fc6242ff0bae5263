/** The peer of `run-functions.ts`: QEMU's emulator of Linux programs, which translates as we do and has no MMU to emulate. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { elfOf, functionsProgram, instructionsPerCall } from './functions.ts';

const QEMU = '/usr/bin/qemu-mipsel';
/** Instructions that are measured, after a tenth of them. */
const MEASURED = 1_000_000_000;
const execute = promisify(execFile);

/** Its name and version, or undefined where it is not installed. */
export function qemuName(): string | undefined {
  if (!existsSync(QEMU)) return undefined;
  const { stdout } = spawnSync(QEMU, ['--version'], { encoding: 'utf8' });
  return `qemu-mipsel ${/version (\S+)/.exec(stdout)?.[1] ?? '?'}`;
}

/** Instructions a second, in millions, when everything has been translated. */
export async function qemuRate(functions: number, loops: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'exok-bench-'));
  try {
    const time = async (calls: number): Promise<number> => {
      const path = join(folder, 'functions');
      writeFileSync(path, elfOf(functionsProgram(functions, loops, calls)), { mode: 0o755 });
      const started = performance.now();
      await execute(QEMU, [path]);
      return performance.now() - started;
    };
    const calls = Math.ceil(MEASURED / instructionsPerCall(loops));
    const warm = await time(Math.ceil(calls / 10));
    return MEASURED / 1000 / ((await time(calls + Math.ceil(calls / 10))) - warm);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
