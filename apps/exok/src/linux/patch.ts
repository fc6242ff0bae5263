/**
 * What is changed in Linux, in two places.
 *
 * On a DECstation the floating-point unit reports by an interrupt. Since Linux 4.12 interrupts are handled on a stack of their own, but the
 * handler of this one still takes the stack pointer for the address of the saved registers. So it would deliver the signal, and the emulation of
 * denormal numbers, to whatever lies on the interrupt stack. s1 holds what the stack pointer was (arch/mips/kernel/genex.S).
 *
 * What programs print waits in the serial driver for the line, which takes a millisecond a character. A system that goes down does not wait
 * for it, so what a program printed last is lost. The change is that the driver sends it before the system's last words.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../error.ts';

/** Puts `added` before the one `line` of a file in Linux's tree. */
interface Change {
  readonly file: string;
  readonly line: string;
  readonly added: string;
}

const CHANGES: readonly Change[] = [
  {
    file: 'arch/mips/dec/int-handler.S',
    line: '\t\tj\thandle_fpe_int\n',
    added: '\t\tmove\tsp, s1\t\t\t# the saved registers, not the interrupt stack\n',
  },
  {
    file: 'drivers/tty/serial/dz.c',
    line: '\tuart_console_write(&dport->port, str, count, dz_console_putchar);\n',
    added: `	/* Nothing else sends what programs have printed when the system goes down. */
	if (dport->port.state && (oops_in_progress || system_state > SYSTEM_RUNNING)) {
		struct circ_buf *xmit = &dport->port.state->xmit;

		while (!uart_circ_empty(xmit)) {
			dz_console_putchar(&dport->port, xmit->buf[xmit->tail]);
			xmit->tail = (xmit->tail + 1) & (DZ_XMIT_SIZE - 1);
		}
	}
`,
  },
];

/** The files that are changed, for messages. */
export const PATCHED_FILES: string = CHANGES.map(({ file }) => file).join(' and ');

/** For the cache: what the changes are. */
export const PATCH: string = JSON.stringify(CHANGES);

/** Makes the changes in an unpacked tree. Throws `UsageError` for a source that does not have the lines. */
export function patchSource(tree: string): void {
  for (const { file, line, added } of CHANGES) {
    const path = join(tree, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (text.split(line).length !== 2) {
      throw new UsageError(`${file} of this source is another than expected: --unpatched builds it as it is`);
    }
    writeFileSync(
      path,
      text.replace(line, () => added + line),
    );
  }
}
