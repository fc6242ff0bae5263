/** What building takes from the host, and which of Debian's packages has it. */
import { existsSync } from 'node:fs';
import { UsageError } from '../error.ts';
import { which } from './shell.ts';

/** The prefix of the cross compiler's programs. */
export const CROSS = 'mipsel-linux-gnu-';

/** A program of the path, or a file that starts with a slash, and its package. */
export type Need = readonly [what: string, packageName: string];

export const COMPILER_NEEDS: readonly Need[] = [[`${CROSS}gcc`, 'gcc-mipsel-linux-gnu']];
export const KERNEL_NEEDS: readonly Need[] = [
  ...COMPILER_NEEDS,
  ['make', 'make'],
  ['gcc', 'gcc'],
  ['/usr/include/stdio.h', 'libc6-dev'],
  ['bc', 'bc'],
  ['flex', 'flex'],
  ['bison', 'bison'],
  ['tar', 'tar'],
  ['xz', 'xz-utils'],
  ['dpkg-deb', 'dpkg'],
  ['apt-get', 'apt'],
];
export const E2FSCK_NEEDS: readonly Need[] = [
  ...COMPILER_NEEDS,
  ['make', 'make'],
  ['gcc', 'gcc'],
  ['/usr/include/stdio.h', 'libc6-dev'],
  ['tar', 'tar'],
  ['gzip', 'gzip'],
  ['apt-get', 'apt'],
];

/** Throws `UsageError` that names what is missing and how Debian installs it. */
export function demand(purpose: string, needs: readonly Need[]): void {
  const missing = needs.filter(([what]) => (what.startsWith('/') ? !existsSync(what) : which(what) === undefined));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  const names = missing.map(([what]) => what).join(', ');
  throw new UsageError(`${purpose} needs what is not here: ${names}\n  apt-get install ${packages.join(' ')}`);
}
