/**
 * The one line of Linux that is changed.
 *
 * On a DECstation the floating-point unit reports by an interrupt. Since Linux 4.12 interrupts are handled on a stack of their own, but the
 * handler of this one still takes the stack pointer for the address of the saved registers. So it would deliver the signal, and the emulation of
 * denormal numbers, to whatever lies on the interrupt stack. s1 holds what the stack pointer was (arch/mips/kernel/genex.S).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../error.ts';

/** The file that is changed, in Linux's tree. */
export const PATCHED_FILE = 'arch/mips/dec/int-handler.S';
const JUMP = '\t\tj\thandle_fpe_int\n';
const RESTORE = '\t\tmove\tsp, s1\t\t\t# the saved registers, not the interrupt stack\n';

/** For the cache: what the change is. */
export const PATCH: string = RESTORE + JUMP;

/** Changes the line in an unpacked tree. Throws `UsageError` for a source that does not have it. */
export function patchSource(tree: string): void {
  const file = join(tree, PATCHED_FILE);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (text.split(JUMP).length !== 2) {
    throw new UsageError(`${PATCHED_FILE} of this source is another than expected: --unpatched builds it as it is`);
  }
  writeFileSync(file, text.replace(JUMP, PATCH));
}
