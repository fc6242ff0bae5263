/** Linux for the tests, if this host has it: nothing is built here but /init, which takes a second. */
import { cachedKernel } from '../src/linux/kernel.ts';
import { CROSS } from '../src/linux/needs.ts';
import { which } from '../src/linux/shell.ts';

/** The kernel to test with. */
export const KERNEL: string | undefined = process.env.EXOKERNEL_VMLINUX ?? cachedKernel();

/** Why tests of Linux are left out; empty if they are not. */
export const SKIPPED: string =
  KERNEL === undefined
    ? ' (skipped: no kernel in the cache, see `exok linux build`, nor in EXOKERNEL_VMLINUX)'
    : which(`${CROSS}gcc`) === undefined
      ? ` (skipped: ${CROSS}gcc is not installed)`
      : '';
