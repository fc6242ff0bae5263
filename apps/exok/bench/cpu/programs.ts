/** The mix, compiled for each of those who run it. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = import.meta.dirname;
const SHARED = ['-O2', '-ffreestanding', '-fno-builtin', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-w'];
const MIPS = [
  '-march=mips1',
  '-mfp32',
  '-msoft-float',
  '-mno-abicalls',
  '-G0',
  '-Wl,-e,__start',
  '-Wl,--build-id=none',
];
const X86 = ['-m32', '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-Wl,-N', '-Wl,-e,_start'];
/** A flat binary needs its header first, and code and data on pages of their own. */
const X86_PLACES = ['-Wl,--section-start=.boot=0x100000', '-Wl,-Ttext=0x101000', '-Wl,--build-id=none'];

export type Kind = 'kseg0' | 'mapped' | 'malta' | 'x86';

export const MIPS_COMPILER = '/usr/bin/mipsel-linux-gnu-gcc';
const X86_COMPILER = '/usr/bin/gcc';

/** Path of the program of this kind that does so many iterations; undefined where its compiler is not installed. */
export function program(folder: string, kind: Kind, iterations: number): string | undefined {
  const compiler = kind === 'x86' ? X86_COMPILER : MIPS_COMPILER;
  if (!existsSync(compiler)) return undefined;
  const path = join(folder, `mix-${kind}-${iterations}`);
  if (existsSync(path)) return path;
  const flags =
    kind === 'x86'
      ? [...X86, ...X86_PLACES, 'start-x86.S']
      : [
          ...MIPS,
          kind === 'mapped' ? '-DSEGMENT=0' : '-DSEGMENT=0x8000',
          kind === 'mapped' ? '-Wl,-Ttext=0x00100000' : '-Wl,-Ttext=0x80100000',
          ...(kind === 'malta' ? ['-DMALTA'] : []),
          'start-mips.S',
        ];
  const out = kind === 'x86' ? `${path}.elf` : path;
  const args = [...SHARED, `-DITERATIONS=${iterations}`, ...flags, 'mix.c', '-o', out];
  execFileSync(compiler, args, { cwd: SOURCES, stdio: ['ignore', 'ignore', 'ignore'] });
  if (kind === 'x86') execFileSync('objcopy', ['-O', 'binary', out, path]);
  return path;
}
